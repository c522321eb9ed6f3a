//! Systems squall did not start: only on this machine, unless another is named.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener};

use super::place::Place;
use super::{BUILD, PATIENCE, Up, out, said};

#[test]
fn nobody_elsewhere_gets_a_byte_before_they_are_named() {
    let place = Place::with_taskhub(BUILD);
    // By this name it is not plainly this machine, though it is.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let base = format!("http://0.0.0.0:{port}");
    let verbs: [&[&str]; 4] = [
        &["auth", "--base-url", &base],
        &["flood", "--count", "1", "--auth", "x", "--base-url", &base],
        &["verify", "0.0.0.0", &port],
        &["verify", "--quick", "--base-url", &base],
    ];
    for args in verbs {
        said(
            &place.output(args),
            2,
            &["`0.0.0.0` is not this machine", "--allow-host 0.0.0.0"],
        );
        let other = [args, &["--allow-host", "example.test"]].concat();
        said(&place.output(&other), 2, &["`0.0.0.0` is not this machine"]);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{args:?}");
    }
    let by_variable = place.squall(&["auth"]).env("BASE_URL", &base).output().unwrap();
    said(&by_variable, 2, &["--allow-host 0.0.0.0"]);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    said(
        &place.output(&["auth", "--base-url", "ftp://localhost"]),
        2,
        &["http://localhost:3000"],
    );
    said(
        &place.output(&["auth", "--base-url", "http://user:hunter2@localhost"]),
        2,
        &["base address"],
    );

    // Named, they are spoken to.
    listener.set_nonblocking(false).unwrap();
    let answering = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // Nobody answers what was not asked.
        assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
        let answer = b"HTTP/1.1 418 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
        stream.write_all(answer).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Closed before all of it was read, it would be cut off.
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let named = ["auth", "--base-url", &base, "--allow-host", "0.0.0.0"];
    said(&place.output(&named), 3, &["POST /auth/register", "418 instead of 201"]);
    answering.join().unwrap();
}

#[test]
fn a_promise_that_is_not_kept_is_a_finding_unless_so_many_are_enough() {
    let up = Up::start();
    let text = std::fs::read_to_string(up.place.path().join("system.yaml")).unwrap();
    let broken = text.replacen("expect: 409", "expect: 418", 1);
    assert_ne!(text, broken);
    up.place.write("broken.yaml", broken);
    let port = up.port.to_string();
    let args = ["verify", "localhost", &port, "--system", "broken.yaml"];
    let one_wrong = [
        "Total: 33",
        "Passed: 32",
        "Failed: 1",
        "Success rate: 96%",
        "409 instead of 418",
    ];
    said(&up.squall(&args), 1, &one_wrong);
    said(&up.squall(&[&args[..], &["--at-least", "80"]].concat()), 0, &one_wrong);
    said(&up.squall(&[&args[..], &["--at-least", "97"]].concat()), 1, &one_wrong);

    // A token nobody gave is answered, too: every task is refused, none is lost.
    let flood = ["flood", "--count", "5", "--delay", "0.01", "--auth"];
    said(
        &up.squall(&[&flood[..], &["nobodys"]].concat()),
        0,
        &["Created: 0", "Refused: 5 (401: 5)"],
    );
    let url = format!("http://localhost:{port}");
    let session = up.squall(&["auth", "--base-url", &url]);
    let session: serde_json::Value = serde_json::from_str(&out(&session)).unwrap();
    let token = session["token"].as_str().unwrap();
    let failing = [&flood[..], &[token, "--fail", "--task-time", "0.01"]].concat();
    said(&up.squall(&failing), 0, &["Created: 5"]);
    up.squall(&["service", "kill", "--service", "server"]);
    said(
        &up.squall(&[&flood[..], &[token]].concat()),
        1,
        &["Failed: 5 (connection refused: 5)"],
    );
    up.down();
}
