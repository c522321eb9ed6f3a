use rusqlite::params;
use squall_core::check::Outcome;

use super::*;

/// A verdict: check, outcome, class.
type Told<'a> = (&'a str, &'a str, Option<&'a str>);

/// Puts a run in, without a report.
fn put(history: &History, run: &str, at: i64, level: u8, verdicts: &[Told<'_>]) {
    let db = &history.connection;
    db.execute(
        "INSERT INTO runs (run, scenario, opened, at, squall, system, level, seed, pace, label, outcome, headline, \
         figures) VALUES (?, 'storm', ?, ?, '1', 'small', ?, '18446744073709551615', 1.0, 'x', 'pass', '', '{}')",
        params![run, format!("day {at}"), at, level],
    )
    .unwrap();
    let row = db.last_insert_rowid();
    for (demand, outcome, class) in verdicts {
        db.execute(
            "INSERT INTO verdicts (row, demand, outcome, class, says) VALUES (?, ?, ?, ?, ?)",
            params![row, demand, outcome, class, class.map(|_| format!("said in {run}"))],
        )
        .unwrap();
    }
}

fn fresh() -> (tempfile::TempDir, History) {
    let folder = tempfile::tempdir().unwrap();
    let history = History::open(folder.path()).unwrap();
    (folder, history)
}

const LOST: Told<'_> = ("no_task_lost", "fail", Some("lost"));
const KEPT: Told<'_> = ("no_task_lost", "pass", None);
const UNCLEAR: Told<'_> = ("no_task_lost", "inconclusive", None);

#[test]
fn a_finding_is_first_seen_last_seen_and_gone_once_its_check_passes() {
    let (_folder, history) = fresh();
    put(&history, "a", 1, 1, &[KEPT]);
    // Out of order: what counts is when a run began.
    put(&history, "c", 3, 1, &[LOST]);
    put(&history, "b", 2, 1, &[LOST]);
    let found = history.findings(None).unwrap();
    assert_eq!(found.len(), 1);
    let finding = &found[0];
    assert_eq!((finding.first.run.as_str(), finding.last.run.as_str()), ("b", "c"));
    assert_eq!((finding.seen, finding.says.as_str()), (2, "said in c"));
    assert_eq!(finding.gone, None);
    put(&history, "d", 4, 1, &[UNCLEAR]);
    assert_eq!(history.findings(None).unwrap()[0].gone, None, "nothing was shown");
    put(&history, "e", 5, 1, &[KEPT]);
    put(&history, "f", 6, 1, &[KEPT]);
    let finding = history.findings(None).unwrap().remove(0);
    assert_eq!((finding.gone.unwrap().run.as_str(), finding.passed), ("e", 2));
    put(&history, "g", 7, 1, &[LOST]);
    let finding = history.findings(None).unwrap().remove(0);
    assert_eq!((finding.gone, finding.passed, finding.seen), (None, 0, 3));
    assert_eq!(finding.first.run, "b");
}

#[test]
fn an_easier_run_does_not_make_a_finding_go_away() {
    let (_folder, history) = fresh();
    put(&history, "a", 1, 6, &[LOST]);
    put(&history, "b", 2, 1, &[KEPT]);
    assert_eq!(history.findings(None).unwrap()[0].gone, None);
    put(&history, "c", 3, 6, &[KEPT]);
    assert!(history.findings(None).unwrap()[0].gone.is_some());
}

#[test]
fn what_is_still_there_comes_first() {
    let (_folder, history) = fresh();
    put(&history, "a", 1, 1, &[("stable", "fail", Some("flaps"))]);
    put(&history, "b", 2, 1, &[LOST, ("stable", "fail", Some("slow"))]);
    put(&history, "c", 3, 1, &[KEPT]);
    let classes = |finding: &Finding| finding.class.clone().unwrap();
    let found: Vec<String> = history.findings(Some("storm")).unwrap().iter().map(classes).collect();
    assert_eq!(found, ["slow", "flaps", "lost"]);
    assert_eq!(history.findings(Some("other")).unwrap(), []);
}

#[test]
fn rows_come_newest_first_and_are_found_by_run_label_and_scenario() {
    let (_folder, history) = fresh();
    for (run, at) in [("a", 1), ("c", 3), ("b", 2)] {
        put(&history, run, at, 1, &[]);
    }
    let runs = |filter: Filter<'_>| -> Vec<String> {
        let rows = history.rows(&filter).unwrap();
        rows.into_iter().map(|row| row.run).collect()
    };
    assert_eq!(runs(Filter::default()), ["c", "b", "a"]);
    let limit = Some(2);
    assert_eq!(
        runs(Filter {
            limit,
            ..Filter::default()
        }),
        ["c", "b"]
    );
    let run = Some("a");
    assert_eq!(
        runs(Filter {
            run,
            ..Filter::default()
        }),
        ["a"]
    );
    let label = Some("x");
    assert_eq!(
        runs(Filter {
            label,
            ..Filter::default()
        })
        .len(),
        3
    );
    let scenario = Some("none");
    assert_eq!(
        runs(Filter {
            scenario,
            ..Filter::default()
        })
        .len(),
        0
    );
    let row = history
        .rows(&Filter {
            run,
            ..Filter::default()
        })
        .unwrap()
        .remove(0);
    assert_eq!((row.seed, row.outcome), (u64::MAX, Outcome::Pass));
    assert_eq!(
        history.names().unwrap(),
        (vec!["storm".to_owned()], vec!["x".to_owned()])
    );
}

#[test]
fn where_there_is_none_none_is_made_by_looking() {
    let folder = tempfile::tempdir().unwrap();
    assert!(History::find(folder.path()).unwrap().is_none());
    assert!(!folder.path().join(FILE).exists());
    drop(History::open(folder.path()).unwrap());
    assert!(History::find(folder.path()).unwrap().is_some());
}

#[test]
fn what_a_newer_squall_wrote_is_left_alone() {
    let (folder, history) = fresh();
    history.connection.pragma_update(None, "user_version", 99).unwrap();
    drop(history);
    let error = History::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("newer squall"), "{error}");
    assert!(error.remedy().contains("move the file away"), "{}", error.remedy());
}

#[test]
fn what_is_damaged_or_odd_is_said_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join(FILE),
        "this is no database, whatever its name says".repeat(40),
    )
    .unwrap();
    let error = History::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("not a database"), "{error}");
    assert!(error.remedy().contains("move the file away"), "{}", error.remedy());
    let (_folder, history) = fresh();
    put(&history, "a", 1, 1, &[]);
    history.connection.execute("UPDATE runs SET figures = '{'", []).unwrap();
    let error = history.rows(&Filter::default()).unwrap_err();
    assert!(error.to_string().contains("the figures of run a"), "{error}");
}

#[test]
fn what_an_older_squall_wrote_is_kept_and_told_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let older = rusqlite::Connection::open(folder.path().join(FILE)).unwrap();
    older.execute_batch(VERSIONS[0]).unwrap();
    older.pragma_update(None, "user_version", 1).unwrap();
    older
        .execute_batch(
            "INSERT INTO runs (run, scenario, opened, at, squall, system, level, seed, pace, outcome, headline, figures) \
             VALUES ('a', 'storm', '2026-01-01T00:00:00Z', 1, '0.1.0', 'x', 2, '7', 10.0, 'pass', '', '{}')",
        )
        .unwrap();
    drop(older);
    let history = History::open(folder.path()).unwrap();
    let rows = history.rows(&Filter::default()).unwrap();
    // There was no way to run several at once.
    assert_eq!((rows[0].run.as_str(), rows[0].jobs), ("a", 1));
}
