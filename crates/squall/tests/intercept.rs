//! Requests that are picked out of a link: by what they say, done with as ordered, counted, and left alone once healed.
//!
//! They need errands' program (`cargo build -p errands`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "intercept/database.rs"]
mod database;
#[path = "rig/place.rs"]
mod place;
#[path = "intercept/speakers.rs"]
mod speakers;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Place, Running};
use squall_core::check::Outcome;
use squall_core::report::Report;

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with errands and one scenario.
fn folder(storm: &str) -> Place {
    let place = Place::with_errands();
    place.write(
        "picked.yaml",
        format!(
            "scenario: picked\nhypothesis: Nothing that was acknowledged is lost.\n\
             workload: {{ tasks: {{ count: 4, takes: 2s }}, writes: [ {{ rate: 5/s, kind: work }} ], api: {{ rate: 10/s }} }}\n\
             storm:\n{storm}\
             checks: [ no_task_lost, no_task_completed_twice ]\n"
        ),
    );
    place
}

fn run(storm: &str) -> (Report, Option<i32>) {
    let place = folder(storm);
    let output = place.output(&["run", "-s", "picked.yaml", "--pace", "2", "--seed", "7"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).expect(&said);
    (serde_json::from_str(&report).unwrap(), output.status.code())
}

/// One storm at a time, and one that nobody's request fits: it must not pass.
#[test]
fn a_storm_of_lost_replies_is_proven_by_those_that_were_taken_and_nothing_is_lost() {
    let storm = |command: &str| {
        format!(
            "  - intercept: {{ from: server, to: db, protocol: postgres, command: {command}, each: 2, then: hang_up, at: 500ms, for: 4s }}\n"
        )
    };
    let (report, _) = run(&storm("insert"));
    let picked = &report.scenarios[0];
    let fault = &picked.faults[0];
    assert!(
        fault.seen && fault.proof.contains("server-1->db was intercepted: "),
        "{}",
        fault.proof
    );
    assert_eq!(
        picked.outcome,
        Outcome::Pass,
        "{:?} {:#?}",
        picked.doubts,
        picked.verdicts
    );

    let (report, code) = run(&storm("vacuum"));
    let vain = &report.scenarios[0];
    assert!(
        !vain.faults[0].seen
            && vain.faults[0].proof.contains("but none of ")
            && vain.faults[0].proof.contains(" SELECT"),
        "{}",
        vain.faults[0].proof
    );
    assert_eq!(
        (vain.outcome, code),
        (Outcome::Inconclusive, Some(3)),
        "{:#?}",
        vain.verdicts
    );
}

/// Asks whether the system that is up is ready, and says what came.
fn ask(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Takes down what is up, however a test ends.
struct Down<'a>(&'a Place);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        self.0.output(&["down"]);
    }
}

#[test]
fn it_can_be_ordered_by_hand_of_a_system_that_is_up() {
    let place = folder("");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = |args: &[&str], code: i32| {
        let output = place.output(args);
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(output.status.code(), Some(code), "{text}");
        text
    };
    said(&["up", "--detach", "--port", &free.to_string()], 0);
    let _down = Down(&place);
    let fails = [
        "inject",
        "intercept",
        "from=server",
        "to=db",
        "protocol=postgres",
        "then=error",
        "--for",
        "60s",
    ];
    let mut running = Running::start(place.squall(&fails));
    let begun = Instant::now();
    while ask(free).starts_with("HTTP/1.1 200") {
        assert!(begun.elapsed() < PATIENCE, "no statement failed: {:#?}", running.said);
        std::thread::sleep(Duration::from_millis(5));
    }
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGINT).unwrap();
    // That it ended well says that its effect was seen.
    assert_eq!(running.end(PATIENCE), Some(0), "{:#?}", running.said);
    assert!(ask(free).starts_with("HTTP/1.1 200"));
    let vain = [
        "inject",
        "intercept",
        "from=server",
        "to=db",
        "protocol=postgres",
        "command=vacuum",
        "then=hang_up",
        "--for",
        "1s",
    ];
    assert!(said(&vain, 3).contains("nobody used it meanwhile"));
}

#[test]
fn what_makes_no_sense_is_refused_at_its_line() {
    let intercept = |keys: &str| format!("  - intercept: {{ from: server, to: db, {keys}, for: 2s }}\n");
    for (keys, said) in [
        (
            "protocol: http, then: error",
            "`db` is spoken to in PostgreSQL's protocol",
        ),
        (
            "protocol: postgres, path: /a, then: error",
            "only requests of `http` have a path",
        ),
        (
            "protocol: postgres, nth: 2, chance: 5%, then: hang_up",
            "each say which ones",
        ),
        (
            "protocol: postgres, then: error, code: '42'",
            "write a SQLSTATE such as 40001",
        ),
        (
            "protocol: postgres, then: hang_up, code: '40001'",
            "only an error has a code",
        ),
        (
            "protocol: postgres, then: { delay: 0s }",
            "a delay of nothing changes nothing",
        ),
        (
            "protocol: postgres, chance: 0%, then: error",
            "a chance of 0% takes none",
        ),
        (
            "protocol: postgres, command: DROP TABLE, then: error",
            "no request has such a command",
        ),
        ("protocol: mysql, then: error", "`http`"),
        ("protocol: postgres, nth: 0, then: error", "nth"),
    ] {
        let place = folder(&intercept(keys));
        let output = place.output(&["plan", "-s", "picked.yaml"]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains("picked.yaml:5:") && text.contains(said), "{said}: {text}");
    }
    let place = folder(&intercept(
        "protocol: postgres, command: commit, nth: 3, then: drop_reply",
    ));
    let output = place.output(&["plan", "-s", "picked.yaml"]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        text.contains("server->db (postgres): COMMIT, number 3 alone, loses its reply"),
        "{text}"
    );
}
