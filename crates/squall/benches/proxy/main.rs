//! The link proxy beside Toxiproxy and nginx: what it adds, what it costs, and how exact its faults are.
//!
//! `cargo bench -p squall --bench proxy` measures everything in some minutes and prints one table; `-- G1` (to G5, G11)
//! only that, and a number among the words is how many rounds there are. In each round both have their turn. Toxiproxy's
//! server is looked for where `TOXIPROXY` says, then in the `PATH`, and else built with Go; nginx in the `PATH`, with
//! its stream module (Debian's `nginx` and `libnginx-mod-stream`).
//!
//! `-- crowd 5` keeps 9,000 idle connections and has 1,000 newcomers a second besides, for five minutes; without a
//! number it takes twelve seconds.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this is for")]

mod crowd;
mod ends;
mod goals;
mod peers;
#[path = "../figures/table.rs"]
mod table;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

/// Rounds unless others are asked for.
const ROUNDS: usize = 5;
/// Minutes of a crowd unless others are asked for.
const MINUTES: f64 = 0.2;
/// The program that is measured.
const SQUALL: &str = env!("CARGO_BIN_EXE_squall");

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        // This program is also what runs on the proxies' core.
        Some(goals::ECHO) => ends::echo().map_err(Into::into).and_then(|addr| {
            println!("{addr}");
            std::io::read_to_string(std::io::stdin()).map(drop).map_err(Into::into)
        }),
        Some(crowd::ECHO) => crowd::serve(),
        Some(goals::PING) => goals::ping_once(&words[1..]),
        Some("crowd") => crowd(&words[1..]),
        _ => measure(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn crowd(words: &[String]) -> Result<(), Box<dyn Error>> {
    let minutes = words.first().map_or(Ok(MINUTES), |word| word.parse())?;
    table::print(&crowd::measure(Path::new(SQUALL), minutes)?);
    Ok(())
}

fn measure(words: &[String]) -> Result<(), Box<dyn Error>> {
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);
    let all = !words.iter().any(|word| word.starts_with('G'));
    let folder = tempfile::tempdir()?;
    let program = peers::toxiproxy(folder.path()).ok_or("Toxiproxy is not here, and Go could not build it")?;
    let mut rows = Vec::new();
    for (goal, measure) in goals::ALL {
        if all || words.iter().any(|word| word == goal) {
            eprintln!("{goal}");
            rows.extend(measure(&program, rounds)?);
        }
    }
    table::print(&rows);
    Ok(())
}
