//! Mistakes on the command line and in the environment.

use super::{Table, check, sound};

/// What is typed, what is said.
const FLAGS: &[(&[&str], &[&str])] = &[
    (&["-d", "7"], &["'7'", "levels are 1 to 6"]),
    (&["-d", "0"], &["'0'", "levels are 1 to 6"]),
    (&["-d", "high"], &["'high'", "levels are 1 to 6"]),
    (&["--pace", "0"], &["'0'", "0.1 to 100"]),
    (&["--pace", "NaN"], &["'NaN'", "0.1 to 100"]),
    (&["--pace", "fast"], &["'fast'", "0.1 to 100"]),
    (
        &["-s", "worker-restrat"],
        &["no scenario `worker-restrat`", "did you mean `worker-restart`?"],
    ),
    (&["-s", "storm.yaml,xyz"], &["no scenario `xyz`", "baseline"]),
    (&["-s", ""], &["no scenario is named", "baseline"]),
    (&["-s", " , "], &["no scenario is named"]),
    (&["-s", "none.yaml"], &["none.yaml", "is the path right?"]),
    (&["--system", "none.yaml"], &["none.yaml", "is the path right?"]),
    (&["--set", "tasks"], &["'tasks'", "NAME=VALUE"]),
    (&["--set", "tasks="], &["NAME=VALUE"]),
    (&["--set", "taks=4"], &["--set taks", "did you mean `tasks`?"]),
    (&["--set", "xyzzy=4"], &["--set xyzzy", "tasks"]),
    (&["--set", "tasks=many"], &["--set tasks=many", "a number is expected"]),
    (
        &["--set", "task_time=4"],
        &["--set task_time=4", "a duration is expected"],
    ),
    (&["--seed", "-1"], &["'-1'"]),
    (&["--seed", "x"], &["'x'", "a whole number from 0 to"]),
    (&["--jobs", "x"], &["'x'", "a whole number from 1 to 16"]),
    (&["--jobs", "17"], &["'17'", "a whole number from 1 to 16"]),
    (&["--repeat", "0"], &["'0'", "a whole number from 1 to 100000"]),
    (&["-p", "0"], &["'0'", "1 to 65535"]),
    (&["-p", "65536"], &["'65536'", "1 to 65535"]),
    (&["-p", "http"], &["'http'", "1 to 65535"]),
    (&["--dificulty", "3"], &["--dificulty", "--difficulty"]),
    (&["storm.yaml"], &["storm.yaml"]),
];

/// What is set, what is said.
const ENVIRONMENT: &[(&str, &str, &[&str])] = &[
    ("DIFFICULTY", "9", &["'9'", "levels are 1 to 6"]),
    ("VERBOSE", "maybe", &["'maybe'", "--verbose"]),
    ("PORT", "abc", &["'abc'", "1 to 65535"]),
    ("SCENARIOS", "nonesuch", &["no scenario `nonesuch`"]),
    ("SQUALL_SYSTEM", "nowhere.yaml", &["nowhere.yaml", "is the path right?"]),
];

#[test]
fn every_bad_flag_is_said_with_its_remedy_and_nothing_is_touched() {
    let mut table = Table::default();
    for (flags, says) in FLAGS {
        let place = sound();
        let storm: &[&str] = if flags.contains(&"-s") {
            &[]
        } else {
            &["-s", "storm.yaml"]
        };
        let args: Vec<&str> = ["run"].iter().chain(storm).chain(*flags).copied().collect();
        let name = args.join(" ");
        table.check(&name, &place, &place.output(&args), (2, says));
    }
    insta::assert_snapshot!("flags", table.end());
}

#[test]
fn every_bad_variable_is_said_with_its_remedy_and_nothing_is_touched() {
    let mut table = Table::default();
    for (name, value, says) in ENVIRONMENT {
        let place = sound();
        let scenario: &[&str] = if *name == "SCENARIOS" {
            &[]
        } else {
            &["-s", "storm.yaml"]
        };
        let args: Vec<&str> = ["run"].iter().chain(scenario).copied().collect();
        let output = place.squall(&args).env(name, value).output().unwrap();
        table.check(&format!("{name}={value}"), &place, &output, (2, says));
    }
    insta::assert_snapshot!("environment", table.end());
}

#[test]
fn words_of_the_environment_for_yes_and_no_are_understood() {
    let place = sound();
    for word in ["true", "false", "1", "0", "yes", "no", ""] {
        let output = place
            .squall(&["run", "--pace", "0"])
            .env("VERBOSE", word)
            .output()
            .unwrap();
        check(&format!("VERBOSE={word}"), &place, &output, 2, &["0.1 to 100"]);
    }
}

#[test]
fn other_verbs_name_what_they_can_not_find() {
    let (place, mut table) = (sound(), Table::default());
    place.write("word.yaml", "word\n");
    place.write("short.json", r#"[{"name": "db"}]"#);
    for (args, says) in [
        (&["judge", "nowhere"][..], &["nowhere", "tmp/latest"][..]),
        (&["judge", "."], &["no journal", "tmp/latest"]),
        (&["judge", "storm.yaml"], &["storm.yaml"]),
        (&["list", "scenaros"], &["'scenaros'", "scenarios"]),
        (
            &["selftest", "--bugs", "", "--sound", "0"],
            &["shows nothing", "--bugs", "--sound"],
        ),
        (
            &["selftest", "--bugs", "no-such-bug"],
            &["`no-such-bug`", "lost-enqueue"],
        ),
        (&["selftest", "--seed", "x"], &["'x'", "a whole number"]),
        (&["flood", "--count", "0"], &["'0'", "from 1 to 1000000"]),
        (&["history", "--limit", "few"], &["'few'", "a whole number from 1"]),
        (&["verify", "--at-least", "101"], &["'101'", "from 0 to 100"]),
        (&["proxy", "--port", "70000"], &["'70000'", "from 0 to 65535"]),
        (
            &["proxy", "--config", "short.json"],
            &["missing required field: upstream", "POST /populate"],
        ),
        (&["compare", "label:a", "b"], &["label `a`", "no history below tmp"]),
        (&["heal", "--output", "storm.yaml"], &["storm.yaml", "--output"]),
        (
            &["init", "--from", "nowhere.yaml", "-o", "new.yaml"],
            &["nowhere.yaml", "is the path right?"],
        ),
        (
            &["validate", "word.yaml"],
            &["word.yaml", "`squall init`", "`squall schema scenario`"],
        ),
        (&["vaildate"], &["'vaildate'", "'validate'"]),
        (&[], &["Usage"]),
    ] {
        table.check(&args.join(" "), &place, &place.output(args), (2, says));
    }
    table.end();
}

#[test]
fn a_folder_that_is_not_there_is_named_where_nothing_was_found() {
    let place = sound();
    for verb in ["status", "down"] {
        let output = place.output(&[verb, "--output", "nowhere"]);
        check(
            verb,
            &place,
            &output,
            0,
            &["no system is up", "no folder nowhere", "--output"],
        );
        let usual = check(verb, &place, &place.output(&[verb]), 0, &["no system is up"]);
        assert!(!usual.contains("no folder"), "{usual}");
    }
}
