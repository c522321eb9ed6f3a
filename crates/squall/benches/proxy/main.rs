//! The link proxy beside Toxiproxy and nginx: what it adds, what it costs, and how exact its faults are.
//!
//! `cargo bench -p squall --bench proxy` measures everything in some minutes and prints one table; `-- G1` (to G5, G11)
//! only that, and a number among the words is how many rounds there are. In each round both have their turn. Toxiproxy's
//! server is what `TOXIPROXY` names, else one of version 2.12.0 in the `PATH`, else built with Go; nginx is looked for in
//! the `PATH`, with its stream module (Debian's `nginx` and `libnginx-mod-stream`). The exit code is 1 when a goal is
//! missed, or can't be looked at because a peer is missing.
//!
//! `-- crowd 5` keeps 9,000 idle connections and has 1,000 newcomers a second besides, for five minutes; without a
//! number it takes twelve seconds. Where the limit on descriptors allows fewer nothing counts as met.
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
            std::io::read_to_string(std::io::stdin())?;
            Ok(true)
        }),
        Some(crowd::ECHO) => crowd::serve().map(|()| true),
        Some(goals::PING) => goals::ping_once(&words[1..]).map(|()| true),
        Some("crowd") => crowd(&words[1..]),
        _ => measure(&words),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Prints the table. Says whether every goal in it is met.
fn tell(rows: &[table::Row]) -> bool {
    table::print(rows);
    rows.iter().all(|row| row.met != Some(false))
}

fn crowd(words: &[String]) -> Result<bool, Box<dyn Error>> {
    let minutes = words.first().map_or(Ok(MINUTES), |word| word.parse())?;
    Ok(tell(&crowd::measure(Path::new(SQUALL), minutes)?))
}

fn measure(words: &[String]) -> Result<bool, Box<dyn Error>> {
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);
    let all = !words.iter().any(|word| word.starts_with('G'));
    let folder = tempfile::tempdir()?;
    let (program, version) =
        peers::toxiproxy(folder.path()).ok_or("Toxiproxy 2.12.0 is not here, and Go could not build it")?;
    println!("beside {version} and {}", peers::nginx());
    let mut rows = Vec::new();
    for (goal, measure) in goals::ALL {
        if all || words.iter().any(|word| word == goal) {
            eprintln!("{goal}");
            rows.extend(measure(&program, rounds)?);
        }
    }
    Ok(tell(&rows))
}
