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
    let clients = peers.among(&[Client::Squall, Client::Timer, Client::Oha]);
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
        let thousands = rate / 1000;
        for (client, told) in clients.iter().zip(&told) {
            let micros = |get: fn(&Told) -> f64| -> Vec<f64> { told.iter().map(|told| get(told) * 1e6).collect() };
            let pair = |[one, other]: [&[f64]; 2]| format!("{}, {}", spread(one, 0, "µs"), spread(other, 0, "µs"));
            if *client != Client::Timer {
                let pair = pair([&micros(|told| told.p50), &micros(|told| told.p99)]);
                let what = format!("{client:?} at {thousands} k/s, idle server: p50, p99 from due");
                rows.push(row("G7", what, "", (pair, None)));
            }
            if *client != Client::Oha {
                let late = [micros(|told| told.late50), micros(|told| told.late99)];
                let held = *client == Client::Squall && rate == 20_000;
                let goal = if held { "≤ 15 µs, ≤ 100 µs" } else { "" };
                let met = held.then(|| median(&late[0]) <= 15.0 && median(&late[1]) <= 100.0);
                let what = format!("{client:?} at {thousands} k/s: lateness p50, p99");
                rows.push(row("G7", what, goal, (pair([&late[0], &late[1]]), met)));
            }
        }
        let pairs = told[0].iter().zip(&told[1]);
        let beside: Vec<f64> = pairs.map(|(own, bare)| own.late50 / bare.late50).collect();
        let what = format!("lateness p50 at {thousands} k/s, squall / a bare timer");
        rows.push(row("G7", what, "", (spread(&beside, 2, "×"), None)));
    }
    Ok(rows)
}
