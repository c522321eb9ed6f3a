//! A service that says everything it knows, in the form of a test that serves when it is told to.
#![expect(clippy::print_stdout, reason = "what it says is what is looked for")]

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

/// What a login gives.
pub const TOKEN: &str = "eyJhbGciOi.tokentoken.4711";

/// Serves while it is squall's child; as a test of its own there is nothing to do.
#[test]
fn serve() {
    let Ok(listen) = std::env::var("LISTEN") else { return };
    for (name, value) in std::env::vars() {
        // In two ways: as it is, and as programs quote it.
        println!("{name} is {value}");
        println!("{name} is {value:?}");
    }
    println!("{}", super::MARKER);
    let listener = TcpListener::bind(listen).unwrap();
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || answer(stream));
    }
}

/// Answers one request, says it aloud, and keeps what is secret in it.
fn answer(mut stream: TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut length = 0;
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        println!("header {}", line.trim());
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    println!("{} {body}", first.trim());
    if let Some(password) = body
        .split("\"password\":\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
    {
        let mut seen = OpenOptions::new()
            .create(true)
            .append(true)
            .open(std::env::var("SEEN_IN").ok()?)
            .ok()?;
        writeln!(seen, "{password}\n{TOKEN}").ok()?;
    }
    if first.contains("/up") {
        return write!(
            stream,
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        )
        .ok();
    }
    // Before squall can know it.
    let json = format!("{{\"token\":\"{TOKEN}\"}}");
    println!("answering {json}");
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{json}", json.len()).ok()
}
