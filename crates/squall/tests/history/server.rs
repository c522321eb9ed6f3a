//! A service that is as slow and as broken as its environment says, in the form of a test that serves when told to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

/// Serves while it is squall's child; as a test of its own there is nothing to do.
#[test]
fn serve() {
    let Ok(listen) = std::env::var("LISTEN") else { return };
    let listener = TcpListener::bind(listen).unwrap();
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(&stream));
    }
}

fn answer(stream: &TcpStream) -> Option<()> {
    let mut first = String::new();
    let mut lines = BufReader::new(stream);
    lines.read_line(&mut first).ok()?;
    for line in lines.lines() {
        if line.ok()?.is_empty() {
            break;
        }
    }
    let set = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let mut status = "200 OK";
    if first.contains("/work") {
        // The slowness that is to be found, for this one request.
        for _ in 0..set("SLOW_MS").unwrap_or(0) {
            std::thread::sleep(Duration::from_millis(1));
        }
        if set("BROKEN") == Some(1) {
            status = "500 Internal Server Error";
        }
    }
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{{}}"
    )
    .ok()
}
