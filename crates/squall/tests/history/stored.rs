//! What is kept of runs, and compared.

use std::fs;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use squall::history::{FILE, Filter, History};
use squall_core::compare::{Figures, Group, compare};

use super::place::Place;
use super::{at_once, json, place, squall, words};

/// In six series at once, each of which waits most of its time.
fn ten_and_ten() -> Place {
    let place = place();
    let mut runs = Vec::new();
    for (system, label) in [("system.yaml", "sound"), ("slow.yaml", "slowed")] {
        for (times, seed) in [("4", "5"), ("3", "6"), ("3", "7")] {
            let more = ["--repeat", times, "--seed", seed, "--label", label];
            runs.push((&place, words(system, &more), 0));
        }
    }
    for said in at_once(&runs) {
        assert!(
            said.contains("4 runs: 4 passed") || said.contains("3 runs: 3 passed"),
            "{said}"
        );
    }
    place
}

#[test]
fn ten_sound_and_ten_slowed_runs_show_the_slowdown_and_sound_ones_show_none() {
    let place = ten_and_ten();
    let said = squall(&place, &["compare", "label:sound", "label:slowed"], 1);
    assert!(said.contains("A: label:sound: 10 runs (10 passed)"), "{said}");
    assert!(said.contains("Worse: request_p50 of calm by +"), "{said}");
    let value = json(&place, &["compare", "label:sound", "label:slowed", "--json"], 1);
    let rows = value["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["figure"] == "request_p50").unwrap();
    assert_eq!((&row["shown"], &row["runs"][1]), (&"worse".into(), &10.into()));
    let (low, high) = (
        row["interval"][0].as_f64().unwrap(),
        row["interval"][1].as_f64().unwrap(),
    );
    assert!(20e6 < low && low <= high, "{row}");
    // The other way round it is a speedup, and no reason to fail.
    let said = squall(&place, &["compare", "label:slowed", "label:sound"], 0);
    assert!(said.contains("Better: request_p50 of calm by -"), "{said}");

    few_runs_claim_nothing(&place);
    resampled_sound_runs_claim_nothing(&place);
}

fn few_runs_claim_nothing(place: &Place) {
    let history = History::find(&place.path().join("tmp")).unwrap().unwrap();
    let runs = |label| {
        let rows = history
            .rows(&Filter {
                label: Some(label),
                limit: Some(3),
                ..Filter::default()
            })
            .unwrap();
        rows.into_iter().map(|row| row.run).collect::<Vec<_>>().join(",")
    };
    let (a, b) = (runs("sound"), runs("slowed"));
    let said = squall(place, &["compare", &a, &b], 0);
    assert!(said.contains("Too few runs"), "{said}");
    assert!(said.contains("runs a side are enough"), "{said}");
    // Folders are as good as ids, and need no history.
    let folders: Vec<String> = b.split(',').map(|run| format!("tmp/{run}")).collect();
    let said = squall(place, &["compare", &a, &folders.join(","), "-o", "tmp"], 0);
    assert!(said.contains("Too few runs"), "{said}");
}

/// A pool of what real sound runs showed; which set a run is drawn into is chance alone.
fn resampled_sound_runs_claim_nothing(place: &Place) {
    let history = History::find(&place.path().join("tmp")).unwrap().unwrap();
    let label = Some("sound");
    let rows = history
        .rows(&Filter {
            label,
            ..Filter::default()
        })
        .unwrap();
    assert_eq!(rows.len(), 10);
    let mut dice = ChaCha12Rng::seed_from_u64(11);
    let mut draw = || -> Vec<&Figures> { (0..10).map(|_| &rows[dice.random_range(0..10)].figures).collect() };
    let claims = (0..1000).filter(|_| {
        let group = Group {
            scenario: "calm",
            a: draw(),
            b: draw(),
        };
        let comparison = compare(&[group], 0.999);
        comparison.worse().chain(comparison.better()).next().is_some()
    });
    let claims = claims.count();
    assert!(claims <= 5, "{claims} claims");
}

#[test]
fn findings_are_seen_first_and_last_and_are_gone_once_their_check_passes() {
    let place = place();
    assert!(squall(&place, &["history"], 0).contains("no run was kept yet"));
    squall(&place, &words("broken.yaml", &["--label", "bad", "--seed", "3"]), 1);
    let value = json(&place, &["history", "--json"], 0);
    let run = &value["runs"][0];
    assert_eq!((&run["scenario"], &run["outcome"]), (&"calm".into(), &"fail".into()));
    assert_eq!(
        (&run["label"], &run["seed"], &run["level"]),
        (&"bad".into(), &3.into(), &1.into())
    );
    assert!(run["figures"]["request_p50"].as_f64() > Some(0.0), "{run}");
    let finding = &value["findings"][0];
    assert_eq!(finding["check"], "api_success");
    assert_eq!(
        (&finding["gone"], &finding["seen"]),
        (&serde_json::Value::Null, &1.into())
    );
    assert_eq!(finding["first"]["run"], run["run"]);

    squall(&place, &words("system.yaml", &["--seed", "3"]), 0);
    let said = squall(&place, &["history", "--scenario", "calm", "--limit", "1"], 0);
    assert!(said.contains("first seen") && said.contains("gone since 2"), "{said}");
    assert_eq!(said.matches(" bad ").count(), 0, "only the newest run: {said}");
    let value = json(&place, &["history", "--json"], 0);
    assert_eq!(value["runs"].as_array().unwrap().len(), 2);
    assert_eq!(value["findings"][0]["gone"]["run"], value["runs"][0]["run"]);
}

#[test]
fn a_history_that_can_not_be_used_is_a_warning_and_no_more() {
    let (damaged, held) = (place(), place());
    for place in [&damaged, &held] {
        fs::create_dir(place.path().join("tmp")).unwrap();
    }
    damaged.write(
        &format!("tmp/{FILE}"),
        "no database, though it is long enough to be looked at ".repeat(30),
    );
    let holder = rusqlite::Connection::open(held.path().join("tmp").join(FILE)).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE; CREATE TABLE held (x)").unwrap();
    let run = words("system.yaml", &[]);
    let said = at_once(&[(&damaged, run.clone(), 0), (&held, run, 0)]);
    for (said, parts) in said.iter().zip([
        ["not a database", "move the file away"],
        ["locked", "another program holds it"],
    ]) {
        let warnings: Vec<&str> = said
            .lines()
            .filter(|line| line.contains("not in the history"))
            .collect();
        assert_eq!(warnings.len(), 1, "{said}");
        assert!(parts.iter().all(|part| warnings[0].contains(part)), "{said}");
    }
    let said = squall(&damaged, &["history"], 2);
    assert!(said.contains("not a database"), "{said}");
    drop(holder);
    // The folder has it all: a run that is not in the history is found by it.
    let said = squall(&held, &["compare", "tmp/latest", "label:x"], 2);
    assert!(said.contains("no run has the label `x`"), "{said}");
}

#[test]
fn what_can_not_be_compared_is_said_with_what_to_do() {
    let place = place();
    squall(&place, &words("system.yaml", &["--label", "one"]), 0);
    for (args, says) in [
        (&["compare", "label:one", "label:noe"][..], "did you mean `label:one`?"),
        (&["compare", "label:one", "nowhere"], "there is no run `nowhere`"),
        (&["compare", "label:one", "label:one"], "is named twice"),
        (&["compare", "label:one", "tmp/latest"], "is named twice"),
        (&["compare", "label:one", "scratch"], "holds no journal"),
        (&["compare", "label:one", ","], "a run without a name"),
        (&["compare", "label:one"], "<B>"),
        (
            &["compare", "label:one", "x", "--level", "100%"],
            "from 50% to 99.99999%",
        ),
        (&["compare", "label:one", "x", "--level", "sure"], "'sure'"),
        (&["history", "-s", "clam"], "did you mean `calm`?"),
        (&["history", "-o", "nowhere"], "nowhere: there is no such folder"),
        (&["history", "--limit", "0"], "'0'"),
    ] {
        let said = squall(&place, args, 2);
        assert!(said.contains(says), "{args:?}: {said}");
    }
}
