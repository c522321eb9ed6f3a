//! Services that go down again each time they come back, or can't be started: felt, healed, and gone with squall.
//!
//! They need errands' program (`cargo build -p errands`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Place, Running, built};
use squall_core::check::Outcome;
use squall_core::event::{Event, Fact};
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

const PATIENCE: Duration = Duration::from_secs(60);

fn folder(storm: &str) -> Place {
    let place = Place::with_errands();
    place.write(
        "back.yaml",
        format!(
            "scenario: back\nhypothesis: It comes back.\n\
             workload: {{ tasks: {{ count: 6, takes: 2s }}, writes: [ {{ rate: 5/s, kind: work }} ], api: {{ rate: 10/s }} }}\n\
             storm:\n{storm}\
             checks: [ no_task_lost, {{ recovery: {{ warn: 20s, within: 30s }} }} ]\n"
        ),
    );
    place
}

/// What was seen of a service's processes: exit statuses, in order.
fn ends(place: &Place, instance: &str) -> Vec<String> {
    let text = fs::read_to_string(place.path().join("tmp/latest/back/journal.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let ends = events.filter_map(|event| match event.fact {
        Fact::Exited { instance: who, how, .. } if who.to_string() == instance => Some(how),
        _ => None,
    });
    ends.collect()
}

#[test]
fn a_crash_loop_and_starts_that_fail_are_felt_healed_and_recovered_from() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = folder(
        "  - crash_loop: { on: server, lives: 200ms, at: 500ms, for: 4s }\n  \
         - start_failure: { on: server, starts: 2, after: 4s, for: 4s }\n",
    );
    let output = place.output(&["run", "-s", "back.yaml", "--pace", "2", "--seed", "3"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).expect(&said);
    let report: Report = serde_json::from_str(&report).unwrap();
    let back = &report.scenarios[0];
    for (fault, what) in back
        .faults
        .iter()
        .zip(["times it came back and was killed", "2 starts failed"])
    {
        assert!(fault.seen && fault.proof.contains(what), "{}", fault.proof);
    }
    assert_eq!(back.outcome, Outcome::Pass, "{:?} {:#?}", back.doubts, back.verdicts);
    assert!(
        back.clocks.iter().all(|clock| clock.serving.is_some()),
        "{:#?}",
        back.clocks
    );
    let ends = ends(&place, "server-1");
    let failed = ends.iter().filter(|how| how.contains("exit status: 1")).count();
    assert!(failed == 2 && ends.len() >= 5, "{ends:?}");
}

#[test]
fn scaling_leaves_a_copy_down_that_another_step_terminated() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place =
        folder("  - terminate: { on: worker, at: 500ms, down: 8s }\n  - scale: { on: worker, to: 2, at: 2s }\n");
    let text = fs::read_to_string(place.path().join("back.yaml")).unwrap();
    place.write(
        "back.yaml",
        text.replace("storm:\n", "replicas: { worker: 3 }\nstorm:\n"),
    );
    let output = place.output(&["run", "-s", "back.yaml", "--pace", "2", "--seed", "3"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let text = fs::read_to_string(place.path().join("tmp/latest/back/journal.jsonl")).expect(&said);
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let (mut down, mut scaled, mut healing) = (None, false, false);
    for event in events {
        match event.fact {
            Fact::Imposing { step: 0, place, .. } => down = Some(place.to_string()),
            Fact::Imposed { step: 1 } => scaled = !healing,
            Fact::Healing { step: 0, .. } => healing = true,
            Fact::Started { instance, .. } if !healing => {
                assert_ne!(Some(instance.to_string()), down, "started again while it is held");
            }
            _ => {}
        }
    }
    assert!(down.is_some() && scaled && healing, "{said}");
}

/// The processes of errands that run now.
fn left() -> usize {
    let errands = built("errands");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let programs = entries.filter_map(|entry| fs::read_link(entry.path().join("exe")).ok());
    programs.filter(|program| *program == errands).count()
}

#[test]
fn squall_that_is_killed_in_a_crash_loop_leaves_nobody_to_come_back() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = folder("  - crash_loop: { on: worker, at: 100ms, for: 60s }\n");
    let mut running = Running::start(place.squall(&["run", "-s", "back.yaml", "--seed", "3"]));
    assert!(running.until(": in force", PATIENCE), "{:#?}", running.said);
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGKILL).unwrap();
    running.end(PATIENCE);
    let end = Instant::now() + PATIENCE;
    while left() > 0 {
        assert!(Instant::now() < end, "{} processes are left", left());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(fs::read_dir(place.path().join("scratch")).unwrap().count(), 0);
}

#[test]
fn what_nothing_starts_again_is_refused_at_its_line() {
    let place = folder("  - crash_loop: { on: db, for: 2s }\n  - start_failure: { on: db, at: 3s, for: 2s }\n");
    let output = place.output(&["plan", "-s", "back.yaml"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert_eq!(text.matches("nothing starts `db` again").count(), 2, "{text}");
    assert!(
        text.contains("back.yaml:5:") && text.contains("add `restart: { after: … }`"),
        "{text}"
    );
}
