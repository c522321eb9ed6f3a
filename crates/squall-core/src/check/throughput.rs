//! Under a flood the system takes what it is given.
//!
//! Class `unserved`: of the creates that were due in the flood's even stretch fewer than `at_least` were acknowledged
//! within a second of their due moment. Every planned one counts, whether or not it could be sent: open-loop load hides
//! none. The sentence says how many a second that was, and where the growing stretch found saturation: the first
//! half second of it in which fewer than 95 % were acknowledged within a second. No grace. Inconclusive without a flood,
//! or when the run broke off.

use crate::check::Verdict;
use crate::check::flooded::Flooded;
use crate::check::sentence::{percent, reaches};
use crate::demand::{AtLeast, Demand};
use crate::event::Answer;
use crate::journal::History;
use crate::time::{Nanos, SECOND};

/// Later than this after its due moment a create counts as unserved.
const SOON: Nanos = SECOND;

pub(super) fn judge(demand: &Demand, wanted: &AtLeast, history: &History<'_>) -> Verdict {
    let Some(flooded) = Flooded::of(history) else {
        return Verdict::inconclusive(demand, "the plan has no flood, or it was not begun");
    };
    if !history.complete() {
        return Verdict::inconclusive(demand, "the run broke off");
    }
    let planned = flooded.planned();
    let served = |op: &crate::event::Op| op.answer == Answer::Right && op.ret.saturating_sub(op.due) <= SOON;
    let (good, bad): (Vec<_>, Vec<_>) = flooded.even().partition(|(_, op)| served(op));
    let rate = good.len() as f64 / (flooded.plan.lasts as f64 / SECOND as f64);
    let says = format!(
        "{} of {planned} creates ({}) were acknowledged within 1 s of when they were due, {rate:.0}/s{}",
        good.len(),
        percent(good.len(), planned),
        saturation(&flooded, served)
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
fn saturation(flooded: &Flooded<'_>, served: impl Fn(&crate::event::Op) -> bool) -> String {
    let Some((to, length)) = flooded.plan.up_to else {
        return String::new();
    };
    let bin = SECOND / 2;
    for index in 0..length.div_ceil(bin) {
        let from = flooded.plan.lasts + index * bin;
        let planned = flooded.planned_in(from, from + bin);
        let good = flooded.due(from, from + bin).filter(|(_, op)| served(op)).count();
        let share = index as f64 * bin as f64 / length as f64;
        if !reaches(good, planned, 0.95) {
            let rate = flooded.plan.rate + (to - flooded.plan.rate) * share;
            return format!("; saturated at about {rate:.0}/s");
        }
    }
    format!("; not saturated up to {to:.0}/s")
}
