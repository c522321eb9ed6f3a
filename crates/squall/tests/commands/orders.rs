//! What can be ordered of a system that is up, and how it is guarded.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use super::place::{Place, free_port};
use super::{BUILD, PATIENCE, Up, err, get, out, said, statuses, wait_until};

#[test]
fn services_are_killed_stopped_and_started_as_ordered() {
    let up = Up::start();
    let service = |args: &[&str]| up.squall(&[&["service"], args].concat());
    let first = up.service("worker-1")["pid"].clone();

    said(
        &service(&["kill", "--service", "worker-1"]),
        0,
        &["worker-1 killed", "squall service start"],
    );
    assert_eq!(up.service("worker-1")["health"], "down");
    assert_eq!(up.service("worker-2")["health"], "running");
    // Down it stays, though the system file says that it restarts by itself.
    said(&service(&["start", "--service", "worker-2"]), 0, &["runs already"]);
    assert_eq!(up.service("worker-1")["health"], "down");
    said(
        &service(&["start", "--service", "worker"]),
        0,
        &["worker-1 up again", "recovery took"],
    );
    assert_eq!(up.service("worker-1")["health"], "running");
    assert_ne!(up.service("worker-1")["pid"], first);

    said(
        &service(&["stop", "--service", "worker"]),
        0,
        &["worker-1, worker-2 stopped"],
    );
    said(
        &service(&["start", "--service", "worker-1"]),
        0,
        &["worker-2 is still down"],
    );
    said(&service(&["start", "--service", "worker"]), 0, &["worker-2 up again"]);

    let began = Instant::now();
    said(
        &service(&["kill", "--service", "partner", "--delay", "1"]),
        0,
        &["recovery took"],
    );
    assert!(
        began.elapsed().as_secs_f64() >= 1.0,
        "it was down for less than was said"
    );

    said(&service(&["db-stop"]), 0, &["db-1 stopped"]);
    assert_eq!(up.service("db-1")["health"], "down");
    wait_until("the server to miss its database", || {
        get(up.port, "/health/ready", None).0 == 503
    });
    said(
        &service(&["db-restart", "--delay", "0"]),
        0,
        &["db-1 up again", "of the whole system"],
    );
    assert_eq!(get(up.port, "/health/ready", None).0, 200);

    said(
        &service(&["restart", "--service", "servr"]),
        2,
        &["no service `servr`", "did you mean `server`?"],
    );
    said(&service(&["db-stop", "--service", "server"]), 2, &["no database"]);
    said(&service(&["restart"]), 2, &["--service"]);
    said(
        &service(&["restart", "--service", "server", "--delay", "-1"]),
        2,
        &["seconds"],
    );
    up.down();
}

#[test]
fn only_who_has_the_token_may_order_and_nobody_reads_it() {
    let up = Up::start();
    let (socket, token) = (up.folder().join("control.sock"), up.folder().join("control.token"));
    for file in [&socket, &token] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    for request in [
        r#"{"token":"","ask":"down"}"#,
        r#"{"token":"00000000000000000000000000000000","ask":"down"}"#,
        r#"{"ask":"down"}"#,
        "down",
    ] {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{request}\n").as_bytes()).unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        assert!(reply.contains("refused"), "{request}: {reply}");
    }
    assert_eq!(up.service("server-1")["health"], "ready");
    let token = fs::read_to_string(token).unwrap();
    assert_eq!(token.len(), 32);
    let session = serde_json::from_slice::<serde_json::Value>(&up.squall(&["auth"]).stdout).unwrap();
    let logs = fs::read_dir(up.folder().join("logs"))
        .unwrap()
        .flatten()
        .map(|entry| entry.path());
    let files = ["events.jsonl", "squall.log", "up.json"].map(|name| up.folder().join(name));
    for file in files.into_iter().chain(logs) {
        let text = fs::read_to_string(&file).unwrap();
        for secret in [token.as_str(), session["token"].as_str().unwrap()] {
            assert!(!text.contains(secret), "{}", file.display());
        }
    }
    for pid in up.pair() {
        let seen = ["environ", "cmdline"].map(|file| fs::read(format!("/proc/{pid}/{file}")).unwrap());
        assert!(!String::from_utf8_lossy(&seen.concat()).contains(&token));
    }
    up.down();
}

#[test]
fn of_several_systems_one_must_be_named() {
    let one = Up::start();
    let port = free_port().to_string();
    said(&one.squall(&["up", "--detach", "--port", &port]), 0, &["taskhub is up"]);
    let all = statuses(&one.place);
    let runs: Vec<&str> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|up| up["run"].as_str().unwrap())
        .collect();
    assert_eq!(runs.len(), 2);
    said(
        &one.squall(&["down"]),
        2,
        &["several systems are up", "--system", runs[0], runs[1]],
    );
    said(
        &one.squall(&["logs", "--system", "taskhub"]),
        2,
        &["several systems are up"],
    );
    let other = runs.iter().find(|run| **run != one.status["run"]).unwrap();
    said(
        &one.squall(&["logs", "server", "--system", other]),
        0,
        &["server listens"],
    );
    said(&one.squall(&["down", "--system", other]), 0, &["taskhub is down"]);
    said(&one.squall(&["down", "--system", "nonesuch"]), 0, &["no system is up"]);
    said(&one.squall(&["logs", "servr"]), 2, &["did you mean `server`?"]);
    one.down();
}

#[test]
fn where_nothing_is_up_that_is_said() {
    let place = Place::with_taskhub(BUILD);
    let started = "squall up --detach";
    for (args, code, parts) in [
        (&["status"][..], 0, &["no system is up"][..]),
        (&["down"], 0, &["no system is up"]),
        (&["logs"], 2, &["no system is up", started]),
        (
            &["service", "restart", "--service", "server"],
            2,
            &["no system is up", started],
        ),
        (
            &["auth", "--prefix", "chaos_test"],
            2,
            &["no system is up", started, "--base-url"],
        ),
        (
            &["flood", "--count", "1", "--auth", "x"],
            2,
            &["no system is up", "--base-url"],
        ),
        (&["flood"], 2, &["--count"]),
        (
            &["service", "explode", "--service", "server"],
            2,
            &["explode", "db-restart"],
        ),
        (
            &["up", "--system", "none.yaml", "--detach"],
            2,
            &["none.yaml", "is the path right?"],
        ),
        (
            &["up", "--system", "none.yaml"],
            2,
            &["none.yaml", "is the path right?"],
        ),
    ] {
        let output = place.output(args);
        said(&output, code, parts);
        assert!(code == 0 || out(&output).is_empty(), "{args:?}: {}", err(&output));
    }
    assert!(!place.path().join("tmp").exists(), "something was touched");
}
