//! Share of the storm's main tasks done at the deadline.
//!
//! Class `incomplete`: the share of all planned tasks of the main kind that were committed by the
//! storm's start + deadline lies outside the range the level expects, above it included: a level is a
//! hypothesis. No grace; late work is `deadline`'s. Inconclusive when the run ended before the
//! deadline with work undone, or never came to its storm.

use crate::check::Verdict;
use crate::check::finish::Finish;
use crate::check::sentence::percent;
use crate::demand::{Completion, Demand};
use crate::journal::History;

pub(super) fn judge(demand: &Demand, wanted: &Completion, history: &History<'_>) -> Verdict {
    let finish = match Finish::of(history) {
        Ok(finish) => finish,
        Err(why) => return Verdict::inconclusive(demand, why),
    };
    let done = finish.in_time();
    let says = format!(
        "{done} of {} `{}` tasks ({}) were done at the deadline, expected {}",
        finish.planned,
        finish.kind,
        percent(done, finish.planned),
        wanted.share
    );
    if !finish.over(history) || (!history.complete() && done < finish.planned) {
        return Verdict::inconclusive(demand, format!("{says}, but the run ended before it"));
    }
    let share = done as f64 / finish.planned.max(1) as f64;
    if wanted.share.contains(share) {
        return Verdict::pass(demand, finish.planned, says);
    }
    let late = finish.late().into_iter().map(|(event, _)| event);
    let mut evidence: Vec<_> = late.chain(finish.open.iter().map(|(_, created)| *created)).collect();
    if evidence.is_empty() {
        evidence = finish.done.iter().map(|(event, _)| *event).collect();
    }
    Verdict::fail(demand, "incomplete", evidence, says)
}
