//! What load promises, asked of real sockets.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "load/server.rs"]
mod server;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use server::{OK, Server};
use squall::load::{
    Ended, Failed, HttpSession, Load, Malformed, Outcome, Part, Parts, Record, Requests, Unknown, delivery,
};
use squall_core::schedule::{Arrivals, Schedule, Stretch};
use squall_core::time::{SECOND, nanos};

const MS: u64 = 1_000_000;
/// Nothing here takes nearly as long.
const LONG: Duration = Duration::from_secs(30);

fn schedule(rate: f64, millis: u64) -> Schedule {
    Schedule::new([Stretch::even(rate, millis * MS)], Arrivals::Even).unwrap()
}

fn load(target: SocketAddr, schedule: Schedule) -> Load {
    Load {
        target,
        schedule,
        connections: 8,
        patience: LONG,
        drain: LONG,
    }
}

fn get() -> HttpSession {
    HttpSession::fixed(&Requests::new("GET", "test", &[]).unwrap(), &Parts::default())
}

/// Sends a load on one thread and answers what came of it, and each record.
fn send(load: &Load, session: HttpSession, keep: usize) -> (Part, Vec<Record>) {
    let planned = load.schedule.dues().count();
    let (deliver, records) = delivery(planned.max(1));
    let running = load.start(Instant::now(), vec![session.heard(keep, deliver)]).unwrap();
    let part = whole(&running.join().unwrap());
    assert_eq!(
        part.planned(),
        planned as u64,
        "every due is in exactly one count: {part:?}"
    );
    let records: Vec<Record> = records.iter().collect();
    assert_eq!(records.len() as u64, part.planned() - part.unsent);
    (part, records)
}

fn whole(ended: &Ended<HttpSession>) -> Part {
    ended.tally.whole().unwrap()
}

fn outcomes(records: &[Record]) -> BTreeSet<String> {
    records.iter().map(|record| format!("{:?}", record.outcome)).collect()
}

#[test]
fn every_due_is_sent_once_in_its_order_and_never_early() {
    let server = Server::answering(&[OK]);
    let (part, mut records) = send(&load(server.addr, schedule(2000.0, 500)), get(), 64);
    assert_eq!(part.answered[2], 1000);
    records.sort_by_key(|record| record.due.k);
    for (k, record) in records.iter().enumerate() {
        assert_eq!((record.due.k, record.due.at), (k as u64, k as u64 * MS / 2));
        let sent = record.sent.unwrap();
        assert!(sent >= record.due.at && record.ret >= sent, "{record:?}");
        assert_eq!((record.outcome, &record.body[..]), (Outcome::Answered(200), &b"{}"[..]));
    }
    assert_eq!((part.from_due.len(), part.lateness.len()), (1000, 1000));
}

#[test]
fn a_stall_is_felt_by_all_that_were_due_during_it() {
    // Whoever holds the gate holds everybody up.
    let (gate, seen) = (Mutex::new(()), AtomicUsize::new(0));
    let server = Server::start(move |mut peer| {
        while peer.request().is_some() {
            let held = gate.lock().unwrap();
            if seen.fetch_add(1, Ordering::SeqCst) == 300 {
                let (_keep, never) = mpsc::channel::<()>();
                never.recv_timeout(Duration::from_millis(300)).unwrap_err();
            }
            drop(held);
            if !peer.send(OK) {
                return;
            }
        }
    });
    let (part, _) = send(&load(server.addr, schedule(1000.0, 1000)), get(), 0);
    assert_eq!(part.answered[2], 1000);
    // 300 of 1000 were due meanwhile, and waited for 0 to 300 ms: a tenth of all waited for 200 ms or more.
    let due = |quantile| part.from_due.value_at_quantile(quantile);
    assert!(due(0.9) >= 190 * MS, "p90 from due is {} ms", due(0.9) / MS);
    assert!(due(0.99) >= 280 * MS, "p99 from due is {} ms", due(0.99) / MS);
    // Counted from their sending, only those that were under way show it.
    let slow = part.from_send.len() - part.from_send.count_between(0, 150 * MS);
    assert!((1..=8).contains(&slow), "{slow} were slow from send");
}

#[test]
fn refused_requests_have_certainly_failed() {
    let gone = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let (part, records) = send(&load(gone, schedule(500.0, 200)), get(), 0);
    assert_eq!((part.refused, part.failed()), (100, 100));
    assert!(records.iter().all(|record| record.sent.is_none()));
    assert_eq!(
        outcomes(&records),
        [format!("{:?}", Outcome::Failed(Failed::Refused))].into()
    );
}

#[test]
fn requests_that_were_cut_off_are_unknown() {
    for reply in [
        &b""[..],
        b"HTTP/1.1 200 OK\r\nconte",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
    ] {
        let server = Server::answering_once(reply);
        let (part, records) = send(&load(server.addr, schedule(500.0, 100)), get(), 64);
        assert_eq!((part.cut_off, part.unknown()), (50, 50));
        assert!(
            records
                .iter()
                .all(|record| record.sent.is_some() && record.body.is_empty())
        );
    }
}

#[test]
fn what_is_no_reply_leaves_its_request_unknown() {
    let server = Server::answering(&[b"SSH-2.0-OpenSSH_9.2\r\n"]);
    let (part, records) = send(&load(server.addr, schedule(500.0, 100)), get(), 64);
    assert_eq!((part.malformed, part.unknown()), (50, 50));
    let unknown = Unknown::Malformed(Malformed::StatusLine);
    assert_eq!(outcomes(&records), [format!("{:?}", Outcome::Unknown(unknown))].into());
}

#[test]
fn one_connection_is_used_again_and_again() {
    let server = Server::answering(&[
        b"HTTP/1.1 201 Created\r\ntransfer-enc",
        b"oding: chunked\r\n\r\n3\r\nabc",
        b"\r\n2\r\nde\r\n0",
        b"\r\n\r\n",
    ]);
    let mut load = load(server.addr, schedule(1000.0, 200));
    load.connections = 1;
    let (part, records) = send(&load, get(), 4);
    assert_eq!((part.answered[2], server.accepted()), (200, 1));
    assert!(records.iter().all(|record| record.body == b"abcd"));
}

#[test]
fn servers_that_close_after_each_reply_work() {
    let closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    for reply in [&closing[..], b"HTTP/1.1 200 OK\r\n\r\n{}", b"HTTP/1.0 200 OK\r\n\r\n{}"] {
        let server = Server::answering_once(reply);
        let (part, records) = send(&load(server.addr, schedule(500.0, 100)), get(), 64);
        assert_eq!((part.answered[2], server.accepted()), (50, 50));
        assert!(records.iter().all(|record| record.body == b"{}"));
    }
}

#[test]
fn servers_that_close_without_saying_so_cost_at_most_what_was_sent_to_them() {
    let server = Server::answering_once(OK);
    let (part, _) = send(&load(server.addr, schedule(100.0, 300)), get(), 0);
    // Whether the end of a connection is seen before the next request goes there is a matter of moments.
    assert_eq!(part.answered[2] + part.cut_off, 30, "{part:?}");
    assert!(part.answered[2] > 0);
}

#[test]
fn replies_to_head_have_no_body() {
    let server = Server::answering(&[b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n"]);
    let head = HttpSession::fixed(&Requests::new("HEAD", "test", &[]).unwrap(), &Parts::default());
    let mut load = load(server.addr, schedule(500.0, 100));
    load.connections = 1;
    let (part, _) = send(&load, head, 64);
    assert_eq!((part.answered[2], server.accepted()), (50, 1));
}

#[test]
fn each_request_can_be_another_and_its_answer_is_told() {
    let server = Server::start(|mut peer| {
        while let Some((head, body)) = peer.request() {
            let path = head.split(' ').nth(1).unwrap();
            let echo = format!("{path} {}", String::from_utf8(body).unwrap());
            let status = if path == "/3" { "503 Busy" } else { "201 Created" };
            let reply = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{echo}", echo.len());
            if !peer.send(reply.as_bytes()) {
                return;
            }
        }
    });
    let requests = Requests::new("POST", "test", &[("x-run", "7")]).unwrap();
    let session = HttpSession::filled(requests, |due, parts| {
        parts.path.extend_from_slice(format!("/{}", due.k).as_bytes());
        parts.body.extend_from_slice(format!("task {}", due.k).as_bytes());
    });
    let (part, records) = send(&load(server.addr, schedule(500.0, 100)), session, 64);
    assert_eq!((part.answered[2], part.answered[5]), (49, 1));
    for record in records {
        let k = record.due.k;
        assert_eq!(record.body, format!("/{k} task {k}").as_bytes());
    }
}

#[test]
fn requests_larger_than_a_sockets_buffer_arrive_whole() {
    let server = Server::start(|mut peer| {
        while let Some((_, body)) = peer.request() {
            let whole = body.len() == 8 << 20 && body.iter().all(|byte| *byte == 7);
            let reply: &[u8] = if whole {
                OK
            } else {
                b"HTTP/1.1 400 Bad\r\ncontent-length: 0\r\n\r\n"
            };
            if !peer.send(reply) {
                return;
            }
        }
    });
    let requests = Requests::new("PUT", "test", &[]).unwrap();
    let session = HttpSession::filled(requests, |_, parts| parts.body.resize(8 << 20, 7));
    let (part, _) = send(&load(server.addr, schedule(10.0, 300)), session, 0);
    assert_eq!(part.answered[2], 3);
}

#[test]
fn a_load_ends_in_time_and_says_what_was_never_answered() {
    let server = Server::start(|mut peer| while peer.request().is_some() {});
    let mut load = load(server.addr, schedule(100.0, 300));
    load.connections = 2;
    load.patience = Duration::from_millis(100);
    load.drain = Duration::from_millis(100);
    let begin = Instant::now();
    let (part, records) = send(&load, get(), 0);
    assert!(begin.elapsed() < LONG);
    // Two at a time for a tenth of a second each, in four tenths.
    assert!((1..=8).contains(&part.timed_out), "{} timed out", part.timed_out);
    assert!(part.unsent >= 22, "{} were never sent", part.unsent);
    let patient = records.iter().filter(|record| record.ret < 400 * MS);
    for record in patient {
        // Its time counts from its being taken up, which was not before it was due.
        assert!(record.ret >= record.due.at + 100 * MS, "given up early: {record:?}");
    }
}

#[test]
fn a_load_stops_when_told() {
    let server = Server::answering(&[OK]);
    let load = load(server.addr, schedule(1000.0, 3_600_000));
    let (deliver, records) = delivery(1 << 20);
    let begin = Instant::now();
    let running = load.start(begin, vec![get().heard(0, deliver)]).unwrap();
    for _ in 0..10 {
        records.recv_timeout(LONG).unwrap();
    }
    assert!(!running.is_over());
    running.stop();
    let part = whole(&running.join().unwrap());
    assert!(begin.elapsed() < LONG);
    assert_eq!(part.planned(), 3_600_000);
    assert_eq!(part.all_answered() + part.unsent, 3_600_000);
    assert!(part.all_answered() >= 10);
}

#[test]
fn a_load_that_has_not_begun_stops_too() {
    let server = Server::answering(&[OK]);
    let begin = Instant::now() + 10 * LONG;
    let running = load(server.addr, schedule(10.0, 1000))
        .start(begin, vec![get()])
        .unwrap();
    running.stop();
    let part = whole(&running.join().unwrap());
    assert_eq!((part.unsent, server.accepted()), (10, 0));
    assert!(Instant::now() < begin);
}

#[test]
fn threads_share_the_dues() {
    let server = Server::answering(&[OK]);
    let (deliver, records) = delivery(1000);
    let sessions = (0..3).map(|_| get().heard(0, deliver.clone())).collect();
    drop(deliver);
    let begin = Instant::now() + Duration::from_millis(20);
    let running = load(server.addr, schedule(2000.0, 250)).start(begin, sessions).unwrap();
    let ended = running.join().unwrap();
    assert_eq!(whole(&ended).answered[2], 500);
    drop(ended);
    let numbers: BTreeSet<u64> = records.iter().map(|record| record.due.k).collect();
    assert_eq!(numbers.len(), 500);
}

#[test]
fn stretches_are_counted_apart() {
    let server = Server::answering(&[OK]);
    let spike = Stretch::spike(100.0, 2000.0, (SECOND / 10, SECOND / 10), 3 * SECOND / 10);
    let schedule = Schedule::new(spike, Arrivals::Even).unwrap();
    let length = schedule.length();
    let load = load(server.addr, schedule);
    let begin = Instant::now();
    let ended = load.start(begin, vec![get()]).unwrap().join().unwrap();
    assert!(nanos(begin.elapsed()) >= length - SECOND / 100);
    let answered: Vec<u64> = ended.tally.parts.iter().map(|part| part.answered[2]).collect();
    assert_eq!(answered, [10, 200, 10]);
}
