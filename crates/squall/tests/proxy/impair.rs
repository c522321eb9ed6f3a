//! Every impairment: imposed, felt by those who use the link, counted, and gone when healed.

use std::time::{Duration, Instant};

use squall::proxy::{Proxy, Stats};
use squall_core::place::{Condition, Cut, Impair, Impairment, Share, Spread, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{connect, expect, expect_reset, expect_silence, pair, proxied_echo, round_trip, until, within};
use crate::echo_at_random;

const MS: Duration = Duration::from_millis(1);

fn all(what: Impair) -> Condition {
    Condition::Impaired(what.into())
}

fn on(way: Way, what: Impair) -> Condition {
    let share = Share::ALL;
    Condition::Impaired(Impairment { what, way, share })
}

/// Sends `bytes` to an echo and says when, and as what, they are back.
async fn sent_around(stream: &mut TcpStream, bytes: &[u8]) -> (Duration, Vec<u8>) {
    let (mut back, start) = (vec![0; bytes.len()], Instant::now());
    let (mut from, mut to) = stream.split();
    let (sent, got) = tokio::join!(to.write_all(bytes), within(from.read_exact(&mut back)));
    (sent.and(got).map(|_| start.elapsed()).unwrap(), back)
}

/// Demands that the link is as it was: quick, whole, and nothing more is counted but bytes that pass.
async fn expect_healed(proxy: &Proxy, stream: &mut TcpStream) {
    let start = Instant::now();
    proxy.impose(&[]).await.unwrap();
    assert!(start.elapsed() < 500 * MS, "healing took {:?}", start.elapsed());
    let calm = |stats: Stats| Stats {
        bytes_up: 0,
        bytes_down: 0,
        ..stats
    };
    let before = calm(proxy.stats());
    let bytes = [7; 5000];
    let (took, back) = sent_around(stream, &bytes).await;
    assert!(took < 200 * MS && back == bytes, "{took:?}");
    assert_eq!(calm(proxy.stats()), before);
}

#[tokio::test]
async fn a_rate_lets_through_so_much_and_healing_lets_the_rest_go() {
    let proxy = proxied_echo().await;
    let mut stream = connect(&proxy).await;
    for rate in [200_000, 2_000_000] {
        let (size, before) = (usize::try_from(rate / 2).unwrap(), proxy.stats().bytes_throttled);
        proxy
            .impose(&[on(Way::Up, Impair::Rate { bytes: rate })])
            .await
            .unwrap();
        let (took, _) = sent_around(&mut stream, &vec![1; size]).await;
        assert!(took >= 480 * MS && took < 800 * MS, "{rate}: {took:?}");
        let waited = proxy.stats().bytes_throttled - before;
        // A moment's worth may leave at once, now and after a pause of this machine.
        assert!(waited >= size as u64 / 2 && waited <= size as u64, "{rate}: {waited}");
        expect_healed(&proxy, &mut stream).await;
    }
    let before = proxy.stats().bytes_throttled;
    proxy.impose(&[all(Impair::Rate { bytes: 10 })]).await.unwrap();
    stream.write_all(&[1; 1000]).await.unwrap();
    until(&proxy, |stats| stats.bytes_throttled == before + 1000).await;
    proxy.impose(&[]).await.unwrap();
    expect(&mut stream, &[1; 1000]).await;
}

/// A check that can't fail is none: who finds the link wide enough has met nothing.
#[tokio::test]
async fn what_is_let_go_at_once_is_not_counted_as_held() {
    let proxy = proxied_echo().await;
    let mut stream = connect(&proxy).await;
    let (latency, jitter, spread) = (Duration::ZERO, Duration::ZERO, Spread::Uniform);
    let idle = Impair::Delay {
        latency,
        jitter,
        spread,
    };
    let wide = Impair::Rate { bytes: 4_000_000_000 };
    proxy.impose(&[all(wide), all(idle)]).await.unwrap();
    for _ in 0..20 {
        round_trip(&mut stream, b"a trickle").await;
    }
    let stats = proxy.stats();
    assert_eq!((stats.bytes_throttled, stats.bytes_delayed), (0, 0));
    proxy.impose(&[all(Impair::Rate { bytes: 10_000 })]).await.unwrap();
    round_trip(&mut stream, &[1; 500]).await;
    assert!(proxy.stats().bytes_throttled > 0);
}

#[tokio::test]
async fn a_slow_link_takes_no_more_from_its_sender_than_it_carries() {
    let (proxy, mut client, _server) = pair().await;
    proxy.impose(&[all(Impair::Rate { bytes: 100_000 })]).await.unwrap();
    let much = vec![0; 32 << 20];
    let sending = tokio::time::timeout(300 * MS, client.write_all(&much)).await;
    assert!(sending.is_err(), "it took everything at once");
    let waited = proxy.stats().bytes_throttled;
    assert!(waited > 0 && waited < 200_000, "{:?}", proxy.stats());
}

#[tokio::test]
async fn a_stall_holds_everything_up_for_a_while_and_loses_nothing() {
    let proxy = proxied_echo().await;
    let mut stream = connect(&proxy).await;
    let (share, pause) = (Share::of(0.3), 40 * MS);
    proxy
        .impose(&[on(Way::Down, Impair::Stall { share, pause })])
        .await
        .unwrap();
    let mut slow = 0;
    for number in 0..40 {
        let (took, back) = sent_around(&mut stream, &[number; 100]).await;
        assert_eq!(back, [number; 100]);
        slow += u64::from(took >= pause);
    }
    let stalls = proxy.stats().stalls;
    assert!(slow >= stalls && (4..25).contains(&stalls), "{slow} of {stalls}");
    expect_healed(&proxy, &mut stream).await;
}

#[tokio::test]
async fn changed_bytes_are_those_the_application_sees_and_the_seed_says_which() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let proxy = proxied_echo().await;
        let mut stream = connect(&proxy).await;
        let share = Share::of(0.001);
        proxy.impose(&[on(Way::Down, Impair::Corrupt { share })]).await.unwrap();
        let (_, back) = sent_around(&mut stream, &[9; 100_000]).await;
        let changed: Vec<_> = (0..back.len())
            .filter(|at| back[*at] != 9)
            .map(|at| (at, back[at]))
            .collect();
        assert_eq!(changed.len() as u64, proxy.stats().bytes_corrupted);
        assert!((60..160).contains(&changed.len()), "{}", changed.len());
        expect_healed(&proxy, &mut stream).await;
        seen.push(changed);
    }
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn slices_come_one_by_one() {
    let (proxy, mut client, mut server) = pair().await;
    let (bytes, vary, pause) = (10, 0, 20 * MS);
    proxy
        .impose(&[all(Impair::Slice { bytes, vary, pause })])
        .await
        .unwrap();
    client.write_all(&[5; 50]).await.unwrap();
    let (start, mut reads, mut got) = (Instant::now(), 0, 0);
    while got < 50 {
        let count = within(server.read(&mut [0; 100])).await.unwrap();
        assert!(count > 0);
        (reads, got) = (reads + 1, got + count);
    }
    assert!(
        reads >= 3 && start.elapsed() >= 75 * MS,
        "{reads} {:?}",
        start.elapsed()
    );
    assert_eq!(proxy.stats().slices, 4);
    proxy.impose(&[]).await.unwrap();
    client.write_all(&[5; 50]).await.unwrap();
    expect(&mut server, &[5; 50]).await;
    assert_eq!(proxy.stats().slices, 4);
}

#[tokio::test]
async fn a_slow_close_is_noticed_late_and_healing_ends_it() {
    for (delay, heal) in [(100 * MS, false), (60_000 * MS, true)] {
        let (proxy, mut client, mut server) = pair().await;
        proxy.impose(&[all(Impair::SlowClose { delay })]).await.unwrap();
        client.write_all(b"bye").await.unwrap();
        client.shutdown().await.unwrap();
        let start = Instant::now();
        expect(&mut server, b"bye").await;
        assert!(start.elapsed() < 90 * MS, "the bytes were held, too");
        until(&proxy, |stats| stats.slow_closes == 1).await;
        if heal {
            expect_silence(&mut server).await;
            proxy.impose(&[]).await.unwrap();
        }
        assert_eq!(within(server.read(&mut [0; 8])).await.unwrap(), 0);
        assert!(heal || start.elapsed() >= 99 * MS, "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn a_truncated_connection_carries_exactly_so_many_bytes() {
    let (proxy, mut client, mut server) = pair().await;
    proxy
        .impose(&[on(Way::Down, Impair::Truncate { after: 1000 })])
        .await
        .unwrap();
    client.write_all(b"a request").await.unwrap();
    expect(&mut server, b"a request").await;
    for _ in 0..3 {
        server.write_all(&[3; 400]).await.unwrap();
    }
    let mut all = Vec::new();
    within(client.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, [3; 1000]);
    drop(client);
    drop(server);
    until(&proxy, |stats| stats.open == 0 && stats.truncated == 1).await;
}

#[tokio::test]
async fn silence_in_one_direction_leaves_the_other_and_ends_with_a_reset_where_bytes_are_missing() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[on(Way::Up, Impair::Silence)]).await.unwrap();
    client.write_all(b"hello?").await.unwrap();
    server.write_all(b"still there").await.unwrap();
    expect(&mut client, b"still there").await;
    until(&proxy, |stats| stats.bytes_swallowed == 6).await;
    expect_silence(&mut server).await;
    proxy.impose(&[]).await.unwrap();
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
}

#[tokio::test]
async fn a_half_open_connection_is_gone_for_one_end_only() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[Condition::Cut(Cut::HalfOpen)]).await.unwrap();
    expect_reset(&mut server).await;
    client.write_all(b"anybody?").await.unwrap();
    until(&proxy, |stats| stats.bytes_swallowed == 8).await;
    expect_silence(&mut client).await;
    let mut fresh = connect(&proxy).await;
    expect_silence(&mut fresh).await;
    proxy.impose(&[]).await.unwrap();
    expect_reset(&mut client).await;
}

#[tokio::test]
async fn a_timeout_closes_in_time_or_when_it_is_removed() {
    for (after, heal) in [(Some(50 * MS), false), (None, true)] {
        let (proxy, mut client, mut server) = pair().await;
        proxy.impose(&[on(Way::Down, Impair::Timeout { after })]).await.unwrap();
        server.write_all(b"lost").await.unwrap();
        until(&proxy, |stats| stats.bytes_swallowed == 4).await;
        if heal {
            expect_silence(&mut client).await;
            proxy.impose(&[]).await.unwrap();
        }
        assert_eq!(within(client.read(&mut [0; 8])).await.unwrap(), 0);
        drop((client, server));
        until(&proxy, |stats| stats.open == 0).await;
    }
}

#[tokio::test]
async fn a_reset_comes_so_long_after_the_first_byte() {
    let (proxy, mut client, mut server) = pair().await;
    proxy
        .impose(&[on(Way::Up, Impair::Reset { after: 30 * MS })])
        .await
        .unwrap();
    expect_silence(&mut client).await;
    let start = Instant::now();
    client.write_all(b"x").await.unwrap();
    expect_reset(&mut client).await;
    expect_reset(&mut server).await;
    assert!(start.elapsed() >= 30 * MS);
}

#[tokio::test]
async fn a_share_of_connections_is_hindered_and_always_the_same_ones() {
    let proxy = proxied_echo().await;
    let mut streams = Vec::new();
    for _ in 0..60 {
        streams.push(connect(&proxy).await);
    }
    for stream in &mut streams {
        round_trip(stream, b"hi").await;
    }
    let spread = Spread::Uniform;
    let what = Impair::Delay {
        latency: 30 * MS,
        jitter: Duration::ZERO,
        spread,
    };
    let (way, share) = (Way::Up, Share::of(0.5));
    let mut rounds = Vec::new();
    for _ in 0..2 {
        proxy
            .impose(&[Condition::Impaired(Impairment { what, way, share })])
            .await
            .unwrap();
        let before = proxy.stats().bytes_delayed;
        let mut slow = Vec::new();
        for stream in &mut streams {
            let so_far = proxy.stats().bytes_delayed;
            round_trip(stream, b"hi").await;
            slow.push(proxy.stats().bytes_delayed > so_far);
        }
        assert!((20..=100).contains(&(proxy.stats().bytes_delayed - before)));
        rounds.push(slow);
        proxy.impose(&[]).await.unwrap();
    }
    assert_eq!(rounds[0], rounds[1]);
}

#[tokio::test]
async fn adding_something_does_not_let_go_of_what_a_delay_holds() {
    let proxy = proxied_echo().await;
    let mut stream = connect(&proxy).await;
    let slow = on(
        Way::Up,
        Impair::Delay {
            latency: 200 * MS,
            jitter: Duration::ZERO,
            spread: Spread::Uniform,
        },
    );
    proxy.impose(std::slice::from_ref(&slow)).await.unwrap();
    let start = Instant::now();
    stream.write_all(b"held").await.unwrap();
    until(&proxy, |stats| stats.bytes_delayed == 4).await;
    proxy
        .impose(&[slow, all(Impair::SlowClose { delay: MS })])
        .await
        .unwrap();
    expect(&mut stream, b"held").await;
    assert!(start.elapsed() >= 200 * MS, "early: {:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bulk_passes_intact_while_impairments_come_and_go() {
    let proxy = proxied_echo().await;
    let wanted = [
        vec![],
        vec![all(Impair::Slice {
            bytes: 3000,
            vary: 2000,
            pause: Duration::ZERO,
        })],
        vec![
            all(Impair::Rate { bytes: 200 << 20 }),
            all(Impair::SlowClose { delay: MS }),
        ],
        vec![],
        vec![all(Impair::Stall {
            share: Share::of(0.001),
            pause: MS,
        })],
    ];
    let changes = async {
        for round in 0..100 {
            proxy.impose(&wanted[round % wanted.len()]).await.unwrap();
            tokio::time::sleep(2 * MS).await;
        }
        proxy.impose(&[]).await.unwrap();
    };
    tokio::join!(within(changes), echo_at_random(&proxy, 64 << 20));
}
