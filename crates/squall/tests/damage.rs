//! Files of a database that are not what it wrote: felt, told before, put back, and refused where they are not squall's.
//!
//! They need errands' program (`cargo build -p errands`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;

use place::Place;
use squall_core::check::Outcome;
use squall_core::event::{Event, Fact};
use squall_core::report::Report;

fn folder(storm: &str) -> Place {
    let place = Place::with_errands();
    place.write(
        "rot.yaml",
        format!(
            "scenario: rot\nhypothesis: It comes through.\n\
             workload: {{ tasks: {{ count: 4, takes: 2s }}, writes: [ {{ rate: 5/s, kind: work }} ], api: {{ rate: 10/s }} }}\n\
             storm:\n{storm}\
             checks: [ no_task_lost, {{ recovery: {{ warn: 20s, within: 30s }} }} ]\n"
        ),
    );
    place
}

/// New connections to a database read both files: the first one spoils them for those, the second, with a stop, for all.
#[test]
fn what_a_database_keeps_is_damaged_told_before_felt_and_put_back() {
    let place = folder(
        "  - damage: { on: db, files: 'base/*/PG_VERSION', how: bit_flip, spots: 3, at: 500ms, for: 4s }\n  \
         - damage: { on: db, files: 'base/*/pg_filenode.map', how: truncate, spots: 3, stopped: true, after: 4s, for: 4s }\n",
    );
    let output = place.output(&["run", "-s", "rot.yaml", "--pace", "2", "--seed", "5"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).expect(&said);
    let report: Report = serde_json::from_str(&report).unwrap();
    let rot = &report.scenarios[0];
    for (fault, what) in rot.faults.iter().zip([
        "db-1 was damaged: 3 bits flipped",
        "db-1 was damaged: 3 files truncated",
    ]) {
        assert!(fault.seen && fault.proof.starts_with(what), "{}", fault.proof);
    }
    assert_eq!(
        (rot.faults.len(), rot.outcome),
        (2, Outcome::Pass),
        "{:?} {:#?}",
        rot.doubts,
        rot.verdicts
    );
    let text = fs::read_to_string(place.path().join("tmp/latest/rot/journal.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let (mut told, mut back, mut down) = (Vec::new(), Vec::new(), 0);
    for event in events {
        match event.fact {
            Fact::Damaged { spots, .. } => told.extend(spots.into_iter().map(|spot| spot.file)),
            Fact::Repaired {
                back: spots, rewritten, ..
            } => back.push((spots, rewritten)),
            Fact::Exited {
                instance, wanted: true, ..
            } if instance.service == "db" && back.len() < 2 => down += 1,
            _ => {}
        }
    }
    assert!(
        told.len() == 6 && told.iter().all(|file| file.starts_with("base/")),
        "{told:?}"
    );
    assert_eq!(back, [(3, 0), (3, 0)]);
    assert!(down >= 1, "it was not stopped for the second");
}

#[test]
fn what_is_not_squalls_to_throw_away_is_refused_at_its_line() {
    let place = folder("  - damage: { on: worker, files: '*', how: truncate, for: 2s }\n");
    let output = place.output(&["plan", "-s", "rot.yaml"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.contains("rot.yaml:5:") && text.contains("squall made no folder for what `worker` keeps"),
        "{text}"
    );
    assert!(text.contains("${self.disk}"), "{text}");
}
