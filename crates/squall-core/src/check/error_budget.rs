//! The run spends little of the error budget.
//!
//! Class `over-budget`: over all parts of the run (before, during and after the faults, and the recovering between) the time lost
//! is more than `at_most` of what the promise `slo` leaves of its `window` (30 days). The time lost in a part is its
//! length times its share of answers that were not right, an honest refusal among them: who needs an answer has none. No grace.
//! Inconclusive without requests, or when the run broke off.

use crate::check::Verdict;
use crate::demand::{Demand, ErrorBudget};
use crate::event::{Answer, EventId, Role};
use crate::gauge::spells;
use crate::journal::History;
use crate::time::{nanos, words};

pub(super) fn judge(demand: &Demand, wanted: &ErrorBudget, history: &History<'_>) -> Verdict {
    let spells = spells(history);
    let requests: usize = spells.iter().map(|spell| spell.requests).sum();
    if requests == 0 {
        return Verdict::inconclusive(demand, "no request was made");
    }
    if !history.complete() {
        return Verdict::inconclusive(demand, "the run broke off");
    }
    let window = nanos(wanted.window.get());
    let spent = |spell| crate::gauge::Spell::spent(spell, wanted.slo.fraction(), window);
    let all: f64 = spells.iter().map(spent).sum();
    let parts = spells.iter().map(|spell| {
        let (bad, requests) = (spell.bad, spell.requests);
        format!(
            "{} {} ({bad} of {requests} bad)",
            spell.part.word(),
            share(spent(spell))
        )
    });
    let parts: Vec<String> = parts.collect();
    let says = format!(
        "the run spent {} of the error budget of {} at {}: {}",
        share(all),
        words(window),
        wanted.slo,
        parts.join(", ")
    );
    if all <= wanted.at_most.fraction() {
        return Verdict::pass(demand, requests, says);
    }
    let bad = |op: &crate::event::Op| op.role != Role::Audit && op.answer != Answer::Right;
    let evidence: Vec<EventId> = history
        .ops
        .iter()
        .filter(|(_, op)| bad(op))
        .map(|(event, _)| *event)
        .collect();
    let says = format!("{says}; expected at most {}", wanted.at_most);
    Verdict::fail(demand, "over-budget", evidence, says)
}

/// A share with as many digits as a small one needs.
fn share(part: f64) -> String {
    match 100.0 * part {
        whole if whole >= 1.0 || whole == 0.0 => format!("{whole:.1} %"),
        small => format!("{small:.4} %"),
    }
}
