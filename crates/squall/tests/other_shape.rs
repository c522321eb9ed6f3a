//! A system of another shape than the reference: integer ids in an envelope, a key instead of a login, other words.
//! With its file alone it is worked, broken and judged; sound it passes, and each of its three bugs is found.
//!
//! They need errands' program (`cargo build -p errands`) and PostgreSQL.

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use place::{Place, SQUALL, workspace};
use squall_core::check::Outcome;
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

/// The program the system consists of.
fn errands() -> PathBuf {
    let profile = Path::new(SQUALL).parent().unwrap();
    let places = [profile.join("errands"), workspace().join("target/debug/errands")];
    places
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this test runs errands, which is not built: `cargo build -p errands`"))
}

/// Runs scenarios on errands, with a bug or none: the exit code and the report.
fn storm(scenarios: &str, bug: Option<&str>) -> (Option<i32>, Report) {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    let text = fs::read_to_string(workspace().join("systems/errands/system.yaml")).unwrap();
    let text = text.replace("build: cargo build -p errands\n", "");
    place.write("system.yaml", text.replace("target/debug/errands", errands().to_str().unwrap()));
    let mut command = place.squall(&["run", "-s", scenarios, "-d", "1", "--pace", "10", "--seed", "11"]);
    command.env_remove("ERRANDS_BUG");
    command.envs(bug.map(|bug| ("ERRANDS_BUG", bug)));
    let output = command.output().unwrap();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json"))
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), serde_json::from_str(&report).unwrap())
}

#[test]
fn sound_it_passes_what_the_reference_passes() {
    let (code, report) = storm("baseline,worker-restart,db-failure", None);
    for scenario in &report.scenarios {
        let (doubts, verdicts) = (&scenario.doubts, &scenario.verdicts);
        assert_eq!(scenario.outcome, Outcome::Pass, "{}: {doubts:?} {verdicts:#?}", scenario.name);
        assert!(scenario.faults.iter().all(|fault| fault.seen), "{}", scenario.name);
    }
    assert_eq!((code, report.scenarios.len()), (Some(0), 3));
}

fn caught(bug: &str, scenario: &str, check: &str, class: &str) {
    let (code, report) = storm(scenario, Some(bug));
    let verdicts = &report.scenarios[0].verdicts;
    let found = verdicts.iter().find(|verdict| verdict.check == check).unwrap();
    assert_eq!((found.outcome, found.class.as_deref()), (Outcome::Fail, Some(class)), "{verdicts:#?}");
    assert!(!found.evidence.is_empty());
    assert_eq!(code, Some(1));
}

#[test]
fn a_lost_job_is_found() {
    caught("loses", "baseline", "no_task_lost", "lost-task");
}

#[test]
fn a_stuck_job_is_found() {
    caught("sticks", "worker-restart", "none_stuck", "stuck-task");
}

#[test]
fn a_doubled_job_is_found() {
    caught("doubles", "worker-restart", "no_task_completed_twice", "double-commit");
}
