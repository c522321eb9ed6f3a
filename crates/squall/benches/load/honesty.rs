//! G6: a server that stops for a second, and what clients tell of it.

use std::error::Error;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::clients::{Amount, Client, Peers, Told};
use crate::server::Server;
use crate::table::{median, spread};
use crate::{Measured, row};

const RATE: u32 = 5_000;
const SECONDS: u32 = 5;
const BEFORE: Duration = Duration::from_secs(2);
const STALL: Duration = Duration::from_secs(1);

/// What should be told, and what is, in milliseconds.
struct Round {
    due: [f64; 2],
    told: [f64; 2],
}

/// Everyone meets a stall in turn.
pub fn measure(peers: &Peers, rounds: usize) -> Measured {
    let clients = peers.among(&[Client::Squall, Client::Oha, Client::OhaUncorrected]);
    let mut seen: Vec<Vec<Round>> = clients.iter().map(|_| Vec::new()).collect();
    for _ in 0..rounds {
        for (at, client) in clients.iter().enumerate() {
            let (stall, told) = stalled(peers, *client)?;
            // Requests due in the stall wait for what is left of it. So many of all wait for more than x:
            // (stall - x) / whole; a tenth and a hundredth of all are asked for.
            let due = [0.1, 0.01].map(|share| (stall - share * f64::from(SECONDS)) * 1e3);
            seen[at].push(Round {
                due,
                told: [told.p90, told.p99].map(|seconds| seconds * 1e3),
            });
        }
    }
    let mut rows = Vec::new();
    for (client, rounds) in clients.iter().zip(&seen) {
        for (at, (name, most)) in [("p90", 5.0), ("p99", 2.0)].into_iter().enumerate() {
            let told: Vec<f64> = rounds.iter().map(|round| round.told[at]).collect();
            let off: Vec<f64> = rounds
                .iter()
                .map(|round| (round.told[at] / round.due[at] - 1.0) * 100.0)
                .collect();
            let should: Vec<f64> = rounds.iter().map(|round| round.due[at]).collect();
            let is_own = *client == Client::Squall;
            let goal = if is_own {
                format!("within {most} % of {:.0} ms", median(&should))
            } else {
                String::new()
            };
            let met = is_own.then(|| median(&off).abs() <= most);
            let measured = format!("{}, off by {}", spread(&told, 1, "ms"), spread(&off, 1, "%"));
            let what = format!("{client:?}, 5 k/s for 5 s, server stopped for 1 s: {name}");
            rows.push(row("G6", what, &goal, (measured, met)));
        }
    }
    if let Some(oha) = clients.iter().position(|client| *client == Client::Oha) {
        for (at, name) in ["p90", "p99"].into_iter().enumerate() {
            let pairs = seen[0].iter().zip(&seen[oha]);
            let ratios: Vec<f64> = pairs.map(|(own, theirs)| own.told[at] / theirs.told[at]).collect();
            // How soon a client has caught up moves its p90, but hardly its p99.
            let held = name == "p99";
            let goal = if held { "within 2 %" } else { "" };
            let met = held.then(|| (median(&ratios) - 1.0).abs() <= 0.02);
            let what = format!("{name}, squall / Oha, which corrects its latencies");
            rows.push(row("G6", what, goal, (spread(&ratios, 3, "×"), met)));
        }
    }
    Ok(rows)
}

/// How long the server really stood still, in seconds, and what the client told.
fn stalled(peers: &Peers, client: Client) -> Result<(f64, Told), Box<dyn Error>> {
    let server = Server::start()?;
    let amount = Amount {
        rate: Some(RATE),
        seconds: SECONDS,
    };
    let sending = peers.start(client, &server, amount)?;
    sleep(BEFORE);
    server.signal(Signal::SIGSTOP)?;
    let begin = Instant::now();
    sleep(STALL);
    let stall = begin.elapsed().as_secs_f64();
    server.signal(Signal::SIGCONT)?;
    Ok((stall, sending.finish()?))
}
