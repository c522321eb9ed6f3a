//! HTTP and RESP through a proxy, asked of real clients and servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use squall::proxy::Proxy;
use squall_core::event::Untouched;
use squall_core::place::{Condition, Intercept, Which};
use squall_core::protocol::{Act, Protocol};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const PATIENCE: Duration = Duration::from_secs(20);

fn picked(protocol: Protocol, command: Option<&str>, path: Option<&str>, which: Which, then: Act) -> Condition {
    Condition::Intercepted(Intercept {
        protocol,
        command: command.map(str::to_owned),
        path: path.map(str::to_owned),
        which,
        then,
    })
}

async fn proxied(addr: SocketAddr) -> Proxy {
    Proxy::open("127.0.0.1:0".parse().unwrap(), addr, 42).await.unwrap()
}

/// A server that counts what it is given, behind a proxy.
async fn http() -> (Proxy, Arc<AtomicU64>) {
    let given = Arc::new(AtomicU64::new(0));
    let take = async |State(given): State<Arc<AtomicU64>>, body: String| {
        given.fetch_add(1, SeqCst);
        format!("took {}", body.len())
    };
    let app = Router::new().route("/items/{id}", post(take)).route("/", get("here"));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = app.with_state(given.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (proxied(addr).await, given)
}

#[tokio::test]
async fn http_requests_are_picked_by_method_and_path_on_one_connection() {
    let (proxy, given) = http().await;
    let client = reqwest::Client::builder().timeout(PATIENCE).build().unwrap();
    let (root, item) = (
        format!("http://{}/", proxy.addr()),
        format!("http://{}/items/7", proxy.addr()),
    );
    assert_eq!(client.get(&root).send().await.unwrap().text().await.unwrap(), "here");
    let fails = Act::Error {
        code: Some("429".to_owned()),
    };
    proxy
        .impose(&[picked(
            Protocol::Http,
            Some("POST"),
            Some("/items/*"),
            Which::Each(2),
            fails,
        )])
        .await
        .unwrap();
    let mut statuses = Vec::new();
    for size in [10, 300_000, 20, 300_000] {
        let answer = client.post(&item).body("x".repeat(size)).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        assert!(status == 429 || text == format!("took {size}"), "{text}");
        statuses.push(status);
        assert_eq!(client.get(&root).send().await.unwrap().text().await.unwrap(), "here");
    }
    assert_eq!((statuses, given.load(SeqCst)), (vec![200, 429, 200, 429], 2));
    let untouched = |command: &str, path: &str, count| Untouched {
        command: command.to_owned(),
        path: Some(path.to_owned()),
        count,
    };
    let passed = [untouched("GET", "/", 4), untouched("POST", "/items/*", 2)];
    assert_eq!(proxy.untouched(), passed);
    proxy.forget_untouched();
    assert_eq!(proxy.untouched(), []);
    let stats = proxy.stats();
    assert_eq!(
        (stats.requests, stats.intercepted, stats.foreign, stats.accepted),
        (8, 2, 0, 1)
    );
    proxy.impose(&[]).await.unwrap();
    assert_eq!(client.post(&item).body("x").send().await.unwrap().status(), 200);
    assert_eq!((proxy.stats().accepted, proxy.stats().requests), (1, 8));
}

#[tokio::test]
async fn an_http_request_is_carried_out_and_its_client_can_not_know() {
    let (proxy, given) = http().await;
    let client = reqwest::Client::builder()
        .timeout(Duration::from_millis(700))
        .build()
        .unwrap();
    let item = format!("http://{}/items/7", proxy.addr());
    for (act, times_out) in [(Act::HangUp, false), (Act::DropReply, true)] {
        let before = given.load(SeqCst);
        proxy
            .impose(&[picked(Protocol::Http, None, None, Which::All, act)])
            .await
            .unwrap();
        let error = client.post(&item).body("x").send().await.unwrap_err();
        assert_eq!(
            (error.is_timeout(), given.load(SeqCst)),
            (times_out, before + 1),
            "{error:?}"
        );
        proxy.impose(&[]).await.unwrap();
        assert_eq!(client.post(&item).body("x").send().await.unwrap().status(), 200);
    }
    let late = Act::Delay(Duration::from_millis(300));
    proxy
        .impose(&[picked(Protocol::Http, None, None, Which::All, late)])
        .await
        .unwrap();
    let begun = Instant::now();
    assert_eq!(client.post(&item).body("x").send().await.unwrap().status(), 200);
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn what_is_not_spoken_passes_as_it_is_and_is_said_to_be_foreign() {
    let (proxy, _) = http().await;
    let wrong = picked(Protocol::Resp, None, None, Which::All, Act::HangUp);
    proxy.impose(&[wrong]).await.unwrap();
    let (_, mut bytes) = (0, Vec::new());
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    stream.write_all(b"\x16\x03\x01 is no command\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes))
        .await
        .unwrap()
        .unwrap();
    assert!(
        bytes.starts_with(b"HTTP/1.1 400"),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    assert_eq!((proxy.stats().intercepted, proxy.stats().foreign), (0, 1));
}

/// A server that knows INCR, GET and nothing else, with one number.
async fn resp() -> (Proxy, Arc<AtomicU64>) {
    let number = Arc::new(AtomicU64::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (addr, kept) = (listener.local_addr().unwrap(), number.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, kept.clone()));
        }
    });
    (proxied(addr).await, number)
}

async fn serve(stream: TcpStream, number: Arc<AtomicU64>) {
    let (from, mut to) = stream.into_split();
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(count)) = lines.next_line().await {
        let count: usize = count.trim_start_matches('*').parse().unwrap();
        let mut words = Vec::new();
        for _ in 0..count {
            lines.next_line().await.unwrap();
            words.push(lines.next_line().await.unwrap().unwrap());
        }
        let reply = match words[0].as_str() {
            "INCR" => format!(":{}\r\n", number.fetch_add(1, SeqCst) + 1),
            "GET" => format!("$1\r\n{}\r\n", number.load(SeqCst)),
            other => format!("-ERR unknown command '{other}'\r\n"),
        };
        if to.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn resp_commands_in_one_go_are_each_replied_to_in_their_turn() {
    let (proxy, number) = resp().await;
    let incr = b"*2\r\n$4\r\nINCR\r\n$1\r\na\r\n";
    let get = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    let fails = Act::Error { code: None };
    proxy
        .impose(&[picked(Protocol::Resp, Some("INCR"), None, Which::Nth(2), fails)])
        .await
        .unwrap();
    let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
    stream
        .write_all(&[&incr[..], get, incr, get, incr].concat())
        .await
        .unwrap();
    let expected = ":1\r\n$1\r\n1\r\n-ERR squall: this command was intercepted\r\n$1\r\n1\r\n:2\r\n";
    let mut back = vec![0; expected.len()];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut back))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (String::from_utf8(back).unwrap().as_str(), number.load(SeqCst)),
        (expected, 2)
    );
    proxy
        .impose(&[picked(Protocol::Resp, Some("INCR"), None, Which::All, Act::HangUp)])
        .await
        .unwrap();
    stream.write_all(incr).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut [0; 9])).await.unwrap();
    assert!(read.is_err() && number.load(SeqCst) == 3, "{read:?}");
    assert_eq!(proxy.stats().intercepted, 2);
}
