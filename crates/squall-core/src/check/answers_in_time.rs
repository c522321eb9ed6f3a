//! Every answer inside an outage comes in time.
//!
//! Class `hung`. Every request that touches an outage window counts, from sending to answer; one the
//! client gave up on is late whatever its patience. Requests that met a strike on the entry service
//! itself are left to `recovery`: a dead or frozen process can't answer. Inconclusive when an outage
//! of something else was planned and fewer than 5 requests met one.

use crate::check::Verdict;
use crate::check::requests::{FEWEST, Met, outage_planned, sorted};
use crate::check::sentence::{count, tally};
use crate::demand::{Demand, Within};
use crate::event::{Answer, Op};
use crate::journal::History;
use crate::time::{Nanos, nanos, words};

pub(super) fn judge(demand: &Demand, wanted: &Within, history: &History<'_>) -> Verdict {
    let (met, _) = sorted(history);
    let judged: Vec<&Met<'_>> = met.iter().filter(|met| !met.entry).collect();
    if judged.is_empty() && !outage_planned(history, false) {
        return Verdict::pass(demand, 0, "no outage was planned but the entry service's own");
    }
    if judged.len() < FEWEST {
        let says = format!(
            "only {} met an outage that was not the entry service's own, at least {FEWEST} are needed",
            count(judged.len(), "request")
        );
        return Verdict::inconclusive(demand, says);
    }
    let within = nanos(wanted.within.get());
    let late: Vec<_> = judged
        .iter()
        .filter(|met| met.op.answer == Answer::Hung || took(met.op) > within)
        .collect();
    let slowest = words(judged.iter().map(|met| took(met.op)).max().unwrap_or(0));
    if !late.is_empty() {
        let says = format!(
            "{} of {} inside outages took longer than {} (the slowest {slowest}): {}",
            late.len(),
            count(judged.len(), "answer"),
            wanted.within,
            tally(late.iter().map(|met| met.op.name.as_str()))
        );
        return Verdict::fail(demand, "hung", late.iter().map(|met| met.id).collect(), says);
    }
    let says = format!(
        "{} inside outages came within {}, the slowest after {slowest}",
        count(judged.len(), "answer"),
        wanted.within
    );
    match history.complete() {
        true => Verdict::pass(demand, judged.len(), says),
        false => Verdict::inconclusive(demand, format!("{says}, but the run broke off")),
    }
}

fn took(op: &Op) -> Nanos {
    op.ret.saturating_sub(op.call)
}
