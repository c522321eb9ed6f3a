//! A wrong wall clock in a storm: seen, also of a process that was started meanwhile, and no matter to leases that a database's
//! own clock measures.
//!
//! They need taskhub's program (`cargo build -p taskhub`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;

use place::Place;
use squall_core::check::Outcome;
use squall_core::event::{Event, Fact};
use squall_core::report::Report;

const HOUR: i64 = 3_600_000_000_000;

fn run(storm: &str) -> (Report, Vec<Event>) {
    let place = Place::with_taskhub("\"true\"");
    place.write(
        "skewed.yaml",
        format!(
            "scenario: skewed\nhypothesis: It comes through.\n\
             workload: {{ tasks: {{ count: 12, takes: 3s }}, writes: [ {{ rate: 5/s, kind: work }} ], api: {{ rate: 10/s }} }}\n\
             storm:\n{storm}\
             checks: [ no_task_lost, no_task_completed_twice, data_intact, {{ recovery: {{ warn: 20s, within: 30s }} }} ]\n"
        ),
    );
    let output = place.output(&["run", "-s", "skewed.yaml", "--pace", "2", "--seed", "5"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).expect(&said);
    let journal = fs::read_to_string(place.path().join("tmp/latest/skewed/journal.jsonl")).unwrap();
    let events = journal.lines().map(|line| serde_json::from_str(line).unwrap());
    (serde_json::from_str(&report).unwrap(), events.collect())
}

fn passed(report: &Report, proofs: &[&str]) {
    let skewed = &report.scenarios[0];
    let said: Vec<(bool, &str)> = skewed
        .faults
        .iter()
        .map(|fault| (fault.seen, fault.proof.as_str()))
        .collect();
    assert_eq!(said.len(), proofs.len(), "{said:?}");
    for ((seen, says), proof) in said.iter().zip(proofs) {
        assert!(*seen && says.starts_with(proof), "{said:?}");
    }
    assert_eq!(
        skewed.outcome,
        Outcome::Pass,
        "{:?} {:#?}",
        skewed.doubts,
        skewed.verdicts
    );
}

#[test]
fn leases_of_a_sound_system_outlive_the_wrong_clocks_of_its_parts() {
    let (report, _) = run(
        "  - clock_skew: { on: worker, by: +1h, when: task_running, at: 500ms, for: 4s }\n  \
                             - clock_skew: { on: db, by: +1h, after: 1s, for: 3s }\n  \
                             - clock_skew: { on: db, by: -1h, after: 1s, for: 3s }\n",
    );
    passed(
        &report,
        &[
            "worker-",
            "db-1 was skewed: its clock was 1h ahead of squall's",
            "db-1 was skewed: its clock was 1h behind squall's",
        ],
    );
    let worker = &report.scenarios[0].faults[0].proof;
    assert!(
        worker.contains("1 of 1 processes ran the replaced clock functions, while it was used"),
        "{worker}"
    );
}

#[test]
fn what_is_started_meanwhile_has_a_wrong_clock_too() {
    let (report, events) = run("  - clock_skew: { on: server, by: +1h, at: 500ms, for: 8s }\n  \
                                  - kill: { on: server, at: 3s, down: 1s }\n");
    passed(
        &report,
        &[
            "server-1 was skewed: its clock was 1h ahead of squall's",
            "server-1 was killed",
        ],
    );
    let mut started = None;
    let mut since = Vec::new();
    for event in &events {
        match &event.fact {
            Fact::Started {
                instance,
                restarts: 1..,
                ..
            } if instance.service == "server" => started = Some(event.at),
            Fact::Skew { look, .. } if started.is_some() => since.extend(look.said),
            _ => {}
        }
    }
    assert!(started.is_some(), "it was not started again");
    assert!(
        since.iter().any(|said| said.allows(HOUR) && !said.allows(0)),
        "{since:?}"
    );
}
