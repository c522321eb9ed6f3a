//! Recovery takes no longer from cycle to cycle.
//!
//! Class `degradation`: over 6 or more strikes of one kind on one service, the time until it served again grows: Mann
//! and Kendall's test says so (1 in 100 by chance), and from first to last by more than 20 % of the median and 100 ms.
//! Fewer cycles show no trend, which is said and passed. Inconclusive when nothing was seen serving again, and for a trend
//! while others took more than half of the machine: then it may be theirs.

use std::collections::BTreeMap;

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::clock::clocks;
use crate::demand::Demand;
use crate::event::{EventId, Phase};
use crate::gauge::neighbours;
use crate::journal::History;
use crate::place::Place;
use crate::time::{Nanos, words};
use crate::trend::trend;

/// Fewer cycles show no trend.
const FEWEST: usize = 6;
/// Growth below this is the machine's, not the service's.
const LEAST: f64 = 100e6;
/// With more of the machine than this in others' hands, times are theirs as much as the service's.
const OTHERS: f64 = 0.5;

/// The cycles of one service: event of the strike, number of the cycle, time until it served.
type Cycles = Vec<(EventId, f64, Nanos)>;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let mut services: BTreeMap<(&str, &str), Cycles> = BTreeMap::new();
    for clock in clocks(history) {
        let Some(strike) = history.strikes.iter().find(|strike| strike.index == clock.step) else {
            continue;
        };
        let name = match strike.place {
            Place::Instance(instance) => instance.service.as_str(),
            Place::Link { from, .. } => from.service.as_str(),
            Place::Service(service) => service.as_str(),
        };
        // One that was not seen serving again took at least as long as was watched.
        let watched = history
            .strikes
            .iter()
            .filter(|other| other.place == strike.place && other.imposing.1 > clock.from);
        let watched = watched
            .map(|other| other.imposing.1)
            .min()
            .unwrap_or(history.until)
            .saturating_sub(clock.from);
        let serving = match clock.serving {
            Some(serving) => serving,
            None if clock.expected => watched,
            None => continue,
        };
        let cycles = services.entry((name, strike.condition.word())).or_default();
        let number = cycles.len() as f64;
        cycles.push((strike.imposing.0, number, serving));
    }
    let (mut found, mut figures) = (Vec::new(), Vec::new());
    for ((name, word), cycles) in &services {
        let mut times: Vec<Nanos> = cycles.iter().map(|cycle| cycle.2).collect();
        times.sort_unstable();
        let median = times.get(times.len() / 2).copied().unwrap_or(0);
        let mean = times.iter().sum::<Nanos>() / times.len().max(1) as Nanos;
        let max = times.last().copied().unwrap_or(0);
        let says = format!(
            "{name} {word} {}: mean {}, median {}, max {}",
            count(times.len(), "time"),
            words(mean),
            words(median),
            words(max)
        );
        if let Some(growth) = growth(cycles, median) {
            let each = words(growth as Nanos);
            found.push((
                cycles.iter().map(|cycle| cycle.0).collect::<Vec<_>>(),
                format!("{says}, and {each} more each time"),
            ));
        }
        figures.push(says);
    }
    if !found.is_empty() {
        return slower(demand, &found, history);
    }
    let all: usize = services.values().map(Vec::len).sum();
    if all == 0 {
        return Verdict::inconclusive(demand, "nothing was seen serving again");
    }
    let short = services.values().all(|cycles| cycles.len() < FEWEST);
    let trend = if short {
        format!("; a trend is claimed from {FEWEST} cycles on")
    } else {
        "; no trend".to_owned()
    };
    Verdict::pass(demand, all, format!("{}{trend}", figures.join("; ")))
}

/// What grew, unless others kept the machine so busy that it may be their doing.
fn slower(demand: &Demand, found: &[(Vec<EventId>, String)], history: &History<'_>) -> Verdict {
    let says: Vec<&str> = found.iter().map(|(_, says)| says.as_str()).collect();
    let says = says.join("; ");
    let stormed = history.began(Phase::Storm).zip(history.ended(Phase::Storm));
    let others = stormed.and_then(|(from, to)| neighbours(history, from, to));
    match others.filter(|others| *others > OTHERS) {
        Some(others) => {
            let others = (others * 100.0).round();
            Verdict::inconclusive(
                demand,
                format!("{says}; but others kept {others} % of the machine busy"),
            )
        }
        None => {
            let evidence = found.iter().flat_map(|(events, _)| events.iter().copied()).collect();
            Verdict::fail(demand, "degradation", evidence, says)
        }
    }
}

/// By how much, in nanoseconds a cycle, the times grow beyond chance and beyond what matters.
fn growth(cycles: &Cycles, median: Nanos) -> Option<f64> {
    if cycles.len() < FEWEST {
        return None;
    }
    let points: Vec<(f64, f64)> = cycles.iter().map(|(_, number, time)| (*number, *time as f64)).collect();
    let trend = trend(&points)?;
    let whole = trend.slope * (points.len() - 1) as f64;
    (trend.grows() && whole > LEAST.max(median as f64 / 5.0)).then_some(trend.slope)
}
