//! The figures squall is held to, measured and held against their targets.
//!
//! `cargo bench -p squall --bench figures` measures all of them and prints one table;
//! `-- R4 R8` only those. Runs are real runs of the reference system at real pace, so all of it
//! takes some minutes and needs what a run needs: PostgreSQL, and taskhub's release build in
//! `target/release` of the working folder. Times are wall time unless said otherwise.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this is for")]

mod binary;
mod clock;
mod cost;
mod journal;
mod runs;
mod table;

use std::error::Error;
use std::process::ExitCode;

use table::{Row, print};

/// What a measurement gives: its rows, or why there are none.
type Measured = Result<Vec<Row>, Box<dyn Error>>;

/// A measurement, with the targets it is for.
type Measurement = (&'static [&'static str], fn() -> Measured);

const ALL: [Measurement; 5] = [
    (&["R8"], binary::measure),
    (&["R6"], journal::measure),
    (&["R4"], clock::measure),
    (&["R1", "R3", "R5"], runs::measure),
    (&["R7"], cost::measure),
];

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, path] = words.as_slice()
        && verb == journal::READ
    {
        return journal::read(path);
    }
    // Cargo adds `--bench`.
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with("--")).collect();
    let mut rows = Vec::new();
    let mut code = ExitCode::SUCCESS;
    for (targets, measure) in ALL {
        if !wanted.is_empty() && !wanted.iter().any(|word| targets.contains(&word.as_str())) {
            continue;
        }
        match measure() {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("{}: {error}", targets.join(", "));
                code = ExitCode::FAILURE;
            }
        }
    }
    rows.sort_by_key(|row| row.target);
    print(&rows);
    code
}
