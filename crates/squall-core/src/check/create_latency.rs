//! Under a flood creating a task stays quick.
//!
//! Class `slow`: of the creates of the flood's even stretch one in a hundred took longer than `p99`, from the moment it
//! was due to its answer, so that a stall is felt by all who were due during it. No grace. Inconclusive without a flood,
//! with fewer than 100 answers, or when the load itself was late.

use crate::check::Verdict;
use crate::check::flooded::Flooded;
use crate::check::sentence::count;
use crate::demand::{CreateLatency, Demand};
use crate::event::Outcome;
use crate::journal::History;
use crate::time::{Nanos, nanos, words};

/// Fewer answers have no hundredth part.
const FEWEST: usize = 100;

pub(super) fn judge(demand: &Demand, wanted: &CreateLatency, history: &History<'_>) -> Verdict {
    let Some(flooded) = Flooded::of(history) else {
        return Verdict::inconclusive(demand, "the plan has no flood, or it was not begun");
    };
    let within = nanos(wanted.p99.get());
    let answered = flooded
        .even()
        .filter(|(_, op)| op.outcome != Outcome::Unknown || op.status.is_some());
    let mut took: Vec<(Nanos, u64)> = answered
        .map(|(event, op)| (op.ret.saturating_sub(op.due), event))
        .collect();
    took.sort_unstable();
    if took.len() < FEWEST {
        return Verdict::inconclusive(
            demand,
            format!("only {} in the flood: too few", count(took.len(), "answer")),
        );
    }
    let at = |share: f64| {
        took.get((took.len() as f64 * share) as usize)
            .map_or(0, |(took, _)| *took)
    };
    let (p50, p99, max) = (at(0.5), at(0.99), took.last().map_or(0, |(took, _)| *took));
    let says = format!(
        "creates took {} (p50), {} (p99), {} (max) from when they were due, expected p99 {}",
        words(p50),
        words(p99),
        words(max),
        words(within)
    );
    if p99 <= within {
        return Verdict::pass(demand, took.len(), says);
    }
    let slow = took.iter().rev().take_while(|(took, _)| *took > within);
    Verdict::fail(demand, "slow", slow.map(|(_, event)| *event).collect(), says)
}
