//! R6: a million events written, read and judged on one core.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sys::resource::{UsageWho, getrusage};
use squall::secrets::Secrets;
use squall::store::{Recorder, journals};
use squall_core::event::{Event, Fact};
use squall_core::journal::Journal;
use squall_core::judgement::judgement;
use squall_core::time::Nanos;

use crate::Measured;
use crate::table::{Row, median, spread};

/// The verb that makes this program read a journal and tell what it cost: memory is a whole process's.
pub const READ: &str = "read-journal";
/// A recorded run: the mix of events is one of a real journal.
const RECORDED: &str = include_str!("../../tests/fixtures/worker-restart-pass.jsonl");
const EVENTS: usize = 1_000_000;
/// Writing and reading take turns.
const ROUNDS: usize = 5;
const WRITTEN: f64 = 500_000.0;
const JUDGED: f64 = 1_000_000.0;
/// Facts made ahead, so that making them is not counted as writing them.
const AHEAD: usize = 50_000;

/// Writes and judges in turns.
pub fn measure() -> Measured {
    let recorded = Journal::parse(RECORDED)?;
    let folder = tempfile::tempdir()?;
    let long = folder.path().join("long.jsonl");
    let bytes = write_long(&recorded, &long)?;
    let mut written = Vec::new();
    let (mut parsed, mut judged, mut whole, mut peak) = (Vec::new(), Vec::new(), Vec::new(), 0.0_f64);
    for round in 0..ROUNDS {
        written.push(EVENTS as f64 / record(&recorded, &folder.path().join(format!("{round}.jsonl")))?);
        let done = Command::new(std::env::current_exe()?).arg(READ).arg(&long).output()?;
        let told = String::from_utf8(done.stdout)?;
        let figures: Vec<f64> = told.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let [parse, judge, memory] = figures[..] else {
            return Err(format!("the journal was not read: {}", String::from_utf8_lossy(&done.stderr)).into());
        };
        parsed.push(EVENTS as f64 / parse / 1e3);
        judged.push(EVENTS as f64 / judge / 1e3);
        whole.push(EVENTS as f64 / (parse + judge));
        peak = peak.max(memory);
    }
    let k = |values: &[f64]| values.iter().map(|value| value / 1e3).collect::<Vec<_>>();
    let row = |what: &str, goal: &str, measured, met| Row {
        target: "R6",
        what: what.to_owned(),
        goal: goal.to_owned(),
        measured,
        met,
    };
    Ok(vec![
        row(
            "journal: 1M events recorded, per second of CPU",
            "≥ 500 k/s",
            spread(&k(&written), 0, "k/s"),
            Some(median(&written) >= WRITTEN),
        ),
        row(
            "journal: parsed and judged, per second of CPU",
            "≥ 1000 k/s",
            spread(&k(&whole), 0, "k/s"),
            Some(median(&whole) >= JUDGED),
        ),
        row(
            "of it: parsing; history and judging",
            "",
            format!("{}; {}", spread(&parsed, 0, "k/s"), spread(&judged, 0, "k/s")),
            None,
        ),
        row(
            "of it: peak memory, for a journal of",
            "bounded",
            format!("{peak:.0} MB for {:.0} MB", bytes as f64 / 1e6),
            None,
        ),
    ])
}

/// Reads and judges a journal, and prints the CPU seconds of both and the peak memory in MB.
pub fn read(path: &str) -> ExitCode {
    let begin = cpu();
    let journals = match journals(Path::new(path)) {
        Ok(journals) => journals,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let parsed = cpu();
    let judged = journals.iter().map(|journal| judgement(&journal.history()).outcome);
    std::hint::black_box(judged.collect::<Vec<_>>());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: f64 = peak
        .and_then(|peak| peak.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0);
    println!("{} {} {}", parsed - begin, cpu() - parsed, peak * 1024.0 / 1e6);
    ExitCode::SUCCESS
}

/// Records a million facts and answers the CPU seconds that took, the kernel's and the second thread's included.
fn record(recorded: &Journal, path: &Path) -> Result<f64, Box<dyn std::error::Error>> {
    let secrets = Secrets::default();
    for secret in [
        "a-password-of-some-length",
        "eyJhbGciOiJIUzI1NiJ9.e30.token",
        "another secret",
    ] {
        secrets.add(secret);
    }
    let recorder = Recorder::open(path, secrets)?;
    let mut spent = 0.0;
    let mut left = EVENTS;
    let mut facts = recorded.events().iter().map(|event| &event.fact).cycle();
    while left > 0 {
        let batch: Vec<Fact> = facts.by_ref().take(AHEAD.min(left)).cloned().collect();
        left -= batch.len();
        let begin = cpu();
        for fact in batch {
            recorder.record(fact);
        }
        recorder.flush()?;
        spent += cpu() - begin;
    }
    recorder.close()?;
    fs::remove_file(path)?;
    Ok(spent)
}

/// Writes a journal of a million events: the recorded run over and over, its times and tasks moved on.
fn write_long(recorded: &Journal, path: &Path) -> Result<u64, Box<dyn std::error::Error>> {
    let mut file = BufWriter::new(File::create(path)?);
    let events = recorded.events();
    let long = events[events.len() - 1].at;
    let mut write = |event: &Event| -> std::io::Result<()> {
        serde_json::to_writer(&mut file, event)?;
        file.write_all(b"\n")
    };
    let (body, last) = (&events[1..events.len() - 1], &events[events.len() - 1]);
    write(&events[0])?;
    let (mut id, mut lap) = (1, 0);
    while id < EVENTS as u64 - 1 {
        let late = long * lap;
        // A run has each of its parts once.
        let again = body
            .iter()
            .filter(|event| lap == 0 || !matches!(event.fact, Fact::Phase(_)));
        for event in again.take(EVENTS - 1 - id as usize) {
            let mut event = event.clone();
            id += 1;
            event.id = id;
            event.at += late;
            move_on(&mut event.fact, late, lap);
            write(&event)?;
        }
        lap += 1;
    }
    let mut end = last.clone();
    end.id = id + 1;
    end.at = long * lap;
    write(&end)?;
    file.flush()?;
    Ok(fs::metadata(path)?.len())
}

fn move_on(fact: &mut Fact, late: Nanos, lap: u64) {
    let rename = |task: &mut String| task.push_str(&format!("-{lap}"));
    match fact {
        Fact::Op(op) => {
            op.due += late;
            op.call += late;
            op.ret += late;
            if let Some(work) = &mut op.work {
                work.task.as_mut().map(rename).unwrap_or_default();
            }
        }
        Fact::Task(task) => rename(&mut task.task),
        Fact::Record(record) => rename(&mut record.task),
        Fact::Pulse(pulse) => pulse.call += late,
        _ => {}
    }
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0.0, |usage| {
        let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        seconds(usage.user_time()) + seconds(usage.system_time())
    })
}
