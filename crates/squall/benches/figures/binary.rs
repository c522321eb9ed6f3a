//! R8: the program itself, as it is shipped.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Measured;
use crate::table::{Row, median, spread};

const SQUALL: &str = env!("CARGO_BIN_EXE_squall");
const LARGEST: f64 = 25.0;
const SLOWEST: f64 = 20.0;
const STARTS: usize = 20;

/// How large it is, and how soon it answers.
pub fn measure() -> Measured {
    let size = fs::metadata(SQUALL)?.len() as f64 / 1e6;
    let mut took = Vec::new();
    for _ in 0..STARTS {
        let begin = Instant::now();
        let status = Command::new(SQUALL).arg("--help").stdout(Stdio::null()).status()?;
        took.push(begin.elapsed().as_secs_f64() * 1e3);
        if !status.success() {
            return Err(format!("squall --help: {status}").into());
        }
    }
    Ok(vec![
        Row {
            target: "R8",
            what: "stripped release binary".to_owned(),
            goal: format!("≤ {LARGEST} MB"),
            measured: format!("{size:.1} MB"),
            met: Some(size <= LARGEST),
        },
        Row {
            target: "R8",
            what: format!("squall --help, {STARTS} times"),
            goal: format!("≤ {SLOWEST} ms"),
            measured: spread(&took, 1, "ms"),
            met: Some(median(&took) <= SLOWEST),
        },
    ])
}
