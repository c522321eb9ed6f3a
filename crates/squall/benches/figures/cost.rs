//! R7: what squall itself takes from the machine while a storm of level 3 goes on.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use squall::processes::{tree, usage};

use crate::Measured;
use crate::runs::{SQUALL, warm, workspace};
use crate::table::{Row, median, spread};

const ROUNDS: u64 = 3;
/// Between two looks at the processes; what a process used after the last one is missed.
const LOOK: Duration = Duration::from_millis(100);

/// Squall's two processes through one run.
struct Cost {
    /// Of one processor, in percent.
    cpu: f64,
    /// Both together at their largest, in MiB.
    memory: f64,
}

/// Whole runs of `multi-worker-chaos`: everything squall does, the tasks and requests it sends among it.
pub fn measure() -> Measured {
    let folder = workspace();
    warm(&folder)?;
    let mut costs = Vec::new();
    for seed in 1..=ROUNDS {
        costs.push(one(&folder, seed)?);
    }
    let cpu: Vec<f64> = costs.iter().map(|cost| cost.cpu).collect();
    let memory: Vec<f64> = costs.iter().map(|cost| cost.memory).collect();
    let row = |what: &str, goal: &str, measured: String, met: bool| Row {
        target: "R7",
        what: format!("multi-worker-chaos, level 3, squall's two processes: {what}"),
        goal: goal.to_owned(),
        measured,
        met: Some(met),
    };
    Ok(vec![
        row("processor", "≤ 3 %", spread(&cpu, 2, "%"), median(&cpu) <= 3.0),
        row("memory", "≤ 60 MB", spread(&memory, 1, "MiB"), median(&memory) <= 57.2),
    ])
}

fn one(folder: &Path, seed: u64) -> Result<Cost, Box<dyn Error>> {
    let output = tempfile::tempdir()?;
    let begin = Instant::now();
    let mut guard = Command::new(SQUALL)
        .args([
            "run",
            "-s",
            "multi-worker-chaos",
            "-d",
            "3",
            "--seed",
            &seed.to_string(),
            "-o",
        ])
        .arg(output.path())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let program = fs::canonicalize(SQUALL)?;
    let is_squall = |pid: &u32| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    let (mut spent, mut largest) = (0, 0);
    let status = loop {
        if let Some(status) = guard.try_wait()? {
            break status;
        }
        let own: Vec<u32> = tree(guard.id()).into_iter().filter(is_squall).collect();
        let (cpu, rss, _) = usage(&own);
        spent = spent.max(cpu);
        largest = largest.max(rss);
        std::thread::sleep(LOOK);
    };
    let wall = begin.elapsed();
    if !status.success() {
        return Err(format!("multi-worker-chaos with seed {seed}: {status}").into());
    }
    Ok(Cost {
        cpu: spent as f64 / 1e6 / wall.as_secs_f64() * 100.0,
        memory: largest as f64 / 1024.0,
    })
}
