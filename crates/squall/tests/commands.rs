//! The guide's commands, each run as it is written there, against a real taskhub; and that whatever
//! dies, nothing is left of a system that was up.
//!
//! They need taskhub's release binary (`cargo build --release -p taskhub`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "commands/attach.rs"]
mod attach;
#[path = "commands/deaths.rs"]
mod deaths;
#[path = "commands/guide.rs"]
mod guide;
#[path = "commands/inject.rs"]
mod inject;
#[path = "commands/orders.rs"]
mod orders;
#[path = "rig/place.rs"]
mod place;
#[path = "rig/residue.rs"]
mod residue;
#[path = "commands/stages.rs"]
mod stages;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use place::{Place, SQUALL, free_port, workspace};
use residue::Trail;
use serde_json::Value;

/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was built is there already.
const BUILD: &str = "sh -c true";

/// What was said on standard output.
fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What was said on standard error.
fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts an exit code, and that each part was said on either stream.
fn said(output: &Output, code: i32, parts: &[&str]) {
    let text = format!("{}{}", out(output), err(output));
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in parts {
        assert!(text.contains(part), "nothing of `{part}` in\n{text}");
    }
}

/// Waits until `holds`, at most [`PATIENCE`]; `what` says for what.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One of the guide's scripts, to be run as a user would, with its output and its system in `place`.
fn script(place: &Place, name: &str, args: &[&str]) -> Command {
    let mut command = place.squall(&[]);
    let env: Vec<_> = command
        .get_envs()
        .map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned)))
        .collect();
    command = Command::new(workspace().join("scripts").join(name));
    for (name, value) in env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(args)
        .current_dir("/")
        .env("SQUALL_BIN", SQUALL)
        .env("SQUALL_SYSTEM", place.path().join("system.yaml"))
        .env("OUTPUT_DIR", place.path().join("tmp"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A taskhub that is up.
struct Up {
    place: Place,
    trail: Trail,
    port: u16,
    /// What `status --json` said of it first.
    status: Value,
}

impl Up {
    /// Starts one, detached.
    fn start() -> Self {
        let place = Place::with_taskhub(BUILD);
        let port = free_port();
        let output = place.output(&["up", "--detach", "--port", &port.to_string()]);
        said(&output, 0, &["taskhub is up", "squall down"]);
        Self::of(place, port)
    }

    /// The one that is up in `place`.
    fn of(place: Place, port: u16) -> Self {
        let status = statuses(&place);
        let status = status.as_array().unwrap()[0].clone();
        let guard = status["squall"][0].as_u64().unwrap() as u32;
        let trail = Trail::follow(guard, place.path());
        let up = Self {
            place,
            trail,
            port,
            status,
        };
        wait_until("all of it to be seen", || up.trail.living().len() >= 7);
        // What is started later carries the same tag.
        wait_until("its tag to be seen", || !up.trail.runs().is_empty());
        up.trail.rest();
        up
    }

    /// Runs a command here.
    fn squall(&self, args: &[&str]) -> Output {
        self.place.output(args)
    }

    /// Runs one of the guide's scripts.
    fn script(&self, name: &str, args: &[&str]) -> Output {
        script(&self.place, name, args).output().unwrap()
    }

    /// Squall's own two processes: the guard, and its child.
    fn pair(&self) -> [i32; 2] {
        [0, 1].map(|index| self.status["squall"][index].as_i64().unwrap() as i32)
    }

    /// Its folder.
    fn folder(&self) -> PathBuf {
        PathBuf::from(self.status["folder"].as_str().unwrap())
    }

    /// What a service is like now.
    fn service(&self, name: &str) -> Value {
        let status = statuses(&self.place);
        let services = status[0]["services"].as_array().unwrap().clone();
        let mut found = services.into_iter().filter(|service| service["instance"] == name);
        found.next().unwrap()
    }

    /// `squall down`, after which nothing may be left.
    fn down(self) {
        let output = self.squall(&["down"]);
        said(&output, 0, &["taskhub is down"]);
        self.nothing_is_left();
    }

    /// Asserts that nothing is left, now.
    fn nothing_is_left(&self) {
        let left = self.trail.residue();
        assert!(left.none(), "{left:#?}");
        for name in ["control.sock", "control.token", "heal.jsonl"] {
            assert!(!self.folder().join(name).exists(), "{name} is still there");
        }
        said(&self.squall(&["status"]), 0, &["no system is up"]);
    }
}

impl Drop for Up {
    /// A test that failed leaves nothing, either.
    fn drop(&mut self) {
        self.trail.clear();
    }
}

/// `squall status --json`.
fn statuses(place: &Place) -> Value {
    let output = place.output(&["status", "--json"]);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", err(&output)))
}

/// GETs a path of whoever listens on a port: the status, and the JSON there is.
fn get(port: u16, path: &str, token: Option<&str>) -> (u16, Value) {
    request(port, "GET", path, token, "")
}

fn request(port: u16, method: &str, path: &str, token: Option<&str>, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let auth = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{auth}");
    let head = format!("{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}
