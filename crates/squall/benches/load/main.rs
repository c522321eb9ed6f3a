//! The load generator beside its peers: what it costs, how punctual it is, and whether it tells of a stall.
//!
//! `cargo bench -p squall --bench load` measures everything in some five minutes and prints one table; `-- G6` or `-- G7`
//! only that, and a number among the words is how many rounds there are. In each round every client has its turn
//! against the same small server, so that a busy moment hits all of them. The server has one core and the clients
//! another, where `taskset` can see to that.
//!
//! Peers that are not installed are named and left out. They are `wrk` and `hey` (Debian has packages of these names)
//! and `oha` (`cargo install oha --locked`), looked for where `WRK`, `HEY` and `OHA` say, then in the `PATH`.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this is for")]

mod clients;
mod honesty;
mod own;
mod pace;
mod server;
#[path = "../figures/table.rs"]
mod table;

use std::error::Error;
use std::process::ExitCode;

use clients::Peers;
use table::{Row, print};

/// What a measurement gives: its rows, or why there are none.
type Measured = Result<Vec<Row>, Box<dyn Error>>;

/// Rounds unless others are asked for.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // This program is also the server, and the client that is measured: a child's cost is told by the system.
    let played = match words.first().map(String::as_str) {
        Some(server::VERB) => Some(server::serve()),
        Some(own::WAIT) => Some(own::wait(&words[1..])),
        Some(own::VERB) => Some(own::send(&words[1..])),
        _ => None,
    };
    let done = match played {
        Some(done) => done,
        None => measure(&words),
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
    let wanted = |target: &str| all || words.iter().any(|word| word == target);
    let peers = Peers::find();
    let mut rows = Vec::new();
    if wanted("G6") {
        rows.extend(honesty::measure(&peers, rounds)?);
    }
    if wanted("G7") {
        rows.extend(pace::cost(&peers, rounds)?);
        rows.extend(pace::pace(&peers, rounds)?);
    }
    print(&rows);
    Ok(())
}

/// A row of the table.
fn row(target: &'static str, what: impl Into<String>, goal: &str, (measured, met): (String, Option<bool>)) -> Row {
    Row {
        target,
        what: what.into(),
        goal: goal.to_owned(),
        measured,
        met,
    }
}
