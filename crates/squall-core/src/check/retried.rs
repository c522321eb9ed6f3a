//! Failed and interrupted attempts have successors.
//!
//! Class `missing-retry`: an attempt failed below the maximum, or was interrupted (its worker died in
//! it, or fell silent), the task did not come to its end otherwise, and no attempt followed although
//! the longest backoff (after a failure) or the lease (after an interruption) and 5 s had passed, with
//! some worker free for 2.5 s on end. A successor that came late is a finding only when a worker was
//! free for 5 s on end before it, after backoff or lease. Redeliveries by death or lost lease and
//! retries by failure are counted apart. Inconclusive when too little was watched, the run broke off,
//! or the workers are not witnessed.

use crate::check::Verdict;
use crate::check::none_stuck::{GRACE, over};
use crate::check::sentence::{count, names};
use crate::demand::Demand;
use crate::event::{EventId, State};
use crate::journal::{Attempt, Crew, History, TaskHistory};
use crate::place::Instance;
use crate::system::TaskFacts;
use crate::time::{Nanos, words};

/// How an attempt came to need a successor.
struct Need {
    event: EventId,
    /// From when the system has to act.
    since: Nanos,
    /// The attempt failed; otherwise it was interrupted.
    failed: bool,
}

/// What became of a need.
enum Met {
    Successor,
    Otherwise,
    Late(Nanos),
    Missing,
    Unknown,
}

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let Some(facts) = history.header.system.tasks.as_ref().filter(|facts| facts.witnessed) else {
        return Verdict::inconclusive(demand, "no worker can be expected to report its attempts");
    };
    let crew = history.crew();
    let (mut retries, mut redeliveries, mut ended, mut all) = (0, 0, 0, 0);
    let (mut missing, mut unknown) = (Vec::new(), Vec::new());
    for (id, task) in &history.tasks {
        for attempt in &task.attempts {
            let Some(need) = need(attempt, history) else { continue };
            all += 1;
            let what = if need.failed { "failed" } else { "interrupted" };
            match met(&need, task, attempt, facts, (&crew, history)) {
                Met::Successor if need.failed => retries += 1,
                Met::Successor => redeliveries += 1,
                Met::Otherwise => ended += 1,
                Met::Late(after) => {
                    let says = format!(
                        "{id} (attempt {} {what}, next only {} later)",
                        attempt.number,
                        words(after)
                    );
                    missing.push((need.event, says));
                }
                Met::Missing => {
                    let says = format!("{id} (attempt {} {what}, none after it)", attempt.number);
                    missing.push((need.event, says));
                }
                Met::Unknown => unknown.push(*id),
            }
        }
    }
    let counts = format!(
        "{} after failures, {} after deaths or lost leases, {ended} ended otherwise",
        count(retries, "retry").replace("retrys", "retries"),
        count(redeliveries, "redelivery").replace("redeliverys", "redeliveries"),
    );
    if !missing.is_empty() {
        let which: Vec<&str> = missing.iter().map(|(_, says)| says.as_str()).collect();
        let says = format!(
            "{} of {all} have no successor in time: {}; {counts}",
            missing.len(),
            names(&which)
        );
        return Verdict::fail(
            demand,
            "missing-retry",
            missing.iter().map(|(event, _)| *event).collect(),
            says,
        );
    }
    if !history.complete() {
        return Verdict::inconclusive(demand, format!("the run broke off; {counts}"));
    }
    if !unknown.is_empty() {
        let says = format!(
            "{} could still have a successor: {}; {counts}",
            count(unknown.len(), "attempt"),
            names(&unknown)
        );
        return Verdict::inconclusive(demand, says);
    }
    match history.tasks.values().all(|task| task.attempts.is_empty()) {
        true => Verdict::inconclusive(demand, "no worker reported of any attempt"),
        false => Verdict::pass(demand, all, counts),
    }
}

/// Whether an attempt needs a successor, and from when on.
fn need(attempt: &Attempt<'_>, history: &History<'_>) -> Option<Need> {
    if !attempt.commits.is_empty() {
        return None;
    }
    if let Some((event, at, _, last)) = attempt.failed {
        return (!last).then_some(Need {
            event,
            since: at,
            failed: true,
        });
    }
    let event = attempt.first_event()?;
    let heard = attempt.last_heard()?;
    let died = history
        .life_of(attempt)
        .and_then(|life| life.exited)
        .map(|exited| exited.1);
    let worker = attempt.worker.parse::<Instance>();
    let frozen = history.strikes.iter().filter(|strike| {
        strike.healed.is_none_or(|healed| healed >= heard)
            && worker.as_ref().is_ok_and(|worker| history.concerns(strike, worker))
    });
    // What struck a living worker may have kept its lease alive or its successors away until healed.
    let healed = frozen.filter_map(|strike| strike.healed).max().unwrap_or(0);
    let worked = heard.saturating_add(history.longest_task());
    Some(Need {
        event,
        since: died.unwrap_or_else(|| worked.max(healed)).max(heard),
        failed: false,
    })
}

fn met(
    need: &Need,
    task: &TaskHistory<'_>,
    attempt: &Attempt<'_>,
    facts: &TaskFacts,
    (crew, history): (&Crew<'_>, &History<'_>),
) -> Met {
    let pause = if need.failed { facts.backoff } else { facts.lease };
    let due = need.since.saturating_add(pause);
    let began = attempt.began();
    let successors = task
        .attempts
        .iter()
        .filter(|other| !std::ptr::eq(*other, attempt) && (other.number > attempt.number || other.began() > began));
    if let Some(next) = successors.filter_map(|other| other.began()).min() {
        return match crew.longest_free(due, next) >= GRACE {
            true => Met::Late(next.saturating_sub(need.since)),
            false => Met::Successor,
        };
    }
    let ends = |state: Option<State>| matches!(state, Some(State::Done | State::Dead | State::Cancelled));
    match task.last_record() {
        Some((_, _, record)) if ends(record.state) => Met::Otherwise,
        // Absent: `no_task_lost` says so.
        Some((_, _, record)) if record.state.is_none() => Met::Otherwise,
        Some((_, read, _)) if over(due, read, crew) => Met::Missing,
        Some(_) => Met::Unknown,
        // Not acknowledged, so never read back; nobody can say how it ended.
        None if task.created.is_none() => Met::Otherwise,
        None if over(due, history.until, crew) => Met::Missing,
        None => Met::Unknown,
    }
}
