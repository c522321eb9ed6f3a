//! Known defects of real queues are found by bundled scenarios, each with its class, and what differs from one by a
//! single flag passes. `cargo bench -p squall --bench defects` says how surely.
//!
//! They need defects' program (`cargo build -p defects`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]
#![expect(clippy::print_stderr, reason = "what could not be tried is worth saying")]

#[path = "rig/place.rs"]
mod place;
#[path = "rig/possible.rs"]
mod possible;
#[path = "rig/rows.rs"]
mod rows;

use std::fs;
use std::sync::{Mutex, PoisonError};

use place::{Place, built, workspace};
use possible::possible;
use rows::{ROWS, Row, wilson};
use squall_core::check::Outcome;
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

fn row(name: &str) -> &'static Row {
    ROWS.iter().find(|row| row.name == name).unwrap()
}

fn file(row: &Row, control: bool) -> String {
    let name = format!("systems/defects/{}.yaml", row.file(control));
    fs::read_to_string(workspace().join(name)).unwrap()
}

/// Runs a row's scenario on it, or on its control: the exit code and the report.
fn storm(row: &Row, control: bool) -> (Option<i32>, Report) {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    fs::create_dir_all(place.path().join("systems/defects")).unwrap();
    let text = file(row, control).replace("build: cargo build -p defects\n", "");
    let text = text.replace("target/debug/defects", built("defects").to_str().unwrap());
    place.write(&format!("systems/defects/{}.yaml", row.file(control)), text);
    if let Some(file) = row.own_scenario() {
        place.write(&file, fs::read_to_string(workspace().join(&file)).unwrap());
    }
    let mut arguments = row.arguments(control);
    arguments.extend(["--seed", "11"].map(str::to_owned));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let output = place.output(&arguments);
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json"))
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_str(&report).unwrap())
}

fn found(name: &str) {
    let row = row(name);
    if !row.needs.is_none_or(possible) {
        return;
    }
    let (code, report) = storm(row, false);
    let verdicts = &report.scenarios[0].verdicts;
    let verdict = verdicts.iter().find(|verdict| verdict.check == row.check).unwrap();
    assert_eq!(
        (verdict.outcome, verdict.class.as_deref()),
        (Outcome::Fail, Some(row.class)),
        "{:?} {verdicts:#?}",
        report.scenarios[0].doubts
    );
    assert!(!verdict.evidence.is_empty());
    assert_eq!(code, Some(1));
}

fn passes(name: &str) {
    let row = row(name);
    if !row.needs.is_none_or(possible) {
        return;
    }
    let (code, report) = storm(row, true);
    let scenario = &report.scenarios[0];
    let (doubts, verdicts) = (&scenario.doubts, &scenario.verdicts);
    assert_eq!(scenario.outcome, Outcome::Pass, "{doubts:?} {verdicts:#?}");
    assert_eq!(code, Some(0));
}

#[test]
fn k1_an_asynchronous_commit_loses_what_was_acknowledged() {
    found("k1");
}

#[test]
fn k1_a_synchronous_commit_does_not() {
    passes("k1");
}

#[test]
fn k9_a_holder_that_wakes_up_after_its_lease_appends_behind_the_next_ones_back() {
    found("k9");
}

#[test]
fn k9_with_the_fencing_token_checked_it_is_refused() {
    passes("k9");
}

#[test]
fn k12_a_job_read_and_then_taken_is_done_twice() {
    found("k12");
}

#[test]
fn k12_a_job_taken_under_its_lock_is_not() {
    passes("k12");
}

#[test]
fn k13_a_lease_without_a_check_of_its_owner_does_a_job_twice() {
    found("k13");
}

#[test]
fn k13_with_the_check_it_does_not() {
    passes("k13");
}

#[test]
fn k14_without_a_lease_a_dead_workers_job_is_stuck() {
    found("k14");
}

#[test]
fn k14_with_one_it_is_not() {
    passes("k14");
}

#[test]
fn k19_a_counter_read_and_then_written_loses_increments() {
    found("k19");
}

#[test]
fn k19_a_counter_added_to_in_one_step_does_not() {
    passes("k19");
}

#[test]
fn c7_a_value_that_is_changed_on_its_way_is_kept_as_it_came() {
    found("c7");
}

#[test]
fn c7_with_a_checksum_from_end_to_end_it_is_refused_and_sent_again() {
    passes("c7");
}

#[test]
fn fsync_off_loses_what_was_acknowledged_when_the_power_is_lost() {
    found("fsync");
}

#[test]
fn fsync_on_does_not() {
    passes("fsync");
}

/// What differs is the defect, and nothing that would help to find it.
#[test]
fn a_defect_differs_from_its_control_by_one_setting() {
    let settings = |row: &Row, control: bool| {
        let text = file(row, control);
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.starts_with("system: "));
        lines.collect::<Vec<_>>().join("\n")
    };
    let settled = [
        ("synchronous_commit%3Doff", "synchronous_commit%3Don"),
        ("--append unfenced", "--append fenced"),
        ("--claim read-then-update", "--claim locked"),
        ("--done unchecked", "--done owner-checked"),
        ("--lease none", "--lease ${paced(1s)}"),
        ("--add read-then-write", "--add in-place"),
        ("--values plain", "--values checked"),
        ("fsync: \"off\"", "fsync: \"on\""),
    ];
    for (row, (defect, sound)) in ROWS.iter().zip(settled) {
        let (text, control) = (settings(row, false), settings(row, true));
        assert!(text.contains(defect) && !control.contains(defect), "{}", row.name);
        assert_eq!(text.replace(defect, sound), control, "{}", row.name);
    }
}

#[test]
fn twenty_of_twenty_shows_no_more_than_it_can() {
    let rounded = |hits| {
        let (least, most) = wilson(hits, 20);
        ((least * 1000.0).round(), (most * 1000.0).round())
    };
    assert_eq!(
        [20, 10, 0].map(rounded),
        [(839.0, 1000.0), (299.0, 701.0), (0.0, 161.0)]
    );
}
