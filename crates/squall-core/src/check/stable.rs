//! Memory, descriptors and database connections do not grow without end.
//!
//! Classes `memory-growth` (more than 16 MiB and 50 %), `connection-growth` (more than 10 and 25 %), `descriptor-growth`
//! (more than 32 and 50 %): over the storm a process's resident memory, a database's client connections, or a process's
//! open descriptors grow. Mann and Kendall's test must say so for the whole (1 in 1,000 by chance) and for the second
//! half alone (1 in 100): a system that warms up and then holds still is stable. Under a flood only its even stretch is
//! looked at. Databases' memory is left out: their caches fill. Inconclusive when one of the
//! system's own processes, or a database, was not looked at 16 times in one life.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::Demand;
use crate::event::{EventId, Fact, Phase};
use crate::gauge::Flooded;
use crate::journal::History;
use crate::place::Instance;
use crate::time::{Nanos, SECOND};
use crate::trend::{Trend, trend};

/// Fewer looks show no trend.
const FEWEST: usize = 16;

/// One look at one figure: event, time, value.
type Looks = Vec<(EventId, Nanos, f64)>;
/// One figure of one process, or of one database.
type Series = BTreeMap<(Figure, String, usize), Looks>;

/// What may grow, with the class of a finding, its unit, and how much growth matters: at least so much, and this share of the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Figure {
    Memory,
    Connections,
    Descriptors,
}

impl Figure {
    fn class(self) -> &'static str {
        match self {
            Figure::Memory => "memory-growth",
            Figure::Descriptors => "descriptor-growth",
            Figure::Connections => "connection-growth",
        }
    }

    fn unit(self) -> &'static str {
        match self {
            Figure::Memory => "KiB of memory",
            Figure::Descriptors => "descriptors",
            Figure::Connections => "connections",
        }
    }

    /// How much growth matters, from this start.
    fn matters(self, start: f64) -> f64 {
        match self {
            Figure::Memory => (start / 2.0).max(16.0 * 1024.0),
            Figure::Connections => (start / 4.0).max(10.0),
            // Clients keep connections open for later, so their number creeps up with the worst moment so far.
            Figure::Descriptors => (start / 2.0).max(32.0),
        }
    }
}

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let series = series(history);
    let (mut found, mut looked) = (Vec::new(), BTreeSet::new());
    for ((figure, name, _), looks) in &series {
        if looks.len() < FEWEST {
            continue;
        }
        looked.insert((*figure, name.clone()));
        let half = &looks[looks.len() / 2..];
        let (Some(whole), Some(later)) = (grown(looks, Trend::surely_grows), grown(half, Trend::grows)) else {
            continue;
        };
        let start = looks.first().map_or(0.0, |look| look.2);
        // A fifth of the growth must come in the second half, or it is only warming up.
        if whole > figure.matters(start) && later > figure.matters(start) / 4.0 && later > whole / 5.0 {
            let evidence = looks.last().map(|look| look.0);
            let says = format!(
                "{name} grew by {whole:.0} {} from {start:.0}, and had not stopped",
                figure.unit()
            );
            found.push((*figure, evidence, says));
        }
    }
    if let Some((figure, ..)) = found.first() {
        let says: Vec<&str> = found.iter().map(|(_, _, says)| says.as_str()).collect();
        let evidence = found.iter().filter_map(|(_, event, _)| *event).collect();
        return Verdict::fail(demand, figure.class(), evidence, says.join("; "));
    }
    let missing: Vec<String> = wanted(history)
        .difference(&looked)
        .map(|(_, name)| name.clone())
        .collect();
    if !missing.is_empty() || looked.is_empty() {
        let says = format!("not looked at {FEWEST} times in one life: {}", names(&missing));
        return Verdict::inconclusive(demand, says);
    }
    Verdict::pass(
        demand,
        looked.len(),
        format!("{} held still", count(looked.len(), "figure")),
    )
}

/// What must have been looked at: memory and descriptors of what is the system's own, connections of its databases.
fn wanted(history: &History<'_>) -> BTreeSet<(Figure, String)> {
    let own = |service: &str| {
        history
            .header
            .system
            .services
            .get(service)
            .is_some_and(|facts| facts.preset.is_none())
    };
    let instances = history
        .lives
        .keys()
        .map(|instance| (own(&instance.service), instance.to_string()));
    let wanted = instances.flat_map(|(own, name)| match own {
        true => vec![(Figure::Memory, name.clone()), (Figure::Descriptors, name)],
        false => vec![(Figure::Connections, name)],
    });
    wanted.collect()
}

/// By how much a series grew over its time, where it surely grew.
fn grown(looks: &[(EventId, Nanos, f64)], sure: fn(&Trend) -> bool) -> Option<f64> {
    let points: Vec<(f64, f64)> = looks
        .iter()
        .map(|(_, at, value)| (*at as f64 / SECOND as f64, *value))
        .collect();
    let trend = trend(&points).filter(sure)?;
    Some(trend.slope * (points.last()?.0 - points.first()?.0))
}

/// Every figure of every life of every process, and of the databases, during the storm.
fn series(history: &History<'_>) -> Series {
    let mut series = Series::new();
    let (Some(from), Some(mut to)) = (history.began(Phase::Storm), history.ended(Phase::Storm)) else {
        return series;
    };
    // A load that grows may well take more connections: only under an even one does growth tell.
    if let Some(flooded) = Flooded::of(history) {
        to = to.min(flooded.begin.saturating_add(flooded.plan.lasts));
    }
    let preset = |service: &str| {
        history
            .header
            .system
            .services
            .get(service)
            .is_some_and(|facts| facts.preset.is_some())
    };
    let events = history.events.iter().filter(|event| (from..=to).contains(&event.at));
    for event in events {
        match &event.fact {
            Fact::Usage(usage) if !preset(&usage.instance.service) => {
                let (name, life) = (usage.instance.to_string(), life(&usage.instance, event.at, history));
                let mut add = |figure, value| {
                    let looks = series.entry((figure, name.clone(), life)).or_default();
                    looks.push((event.id, event.at, value));
                };
                add(Figure::Memory, usage.rss_kib as f64);
                add(Figure::Descriptors, f64::from(usage.fds));
            }
            Fact::Connections { instance, open } => {
                let looks = series
                    .entry((Figure::Connections, instance.to_string(), 0))
                    .or_default();
                looks.push((event.id, event.at, f64::from(*open)));
            }
            _ => {}
        }
    }
    series
}

/// Which of its processes an instance was at a time: a new one starts from little.
fn life(instance: &Instance, at: Nanos, history: &History<'_>) -> usize {
    let lives = history.lives.get(instance);
    lives.map_or(0, |lives| lives.partition_point(|life| life.started.1 <= at))
}
