//! A system of another shape than the reference: integer ids in an envelope, a key instead of a login, other words.
//! With its file alone it is worked, broken and judged; sound it passes, and each of its three bugs is found.
//!
//! They need errands' program (`cargo build -p errands`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::sync::{Mutex, PoisonError};

use place::{Place, built, workspace};
use squall_core::check::Outcome;
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

/// Runs scenarios on errands, with a bug or none: the exit code and the report.
fn storm(scenarios: &str, bug: Option<&str>) -> (Option<i32>, Report) {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = Place::new();
    let text = fs::read_to_string(workspace().join("systems/errands/system.yaml")).unwrap();
    let text = text.replace("build: cargo build -p errands\n", "");
    place.write(
        "system.yaml",
        text.replace("target/debug/errands", built("errands").to_str().unwrap()),
    );
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
        assert_eq!(
            scenario.outcome,
            Outcome::Pass,
            "{}: {doubts:?} {verdicts:#?}",
            scenario.name
        );
        assert!(scenario.faults.iter().all(|fault| fault.seen), "{}", scenario.name);
    }
    assert_eq!((code, report.scenarios.len()), (Some(0), 3));
}

fn caught(bug: &str, scenario: &str, check: &str, class: &str) {
    let (code, report) = storm(scenario, Some(bug));
    let verdicts = &report.scenarios[0].verdicts;
    let found = verdicts.iter().find(|verdict| verdict.check == check).unwrap();
    assert_eq!(
        (found.outcome, found.class.as_deref()),
        (Outcome::Fail, Some(class)),
        "{verdicts:#?}"
    );
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

/// A folder with the system's file, some words in it replaced.
fn folder(changed: &[(&str, &str)]) -> Place {
    let place = Place::new();
    let text = fs::read_to_string(workspace().join("systems/errands/system.yaml")).unwrap();
    let text = text.replace("build: cargo build -p errands\n", "");
    let text = text.replace("target/debug/errands", built("errands").to_str().unwrap());
    let text = changed.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    place.write("system.yaml", text);
    place
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn all_leaves_out_what_the_system_lacks_and_says_so_everywhere() {
    let place = folder(&[
        ("  worker:", "  runner:"),
        ("  db:", "  store:"),
        ("[db]", "[store]"),
        ("links.db.", "links.store."),
    ]);
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let output = place.output(&["run", "-s", "all", "--pace", "10", "--seed", "11"]);
    let shown = said(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{shown}{}", said(&output.stderr));
    assert!(
        shown.contains("Total scenarios: 2\nPassed: 2\nFailed: 0\nSuccess rate: 100%"),
        "{shown}"
    );
    let why = "needs a service `db`, a service `worker`";
    assert!(shown.contains(&format!("⏭ recovery: not run: {why}")), "{shown}");
    let latest = place.path().join("tmp/latest");
    for name in ["report.md", "report.html", "junit.xml"] {
        let text = fs::read_to_string(latest.join(name)).unwrap();
        assert!(text.contains("recovery") && text.contains("needs a service"), "{name}");
    }
    let report: Report = serde_json::from_str(&fs::read_to_string(latest.join("report.json")).unwrap()).unwrap();
    let run: Vec<&str> = report.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(run, ["baseline", "server-restart"]);
    assert_eq!(report.left_out.len(), 12);
    // Judged again it is the same: the run's folder knows what was left out.
    let again = place.output(&["judge"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(said(&again.stdout).contains(&format!("⏭ recovery: not run: {why}")));
}

#[test]
fn by_name_what_the_system_lacks_is_bad_input() {
    let place = folder(&[]);
    let output = place.output(&["run", "-s", "circuit-breaker"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output.stderr).contains("the system has no service `partner`"),
        "{}",
        said(&output.stderr)
    );
    assert!(!place.path().join("tmp").exists());
    let output = place.output(&["plan", "-s", "all"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert!(said(&output.stdout).contains("network: not run: needs a kind of work `hook`, a service `partner`"));
    // What goes beyond its budget is left out, too; by name it is refused.
    let whole = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    place.write("system.yaml", format!("{whole}\nbudget: {{ copies: 10% }}\n"));
    let output = place.output(&["plan", "-s", "all"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output.stderr));
    assert!(said(&output.stdout).contains("worker-restart: not run: needs a wider budget: 1 of "));
    let output = place.output(&["plan", "-s", "worker-restart"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output.stderr).contains("change `budget` in the system file"));
    place.write("system.yaml", &whole);
    // A scenario of the project's own is for its system: what it asks for in vain is a slip.
    fs::create_dir(place.path().join("scenarios")).unwrap();
    place.write(
        "scenarios/own.yaml",
        "scenario: own\nhypothesis: x\nstorm: [{ kill: { on: wroker } }]\nchecks: [no_panics]\n",
    );
    let output = place.output(&["plan", "-s", "all"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output.stderr).contains("did you mean `worker`?"),
        "{}",
        said(&output.stderr)
    );
}

#[test]
fn where_nothing_fits_the_remedy_is_said() {
    let place = folder(&[
        ("  worker:", "  runner:"),
        ("  db:", "  store:"),
        ("[db]", "[store]"),
        ("links.db.", "links.store."),
    ]);
    let output = place.output(&["run", "--stage", "resilience"]);
    assert_eq!(output.status.code(), Some(2));
    let text = said(&output.stderr);
    assert!(
        text.contains("none of the scenarios can be run on errands") && text.contains("recovery: needs a service `db`"),
        "{text}"
    );
}
