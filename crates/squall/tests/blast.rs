//! What keeps a storm within bounds: conditions that end it, and the file that stops everything.
//!
//! They need taskhub (`cargo build -p taskhub`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;
#[path = "rig/residue.rs"]
mod residue;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use place::{Place, Running};
use residue::Trail;
use squall_core::check::Outcome;
use squall_core::event::{End, Event, Fact, Phase};
use squall_core::report::Report;

/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// One storm at a time: two on a small machine would disturb each other.
static STORM: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    STORM.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A storm that would go on for a minute: one worker after the other is gone, and the server all the while.
fn long_storm(stop_when: &str) -> String {
    format!(
        "scenario: long\nhypothesis: It is over soon.\nworkload:\n  tasks: {{ count: 4, takes: 1s }}\n  api: {{ rate: 5/s }}\n\
         stop_when: {stop_when}\nstorm:\n  - kill: {{ on: server, at: 1s, down: 600s }}\n  \
         - kill: {{ on: worker, every: 50s, times: 10 }}\nchecks: [no_task_lost, no_task_completed_twice]\n"
    )
}

const RUN: [&str; 7] = ["run", "-s", "long.yaml", "--pace", "10", "--seed", "5"];

fn report(place: &Place) -> Report {
    let text = fs::read_to_string(place.path().join("tmp/latest/report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn events(place: &Place) -> Vec<Event> {
    let text = fs::read_to_string(place.run_folder().join("long/journal.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_condition_ends_the_storm_heals_it_all_and_is_the_verdicts_reason() {
    let _alone = alone();
    for (stop_when, why) in [
        ("[ { down: { on: server, for: 1500ms } } ]", "no copy of server ran for"),
        (
            "[ { success: { below: 50%, for: 1s } } ]",
            "requests of the last 1s were answered right",
        ),
    ] {
        let place = Place::with_taskhub("sh -c true");
        place.write("long.yaml", long_storm(stop_when));
        let began = Instant::now();
        let output = place.output(&RUN);
        // The server would have been down for a minute.
        assert!(began.elapsed() < Duration::from_secs(45), "{:?}", began.elapsed());
        assert_eq!(
            output.status.code(),
            Some(3),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let scenario = &report(&place).scenarios[0];
        assert_eq!(scenario.outcome, Outcome::Inconclusive);
        assert_eq!(scenario.doubts.len(), 1, "{:?}", scenario.doubts);
        assert!(scenario.doubts[0].contains(why), "{:?}", scenario.doubts);

        let events = events(&place);
        let at = |is: &dyn Fn(&Fact) -> bool| events.iter().find(|event| is(&event.fact)).map(|event| event.at);
        let calm = at(&|fact| *fact == Fact::Phase(Phase::Calm)).unwrap();
        let imposed = events
            .iter()
            .filter(|event| matches!(event.fact, Fact::Imposing { .. }));
        for event in imposed {
            let Fact::Imposing { step, .. } = event.fact else {
                continue;
            };
            assert!(
                at(&|fact| *fact == Fact::Healed { step }).unwrap() <= calm,
                "step {step}"
            );
        }
        // What was acknowledged is still accounted for: the rest of the run took place.
        assert!(at(&|fact| *fact == Fact::Phase(Phase::Audit)).is_some());
        let lost = scenario.verdicts.iter().find(|verdict| verdict.check == "no_task_lost");
        assert_eq!(lost.unwrap().outcome, Outcome::Pass);
        assert!(
            events
                .iter()
                .any(|event| matches!(&event.fact, Fact::Missed { decided: true, why, .. } if why.contains("stopped")))
        );
    }
}

/// When each step held, by its index.
fn windows(events: &[Event]) -> Vec<(u64, u64)> {
    let began = events.iter().filter_map(|event| match event.fact {
        Fact::Imposing { step, .. } => Some((step, event.at)),
        _ => None,
    });
    let ended = |wanted: usize| events.iter().find(|event| event.fact == Fact::Healed { step: wanted });
    began.map(|(step, at)| (at, ended(step).unwrap().at)).collect()
}

/// Runs one storm on taskhub, with more in its system file; answers its events and its report.
fn storm(system: &str, faults: &str) -> (Vec<Event>, Report) {
    let place = Place::with_taskhub("sh -c true");
    let text = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    place.write("system.yaml", format!("{text}\n{system}\n"));
    place.write(
        "long.yaml",
        format!(
            "scenario: long\nhypothesis: It holds.\nworkload:\n  tasks: {{ count: 6, takes: 5s }}\n  api: {{ rate: 5/s }}\n\
             storm:\n{faults}checks: [no_task_lost]\n"
        ),
    );
    place.output(&RUN);
    (events(&place), report(&place))
}

#[test]
fn faults_wait_for_each_other_where_the_budget_demands_it() {
    let _alone = alone();
    let two = "  - kill: { on: worker, at: 1s, down: 15s }\n".repeat(2);
    for (budget, together) in [
        ("", true),
        ("budget: { copies: 50% }", false),
        ("budget: { at_once: 1 }", false),
    ] {
        let (events, _) = storm(budget, &two);
        let windows = windows(&events);
        assert_eq!(windows.len(), 2, "{budget}: {windows:?}");
        assert_eq!(windows[1].0 < windows[0].1, together, "{budget}: {windows:?}");
    }
}

#[test]
fn of_one_link_two_things_hold_at_once_if_they_can_be_told_apart_and_else_in_turn() {
    let _alone = alone();
    let delay = "  - delay: { from: server, to: db, latency: 20ms, at: 1s, for: 20s }\n";
    let throttle = "  - throttle: { from: server, to: db, kilobytes: 500, at: 5s, for: 20s }\n";
    let cut = "  - cut: { from: server, to: db, how: refuse, at: 5s, for: 5s }\n";
    for (other, together) in [(throttle, true), (cut, false)] {
        let (events, report) = storm("", &format!("{delay}{other}"));
        let windows = windows(&events);
        assert_eq!(windows[1].0 < windows[0].1, together, "{windows:?}");
        let faults = &report.scenarios[0].faults;
        assert!(
            faults.len() == 2 && faults.iter().all(|fault| fault.seen),
            "{faults:#?}"
        );
    }
}

#[test]
fn a_partition_cuts_every_link_between_its_sides_as_it_was_planned_is_felt_and_healed() {
    let _alone = alone();
    let parts = "  - partition: { isolate: [db], at: 1s, for: 4s }\n  \
                 - partition: { isolate: [db], seen_by: [server], direction: out, after: 4s, for: 4s }\n  \
                 - partition: { isolate: [db], how: reset, after: 40s, every: 5s, times: 2, for: 10s }\n";
    let (events, report) = storm("", parts);
    let struck = |event: &Event| match &event.fact {
        Fact::Imposing { place, condition, .. } => Some(format!("{place} {}", condition.word())),
        _ => None,
    };
    let mut struck: Vec<String> = events.iter().filter_map(struck).collect();
    struck.sort();
    let links = ["server-1->db", "worker-1->db", "worker-2->db"];
    let mut wanted: Vec<String> = links.iter().map(|link| format!("{link} cut (black hole)")).collect();
    wanted.push("server-1->db silenced".to_owned());
    wanted.extend(
        links
            .iter()
            .flat_map(|link| [format!("{link} cut (reset)"), format!("{link} cut (reset)")]),
    );
    wanted.sort();
    assert_eq!(struck, wanted);
    let windows = windows(&events);
    assert!(
        windows[..3].iter().all(|(from, _)| *from < windows[0].0 + 500_000_000),
        "{windows:?}"
    );
    let scenario = &report.scenarios[0];
    assert!(scenario.doubts.is_empty(), "{:?}", scenario.doubts);
    assert_eq!(scenario.outcome, Outcome::Pass, "{:#?}", scenario.verdicts);
    assert!(scenario.faults[..4].iter().any(|fault| fault.seen));
}

#[test]
fn the_halt_file_stops_and_heals_everything_and_lets_nothing_start() {
    let _alone = alone();
    let place = Place::with_taskhub("sh -c true");
    place.write("long.yaml", long_storm("[]"));
    let mut running = Running::start(place.squall(&RUN));
    let trail = Trail::follow(running.child.id(), place.path());
    let end = Instant::now() + PATIENCE;
    let storms = || {
        let runs = fs::read_dir(place.path().join("tmp")).into_iter().flatten().flatten();
        let journals = runs.filter_map(|run| fs::read_to_string(run.path().join("long/journal.jsonl")).ok());
        journals.into_iter().any(|text| text.contains("\"imposed\""))
    };
    while !storms() {
        assert!(Instant::now() < end, "no fault within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
    place.write("squall.halt", "");
    let halted = Instant::now();
    assert_eq!(running.end(PATIENCE), Some(3), "{:#?}", running.said);
    assert!(halted.elapsed() < Duration::from_secs(10), "{:?}", halted.elapsed());
    assert!(trail.residue().none(), "{:#?}", trail.residue());
    let why = "the halt file squall.halt is there";
    assert!(
        running.said.iter().any(|line| line.contains(why)),
        "{:#?}",
        running.said
    );
    assert!(report(&place).scenarios[0].doubts[0].contains(why));
    let last = events(&place).pop().unwrap();
    assert!(
        matches!(&last.fact, Fact::Closed { end: End::Stopped { why: told } } if told == why),
        "{last:?}"
    );

    let before = fs::read_dir(place.path().join("tmp")).unwrap().count();
    for args in [
        &RUN[..],
        &["up", "--detach"],
        &["run", "--repeat", "2", "-s", "long.yaml"],
    ] {
        let output = place.output(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(why) && said.contains("remove it"), "{said}");
    }
    assert_eq!(
        fs::read_dir(place.path().join("tmp")).unwrap().count(),
        before,
        "something was touched"
    );
}

#[test]
fn a_system_that_is_up_is_stopped_by_the_halt_file_it_was_told_of() {
    let _alone = alone();
    let place = Place::with_taskhub("sh -c true");
    let output = place.output(&["up", "--detach", "--halt-file", "enough"]);
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    place.write("enough", "");
    let end = Instant::now() + PATIENCE;
    let status = || String::from_utf8(place.output(&["status"]).stdout).unwrap();
    while !status().contains("no system is up") {
        assert!(Instant::now() < end, "it is still up {PATIENCE:?} later");
        std::thread::sleep(Duration::from_millis(50));
    }
}
