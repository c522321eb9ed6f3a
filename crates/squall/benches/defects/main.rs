//! How surely the known defects of `systems/defects` are found, and their controls left alone.
//!
//! `cargo bench -p squall --bench defects` runs each with 20 seeds and prints one table; `-- 3 k12` only k12, with 3. About
//! 15 s a run, at level 1 and pace 10, and it needs what a run needs: PostgreSQL. A defect counts as found when the
//! row's own check fails with the row's own class, nothing else. Exit code 1 where one was missed or a control failed.
//! A row whose fault this machine can't be made to feel is left out, and why is said in its place.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this is for")]

#[path = "../../tests/rig/rows.rs"]
mod rows;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use rows::{ROWS, Row, wilson};
use serde_json::Value;
use squall_core::check::Outcome;
use squall_core::event::Phase;
use squall_core::journal::Journal;
use squall_core::report::Report;

/// The program as it was built for this bench.
const SQUALL: &str = env!("CARGO_BIN_EXE_squall");
/// As many as the claim is about.
const SEEDS: u64 = 20;
const HEAD: &str =
    "| system | scenario | wanted | times | Wilson 95 % | inconclusive | evidence after | verdict after | classes |";

/// What one run came to.
struct Run {
    outcome: Outcome,
    /// Whether the row's check failed with the row's class.
    found: bool,
    /// Every class that was found.
    classes: Vec<String>,
    /// From the storm's beginning to the first event that is evidence, in seconds.
    evidence: Option<f64>,
    /// From the command to its end, in seconds.
    wall: f64,
}

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<bool, Box<dyn Error>> {
    // Cargo adds `--bench`.
    let words: Vec<String> = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"))
        .collect();
    let (mut seeds, mut wanted) = (SEEDS, Vec::new());
    for word in &words {
        match word.parse() {
            Ok(number) if number > 0 => seeds = number,
            _ if ROWS.iter().any(|row| row.name == word) => wanted.push(word.as_str()),
            _ => return Err(format!("`{word}` is neither a number of seeds nor a row: {}", names()).into()),
        }
    }
    let chosen = ROWS
        .iter()
        .filter(|row| wanted.is_empty() || wanted.contains(&row.name));
    build()?;
    let mut all_well = true;
    println!("{HEAD}");
    println!("|---|---|---|---|---|---|---|---|---|");
    for row in chosen {
        if let Some(why) = missing(row)? {
            println!("{} is left out: {why}", row.name);
            continue;
        }
        // Defect and control take turns, so that a busy hour hits both.
        let (mut defect, mut control) = (Vec::new(), Vec::new());
        for seed in 1..=seeds {
            defect.push(run(row, false, seed)?);
            control.push(run(row, true, seed)?);
        }
        all_well &= told(row, false, &defect, |run| run.found);
        all_well &= told(row, true, &control, |run| run.outcome == Outcome::Pass);
    }
    Ok(all_well)
}

fn names() -> String {
    ROWS.map(|row| row.name).join(", ")
}

/// The folder runs are started in.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Before anything is timed.
fn build() -> Result<(), Box<dyn Error>> {
    let built = Command::new("cargo")
        .args(["build", "-p", "defects"])
        .current_dir(workspace())
        .status()?;
    if built.success() {
        Ok(())
    } else {
        Err("cargo build -p defects fails".into())
    }
}

/// Why a row can't be tried on this machine, as `squall doctor` says.
fn missing(row: &Row) -> Result<Option<String>, Box<dyn Error>> {
    let Some(fault) = row.needs else { return Ok(None) };
    let told = Command::new(SQUALL).args(["doctor", "--json"]).output()?;
    let told: Value = serde_json::from_slice(&told.stdout)?;
    let mut faults = told["faults"].as_array().into_iter().flatten();
    let found = faults.find(|row| row["fault"] == fault);
    let process = &found.ok_or_else(|| format!("squall doctor does not know `{fault}`"))?["worlds"]["process"];
    let why = process["why"].as_str().unwrap_or_default();
    Ok((process["possible"] != true).then(|| format!("`{fault}` can't be put in force here: {why}")))
}

fn run(row: &Row, control: bool, seed: u64) -> Result<Run, Box<dyn Error>> {
    let output = tempfile::tempdir()?;
    let begin = Instant::now();
    let done = Command::new(SQUALL)
        .args(row.arguments(control))
        .args(["--seed", &seed.to_string(), "-o"])
        .arg(output.path())
        .current_dir(workspace())
        .stdin(Stdio::null())
        .output()?;
    let wall = begin.elapsed().as_secs_f64();
    let latest = output.path().join("latest");
    let report = fs::read_to_string(latest.join("report.json"));
    let report = report.map_err(|_| format!("{}: {}", row.file(control), String::from_utf8_lossy(&done.stderr)))?;
    let report: Report = serde_json::from_str(&report)?;
    let journal = Journal::parse(&fs::read_to_string(
        latest.join(row.scenario_name()).join("journal.jsonl"),
    )?)?;
    let scenario = report.scenarios.first().ok_or("no scenario was run")?;
    let failed = scenario
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Fail);
    let finding = failed
        .clone()
        .find(|verdict| verdict.check == row.check && verdict.class.as_deref() == Some(row.class));
    let storm = journal.history().began(Phase::Storm).ok_or("no storm")?;
    let first = finding.and_then(|verdict| {
        let events = journal
            .events()
            .iter()
            .filter(|event| verdict.evidence.contains(&event.id));
        events.map(|event| event.at).min()
    });
    let run = Run {
        outcome: scenario.outcome,
        found: finding.is_some(),
        classes: failed.filter_map(|verdict| verdict.class.clone()).collect(),
        evidence: first.map(|at| at.saturating_sub(storm) as f64 / 1e9),
        wall,
    };
    eprintln!(
        "{} seed {seed}: {:?} {:?} {:?}",
        row.file(control),
        run.outcome,
        run.classes,
        scenario.doubts
    );
    Ok(run)
}

/// A line of the table; whether all is as it should be.
fn told(row: &Row, control: bool, runs: &[Run], good: fn(&Run) -> bool) -> bool {
    let hits = runs.iter().filter(|run| good(run)).count();
    let open = runs.iter().filter(|run| run.outcome == Outcome::Inconclusive).count();
    let mut classes = BTreeMap::<&str, usize>::new();
    for class in runs.iter().flat_map(|run| &run.classes) {
        *classes.entry(class).or_default() += 1;
    }
    let classes: Vec<String> = classes
        .iter()
        .map(|(class, count)| format!("{class} {count}"))
        .collect();
    let (least, most) = wilson(hits, runs.len());
    let wanted = if control { "passed" } else { row.class };
    let shown = |values: Vec<f64>| median(values).map_or_else(String::new, |value| format!("{value:.1} s"));
    println!(
        "| {} | {} | {wanted} | {hits} of {} | {:.0}-{:.0} % | {:.0} % | {} | {} | {} |",
        row.file(control),
        row.scenario_name(),
        runs.len(),
        least * 100.0,
        most * 100.0,
        open as f64 / runs.len() as f64 * 100.0,
        shown(runs.iter().filter_map(|run| run.evidence).collect()),
        shown(runs.iter().map(|run| run.wall).collect()),
        classes.join(", ")
    );
    hits == runs.len()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        _ if values.is_empty() => None,
        0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}
