//! R1, R3 and R5: whole runs of the reference system at level 1 and real pace.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use squall_core::event::{Event, Fact, Phase, Role, TaskEvent};
use squall_core::journal::{History, Journal};
use squall_core::plan::Start;
use squall_core::time::Nanos;

use crate::Measured;
use crate::table::{Row, median, spread};

/// The program as it was built for this bench.
pub const SQUALL: &str = env!("CARGO_BIN_EXE_squall");
/// The scenarios take turns, so that a busy hour hits both.
const ROUNDS: u64 = 3;
const SECOND: f64 = 1e9;

/// One run from the outside, and its journal.
struct Run {
    journal: Journal,
    /// From the command to the end of the program, in seconds.
    wall: f64,
    /// From the command to the journal's zero, in seconds.
    opened: f64,
}

/// What one run of `multi-worker-chaos` showed, in seconds.
struct Chaos {
    least: f64,
    work: f64,
    wall: f64,
    parts: [f64; 3],
    first_fault: f64,
}

/// Runs both scenarios in turns.
pub fn measure() -> Measured {
    let folder = workspace();
    warm(&folder)?;
    let (mut chaos, mut restarts) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        chaos.push(workers(&run(&folder, "multi-worker-chaos", round)?)?);
        restarts.extend(restart(&run(&folder, "server-restart", round)?.journal.history()));
    }
    let of = |get: fn(&Chaos) -> f64| chaos.iter().map(get).collect::<Vec<_>>();
    let (work, over) = (of(|chaos| chaos.work), of(|chaos| chaos.wall - chaos.work));
    let first = of(|chaos| chaos.first_fault);
    let least = chaos[0].least;
    let [reference, calm, drain] =
        [0, 1, 2].map(|part| median(&chaos.iter().map(|run| run.parts[part]).collect::<Vec<_>>()));
    let row = |target, what: &str, goal: String, measured, met| Row {
        target,
        what: what.to_owned(),
        goal,
        measured,
        met,
    };
    Ok(vec![
        row(
            "R1",
            "multi-worker-chaos: first task created → last committed",
            format!("≤ 1.5 × {least:.0} s"),
            spread(&work, 1, "s"),
            Some(median(&work) <= 1.5 * least),
        ),
        row(
            "R1",
            "multi-worker-chaos: command → verdict, besides that",
            "≤ 8 s".to_owned(),
            spread(&over, 1, "s"),
            Some(median(&over) <= 8.0),
        ),
        row(
            "R1",
            "of it: reference, calm, drain and audit",
            String::new(),
            format!("{reference:.1} s, {calm:.1} s, {drain:.1} s"),
            None,
        ),
        row(
            "R3",
            "command → first fault, besides the reference and the planned wait",
            "≤ 3 s".to_owned(),
            spread(&first, 2, "s"),
            Some(median(&first) <= 3.0),
        ),
        row(
            "R5",
            "server-restart: SIGKILL → serving, 200 ms of it restart.after",
            "≤ 500 ms".to_owned(),
            format!("{}, {} kills", spread(&restarts, 0, "ms"), restarts.len()),
            Some(median(&restarts) <= 500.0),
        ),
    ])
}

/// The folder runs are started in.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Has the reference system built before anything is timed.
pub fn warm(folder: &Path) -> Result<(), Box<dyn Error>> {
    let status = Command::new("cargo")
        .args(["build", "--release", "-p", "taskhub"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err("cargo build --release -p taskhub fails".into());
    }
    if !folder.join("target/release/taskhub").exists() {
        return Err("target/release/taskhub is not there: unset CARGO_TARGET_DIR, or link target to it".into());
    }
    Ok(())
}

fn run(folder: &Path, scenario: &str, seed: u64) -> Result<Run, Box<dyn Error>> {
    let output = tempfile::tempdir()?;
    let asked = jiff::Timestamp::now();
    let begin = Instant::now();
    let done = Command::new(SQUALL)
        .args(["run", "-s", scenario, "--seed", &seed.to_string(), "-o"])
        .arg(output.path())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()?;
    let wall = begin.elapsed().as_secs_f64();
    if !done.status.success() {
        let told = String::from_utf8_lossy(&done.stdout);
        return Err(format!("{scenario} with seed {seed}: {}\n{told}", done.status).into());
    }
    let text = fs::read_to_string(output.path().join("latest").join(scenario).join("journal.jsonl"))?;
    let journal = Journal::parse(&text)?;
    let opened: jiff::Timestamp = journal.header().opened.parse()?;
    let since_asked = opened.duration_since(asked).as_secs_f64();
    let first = journal.events()[0].at as f64 / SECOND;
    Ok(Run {
        opened: since_asked - first,
        journal,
        wall,
    })
}

fn workers(run: &Run) -> Result<Chaos, Box<dyn Error>> {
    let history = run.journal.history();
    let plan = &history.header.plan;
    let main = plan
        .tasks
        .iter()
        .filter(|task| Some(&task.kind) == plan.main_kind.as_ref());
    let least = main.map(|task| task.ms as f64 / 1e3).sum::<f64>()
        / f64::from(history.header.system.services["worker"].replicas);
    let created = history
        .ops
        .iter()
        .filter(|(_, op)| op.role == Role::Create)
        .map(|(_, op)| op.call);
    let created = created.min().ok_or("no task was created")?;
    let done = history
        .events
        .iter()
        .filter(|event| committed(event))
        .map(|event| event.at)
        .max();
    let part = |phase| Some(seconds(history.began(phase)?, history.ended(phase)?));
    let storm = history.began(Phase::Storm).ok_or("no storm")?;
    let strike = history.strikes.first().ok_or("no strike")?;
    let planned = match strike.step.start {
        Start::At(at) => at,
        Start::After { .. } => 0,
    };
    let reference = part(Phase::Reference).ok_or("no reference")?;
    let drain = part(Phase::Drain)
        .zip(part(Phase::Audit))
        .map(|(drain, audit)| drain + audit);
    Ok(Chaos {
        least,
        work: seconds(created, done.ok_or("no task was done")?),
        wall: run.wall,
        parts: [reference, part(Phase::Calm).unwrap_or(0.0), drain.unwrap_or(0.0)],
        first_fault: run.opened + seconds(0, storm) - reference + seconds(storm + planned, strike.imposing.1),
    })
}

fn committed(event: &Event) -> bool {
    matches!(&event.fact, Fact::Task(fact) if fact.event == TaskEvent::Committed)
}

/// For each kill of the server, from just before the signal to the first right answer, in milliseconds.
fn restart(history: &History<'_>) -> Vec<f64> {
    let served = history.strikes.iter().filter_map(|strike| {
        let serving = history.serving_since(strike.imposed?)?;
        Some(seconds(strike.imposing.1, serving) * 1e3)
    });
    served.collect()
}

fn seconds(from: Nanos, to: Nanos) -> f64 {
    to.saturating_sub(from) as f64 / SECOND
}
