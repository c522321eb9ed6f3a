//! R4: the recovery clock's own error, against a server whose return is known to the microsecond.

use std::net::SocketAddr;
use std::time::Duration;

use squall::probe::pulses;
use squall::secrets::Secrets;
use squall::store::Recorder;
use squall_core::contract::Health;
use squall_core::event::{Answer, Event, Fact, PulseOf};
use squall_core::time::Nanos;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::Measured;
use crate::table::{Row, quantile, sorted};

/// So often it goes and comes back.
const RETURNS: u32 = 60;
/// The error shall be at most this, in milliseconds.
const MOST: f64 = 10.0;
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: application/json\r\n\r\n{}";

/// The first right pulse after each return, minus the return.
pub fn measure() -> Measured {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("journal.jsonl");
    let recorder = Recorder::open(&path, Secrets::default())?;
    // As a run's: two threads.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let returns = runtime.block_on(come_and_go(&recorder))?;
    runtime.shutdown_timeout(Duration::from_secs(1));
    recorder.close()?;

    let mut right = Vec::new();
    for line in std::fs::read_to_string(&path)?.lines() {
        let event: Event = serde_json::from_str(line)?;
        if let Fact::Pulse(pulse) = event.fact
            && (pulse.of, pulse.answer) == (PulseOf::Ready, Answer::Right)
        {
            right.push(event.at);
        }
    }
    let errors: Option<Vec<f64>> = returns
        .iter()
        .map(|back| right.iter().find(|at| *at >= back).map(|at| (at - back) as f64 / 1e6))
        .collect();
    let errors = sorted(errors.ok_or("a return was never noticed")?);
    let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| quantile(&errors, share));
    Ok(vec![Row {
        target: "R4",
        what: format!("recovery clock's own error, {RETURNS} returns"),
        goal: format!("≤ {MOST} ms"),
        measured: format!("p50 {p50:.1} ms, p99 {p99:.1} ms, max {max:.1} ms"),
        met: Some(p99 <= MOST),
    }])
}

/// Takes a server down and up while the product's own probe looks on. Answers the moments of return.
async fn come_and_go(recorder: &Recorder) -> Result<Vec<Nanos>, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let addr = listener.local_addr()?;
    let mut server = serve(listener);
    let health = Health {
        live: Some("/live".to_owned()),
        ready: "/ready".to_owned(),
    };
    let probe = tokio::spawn(pulses(addr, &health, recorder.clone())?);
    let mut returns = Vec::new();
    for round in 0..RETURNS {
        sleep(Duration::from_millis(100)).await;
        // Dropped with all its connections: nobody is there.
        server.shutdown().await;
        // Every return falls elsewhere between two looks.
        sleep(Duration::from_micros(100_000 + u64::from(round) * 7_370 % 20_000)).await;
        let listener = listen(addr).await?;
        returns.push(recorder.now());
        server = serve(listener);
    }
    sleep(Duration::from_millis(500)).await;
    probe.abort();
    Ok(returns)
}

async fn listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    // The port was ours a moment ago; tokio's own bind reuses addresses.
    TcpListener::bind(addr).await
}

/// Answers every request with the same few bytes until it is shut down.
fn serve(listener: TcpListener) -> JoinSet<()> {
    let mut all = JoinSet::new();
    all.spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            connections.spawn(answer(stream));
        }
    });
    all
}

async fn answer(mut stream: TcpStream) {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut chunk).await {
        request.extend_from_slice(&chunk[..count]);
        while let Some(end) = request.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            request.drain(..end + 4);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}
