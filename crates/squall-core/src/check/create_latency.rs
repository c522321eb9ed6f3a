//! Under a flood creating a task stays quick.
//!
//! Class `slow`: of the creates of the flood's even stretch one in a hundred took longer than `p99`, from the moment it
//! was due to its right answer, so that a stall is felt by all who were due during it. One without a right answer, or
//! never sent, took for ever. No grace. Inconclusive without a flood, or with fewer than 100 creates planned.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{CreateLatency, Demand};
use crate::event::Answer;
use crate::gauge::Flooded;
use crate::journal::History;
use crate::time::{Nanos, nanos, words};

/// Fewer have no hundredth part.
const FEWEST: usize = 100;

pub(super) fn judge(demand: &Demand, wanted: &CreateLatency, history: &History<'_>) -> Verdict {
    let Some(flooded) = Flooded::of(history) else {
        return Verdict::inconclusive(demand, "the plan has no flood, or it was not begun");
    };
    let within = nanos(wanted.p99.get());
    let planned = flooded.planned();
    if planned < FEWEST {
        return Verdict::inconclusive(demand, format!("only {} planned: too few", count(planned, "create")));
    }
    let right = flooded.even().filter(|(_, op)| op.answer == Answer::Right);
    let mut took: Vec<(Nanos, u64)> = right
        .map(|(event, op)| (op.ret.saturating_sub(op.due), event))
        .collect();
    took.sort_unstable();
    // What was not answered right stands behind all that was.
    let at = |share: f64| took.get((planned as f64 * share) as usize).map(|(took, _)| *took);
    let told = |took: Option<Nanos>| took.map_or("for ever".to_owned(), words);
    let (p50, p99) = (at(0.5), at(0.99));
    let max = took.last().filter(|_| took.len() >= planned).map(|(took, _)| *took);
    let says = format!(
        "creates took {} (p50), {} (p99), {} (max) from when they were due, expected p99 {}",
        told(p50),
        told(p99),
        told(max),
        words(within)
    );
    if p99.is_some_and(|p99| p99 <= within) {
        return Verdict::pass(demand, planned, says);
    }
    let slow = took
        .iter()
        .rev()
        .take_while(|(took, _)| *took > within)
        .map(|(_, event)| *event);
    let unanswered = flooded
        .even()
        .filter(|(_, op)| op.answer != Answer::Right)
        .map(|(event, _)| event);
    Verdict::fail(demand, "slow", slow.chain(unanswered).collect(), says)
}
