//! Delays: what waits, for how long, and what becomes of it.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::bench::{connect, expect, expect_reset, expect_silence, pair, proxied_echo, round_trip, until, within};
use crate::{BLACK_HOLE, delayed, echo_at_random};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_pass_intact_while_the_delay_keeps_changing() {
    let proxy = proxied_echo().await;
    let changes = async {
        for round in 0..200 {
            let wanted = [delayed(round % 7, round % 4)];
            proxy.impose(&wanted[..usize::from(round % 3 != 0)]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        proxy.impose(&[]).await.unwrap();
    };
    tokio::join!(within(changes), echo_at_random(&proxy, 8 << 20));
    assert!(proxy.stats().bytes_delayed > 0);
}

#[tokio::test]
async fn bytes_held_by_a_delay_vanish_in_a_black_hole() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[delayed(60_000, 0)]).await.unwrap();
    client.write_all(b"under way").await.unwrap();
    until(&proxy, |stats| stats.bytes_delayed == 9).await;
    proxy.impose(&[BLACK_HOLE]).await.unwrap();
    assert_eq!(proxy.stats().bytes_swallowed, 9);
    proxy.impose(&[delayed(60_000, 0)]).await.unwrap();
    expect_reset(&mut server).await;
}

#[tokio::test]
async fn a_delay_adds_to_each_direction_and_is_never_early() {
    let proxy = proxied_echo().await;
    let mut stream = connect(&proxy).await;
    round_trip(&mut stream, b"warm").await;
    proxy.impose(&[delayed(50, 20), delayed(30, 0)]).await.unwrap();
    for _ in 0..8 {
        let sent = Instant::now();
        round_trip(&mut stream, b"ping").await;
        let took = sent.elapsed();
        assert!(took >= Duration::from_millis(120), "early: {took:?}");
        assert!(took <= Duration::from_millis(200 + 300), "late: {took:?}");
    }
    assert_eq!(proxy.stats().bytes_delayed, 8 * 4 * 2);
}

#[tokio::test]
async fn jitter_keeps_the_order_and_the_same_seed_draws_the_same_delays() {
    let mut drawn = Vec::new();
    for _ in 0..2 {
        let (proxy, mut client, mut server) = pair().await;
        proxy.impose(&[delayed(30, 30)]).await.unwrap();
        let mut delays = Vec::new();
        for message in 0..12u8 {
            let sent = Instant::now();
            client.write_all(&[message]).await.unwrap();
            expect(&mut server, &[message]).await;
            delays.push(sent.elapsed());
        }
        let sent: Vec<u8> = (0..200).collect();
        for message in &sent {
            client.write_all(&[*message]).await.unwrap();
            tokio::task::yield_now().await;
        }
        expect(&mut server, &sent).await;
        drawn.push(delays);
    }
    // A busy machine may hold one up, but most must agree to far less than the jitter.
    let agree = drawn[0]
        .iter()
        .zip(&drawn[1])
        .filter(|(a, b)| a.abs_diff(**b).as_millis() < 5);
    assert!(agree.count() >= 8, "{drawn:?}");
}

#[tokio::test]
async fn removing_a_delay_releases_what_it_holds_at_once_and_in_order() {
    let (proxy, mut client, mut server) = pair().await;
    proxy.impose(&[delayed(60_000, 20_000)]).await.unwrap();
    for message in [&b"one "[..], b"two ", b"three"] {
        let before = proxy.stats().bytes_delayed;
        client.write_all(message).await.unwrap();
        until(&proxy, |stats| stats.bytes_delayed > before).await;
    }
    client.shutdown().await.unwrap();
    expect_silence(&mut server).await;
    let healed = Instant::now();
    proxy.impose(&[]).await.unwrap();
    let mut all = Vec::new();
    within(server.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all, b"one two three");
    assert!(healed.elapsed() < Duration::from_secs(1), "{:?}", healed.elapsed());
}

#[tokio::test]
async fn a_delay_holds_no_more_than_its_line_and_loses_nothing() {
    let (proxy, client, mut server) = pair().await;
    proxy.impose(&[delayed(60_000, 0)]).await.unwrap();
    let total = 80 << 20;
    let (_back, mut to) = client.into_split();
    let writer = tokio::spawn(async move {
        to.write_all(&vec![7; total]).await.unwrap();
        to.shutdown().await.unwrap();
    });
    until(&proxy, |stats| stats.full_lines == 1).await;
    assert!(proxy.stats().bytes_delayed < 33 << 20, "{:?}", proxy.stats());
    assert!(!writer.is_finished());
    proxy.impose(&[]).await.unwrap();
    let mut all = Vec::new();
    within(server.read_to_end(&mut all)).await.unwrap();
    assert_eq!(all.len(), total);
    within(writer).await.unwrap();
}
