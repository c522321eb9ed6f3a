//! The link proxy beside Toxiproxy: what it adds, what it costs, and how exact its faults are.
//!
//! `cargo bench -p squall --bench proxy` measures everything in some minutes and prints one table; `-- G1` (to G5, G11)
//! only that, and a number among the words is how many rounds there are. In each round both have their turn. Toxiproxy's
//! server is looked for where `TOXIPROXY` says, then in the `PATH`, and else built with Go.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this is for")]

mod ends;
mod goals;
mod peers;
#[path = "../figures/table.rs"]
mod table;

use std::error::Error;
use std::process::ExitCode;

/// Rounds unless others are asked for.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.first().map(String::as_str) {
        // This program is also what runs on the proxies' core.
        Some(goals::ECHO) => ends::echo().map_err(Into::into).and_then(|addr| {
            println!("{addr}");
            std::io::read_to_string(std::io::stdin()).map(drop).map_err(Into::into)
        }),
        Some(goals::PING) => goals::ping_once(&words[1..]),
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
