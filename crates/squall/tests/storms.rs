//! Real storms on the reference system: it passes when it is sound, and a storm nobody felt passes never.
//!
//! They need taskhub's release binary (`cargo build --release -p taskhub`) and PostgreSQL.

#![expect(clippy::print_stdout, reason = "a failed test shows what squall said")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};

use squall_core::check::Outcome;
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Runs squall in the workspace, with its output below a folder of the test's own.
fn squall(folder: &Path, args: &[&str]) -> Output {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let output = Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(args)
        .args(["--pace", "10", "--seed", "11"])
        .arg("--output")
        .arg(folder)
        .current_dir(root())
        .output()
        .expect("squall starts");
    println!("{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn report(folder: &Path) -> Report {
    let text = std::fs::read_to_string(folder.join("latest/report.json")).expect("a run writes report.json");
    serde_json::from_str(&text).expect("report.json is a report")
}

/// Runs one of the test's own scenarios, which must end inconclusive for a reason that says `why`.
fn proves_nothing(scenario: &str, more: &[&str], why: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = format!("crates/squall/tests/scenarios/{scenario}.yaml");
    let mut args = vec!["run", "-s", &file];
    args.extend(more);
    let output = squall(folder.path(), &args);
    let report = report(folder.path());
    let scenario = &report.scenarios[0];
    assert_eq!(output.status.code(), Some(3), "{:#?}", scenario.verdicts);
    assert_eq!(scenario.outcome, Outcome::Inconclusive);
    assert!(
        scenario.doubts.iter().any(|doubt| doubt.contains(why)),
        "{:?}",
        scenario.doubts
    );
    // The checks themselves had nothing against it: only the missing effect keeps it from passing.
    assert!(
        scenario.verdicts.iter().all(|verdict| verdict.outcome == Outcome::Pass),
        "{:#?}",
        scenario.verdicts
    );
}

#[test]
fn a_storm_that_kills_only_idle_workers_is_inconclusive() {
    proves_nothing("idle-workers", &[], "no effect of `kill` was seen");
}

#[test]
fn a_cut_on_a_link_nobody_uses_is_inconclusive() {
    proves_nothing("unused-link", &[], "no effect of `cut` was seen");
}

#[test]
fn a_kill_aimed_at_a_service_without_an_instance_is_inconclusive() {
    proves_nothing("nobody-there", &["--set", "workers=0"], "`worker` has no instance");
}

#[test]
fn the_sound_system_passes_every_bundled_scenario() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = squall(folder.path(), &["run", "-d", "2", "--jobs", "2"]);
    let report = report(folder.path());
    for scenario in &report.scenarios {
        assert_eq!(
            scenario.outcome,
            Outcome::Pass,
            "{}: {:?} {:#?}",
            scenario.name,
            scenario.doubts,
            scenario.verdicts
        );
        assert!(
            scenario.faults.iter().all(|fault| fault.to.is_some()),
            "{}: a fault was not healed",
            scenario.name
        );
    }
    let bundled = std::fs::read_dir(root().join("scenarios"))
        .expect("the scenarios")
        .count();
    // taskhub has neither counters nor locks.
    let left_out: Vec<&str> = report.left_out.iter().map(|left| left.scenario.as_str()).collect();
    assert_eq!(left_out, ["counters", "locks"]);
    assert_eq!(report.scenarios.len() + left_out.len(), bundled);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn scenarios_side_by_side_are_each_run_and_judged_on_their_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = squall(
        folder.path(),
        &["run", "-s", "baseline,server-restart,worker-restart", "--jobs", "2"],
    );
    let report = report(folder.path());
    let judged: Vec<_> = report
        .scenarios
        .iter()
        .map(|one| (one.name.as_str(), one.outcome))
        .collect();
    let expected = ["baseline", "server-restart", "worker-restart"].map(|name| (name, Outcome::Pass));
    assert_eq!(judged, expected, "{report:#?}");
    assert_eq!(output.status.code(), Some(0));
    let began_and_ended = |name: &str| {
        let path = folder.path().join("latest").join(name).join("journal.jsonl");
        let text = std::fs::read_to_string(path).expect("a journal");
        let journal = squall_core::journal::Journal::parse(&text).expect("a journal can be read");
        let began: jiff::Timestamp = journal.header().opened.parse().expect("a time");
        let lasted = journal.events().last().expect("events").at;
        (began, began + std::time::Duration::from_nanos(lasted))
    };
    let (first, second, third) = (
        began_and_ended("baseline"),
        began_and_ended("server-restart"),
        began_and_ended("worker-restart"),
    );
    assert!(second.0 < first.1, "two at once");
    assert!(third.0 >= first.1.min(second.1), "and not three");
}

#[test]
fn every_way_to_cut_a_link_is_felt_and_survived() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = squall(
        folder.path(),
        &["run", "-s", "crates/squall/tests/scenarios/cut-database.yaml"],
    );
    let report = report(folder.path());
    let scenario = &report.scenarios[0];
    assert!(scenario.faults.iter().all(|fault| fault.seen), "{:#?}", scenario.faults);
    assert_eq!(scenario.faults.len(), 4);
    assert_eq!(
        scenario.outcome,
        Outcome::Pass,
        "{:?} {:#?}",
        scenario.doubts,
        scenario.verdicts
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_seed_gives_one_plan_and_another_seed_another() {
    let plan = |seed: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_squall"))
            .args(["plan", "--json", "-s", "multi-worker-chaos", "-d", "5", "--seed", seed])
            .current_dir(root())
            .output()
            .expect("squall starts");
        String::from_utf8(output.stdout).expect("a plan is text")
    };
    assert_eq!(plan("1"), plan("1"));
    assert_ne!(plan("1"), plan("2"));
}
