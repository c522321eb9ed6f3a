//! Commands of a scenario's own, as checks and in the storm, on a small system: their ends and words are evidence, their
//! bound holds, and nothing of them is left.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use place::Place;
use squall_core::check::Outcome;
use squall_core::event::{Fact, ScriptEnd, ScriptOf};
use squall_core::journal::Journal;
use squall_core::report::Report;

const RUN: [&str; 7] = ["run", "--system", "system.yaml", "-s", "mine.yaml", "--pace", "20"];

/// A small system, and a scenario with these checks and this storm.
fn with(storm: &str, checks: &str) -> Place {
    let place = Place::new();
    place.write(
        "system.yaml",
        "system: small\nentry: one\nservices:\n  one: { run: sleep 600 }\n",
    );
    place.write(
        "mine.yaml",
        format!("scenario: mine\nhypothesis: My command knows.\nstorm: {storm}\nchecks: {checks}\n"),
    );
    place
}

/// A program in the place.
fn program(place: &Place, name: &str, body: &str) {
    place.write(name, format!("#!/bin/sh\n{body}\n"));
    fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(0o755)).unwrap();
}

fn journal(place: &Place) -> Journal {
    let text = fs::read_to_string(place.run_folder().join("mine/journal.jsonl"))
        .or_else(|_| fs::read_to_string(place.run_folder().join("journal.jsonl")))
        .unwrap();
    Journal::new(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()).unwrap()
}

fn report(place: &Place) -> Report {
    let text = fs::read_to_string(place.run_folder().join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// How commands ended, and what they wrote.
fn ends(place: &Place) -> Vec<(ScriptOf, ScriptEnd, Vec<String>, u64)> {
    let journal = journal(place);
    let ends = journal.events().iter().filter_map(|event| match &event.fact {
        Fact::ScriptEnded {
            of,
            how,
            output,
            left_out,
            ..
        } => Some((*of, how.clone(), output.clone(), *left_out)),
        _ => None,
    });
    ends.collect()
}

#[track_caller]
fn exits(output: &Output, code: i32) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
}

/// Whether a process that carries this mark in its arguments runs.
fn runs(mark: &str) -> bool {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut words = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    words.any(|words| String::from_utf8_lossy(&words).contains(mark))
}

#[test]
fn a_command_that_is_content_passes_and_knows_where_it_is() {
    let place = with(
        "[ { script: { run: ./step.sh, at: 100ms } } ]",
        "[ script: ./mine.sh --fast ]",
    );
    program(&place, "step.sh", "echo stepped");
    program(
        &place,
        "mine.sh",
        "echo \"$BASE_URL $SQUALL_SCENARIO $1\"; test -f \"$SQUALL_FOLDER/journal.jsonl\"",
    );
    exits(&place.output(&RUN), 0);
    let says = report(&place).scenarios.remove(0).analysis;
    assert!(says.starts_with("With 1 command of its own, "), "{says}");
    let ends = ends(&place);
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert_eq!(ends[0].0, ScriptOf::Storm(0));
    assert_eq!(ends[0].2, ["stepped"]);
    assert_eq!((ends[1].0, &ends[1].1), (ScriptOf::Check(0), &ScriptEnd::Code(0)));
    let said = &ends[1].2[0];
    assert!(
        said.starts_with("http://127.0.0.1:") && said.ends_with(" mine --fast"),
        "{said}"
    );
}

#[test]
fn a_command_that_fails_is_a_finding_with_its_words_and_without_secrets() {
    let place = with("[]", "[ script: ./mine.sh ]");
    program(
        &place,
        "mine.sh",
        "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; echo \"token $MY_TOKEN\" >&2; exit 3",
    );
    let output = place.squall(&RUN).env("MY_TOKEN", "hunter2-hunter2").output().unwrap();
    exits(&output, 1);
    let verdict = report(&place).scenarios.remove(0).verdicts.remove(0);
    assert_eq!(
        (verdict.outcome, verdict.class.as_deref()),
        (Outcome::Fail, Some("script-failed"))
    );
    assert!(
        verdict.says.contains("`./mine.sh` ended with exit code 3"),
        "{}",
        verdict.says
    );
    assert!(verdict.advice.is_some_and(|advice| advice.contains("Remedy")));
    let journal = journal(&place);
    let shown = &journal.events()[usize::try_from(verdict.evidence[0]).unwrap() - 1];
    let Fact::ScriptEnded { output, left_out, .. } = &shown.fact else {
        panic!("{shown:?}");
    };
    assert_eq!((output.len(), *left_out), (40, 61));
    assert_eq!(output.last().map(String::as_str), Some("token ‹secret›"));
    assert!(!format!("{:?}", journal.events()).contains("hunter2"));
}

#[test]
fn a_command_is_killed_at_its_bound_with_all_it_started() {
    let mark = "59.7301";
    let place = with("[]", "[ { script: { run: ./mine.sh, within: 500ms } } ]");
    program(&place, "mine.sh", &format!("sleep {mark} & echo waiting; sleep {mark}"));
    exits(&place.output(&RUN), 1);
    let ends = ends(&place);
    assert_eq!(
        (&ends[0].1, &ends[0].2),
        (&ScriptEnd::Overran, &vec!["waiting".to_owned()])
    );
    assert!(!runs(mark), "what it started is still there");
}

#[test]
fn what_a_command_leaves_behind_ends_with_it() {
    let mark = "59.7302";
    let place = with("[]", "[ script: ./mine.sh ]");
    program(&place, "mine.sh", &format!("sleep {mark} & echo done"));
    exits(&place.output(&RUN), 0);
    assert!(!runs(mark), "what it started is still there");
}

#[test]
fn a_command_of_the_storm_that_fails_proves_nothing() {
    let place = with("[ script: ./step.sh ]", "[ script: ./mine.sh ]");
    program(&place, "step.sh", "echo no such table; exit 9");
    program(&place, "mine.sh", "true");
    exits(&place.output(&RUN), 3);
    let scenario = report(&place).scenarios.remove(0);
    assert_eq!(scenario.outcome, Outcome::Inconclusive);
    let doubt = "the storm's `./step.sh` ended with exit code 9: no such table";
    assert_eq!(scenario.doubts, [doubt]);
}

#[test]
fn a_command_that_is_not_there_is_found_before_anything_is_started() {
    let cases: [(&str, &str, &[&str]); 5] = [
        (
            "[]",
            "[ script: ./nonesuch.sh ]",
            &["`./nonesuch.sh` can't be run", "mine.yaml:4", "is the path right?"],
        ),
        (
            "[ script: { run: ./nonesuch.sh } ]",
            "[ none_stuck ]",
            &["`./nonesuch.sh`", "mine.yaml:3"],
        ),
        (
            "[]",
            "[ script: nonesuch-program --fast ]",
            &["no program `nonesuch-program` in PATH", "./nonesuch-program"],
        ),
        (
            "[]",
            "[ script: ./plain.txt ]",
            &["`./plain.txt` is not executable", "chmod +x ./plain.txt"],
        ),
        ("[]", "[ script: \" \" ]", &["the command is empty", "mine.yaml:4"]),
    ];
    for (storm, checks, says) in cases {
        let place = with(storm, checks);
        place.write("plain.txt", "no program");
        for args in [&RUN[..], &["validate", "system.yaml", "mine.yaml"]] {
            let output = place.output(args);
            exits(&output, 2);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            says.iter().for_each(|part| assert!(said.contains(part), "{said}"));
        }
        assert!(!place.path().join("tmp").exists(), "something was touched");
    }
}
