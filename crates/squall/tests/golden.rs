//! Recorded journals, judged and rendered as they were before; and plans that stay what they are.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const PASSING: &str = include_str!("fixtures/worker-restart-pass.jsonl");
const FAILING: &str = include_str!("fixtures/worker-restart-fail.jsonl");

/// A run's folder with nothing in it but one scenario's journal.
fn folder(journal: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let scenario = folder.path().join("worker-restart");
    fs::create_dir(&scenario).unwrap();
    fs::write(scenario.join("journal.jsonl"), journal).unwrap();
    folder
}

fn squall(args: &[&str], path: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_squall"))
        .args(args)
        .arg(path)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

/// Judges a journal; answers the exit code, the run's folder and what was said on standard error.
fn judge(journal: &str) -> (i32, TempDir, String) {
    let folder = folder(journal);
    let done = squall(&["judge"], folder.path());
    let said = String::from_utf8(done.stderr).unwrap();
    (done.status.code().unwrap(), folder, said)
}

fn written(folder: &TempDir, name: &str) -> String {
    fs::read_to_string(folder.path().join(name)).unwrap()
}

#[test]
fn a_passing_run_is_judged_as_it_was() {
    let (code, folder, _) = judge(PASSING);
    assert_eq!(code, 0);
    insta::assert_snapshot!("passing.json", written(&folder, "report.json"));
    insta::assert_snapshot!("passing.md", written(&folder, "report.md"));
}

#[test]
fn a_failing_run_is_judged_as_it_was() {
    let (code, folder, _) = judge(FAILING);
    assert_eq!(code, 1);
    insta::assert_snapshot!("failing.json", written(&folder, "report.json"));
    insta::assert_snapshot!("failing.md", written(&folder, "report.md"));
}

#[test]
fn judging_again_writes_the_same_bytes() {
    let (_, folder, _) = judge(FAILING);
    let names = ["report.json", "report.md", "report.html", "junit.xml"];
    let first: Vec<String> = names.iter().map(|name| written(&folder, name)).collect();
    for name in names {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    squall(&["judge"], folder.path());
    for (name, first) in names.iter().zip(first) {
        assert!(written(&folder, name) == first, "{name} differs");
    }
}

#[test]
fn a_commit_that_nobody_saw_changes_the_verdict() {
    let commits = PASSING.matches(r#""event":"committed""#).count();
    assert!(commits > 10, "the recorded run did some work");
    let mut lines: Vec<serde_json::Value> = PASSING
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let first = lines
        .iter()
        .position(|event| event["fact"]["task"]["event"] == "committed")
        .unwrap();
    lines.remove(first);
    // The rest moves up: a hole in the numbers alone would already be refused.
    let journal: String = lines
        .iter_mut()
        .zip(1..)
        .map(|(event, id)| {
            event["id"] = serde_json::json!(id);
            format!("{event}\n")
        })
        .collect();
    let (code, folder, _) = judge(&journal);
    assert_eq!(code, 3, "{}", written(&folder, "report.md"));
    assert!(written(&folder, "report.json").contains("has no reported commit and no strike explains it"));
}

#[test]
fn a_journal_that_was_cut_off_proves_nothing() {
    for share in [3, 5, 8] {
        let (code, folder, _) = judge(&PASSING[..PASSING.len() * share / 10]);
        assert_eq!(code, 3, "at {share}/10: {}", written(&folder, "report.md"));
        assert!(written(&folder, "report.md").contains("the journal has no end: the run was cut off"));
    }
}

#[test]
fn a_line_that_is_no_event_is_named_and_nothing_is_written() {
    let journal: String = PASSING
        .lines()
        .enumerate()
        .flat_map(|(index, line)| [if index == 99 { "{\"id\":100,\"at\":" } else { line }, "\n"])
        .collect();
    let (code, folder, said) = judge(&journal);
    assert_eq!(code, 2);
    assert!(said.contains("line 100 of the journal"), "{said}");
    assert!(!folder.path().join("report.json").exists());
}

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn every_bundled_scenario_is_planned_as_it_was() {
    let mut names: Vec<String> = fs::read_dir(root().join("scenarios"))
        .unwrap()
        .filter_map(|entry| Some(entry.unwrap().path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    // A folder with no scenarios of its own: the bundled ones are meant.
    let elsewhere = tempfile::tempdir().unwrap();
    let system = |name: &str| {
        // Its contracts know no counters and no locks.
        let system = match name {
            "counters" | "locks" => "systems/defects/k9-control.yaml",
            _ => "systems/taskhub/system.yaml",
        };
        root().join(system).canonicalize().unwrap()
    };
    for name in names {
        for level in ["1", "6"] {
            let done = Command::new(env!("CARGO_BIN_EXE_squall"))
                .args(["plan", "-s", &name, "-d", level, "--seed", "42", "--system"])
                .arg(system(&name))
                .current_dir(&elsewhere)
                .output()
                .unwrap();
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            let plan = String::from_utf8(done.stdout).unwrap();
            insta::assert_snapshot!(format!("plan of {name} at level {level}"), plan);
        }
    }
}
