//! The load generator as a client among others.

use std::error::Error;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags};
use squall::load::{HttpSession, Load, Parts, Requests};
use squall_core::schedule::{Arrivals, Schedule, Stretch};
use squall_core::time::{SECOND, nanos};

/// The word that makes this program the client.
pub const VERB: &str = "send-requests";

/// The word that makes this program only wait, as punctually as this machine can.
pub const WAIT: &str = "wait-only";

/// Waits until each of so many moments a second and sends nothing; prints how late it woke, in seconds.
pub fn wait(words: &[String]) -> Result<(), Box<dyn Error>> {
    let [rate, seconds] = words else {
        return Err("give a rate and seconds".into());
    };
    let schedule = Schedule::new(
        [Stretch::even(rate.parse()?, seconds.parse::<u64>()? * SECOND)],
        Arrivals::Even,
    )?;
    nix::sys::prctl::set_timerslack(1)?;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    let mut late = Histogram::<u64>::new(3)?;
    let begin = Instant::now();
    for due in schedule.dues() {
        let lateness = loop {
            let now = nanos(begin.elapsed());
            let Some(ahead) = due.at.checked_sub(now).filter(|ahead| *ahead > 0) else {
                break now - due.at;
            };
            let most = Timespec {
                tv_sec: 0,
                tv_nsec: ahead.min(SECOND - 1).cast_signed(),
            };
            let mut events = Vec::<epoll::Event>::with_capacity(1);
            epoll::wait(&epoll, spare_capacity(&mut events), Some(&most))?;
        };
        late.record(lateness)?;
    }
    let of = |quantile| late.value_at_quantile(quantile) as f64 / 1e9;
    println!(
        "{}",
        serde_json::json!({"answered": late.len(), "late50": of(0.5), "late99": of(0.99), "limits": []})
    );
    Ok(())
}

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
    let of = |histogram: &Histogram<u64>, quantile| histogram.value_at_quantile(quantile) as f64 / 1e9;
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
