//! Under a flood the system takes what it is given.
//!
//! Class `unserved`: of the creates that were due in the flood's even stretch fewer than `at_least` were acknowledged
//! within a second of their due moment. Every planned one counts, whether or not it could be sent: open-loop load hides
//! none. The sentence says how many a second that was, and where the growing stretch found saturation: the first
//! half second of it in which fewer than 95 % were acknowledged within a second. No grace. Inconclusive without a flood,
//! or when the run broke off.

use crate::check::Verdict;
use crate::check::sentence::{percent, reaches};
use crate::demand::{AtLeast, Demand};
use crate::gauge::Flooded;
use crate::journal::History;
use crate::time::SECOND;

pub(super) fn judge(demand: &Demand, wanted: &AtLeast, history: &History<'_>) -> Verdict {
    let Some(flooded) = Flooded::of(history) else {
        return Verdict::inconclusive(demand, "the plan has no flood, or it was not begun");
    };
    if !history.complete() {
        return Verdict::inconclusive(demand, "the run broke off");
    }
    let planned = flooded.planned();
    let (good, bad): (Vec<_>, Vec<_>) = flooded.even().partition(|(_, op)| Flooded::served(op));
    let rate = good.len() as f64 / (flooded.plan.lasts as f64 / SECOND as f64);
    let says = format!(
        "{} of {planned} creates ({}) were acknowledged within 1 s of when they were due, {rate:.0}/s{}",
        good.len(),
        percent(good.len(), planned),
        saturation(&flooded)
    );
    if reaches(good.len(), planned, wanted.at_least.fraction()) {
        return Verdict::pass(demand, planned, says);
    }
    Verdict::fail(
        demand,
        "unserved",
        bad.into_iter().map(|(event, _)| event).collect(),
        says,
    )
}

/// Where the growing stretch found its end, in words.
fn saturation(flooded: &Flooded<'_>) -> String {
    match (flooded.saturated(), flooded.plan.up_to) {
        (Some((_, rate)), _) => format!("; saturated at about {rate:.0}/s"),
        (None, Some((to, _))) => format!("; not saturated up to {to:.0}/s"),
        (None, None) => String::new(),
    }
}
