//! G7: what a request costs the client, and how punctual requests are.

use crate::clients::{Amount, Client, Peers, Told};
use crate::server::Server;
use crate::table::{median, spread};
use crate::{Measured, row};

const SECONDS: u32 = 3;
const RATES: [u32; 2] = [5_000, 20_000];

/// As many requests as possible: CPU time of each.
pub fn cost(peers: &Peers, rounds: usize) -> Measured {
    let server = Server::start()?;
    let clients = peers.among(&[Client::Squall, Client::Wrk, Client::Oha, Client::Hey]);
    let amount = Amount {
        rate: None,
        seconds: SECONDS,
    };
    let mut costs = vec![Vec::new(); clients.len()];
    let mut rates = costs.clone();
    for _ in 0..rounds {
        for (at, client) in clients.iter().enumerate() {
            let told = peers.run(*client, &server, amount)?;
            costs[at].push(told.cpu / told.answered * 1e6);
            rates[at].push(told.answered / f64::from(SECONDS) / 1e3);
        }
    }
    let mut rows = Vec::new();
    for (at, client) in clients.iter().enumerate() {
        let told = format!("{}, {}", spread(&costs[at], 1, "µs"), spread(&rates[at], 0, "k/s"));
        let what = format!("{client:?}, 32 connections, flooding: CPU a request, requests");
        rows.push(row("G7", what, "", (told, None)));
    }
    for (at, client) in clients.iter().enumerate().skip(1) {
        let ratios: Vec<f64> = costs[0]
            .iter()
            .zip(&costs[at])
            .map(|(own, theirs)| own / theirs)
            .collect();
        let most = match client {
            Client::Wrk => Some(1.1),
            Client::Oha => Some(0.75),
            _ => None,
        };
        let goal = most.map_or(String::new(), |most| format!("≤ {most}"));
        let met = most.map(|most| median(&ratios) <= most);
        let what = format!("CPU a request, squall / {client:?}");
        rows.push(row("G7", what, &goal, (spread(&ratios, 2, "×"), met)));
    }
    Ok(rows)
}

/// Given rates on an idle server: latency from due, and lateness.
pub fn pace(peers: &Peers, rounds: usize) -> Measured {
    let server = Server::start()?;
    let clients = peers.among(&[Client::Squall, Client::Oha]);
    let mut rows = Vec::new();
    for rate in RATES {
        let amount = Amount {
            rate: Some(rate),
            seconds: SECONDS,
        };
        let mut told: Vec<Vec<Told>> = clients.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (at, client) in clients.iter().enumerate() {
                told[at].push(peers.run(*client, &server, amount)?);
            }
        }
        for (at, client) in clients.iter().enumerate() {
            let of = |get: fn(&Told) -> f64| -> Vec<f64> { told[at].iter().map(|told| get(told) * 1e6).collect() };
            let [p50, p99] = [of(|told| told.p50), of(|told| told.p99)];
            let both = format!("{}, {}", spread(&p50, 0, "µs"), spread(&p99, 0, "µs"));
            let what = format!("{client:?} at {} k/s, idle server: p50, p99 from due", rate / 1000);
            rows.push(row("G7", what, "", (both, None)));
        }
        let of = |get: fn(&Told) -> f64| -> Vec<f64> { told[0].iter().map(|told| get(told) * 1e6).collect() };
        let [late50, late99] = [of(|told| told.late50), of(|told| told.late99)];
        let goal = if rate == 20_000 { "≤ 15 µs, ≤ 100 µs" } else { "" };
        let met = (!goal.is_empty()).then(|| median(&late50) <= 15.0 && median(&late99) <= 100.0);
        let both = format!("{}, {}", spread(&late50, 0, "µs"), spread(&late99, 0, "µs"));
        let what = format!("squall at {} k/s: lateness p50, p99", rate / 1000);
        rows.push(row("G7", what, goal, (both, met)));
    }
    Ok(rows)
}
