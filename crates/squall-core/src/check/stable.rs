//! Memory, descriptors and database connections do not grow without end.
//!
//! Classes `memory-growth` (more than 16 MiB and 50 %), `connection-growth` (more than 10 and 25 %), `descriptor-growth`
//! (more than 32 and 50 %): over the storm a process's resident memory, a database's client connections, or a process's
//! open descriptors grow. Mann and Kendall's test must say so for the whole (1 in 1,000 by chance) and for the second
//! half alone (1 in 100): a system that warms up and then holds still is stable. Under a flood only its even stretch is
//! looked at. Databases' memory is left out: their caches fill. Inconclusive when no process was looked at 16 times.

use std::collections::BTreeMap;

use crate::check::Verdict;
use crate::check::flooded::Flooded;
use crate::check::sentence::count;
use crate::demand::Demand;
use crate::event::{EventId, Fact, Phase};
use crate::journal::History;
use crate::time::{Nanos, SECOND};
use crate::trend::{Trend, trend};

/// Fewer looks show no trend.
const FEWEST: usize = 16;

/// One look at one figure.
type Looks = Vec<(EventId, Nanos, f64)>;

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
    let (mut found, mut looked) = (Vec::new(), 0);
    for ((figure, name), looks) in &series {
        if looks.len() < FEWEST {
            continue;
        }
        looked += 1;
        let half = &looks[looks.len() / 2..];
        let (Some(whole), Some(later)) = (grown(looks, Trend::surely_grows), grown(half, Trend::grows)) else {
            continue;
        };
        let start = looks.first().map_or(0.0, |look| look.2);
        // Half of the growth must come in the second half, or it is only warming up.
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
    if looked == 0 {
        return Verdict::inconclusive(
            demand,
            format!("no process was looked at {FEWEST} times during the storm"),
        );
    }
    Verdict::pass(demand, looked, format!("{} held still", count(looked, "figure")))
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

/// Every figure of every process that lived through the storm, and of the databases.
fn series(history: &History<'_>) -> BTreeMap<(Figure, String), Looks> {
    let mut series: BTreeMap<(Figure, String), Looks> = BTreeMap::new();
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
            Fact::Usage(usage) if !preset(&usage.instance.service) && lived(&usage.instance, from, to, history) => {
                let name = usage.instance.to_string();
                let mut add = |figure, value| {
                    let looks = series.entry((figure, name.clone())).or_default();
                    looks.push((event.id, event.at, value));
                };
                add(Figure::Memory, usage.rss_kib as f64);
                add(Figure::Descriptors, f64::from(usage.fds));
            }
            Fact::Connections { instance, open } => {
                let looks = series.entry((Figure::Connections, instance.to_string())).or_default();
                looks.push((event.id, event.at, f64::from(*open)));
            }
            _ => {}
        }
    }
    series
}

/// Whether one process of an instance lived all through a time: a new one starts from little.
fn lived(instance: &crate::place::Instance, from: Nanos, to: Nanos, history: &History<'_>) -> bool {
    let lives = history.lives.get(instance);
    lives.is_some_and(|lives| {
        lives
            .iter()
            .any(|life| life.started.1 <= from && life.exited.is_none_or(|exited| exited.1 >= to))
    })
}
