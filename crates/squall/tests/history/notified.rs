//! `--notify`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{at_once, place, words};

/// Listens on a port of its own; answers with each of these statuses in turn, and then with the last again and again.
fn receiver(statuses: &'static [&'static str]) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/squall", listener.local_addr().unwrap());
    let (send, received) = channel();
    std::thread::spawn(move || {
        for (index, stream) in listener.incoming().map_while(Result::ok).enumerate() {
            let status = statuses[index.min(statuses.len() - 1)];
            let Some(got) = take(&stream, status) else { continue };
            if send.send(got).is_err() {
                break;
            }
        }
    });
    (url, received)
}

fn take(mut stream: &TcpStream, status: &str) -> Option<(String, Value)> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    )
    .ok()?;
    Some((first.trim().to_owned(), serde_json::from_slice(&body).ok()?))
}

#[test]
fn a_finding_is_posted_as_json_and_tried_twice() {
    let place = place();
    let (url, received) = receiver(&["503 Service Unavailable", "204 No Content"]);
    // A run that passes has nothing to tell.
    let sound = super::place();
    let said = at_once(&[
        (&sound, words("system.yaml", &["--notify", &url]), 0),
        (&place, words("broken.yaml", &["--seed", "4", "--notify", &url]), 1),
    ]);
    assert!(!said.concat().contains("not posted"), "{said:?}");
    let wait = Duration::from_secs(10);
    let (refused, taken) = (
        received.recv_timeout(wait).unwrap(),
        received.recv_timeout(wait).unwrap(),
    );
    assert_eq!(refused, taken);
    let (line, body) = taken;
    assert_eq!(line, "POST /hooks/squall HTTP/1.1");
    assert_eq!((&body["system"], &body["scenario"]), (&"small".into(), &"calm".into()));
    assert_eq!((&body["level"], &body["seed"]), (&1.into(), &4.into()));
    assert_eq!(body["check"], "api_success");
    assert!(body["class"].is_string() && body["says"].is_string(), "{body}");
    let report = std::path::Path::new(body["report"].as_str().unwrap());
    assert!(report.is_absolute() && report.is_file(), "{body}");
    assert!(
        report.to_str().unwrap().contains(body["run"].as_str().unwrap()),
        "{body}"
    );
    assert!(received.try_recv().is_err(), "one finding, once taken");
}

#[test]
fn whoever_can_not_be_told_changes_no_exit_code() {
    let places = [place(), place(), place()];
    let url = |listener: &TcpListener| format!("http://{}/", listener.local_addr().unwrap());
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = url(&bind());
    let (refusing, _received) = receiver(&["500 Internal Server Error"]);
    // Connections are taken by the kernel, and never answered.
    let silent = bind();
    let silent_url = url(&silent);
    let began = Instant::now();
    let runs: Vec<_> = (places.iter())
        .zip([&nobody, &refusing, &silent_url])
        .map(|(place, url)| (place, words("broken.yaml", &["--notify", url]), 1))
        .collect();
    let said = at_once(&runs);
    for (said, cause) in said.iter().zip([
        "nobody listens there",
        "it answered 500",
        "it did not answer within 5 s",
    ]) {
        let warnings: Vec<&str> = said.lines().filter(|line| line.contains("not posted")).collect();
        assert_eq!(warnings.len(), 1, "{said}");
        assert!(warnings[0].contains(cause), "{said}");
    }
    // Twice five seconds, and the run.
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}
