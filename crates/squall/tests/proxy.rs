//! What a proxy promises, asked of real sockets.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "proxy/bench.rs"]
mod bench;
#[path = "proxy/impair.rs"]
mod impair;
#[path = "proxy/delay.rs"]
mod delay;

use std::io;
use std::time::{Duration, Instant};

use bench::{
    ANY, PATIENCE, connect, echo, expect, expect_reset, expect_reset_at_once, expect_silence, pair, proxied_echo,
    round_trip, until, within,
};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, RngExt, SeedableRng};
use squall::proxy::Proxy;
use squall_core::place::{Condition, Cut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const REFUSE: Condition = Condition::Cut(Cut::Refuse);
const RESET: Condition = Condition::Cut(Cut::Reset);
const BLACK_HOLE: Condition = Condition::Cut(Cut::BlackHole);

fn delayed(latency: u64, jitter: u64) -> Condition {
    Condition::delay(Duration::from_millis(latency), Duration::from_millis(jitter))
}

/// Sends `total` random bytes in random chunks through an echo and demands them back.
async fn echo_at_random(proxy: &Proxy, total: usize) {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut sent = vec![0; total];
    rng.fill_bytes(&mut sent);
    let expected = sent.clone();
    let (mut from, mut to) = connect(proxy).await.into_split();
    let writer = tokio::spawn(async move {
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (chunk, after) = rest.split_at(rng.random_range(1..=200_000).min(rest.len()));
            to.write_all(chunk).await.unwrap();
            rest = after;
        }
        to.shutdown().await.unwrap();
    });
    let mut back = Vec::new();
    within(from.read_to_end(&mut back)).await.unwrap();
    within(writer).await.unwrap();
    assert!(
        back == expected,
        "{} of {} bytes came back, or not the same",
        back.len(),
        total
    );
}

#[tokio::test]
async fn bytes_pass_through_intact_both_ways() {
    let proxy = proxied_echo().await;
    echo_at_random(&proxy, 8 << 20).await;
    until(&proxy, |stats| stats.open == 0).await;
    let stats = proxy.stats();
    assert_eq!((stats.bytes_up, stats.bytes_down), (8 << 20, 8 << 20));
    assert_eq!((stats.accepted, stats.cut, stats.bytes_delayed), (1, 0, 0));
}

#[tokio::test]
async fn a_half_close_is_passed_on_in_each_direction() {
    let (proxy, mut client, mut server) = pair().await;
    for wanted in [&[][..], &[delayed(5, 2)]] {
        proxy.impose(wanted).await.unwrap();
        client.write_all(b"last words").await.unwrap();
        expect(&mut server, b"last words").await;
    }
    client.shutdown().await.unwrap();
    assert_eq!(within(server.read(&mut [0; 8])).await.unwrap(), 0);
    server.write_all(b"heard").await.unwrap();
    expect(&mut client, b"heard").await;
    server.shutdown().await.unwrap();
    assert_eq!(within(client.read(&mut [0; 8])).await.unwrap(), 0);
    until(&proxy, |stats| stats.open == 0).await;
}

#[tokio::test]
async fn a_reset_by_one_end_reaches_the_other() {
    let (proxy, client, mut server) = pair().await;
    client.set_zero_linger().unwrap();
    drop(client);
    expect_reset(&mut server).await;
    until(&proxy, |stats| stats.open == 0 && stats.cut == 0).await;
}

#[tokio::test]
async fn refusing_ends_open_connections_and_healing_listens_on_the_same_port() {
    let proxy = proxied_echo().await;
    let addr = proxy.addr();
    for round in 1..=20 {
        let mut open = connect(&proxy).await;
        round_trip(&mut open, b"before").await;
        let imposed = Instant::now();
        proxy.impose(&[REFUSE]).await.unwrap();
        expect_reset(&mut open).await;
        assert!(
            imposed.elapsed() < Duration::from_millis(100),
            "{:?}",
            imposed.elapsed()
        );
        let error = within(TcpStream::connect(addr)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!((proxy.stats().open, proxy.stats().cut), (0, round));
        proxy.impose(&[]).await.unwrap();
        assert_eq!(proxy.addr(), addr);
        round_trip(&mut connect(&proxy).await, b"after").await;
    }
}

#[tokio::test]
async fn the_port_stays_reserved_while_it_refuses() {
    let proxy = proxied_echo().await;
    proxy.impose(&[REFUSE]).await.unwrap();
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let error = socket.bind(&proxy.addr().into()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[tokio::test]
async fn a_port_taken_on_purpose_is_named_and_healing_can_be_tried_again() {
    let proxy = proxied_echo().await;
    proxy.impose(&[REFUSE]).await.unwrap();
    // Tokio's listener reuses addresses, as the proxy does.
    let thief = TcpListener::bind(proxy.addr()).await.unwrap();
    let error = within(proxy.impose(&[])).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&proxy.addr().to_string()), "{error}");
    drop(thief);
    proxy.impose(&[]).await.unwrap();
    round_trip(&mut connect(&proxy).await, b"after").await;
}

#[tokio::test]
async fn resetting_resets_idle_and_new_connections() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[RESET, delayed(50, 0)]).await.unwrap();
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
    expect_reset_at_once(&proxy).await;
    until(&proxy, |stats| stats.open == 0 && stats.cut == 2).await;
}

#[tokio::test]
async fn a_black_hole_swallows_both_directions_and_resets_what_lost_bytes_when_healed() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[BLACK_HOLE]).await.unwrap();
    client.write_all(b"lost").await.unwrap();
    server.write_all(b"also lost").await.unwrap();
    until(&proxy, |stats| stats.bytes_swallowed == 13).await;
    expect_silence(&mut client).await;
    expect_silence(&mut server).await;
    proxy.impose(&[]).await.unwrap();
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
    assert_eq!((proxy.stats().cut, proxy.stats().open), (1, 0));
    expect_reset_at_once(&proxy).await;
    until(&proxy, |stats| stats.accepted == 2).await;
}

#[tokio::test]
async fn a_connection_that_lost_nothing_in_a_black_hole_goes_on() {
    let proxy = proxied_echo().await;
    let mut idle = connect(&proxy).await;
    round_trip(&mut idle, b"before").await;
    proxy.impose(&[BLACK_HOLE]).await.unwrap();
    let mut fresh = connect(&proxy).await;
    let mut talker = connect(&proxy).await;
    talker.write_all(b"anybody there?").await.unwrap();
    until(&proxy, |stats| stats.bytes_swallowed == 14).await;
    expect_silence(&mut talker).await;
    proxy.impose(&[BLACK_HOLE, delayed(1, 0)]).await.unwrap();
    proxy.impose(&[]).await.unwrap();
    expect_reset(&mut talker).await;
    round_trip(&mut idle, b"after").await;
    round_trip(&mut fresh, b"after").await;
}

#[tokio::test]
async fn the_end_of_a_stream_is_not_noticed_through_a_black_hole_until_it_heals() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[BLACK_HOLE]).await.unwrap();
    client.shutdown().await.unwrap();
    expect_silence(&mut server).await;
    proxy.impose(&[]).await.unwrap();
    assert_eq!(within(server.read(&mut [0; 8])).await.unwrap(), 0);
}

#[tokio::test]
async fn imposing_what_already_holds_changes_nothing() {
    let (proxy, mut client, mut server) = pair().await;
    let slow = [delayed(60_000, 0), delayed(1, 1)];
    proxy.impose(&slow).await.unwrap();
    client.write_all(b"held").await.unwrap();
    until(&proxy, |stats| stats.bytes_delayed == 4).await;
    proxy.impose(&slow).await.unwrap();
    proxy.impose(&[slow[1].clone(), slow[0].clone()]).await.unwrap();
    expect_silence(&mut server).await;
    for wanted in [&[REFUSE][..], &[]] {
        proxy.impose(wanted).await.unwrap();
        proxy.impose(wanted).await.unwrap();
    }
    assert_eq!(proxy.stats().cut, 1);
    expect_reset_at_once(&proxy).await;
}

#[tokio::test]
async fn a_condition_that_is_not_for_links_is_refused_and_changes_nothing() {
    let proxy = proxied_echo().await;
    let mut stream = connect(&proxy).await;
    let error = proxy.impose(&[REFUSE, Condition::Frozen]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    round_trip(&mut stream, b"still here").await;
}

#[tokio::test]
async fn a_client_is_reset_quickly_when_the_upstream_is_down() {
    let gone = TcpListener::bind(ANY).await.unwrap().local_addr().unwrap();
    let proxy = Proxy::open(ANY, gone, 42).await.unwrap();
    let start = Instant::now();
    expect_reset_at_once(&proxy).await;
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    until(&proxy, |stats| stats.open == 0 && stats.upstream_failures == 1).await;
    assert_eq!(proxy.stats().cut, 0);
}

#[tokio::test]
async fn five_hundred_connections_leave_nothing_open() {
    let proxy = proxied_echo().await;
    let mut streams = Vec::new();
    for _ in 0..500 {
        streams.push(connect(&proxy).await);
    }
    for stream in &mut streams {
        round_trip(stream, b"hello").await;
    }
    assert_eq!(proxy.stats().open, 500);
    drop(streams);
    until(&proxy, |stats| stats.open == 0 && stats.accepted == 500).await;
}

#[tokio::test]
async fn closing_ends_within_a_second_with_connections_open() {
    for wanted in [&[][..], &[BLACK_HOLE], &[delayed(60_000, 0)]] {
        let proxy = Proxy::open(ANY, echo().await, 42).await.unwrap();
        let addr = proxy.addr();
        let mut streams = Vec::new();
        for _ in 0..50 {
            streams.push(connect(&proxy).await);
        }
        proxy.impose(wanted).await.unwrap();
        until(&proxy, |stats| stats.accepted == 50).await;
        let start = Instant::now();
        proxy.close().await;
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        for stream in &mut streams {
            expect_reset(stream).await;
        }
        TcpStream::connect(addr).await.unwrap_err();
    }
}

#[tokio::test]
async fn a_dropped_proxy_ends_its_connections() {
    let (proxy, mut client, mut server) = pair().await;
    drop(proxy);
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
}

/// An order is carried out by whoever gives it while the proxies' thread sleeps, and by the thread while that works.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn orders_are_followed_one_after_the_other_however_busy_the_thread_is() {
    let busy = proxied_echo().await;
    let (mut from, mut to) = connect(&busy).await.into_split();
    let pours = tokio::spawn(async move { while to.write_all(&[7; 1 << 16]).await.is_ok() {} });
    let reads = tokio::spawn(async move { while from.read(&mut [0; 1 << 16]).await.is_ok_and(|count| count > 0) {} });
    let upstream = echo().await;
    for _ in 0..100 {
        let proxy = within(Proxy::open(ANY, upstream, 1)).await.unwrap();
        within(proxy.impose(&[BLACK_HOLE])).await.unwrap();
        within(proxy.impose(&[])).await.unwrap();
        round_trip(&mut connect(&proxy).await, b"through").await;
        within(proxy.impose(&[REFUSE])).await.unwrap();
        assert!(TcpStream::connect(proxy.addr()).await.is_err());
    }
    assert!(!pours.is_finished() && !reads.is_finished());
    busy.close().await;
    within(pours).await.unwrap();
    within(reads).await.unwrap();
}

#[tokio::test]
async fn a_blocked_writer_hears_of_a_new_order() {
    let (proxy, mut client, mut server) = pair().await;
    // Nobody reads at the other end, so that everything on the way fills up.
    let full = tokio::time::timeout(Duration::from_millis(300), client.write_all(&[1; 64 << 20]));
    full.await.unwrap_err();
    tokio::time::timeout(PATIENCE, proxy.impose(&[RESET]))
        .await
        .unwrap()
        .unwrap();
    assert_eq!((proxy.stats().open, proxy.stats().cut), (0, 1));
    let mut rest = Vec::new();
    within(server.read_to_end(&mut rest)).await.unwrap_err();
}
