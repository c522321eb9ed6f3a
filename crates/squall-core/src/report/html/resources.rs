//! What each instance used of the machine: small pictures of the same shape on the same time axis.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::axis::{Axis, n, shades};
use crate::event::Fact;
use crate::journal::History;
use crate::place::Instance;
use crate::report::Scenario;
use crate::report::words::memory;
use crate::time::Nanos;

/// Size of one small picture, in the units of its view box.
const SIZE: (f64, f64) = (260.0, 92.0);
const TOP: f64 = 22.0;
const BOTTOM: f64 = 72.0;
/// Most points of a line; of more, the largest of each part is drawn.
const POINTS: usize = 80;
/// Most instances drawn.
const INSTANCES: usize = 16;

/// A line over time and how its largest value is said.
struct Series {
    name: &'static str,
    points: Vec<(Nanos, f64)>,
    say: fn(f64) -> String,
}

/// A row of small pictures for each instance.
pub(super) fn draw(scenario: &Scenario, history: &History<'_>) -> Markup {
    let all = series(history);
    if all.is_empty() {
        return html! { p.none { "The use of the machine was not looked at." } };
    }
    let left_out = scenario.uses.len().saturating_sub(INSTANCES);
    html! {
        p.caption {
            "Over the whole run, shaded where a fault held; each scale begins at 0 and ends at the largest value, "
            "which is written above it. Of more than " (POINTS) " looks the largest of each part is drawn."
            @if left_out > 0 { " " (left_out) " more instances are in the figures below only." }
        }
        @for (instance, lines) in all.iter().take(INSTANCES) {
            div.multiples {
                h4 { (instance) }
                div.grid-of { @for line in lines { (small(line, history)) } }
            }
        }
    }
}

fn series<'a>(history: &History<'a>) -> BTreeMap<&'a Instance, Vec<Series>> {
    let mut looks: BTreeMap<&Instance, Vec<_>> = BTreeMap::new();
    let mut open: BTreeMap<&Instance, Vec<(Nanos, f64)>> = BTreeMap::new();
    for event in history.events {
        match &event.fact {
            Fact::Usage(usage) => looks.entry(&usage.instance).or_default().push((event.at, usage)),
            Fact::Connections { instance, open: now } => {
                open.entry(instance).or_default().push((event.at, f64::from(*now)));
            }
            _ => {}
        }
    }
    let mut all: BTreeMap<&Instance, Vec<Series>> = BTreeMap::new();
    for (instance, looks) in looks {
        // Processor time is a sum since the look before, so it becomes a rate over that span.
        let cpu = looks.windows(2).filter(|pair| pair[1].0 > pair[0].0);
        let cpu = cpu.map(|pair| {
            (
                pair[1].0,
                pair[1].1.cpu_us as f64 * 1e5 / (pair[1].0 - pair[0].0) as f64,
            )
        });
        let lines = all.entry(instance).or_default();
        lines.push(Series {
            name: "memory",
            points: looks.iter().map(|(at, usage)| (*at, usage.rss_kib as f64)).collect(),
            say: memory,
        });
        lines.push(Series {
            name: "processor",
            points: cpu.collect(),
            say: |percent| format!("{percent:.0}%"),
        });
        lines.push(Series {
            name: "descriptors",
            points: looks.iter().map(|(at, usage)| (*at, f64::from(usage.fds))).collect(),
            say: |count| format!("{count:.0}"),
        });
    }
    for (instance, points) in open {
        all.entry(instance).or_default().push(Series {
            name: "client connections",
            points,
            say: |count| format!("{count:.0}"),
        });
    }
    all
}

fn small(line: &Series, history: &History<'_>) -> Markup {
    let axis = Axis::between(history, 12.0, SIZE.0 - 12.0);
    let most = line.points.iter().map(|point| point.1).fold(0.0, f64::max);
    let name = format!("{}, at most {}", line.name, (line.say)(most));
    html! {
        svg viewBox=(format!("0 0 {} {}", n(SIZE.0), n(SIZE.1))) role="img" aria-label=(name) {
            text.small-name x="12" y="13" { (line.name) }
            text.small-most x=(n(SIZE.0 - 12.0)) y="13" text-anchor="end" { "max " ((line.say)(most)) }
            (shades(history, &axis, TOP, BOTTOM))
            (axis.draw_some(TOP, BOTTOM, 4))
            path.series d=(path(&line.points, &axis, most)) {}
        }
    }
}

/// The line; it breaks where looks are much farther apart than usual, for there nobody ran.
fn path(points: &[(Nanos, f64)], axis: &Axis, most: f64) -> String {
    let mut bins: BTreeMap<usize, (Nanos, f64)> = BTreeMap::new();
    let thin = points.len() > POINTS;
    for (index, (at, value)) in points.iter().enumerate() {
        let bin = if thin { axis.bin(*at, POINTS) } else { index };
        let kept = bins.entry(bin).or_insert((*at, *value));
        if *value > kept.1 {
            *kept = (*at, *value);
        }
    }
    let kept: Vec<_> = bins.into_values().collect();
    let mut gaps: Vec<_> = kept.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    gaps.sort_unstable();
    let usual = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    let mut path = String::new();
    let mut last: Option<Nanos> = None;
    for (at, value) in kept {
        let joined = last.is_some_and(|last| at - last <= usual.saturating_mul(3));
        let y = BOTTOM - (BOTTOM - TOP) * value / most.max(1e-9);
        let pen = if joined { "L" } else { "M" };
        path.push_str(&format!("{pen}{} {}", n(axis.x(at)), n(y)));
        if !joined {
            path.push_str("h0");
        }
        last = Some(at);
    }
    path
}
