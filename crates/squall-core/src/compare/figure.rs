//! The figures of a run that are compared: which there are, what they are counted in, and which way is better.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Shown;
use crate::check::Outcome;
use crate::report::{Latency, Scenario};
use crate::time::Nanos;

/// A run's figures by name. One that is not there was not measured.
///
/// As JSON what never came is `null`, for there is no infinite number.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<String, Option<f64>>);

impl Figures {
    /// With one more; infinite when it never came.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.0.insert(name.to_owned(), value.is_finite().then_some(value));
        self
    }

    /// One of them; infinite when it never came.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).map(|value| value.unwrap_or(f64::INFINITY))
    }
}

/// What a figure is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Time,
    /// Parts of a whole, from 0 to 1.
    Share,
    /// Things.
    Count,
    /// KiB.
    Memory,
}

impl Unit {
    /// A value in words: `12.4 ms`, `98.0%`, `never`.
    pub fn words(self, value: f64) -> String {
        let size = value.abs();
        if !value.is_finite() {
            return if value < 0.0 { "from never" } else { "never" }.to_owned();
        }
        match self {
            Unit::Time if size < 1e6 => format!("{:.0} µs", value / 1e3),
            Unit::Time if size < 1e8 => format!("{:.1} ms", value / 1e6),
            Unit::Time if size < 1e10 => format!("{:.2} s", value / 1e9),
            Unit::Time => format!("{:.1} s", value / 1e9),
            Unit::Share => format!("{:.1}%", value * 100.0),
            Unit::Count if value.fract() == 0.0 => format!("{value:.0}"),
            Unit::Count => format!("{value:.1}"),
            Unit::Memory => format!("{:.1} MiB", value / 1024.0),
        }
    }

    /// A difference in words, with its sign: `+12.4 ms`, `-2.0%`.
    pub fn signed(self, value: f64) -> String {
        let sign = if value > 0.0 && value.is_finite() { "+" } else { "" };
        format!("{sign}{}", self.words(value))
    }
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Better {
    /// Less.
    Smaller,
    /// More.
    Larger,
}

/// A figure of a run.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its name.
    pub name: &'static str,
    /// What it is, in a few words.
    pub about: &'static str,
    /// What it is counted in.
    pub unit: Unit,
    /// Which way is better.
    pub better: Better,
    of: fn(&Scenario) -> Option<f64>,
}

impl PartialEq for Figure {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Figure {
    pub(super) fn when_larger(&self) -> Shown {
        match self.better {
            Better::Larger => Shown::Better,
            Better::Smaller => Shown::Worse,
        }
    }

    pub(super) fn when_smaller(&self) -> Shown {
        match self.better {
            Better::Larger => Shown::Worse,
            Better::Smaller => Shown::Better,
        }
    }
}

const fn figure(
    name: &'static str,
    about: &'static str,
    (unit, better): (Unit, Better),
    of: fn(&Scenario) -> Option<f64>,
) -> Figure {
    Figure {
        name,
        about,
        unit,
        better,
        of,
    }
}

const QUICK: (Unit, Better) = (Unit::Time, Better::Smaller);
const FEW: (Unit, Better) = (Unit::Count, Better::Smaller);
const MUCH: (Unit, Better) = (Unit::Share, Better::Larger);

/// Every figure that is compared. Adding one makes a claim about each of the others a little harder.
pub const FIGURES: [Figure; 15] = [
    figure("findings", "checks that failed", FEW, |run| {
        let failed = run.verdicts.iter().filter(|verdict| verdict.outcome == Outcome::Fail);
        Some(failed.count() as f64)
    }),
    figure(
        "recovery_median",
        "from a fault to serving again, half of all",
        QUICK,
        |run| middle(&recoveries(run)),
    ),
    figure(
        "recovery_max",
        "from a fault to serving again, the slowest",
        QUICK,
        |run| recoveries(run).last().copied(),
    ),
    figure("request_p50", "a request, half of all", QUICK, |run| {
        half(run.latency.as_ref())
    }),
    figure("request_p99", "a request, 99 of 100", QUICK, |run| {
        most(run.latency.as_ref())
    }),
    figure("create_p50", "creating a task, half of all", QUICK, |run| {
        half(run.creates.as_ref())
    }),
    figure("create_p99", "creating a task, 99 of 100", QUICK, |run| {
        most(run.creates.as_ref())
    }),
    figure(
        "unserved",
        "requests without a right answer or an honest refusal",
        (Unit::Share, Better::Smaller),
        |run| {
            let counts = &run.counts;
            let bad = counts.wrong + counts.hung + counts.down;
            share(bad, bad + counts.right + counts.refused)
        },
    ),
    figure("done", "acknowledged tasks that were done", MUCH, |run| {
        share(run.counts.done, run.counts.created)
    }),
    figure("in_time", "the storm's main tasks done by the deadline", MUCH, |run| {
        share(run.counts.in_time, run.counts.main)
    }),
    figure("retries", "attempts after a failure", FEW, |run| {
        (run.counts.created > 0).then_some(run.counts.retries as f64)
    }),
    figure("redeliveries", "attempts after a death or a lost lease", FEW, |run| {
        (run.counts.created > 0).then_some(run.counts.redeliveries as f64)
    }),
    figure("start", "a start until ready, half of all", QUICK, |run| {
        let took = run
            .starts
            .iter()
            .map(|start| start.took.map_or(f64::INFINITY, |took| took as f64));
        middle(&sorted(took))
    }),
    figure(
        "memory",
        "largest resident memory, of all services together",
        (Unit::Memory, Better::Smaller),
        |run| {
            let known: Vec<u64> = run.uses.values().filter_map(|used| used.rss_kib).collect();
            (!known.is_empty()).then(|| known.iter().sum::<u64>() as f64)
        },
    ),
    figure("duration", "the whole run", QUICK, |run| Some(run.duration as f64)),
];

/// The figures of one run of a scenario.
pub fn figures(run: &Scenario) -> Figures {
    let found = FIGURES
        .iter()
        .filter_map(|figure| Some((figure.name, (figure.of)(run)?)));
    found.fold(Figures::default(), |figures, (name, value)| figures.with(name, value))
}

/// What should have served again and never did took for ever: left out, the worst would look best.
fn recoveries(run: &Scenario) -> Vec<f64> {
    let asked = run.clocks.iter().filter(|clock| clock.expected);
    sorted(asked.map(|clock| clock.serving.map_or(f64::INFINITY, |took| took as f64)))
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn middle(sorted: &[f64]) -> Option<f64> {
    (!sorted.is_empty()).then(|| super::median(sorted))
}

fn half(latency: Option<&Latency>) -> Option<f64> {
    latency.map(|latency| time(latency.p50))
}

fn most(latency: Option<&Latency>) -> Option<f64> {
    latency.map(|latency| time(latency.p99))
}

fn time(nanos: Nanos) -> f64 {
    nanos as f64
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
