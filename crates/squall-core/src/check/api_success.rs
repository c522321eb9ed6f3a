//! Share of right answers outside outages.
//!
//! Class `wrong-answer`. Every request counts (traffic, surveys, creates, sessions) that does not
//! touch an outage window: from `imposing` to healed + 2 s, or until the struck entry service serves
//! again + 2 s. An end of the entry service that no strike explains is no window: its refused
//! connections count. Bound: the share the scenario demands. Inconclusive without such a request, or
//! when the run broke off.

use crate::check::sentence::{count, percent, reaches, tally};
use crate::check::{Verdict, requests};
use crate::demand::{AtLeast, Demand};
use crate::event::{Answer, EventId, Op};
use crate::journal::History;

/// A share below this is weak, whatever was demanded.
const WEAK: f64 = 0.85;
/// A share below this is a critical sign.
const CRITICAL: f64 = 0.70;

pub(super) fn judge(demand: &Demand, wanted: &AtLeast, history: &History<'_>) -> Verdict {
    let (_, outside) = requests::sorted(history);
    let all = outside.len();
    if all == 0 {
        return Verdict::inconclusive(demand, "no request was made outside outages");
    }
    let bad: Vec<&(EventId, &Op)> = outside.iter().filter(|(_, op)| op.answer != Answer::Right).collect();
    let right = all - bad.len();
    let share = percent(right, all);
    let warning = if !reaches(right, all, CRITICAL) {
        Some(format!("API success {share} is a critical sign"))
    } else if !reaches(right, all, WEAK) {
        Some(format!("API success {share} is weak"))
    } else {
        None
    };
    let failing = tally(bad.iter().map(|(_, op)| op.name.as_str()));
    let of = format!("{share} of {} outside outages", count(all, "answer"));
    let verdict = if reaches(right, all, wanted.at_least.fraction()) {
        let says = match bad.is_empty() {
            true => format!("{of} were right"),
            false => format!("{of} were right; not so: {failing}"),
        };
        match history.complete() {
            true => Verdict::pass(demand, all, says),
            false => Verdict::inconclusive(demand, format!("{says}, but the run broke off")),
        }
    } else if history.complete() {
        let says = format!(
            "{of} were right, less than {}: {failing}{}",
            wanted.at_least,
            first_fault(&bad)
        );
        Verdict::fail(demand, "wrong-answer", bad.iter().map(|(id, _)| *id).collect(), says)
    } else {
        Verdict::inconclusive(demand, format!("{of} were right before the run broke off: {failing}"))
    };
    verdict.warn(warning)
}

fn first_fault(bad: &[&(EventId, &Op)]) -> String {
    let fault = bad.iter().find_map(|(_, op)| op.fault.as_deref());
    fault.map_or_else(String::new, |fault| format!(" (for example: {fault})"))
}
