//! The two ends of a link under test.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use squall::proxy::{Proxy, Stats};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

pub const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Far longer than anything here takes, so that a hang is a failure and a slow machine is not.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// An upstream that sends everything back and passes a half-close on.
pub async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                stream.set_nodelay(true).unwrap();
                let (mut from, mut to) = stream.into_split();
                _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    addr
}

/// A proxy in front of an echo.
pub async fn proxied_echo() -> Proxy {
    Proxy::open(ANY, echo().await, 42).await.unwrap()
}

/// A proxy and both ends of one connection through it.
pub async fn pair() -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind(ANY).await.unwrap();
    let proxy = Proxy::open(ANY, listener.local_addr().unwrap(), 42).await.unwrap();
    let client = connect(&proxy).await;
    let (server, _) = within(listener.accept()).await.unwrap();
    (proxy, client, server)
}

pub async fn connect(proxy: &Proxy) -> TcpStream {
    let stream = within(TcpStream::connect(proxy.addr())).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The future's result, which must come before patience ends.
pub async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it hangs")
}

/// Waits until the counters say so.
pub async fn until(proxy: &Proxy, holds: impl Fn(Stats) -> bool) {
    let wait = async {
        while !holds(proxy.stats()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    if timeout(PATIENCE, wait).await.is_err() {
        panic!("never came true: {:?}", proxy.stats());
    }
}

/// Sends `bytes` to an echo and demands them back.
pub async fn round_trip(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).await.unwrap();
    expect(stream, bytes).await;
}

/// Demands exactly `bytes` next.
pub async fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut back = vec![0; bytes.len()];
    within(stream.read_exact(&mut back)).await.unwrap();
    assert_eq!(back, bytes);
}

/// Demands that the next thing read is a reset.
pub async fn expect_reset(stream: &mut TcpStream) {
    let error = within(stream.read(&mut [0; 16])).await.expect_err("not reset");
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
}

/// Demands that nothing at all arrives for a while.
pub async fn expect_silence(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(Duration::from_millis(60), stream.read(&mut byte)).await;
    assert!(read.is_err(), "something came: {read:?}");
}

/// Demands that whoever connects is reset, be it before they know that they are connected.
pub async fn expect_reset_at_once(proxy: &Proxy) {
    match within(TcpStream::connect(proxy.addr())).await {
        Ok(mut stream) => expect_reset(&mut stream).await,
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
}
