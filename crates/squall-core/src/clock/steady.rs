//! When answers are as they were before anything was broken.

use super::BIN;
use crate::event::{Answer, Phase, Role};
use crate::journal::History;
use crate::plan::Plan;
use crate::time::{Nanos, SECOND};

/// One answer of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it should have been asked for.
    pub due: Nanos,
    /// From then to the answer.
    pub took: Nanos,
    /// Whether it was right.
    pub right: bool,
}

/// What the API's answers are like while nothing is broken, with what a busy machine may add.
///
/// An answer is *inside* when it is right and took at most max(5 × p90, p90 + 250 ms) of the
/// reference. A window is inside when its median latency keeps that bound and at most
/// 5 % + the reference's own share of wrong answers (at least one answer) are outside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Band {
    wrong: f64,
    bound: Nanos,
}

impl Band {
    /// The band of undisturbed answers; `None` without any.
    pub fn of(reference: &[Sample]) -> Option<Self> {
        let mut took: Vec<Nanos> = reference.iter().map(|sample| sample.took).collect();
        took.sort_unstable();
        let p90 = *took.get((took.len().saturating_sub(1)) * 9 / 10)?;
        let wrong = reference.iter().filter(|sample| !sample.right).count();
        Some(Self {
            wrong: wrong as f64 / reference.len() as f64,
            bound: p90.saturating_mul(5).max(p90.saturating_add(SECOND / 4)),
        })
    }

    /// Whether a window of answers is inside.
    pub fn holds(&self, window: &[Sample]) -> bool {
        let mut took: Vec<Nanos> = window.iter().map(|sample| sample.took).collect();
        took.sort_unstable();
        let Some(median) = took.get(took.len() / 2) else {
            return false;
        };
        let outside = window
            .iter()
            .filter(|sample| !sample.right || sample.took > self.bound)
            .count();
        let allowed = ((0.05 + self.wrong) * window.len() as f64).max(1.0);
        *median <= self.bound && outside as f64 <= allowed
    }
}

/// The rotating traffic's answers, by the time they were due. The cases of a survey are others, some of them
/// costly, and would shift the band; the run's own calm is decided without them too.
pub fn samples(history: &History<'_>) -> Vec<Sample> {
    let api = history.ops.iter().filter(|(_, op)| op.role == Role::Traffic);
    let mut found: Vec<Sample> = api
        .map(|(_, op)| Sample {
            due: op.due,
            took: op.ret.saturating_sub(op.due),
            right: op.answer == Answer::Right,
        })
        .collect();
    found.sort_by_key(|sample| sample.due);
    found
}

/// Until when steady traffic was watched.
pub fn watched_until(history: &History<'_>) -> Nanos {
    let traffic = history.ops.iter().filter(|(_, op)| op.role == Role::Traffic);
    let last = traffic.map(|(_, op)| op.due).max().unwrap_or(0);
    last.max(history.ended(Phase::Calm).unwrap_or(0))
}

/// Whether a window of answers is inside the band, and holds at least half the requests that are due in a steady window.
pub fn is_steady(band: &Band, plan: &Plan, window: &[Sample]) -> bool {
    let every = plan.api_every.unwrap_or(plan.steady).max(1);
    window.len() as u64 >= (plan.steady / every / 2).max(1) && band.holds(window)
}

/// The first moment from `from` on that begins a steady window, since the journal was opened.
pub(super) fn steady_since(history: &History<'_>, from: Nanos) -> Option<Nanos> {
    let plan = &history.header.plan;
    let every = plan.api_every?.max(1);
    let samples = samples(history);
    let began = history.began(Phase::Reference)?;
    let ended = history.ended(Phase::Reference)?;
    let between = |from: Nanos, to: Nanos| {
        let low = samples.partition_point(|sample| sample.due < from);
        let high = samples.partition_point(|sample| sample.due < to);
        samples.get(low..high).unwrap_or(&[])
    };
    let band = Band::of(between(began, ended))?;
    // The last request of a window is due up to one distance before its end.
    let until = watched_until(history).saturating_add(every).saturating_add(BIN);
    let mut at = from;
    while at.saturating_add(plan.steady) <= until {
        let window = between(at, at.saturating_add(plan.steady));
        if is_steady(&band, plan, window) {
            return Some(at);
        }
        at += BIN;
    }
    None
}
