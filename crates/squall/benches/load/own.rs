//! The load generator as a client among others.

use std::error::Error;
use std::time::{Duration, Instant};

use squall::load::{HttpSession, Load, Parts, Requests};
use squall_core::schedule::{Arrivals, Schedule, Stretch};
use squall_core::time::SECOND;

/// The word that makes this program the client.
pub const VERB: &str = "send-requests";

/// Sends at a rate for some seconds over some connections, and prints what came of it as JSON; times in seconds.
pub fn send(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [addr, rate, seconds, connections] = words else {
        return Err("give an address, a rate, seconds and connections".into());
    };
    let length = seconds.parse::<u64>()? * SECOND;
    let load = Load {
        target: addr.parse()?,
        schedule: Schedule::new([Stretch::even(rate.parse()?, length)], Arrivals::Even)?,
        connections: connections.parse()?,
        patience: Duration::from_secs(5),
        drain: Duration::from_millis(200),
    };
    let requests = Requests::new("GET", addr, &[])?;
    let session = HttpSession::fixed(&requests, &Parts::default());
    let ended = load.start(Instant::now(), vec![session])?.join()?;
    let whole = ended.tally.whole().ok_or("nothing was planned")?;
    let of = |histogram: &hdrhistogram::Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e9;
    let limits: Vec<String> = ended.tally.limits().iter().map(ToString::to_string).collect();
    let told = serde_json::json!({
        "answered": whole.answered[2],
        "lost": whole.failed() + whole.unknown(),
        "unsent": whole.unsent,
        "p50": of(&whole.from_due, 0.5),
        "p90": of(&whole.from_due, 0.9),
        "p99": of(&whole.from_due, 0.99),
        "late50": of(&whole.lateness, 0.5),
        "late99": of(&whole.lateness, 0.99),
        "limits": limits,
    });
    println!("{told}");
    Ok(())
}
