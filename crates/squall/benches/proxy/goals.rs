//! The goals, each a ratio of the two in the same rounds.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use squall::proxy::Proxy;
use squall_core::place::Condition;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::SQUALL;
use crate::ends;
use crate::peers::{Nginx, Peer};
use crate::table::{Row, median, quantile, sorted, spread};

/// Has this program serve an echo, or send messages and say how long they took.
pub const ECHO: &str = "echo";
pub const PING: &str = "ping";

/// The peer that is ordered about as squall is.
const PEER: &str = "toxiproxy";

/// The core everything shares where the cost of one message is measured.
const CORE: &str = "0";

type Measured = Result<Vec<Row>, Box<dyn Error>>;
/// So many round trips to an address.
type Trips = fn(&str, u32) -> std::io::Result<ends::Took>;
type Figure<'a> = dyn FnMut(&mut Peer) -> Result<f64, Box<dyn Error>> + 'a;

/// A goal's name, and how it is measured: with Toxiproxy's program, in so many rounds.
type Goal = (&'static str, fn(&Path, usize) -> Measured);

pub const ALL: [Goal; 6] = [
    ("G1", small),
    ("G2", bulk),
    ("G3", connections),
    ("G4", latency),
    ("G5", rate),
    ("G11", injection),
];

/// Both proxies, started anew.
fn both(toxiproxy: &Path, core: Option<&str>) -> Result<[Peer; 2], Box<dyn Error>> {
    Ok([
        Peer::start("squall", Path::new(SQUALL), &["proxy"], core)?,
        Peer::start(PEER, toxiproxy, &[], core)?,
    ])
}

/// The medians of a figure over interleaved rounds: squall's and Toxiproxy's.
fn interleaved(peers: &mut [Peer; 2], rounds: usize, figure: &mut Figure<'_>) -> Result<[Vec<f64>; 2], Box<dyn Error>> {
    let mut all = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (peer, figures) in peers.iter_mut().zip(&mut all) {
            figures.push(figure(peer)?);
        }
    }
    Ok(all)
}

/// Both and their ratio.
fn beside(own: &[f64], (name, other): (&str, &[f64]), digits: usize, unit: &str) -> (String, f64) {
    let ratio = median(own) / median(other);
    let (own, other) = (spread(own, digits, unit), spread(other, digits, unit));
    (format!("{own}, {name} {other}: {ratio:.2}x"), ratio)
}

fn row(target: &'static str, what: &str, goal: &str, measured: String, met: bool) -> Row {
    let (what, goal) = (what.to_owned(), goal.to_owned());
    Row {
        target,
        what,
        goal,
        measured,
        met: Some(met),
    }
}

/// The same program on the proxies' core.
fn pinned(words: &[&str]) -> Command {
    let mut command = Command::new("taskset");
    command
        .args(["-c", CORE])
        .arg(std::env::current_exe().unwrap_or_default())
        .args(words);
    command
}

/// Sends messages and says, in nanoseconds, what the median one took.
pub fn ping_once(words: &[String]) -> Result<(), Box<dyn Error>> {
    let addr = words.first().ok_or("no address")?;
    println!("{}", ends::ping(addr, 20_000)?.typical.as_nanos());
    Ok(())
}

fn pinged(addr: &str) -> Result<f64, Box<dyn Error>> {
    let told = pinned(&[PING, addr]).output()?.stdout;
    Ok(String::from_utf8(told)?.trim().parse::<f64>()? / 1e3)
}

/// G1: what a small exchange costs, with everything on one core and a rule that does nothing.
fn small(toxiproxy: &Path, rounds: usize) -> Measured {
    let mut server: Child = pinned(&[ECHO]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut upstream = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut upstream)?;
    let upstream = upstream.trim();
    let mut peers = both(toxiproxy, Some(CORE))?;
    let nginx = Nginx::start(upstream, CORE)?;
    let (mut direct, mut relayed) = (Vec::new(), Vec::new());
    let [own, other] = interleaved(&mut peers, rounds, &mut |peer| {
        let (listen, name) = peer.proxy(upstream)?;
        peer.toxic(&name, "noop", json!({}))?;
        direct.push(pinged(upstream)?);
        if let Some(nginx) = nginx.as_ref().filter(|_| peer.name == "squall") {
            relayed.push(pinged(&nginx.listen)?);
        }
        pinged(&listen)
    })?;
    server.kill()?;
    server.wait()?;
    let base = median(&direct);
    let added = |all: Vec<f64>| all.iter().map(|one| one - base).collect::<Vec<_>>();
    let (own, what) = (added(own), "added p50, 64 B, one core");
    let (says, ratio) = beside(&own, (PEER, &added(other)), 1, "us");
    let says = format!("{says} (direct {})", spread(&direct, 1, "us"));
    let first = row("G1", what, "≤ 0.65x", says, ratio <= 0.65);
    let second = match relayed.is_empty() {
        true => {
            let says = "nginx is not here, or without its stream module".to_owned();
            row("G1", what, "≤ 1.10x", says, false)
        }
        false => {
            let (says, ratio) = beside(&own, ("nginx", &added(relayed)), 1, "us");
            row("G1", what, "≤ 1.10x", says, ratio <= 1.1)
        }
    };
    Ok(vec![first, second])
}

/// G2: processor time for each gigabyte, and how fast they go.
fn bulk(toxiproxy: &Path, rounds: usize) -> Measured {
    const BYTES: u64 = 2_000_000_000;
    let upstream = ends::sink(BYTES)?;
    let mut rows = Vec::new();
    for (what, toxic, goal) in [("none inspects bytes", false, 0.10), ("one inspects bytes", true, 0.25)] {
        let mut peers = both(toxiproxy, None)?;
        let mut gigabits = [Vec::new(), Vec::new()];
        let costs = interleaved(&mut peers, rounds, &mut |peer| {
            let (listen, name) = peer.proxy(&upstream)?;
            if toxic {
                peer.toxic_on(&name, "upstream", ("limit_data", json!({ "bytes": 1_u64 << 50 })))?;
            }
            let before = peer.cpu()?;
            let took = ends::pour(&listen, BYTES)?;
            gigabits[usize::from(peer.name != "squall")].push(BYTES as f64 * 8e-9 / took.as_secs_f64());
            Ok((peer.cpu()? - before) / (BYTES as f64 / 1e9))
        })?;
        let (says, ratio) = beside(&costs[0], (PEER, &costs[1]), 3, "s/GB");
        let (fast, speed) = beside(&gigabits[0], (PEER, &gigabits[1]), 1, "Gbit/s");
        let says = format!("{says}; {fast}");
        let goal_says = if toxic {
            "≤ 0.25x"
        } else {
            "≤ 0.10x, ≥ 2.5x as fast"
        };
        let met = ratio <= goal && (toxic || speed >= 2.5);
        rows.push(row("G2", &format!("bulk, {what}"), goal_says, says, met));
    }
    Ok(rows)
}

/// G3: connections a second.
fn connections(toxiproxy: &Path, rounds: usize) -> Measured {
    let upstream = ends::echo()?;
    let mut peers = both(toxiproxy, None)?;
    let [own, other] = interleaved(&mut peers, rounds, &mut |peer| {
        let (listen, _) = peer.proxy(&upstream)?;
        Ok(ends::connections(&listen, 200)?)
    })?;
    let (says, ratio) = beside(&own, (PEER, &other), 0, "/s");
    Ok(vec![row("G3", "connections", "≥ 1.8x", says, ratio >= 1.8)])
}

/// G4: how exact a delay is.
fn latency(toxiproxy: &Path, rounds: usize) -> Measured {
    let upstream = ends::echo()?;
    let mut peers = both(toxiproxy, None)?;
    let mut rows = Vec::new();
    // That messages come in their order is looked at where they arrive: another one is an error.
    for (what, set, count, figure, most) in [
        ("p50 beyond 1 ms", 1, 300, ends::ping as Trips, 0.7),
        ("p50 beyond 10 ms", 10, 100, ends::ping, 0.7),
        ("p50 beyond 100 ms", 100, 10, ends::ping, 0.7),
        ("p90 beyond 10 ms, 1 message/ms", 10, 1000, ends::pipelined, 0.3),
    ] {
        let mut least = f64::INFINITY;
        let [own, other] = interleaved(&mut peers, rounds, &mut |peer| {
            let (listen, name) = peer.proxy(&upstream)?;
            peer.toxic(&name, "latency", json!({ "latency": set }))?;
            let took = figure(&listen, count)?;
            let beyond = |took: Duration| took.as_secs_f64() * 1e6 - f64::from(set) * 1e3;
            if peer.name == "squall" {
                least = least.min(beyond(took.least));
            }
            Ok(beyond(took.typical))
        })?;
        let (says, ratio) = beside(&own, (PEER, &other), 0, "us");
        let says = format!("{says}; own earliest {least:+.0} us");
        let goal = format!("≤ {most}x, never early");
        rows.push(row("G4", what, &goal, says, least >= 0.0 && ratio <= most));
    }
    let spring = ends::spring()?;
    let [own, other] = interleaved(&mut peers, rounds, &mut |peer| {
        let (listen, name) = peer.proxy(&spring)?;
        peer.toxic(&name, "latency", json!({ "latency": 10 }))?;
        Ok(ends::draw(&listen, Duration::from_millis(300), Duration::from_secs(1))? * 8e-9)
    })?;
    let (says, ratio) = beside(&own, (PEER, &other), 1, "Gbit/s");
    rows.push(row("G4", "bulk through 10 ms", "≥ 1.5x", says, ratio >= 1.5));
    Ok(rows)
}

/// G5: how exact a rate is.
fn rate(toxiproxy: &Path, rounds: usize) -> Measured {
    let upstream = ends::spring()?;
    let mut peers = both(toxiproxy, None)?;
    let mut rows = Vec::new();
    for megabytes in [1_u64, 10, 100] {
        let [own, other] = interleaved(&mut peers, rounds, &mut |peer| {
            let (listen, name) = peer.proxy(&upstream)?;
            peer.toxic(&name, "bandwidth", json!({ "rate": megabytes * 1000 }))?;
            let rate = ends::draw(&listen, Duration::from_secs(2), Duration::from_secs(10))?;
            Ok(rate / (megabytes * 1_000_000) as f64)
        })?;
        let (says, _) = beside(&own, (PEER, &other), 3, "of it");
        rows.push(row(
            "G5",
            &format!("rate at {megabytes} MB/s / set"),
            "0.98 to 1.02",
            says,
            (median(&own) - 1.0).abs() <= 0.02,
        ));
    }
    Ok(rows)
}

/// G11: from the call that asks for a toxic to the answer that it is in force.
fn injection(toxiproxy: &Path, rounds: usize) -> Measured {
    let upstream = ends::echo()?;
    let mut peers = both(toxiproxy, None)?;
    let [own, other] = interleaved(&mut peers, rounds, &mut |peer| {
        let (listen, name) = peer.proxy(&upstream)?;
        let mut took = Vec::new();
        for _ in 0..20 {
            ends::ping(&listen, 1)?;
            took.push(peer.toxic(&name, "latency", json!({ "latency": 3 }))?);
            if ends::ping(&listen, 1)?.least < Duration::from_millis(3) {
                return Err(format!("{}: in force, and not felt", peer.name).into());
            }
            peer.heal(&name)?;
        }
        took.sort();
        Ok(took[10].as_secs_f64() * 1e6)
    })?;
    let (says, ratio) = beside(&own, (PEER, &other), 0, "us");
    let called = row("G11", "API call to effect, p50", "≤ 0.5x", says, ratio <= 0.5);
    let flips = sorted(flips(&upstream)?);
    let (p50, p99) = (quantile(&flips, 0.5), quantile(&flips, 0.99));
    let says = format!("{p50:.0} us, p99 {p99:.0} us");
    Ok(vec![
        called,
        row(
            "G11",
            "flip in this process to effect, p50",
            "≤ 100 us",
            says,
            p50 <= 100.0,
        ),
    ])
}

/// Microseconds from asking for a delay until it is in force, without an API between.
fn flips(upstream: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let proxy = Proxy::open(([127, 0, 0, 1], 0).into(), upstream.parse()?, 1).await?;
        let mut stream = tokio::net::TcpStream::connect(proxy.addr()).await?;
        let mut took = Vec::new();
        for _ in 0..200 {
            for delay in [Duration::ZERO, Duration::from_millis(3)] {
                let wanted = Condition::delay(delay, Duration::ZERO);
                let start = Instant::now();
                proxy
                    .impose(if delay.is_zero() {
                        &[]
                    } else {
                        std::slice::from_ref(&wanted)
                    })
                    .await?;
                took.push(start.elapsed().as_secs_f64() * 1e6);
                let start = Instant::now();
                stream.write_all(&[7]).await?;
                stream.read_exact(&mut [0]).await?;
                // To the upstream and back.
                if start.elapsed() < 2 * delay {
                    return Err("in force, and not felt".into());
                }
            }
        }
        Ok(took)
    })
}
