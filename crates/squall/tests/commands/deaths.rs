//! Whoever dies, nothing is left of what was up.

use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::{Place, Running, free_port};
use super::residue::Trail;
use super::{BUILD, PATIENCE, Up, get, out, said, statuses};

/// After this, nothing may be left.
const WITHIN: Duration = Duration::from_secs(5);

fn send(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap();
}

/// Waits until nothing is left, at most [`WITHIN`].
fn gone(trail: &Trail, what: &str) {
    let deadline = Instant::now() + WITHIN;
    let mut left = trail.residue();
    while !left.none() {
        assert!(
            Instant::now() < deadline,
            "{what}: {WITHIN:?} later there is still {left:#?}"
        );
        std::thread::sleep(Duration::from_millis(20));
        left = trail.residue();
    }
}

#[test]
fn a_system_whose_guard_or_its_child_is_killed_leaves_nothing() {
    for (index, what) in [(0, "the guard"), (1, "its child")] {
        let up = Up::start();
        send(up.pair()[index], Signal::SIGKILL);
        gone(&up.trail, what);
        super::wait_until("the last of the two to end", || up.trail.living().is_empty());
        up.nothing_is_left();
    }
}

#[test]
fn what_both_left_when_they_died_is_named_and_healed() {
    let up = Up::start();
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        up.pair().iter().for_each(|pid| send(*pid, signal));
    }
    super::wait_until("both to be gone", || {
        let text = |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        up.pair()
            .iter()
            .all(|pid| text(pid).is_empty() || text(pid).contains(") Z "))
    });
    assert!(!up.trail.residue().none(), "both were killed, so there must be remains");
    said(
        &up.squall(&["status"]),
        0,
        &["both of squall's processes died", "squall heal"],
    );
    said(
        &up.squall(&["down"]),
        4,
        &["both of squall's processes died", "squall heal"],
    );
    said(&up.squall(&["logs"]), 2, &["squall heal"]);
    said(&up.squall(&["heal"]), 0, &[up.status["run"].as_str().unwrap()]);
    up.nothing_is_left();
    said(&up.squall(&["down"]), 0, &["no system is up"]);
}

#[test]
fn a_system_that_hangs_or_still_starts_is_taken_down_all_the_same() {
    let [hanging, alone] = [Up::start(), Up::start()];
    send(hanging.pair()[1], Signal::SIGSTOP);
    send(alone.pair()[1], Signal::SIGSTOP);
    send(alone.pair()[0], Signal::SIGKILL);
    // Both at once: each waits long enough to be sure.
    std::thread::scope(|scope| {
        scope.spawn(|| said(&hanging.squall(&["down"]), 0, &["nothing was heard", "taskhub is down"]));
        // With its guard dead, nobody is left to clear up but who is told to.
        scope.spawn(|| said(&alone.squall(&["down"]), 4, &["nothing was heard", "squall heal"]));
    });
    hanging.nothing_is_left();
    said(&alone.squall(&["heal"]), 0, &["nothing of it is left"]);
    alone.nothing_is_left();

    let place = Place::with_taskhub(BUILD);
    // It is never ready, and waited for long.
    let text = std::fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let text = text.replace(
        "path: /health/ready, within: 15s",
        "path: /health/nonesuch, within: 300s",
    );
    place.write("system.yaml", text);
    let mut starting = Running::start(place.squall(&["up", "--detach"]));
    let trail = Trail::follow(starting.child.id(), place.path());
    super::wait_until("the server", || {
        trail.living().iter().any(|(_, words)| words.contains("taskhub server"))
    });
    said(&place.output(&["status"]), 0, &["still be starting"]);
    said(
        &place.output(&["service", "kill", "--service", "db"]),
        3,
        &["still be starting"],
    );
    said(&place.output(&["down"]), 0, &["taskhub is down"]);
    assert_eq!(starting.end(PATIENCE), Some(3), "{:#?}", starting.said);
    assert!(trail.residue().none(), "{:#?}", trail.residue());
}

#[test]
fn who_breaks_off_the_waiting_breaks_off_the_start() {
    for signal in [Signal::SIGKILL, Signal::SIGINT, Signal::SIGHUP] {
        let place = Place::with_taskhub("sh build.sh");
        place.write("build.sh", "setsid sleep 600 & sleep 600\n");
        let mut waiting = Running::start(place.squall(&["up", "--detach"]));
        let trail = Trail::follow(waiting.child.id(), place.path());
        assert!(waiting.until("building:", PATIENCE));
        super::wait_until("the build", || {
            let sleeps = trail
                .living()
                .into_iter()
                .filter(|(_, words)| words.starts_with("sleep"));
            sleeps.count() == 2
        });
        send(waiting.child.id() as i32, signal);
        let code = waiting.end(PATIENCE);
        assert_eq!(
            code,
            (signal != Signal::SIGKILL).then_some(3),
            "{signal}: {:#?}",
            waiting.said
        );
        gone(&trail, signal.as_ref());
        assert_eq!(statuses(&place), serde_json::json!([]));
    }
}

#[test]
fn in_the_foreground_it_is_up_until_it_is_interrupted_or_taken_down() {
    for interrupted in [true, false] {
        let place = Place::with_taskhub(BUILD);
        let port = free_port();
        let mut running = Running::start(place.squall(&["up", "--port", &port.to_string(), "-d", "2"]));
        let trail = Trail::follow(running.child.id(), place.path());
        super::wait_until("it to be up", || !statuses_if_any(&place).is_empty());
        assert_eq!(get(port, "/health", None).0, 200);
        match interrupted {
            true => send(running.child.id() as i32, Signal::SIGINT),
            false => said(&place.output(&["down"]), 0, &["taskhub is down"]),
        }
        assert_eq!(running.end(PATIENCE), Some(0), "{:#?}", running.said);
        assert!(trail.residue().none(), "{:#?}", trail.residue());
    }
}

/// What is up and answers: while it starts there is nothing yet.
fn statuses_if_any(place: &Place) -> Vec<serde_json::Value> {
    let output = place.output(&["status", "--json"]);
    serde_json::from_slice(out(&output).as_bytes()).unwrap_or_default()
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing() {
    let place = Place::with_taskhub(BUILD);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = place.output(&["up", "--detach", "--port", &port]);
    said(&output, 3, &["is taken", "--port"]);
    assert!(out(&output).is_empty());
    assert_eq!(statuses(&place), serde_json::json!([]));
    assert!(!place.run_folder().join("heal.jsonl").exists());
    let scratch = std::fs::read_dir(place.path().join("scratch")).unwrap();
    assert_eq!(scratch.count(), 0);
}
