//! No acknowledged task is absent, or done without its effect.
//!
//! Classes: `lost-task` (the system acknowledged it and last said there is no such task, or that it was
//! cancelled: no client of a run ever cancels; one whose failures are used up is left to `dlq_accounted`),
//! `phantom-done` (the system says done, or a worker reported its commit, and no effect had reached
//! the witness by then: effects are answered before the commit; for work that calls the witness by the address in its
//! payload its own call is the effect, and the task is read back before the call is answered). No grace: loss is judged throughout.
//! A task still waiting or running when the drain ended is not lost: `none_stuck` judges it.
//! Inconclusive when nothing was acknowledged, or an acknowledged task was never read back.

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::Demand;
use crate::event::{EventId, Record, State};
use crate::journal::{History, TaskHistory};

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let facts = history.header.system.tasks.as_ref();
    let witnessed = facts.is_some_and(|facts| facts.witnessed);
    let calls = |task: &TaskHistory<'_>| {
        facts
            .zip(task.kind())
            .is_some_and(|(facts, kind)| facts.called.contains(kind))
    };
    let max_failures = facts.map_or(u64::MAX, |facts| facts.max_failures);
    let mut calling = 0;
    let (mut lost, mut phantom, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    let mut cancelled = 0;
    let mut all = 0;
    for (id, task, created, _) in history.acknowledged() {
        all += 1;
        calling += usize::from(calls(task));
        match task.last_record() {
            Some((event, _, record)) if record.state.is_none() => lost.push((id, created, event)),
            Some((event, _, record)) if record.state == Some(State::Cancelled) => {
                if failures(task, record) < max_failures {
                    cancelled += 1;
                    lost.push((id, created, event));
                }
            }
            Some(_) => {}
            None => unread.push(id),
        }
        if let Some(event) = done_before_effect(task).filter(|_| witnessed || calls(task)) {
            phantom.push((id, created, event));
        }
    }
    let events = |found: &[(&str, EventId, EventId)]| found.iter().map(|(_, _, event)| *event).collect();
    let ids = |found: &[(&str, EventId, EventId)]| names(&found.iter().map(|found| found.0).collect::<Vec<_>>());
    if !lost.is_empty() {
        let how = match cancelled {
            0 => "gone".to_owned(),
            n if n == lost.len() => "cancelled by nobody".to_owned(),
            n => format!("gone or cancelled by nobody ({n})"),
        };
        let says = format!(
            "{} of {} are {how}: {}",
            lost.len(),
            count(all, "acknowledged task"),
            ids(&lost)
        );
        return Verdict::fail(demand, "lost-task", events(&lost), says);
    }
    if !phantom.is_empty() {
        let says = format!(
            "{} of {} were done before their work had any effect: {}",
            phantom.len(),
            count(all, "acknowledged task"),
            ids(&phantom)
        );
        return Verdict::fail(demand, "phantom-done", events(&phantom), says);
    }
    if all == 0 {
        return Verdict::inconclusive(demand, "no task was acknowledged");
    }
    if !unread.is_empty() {
        let says = format!(
            "{} of {} were never read back: {}",
            unread.len(),
            count(all, "acknowledged task"),
            names(&unread)
        );
        return Verdict::inconclusive(demand, says);
    }
    Verdict::pass(demand, all, sound(all, witnessed, calling))
}

/// What was shown of `all` tasks, of which `calling` call the witness.
fn sound(all: usize, witnessed: bool, calling: usize) -> String {
    let there = format!("{} are there", count(all, "acknowledged task"));
    match (witnessed, calling) {
        (true, _) => format!("{there}, and the done ones had their effect"),
        (false, 0) => format!("{there}; whether they had their effect was seen by nobody"),
        (false, calling) => {
            format!("{there}, and of the {calling} that call the witness the done ones had their effect")
        }
    }
}

/// Its failed attempts: the larger of what the system shows and what was witnessed.
fn failures(task: &TaskHistory<'_>, record: &Record) -> u64 {
    let witnessed = task.attempts.iter().filter(|attempt| attempt.failed.is_some());
    record.failures.unwrap_or(0).max(witnessed.count() as u64)
}

/// The event that says a task is done, when no effect of it was seen before.
fn done_before_effect(task: &TaskHistory<'_>) -> Option<EventId> {
    let effects = task.attempts.iter().flat_map(|attempt| &attempt.effects);
    let called = task.called.iter().map(|call| call.0);
    let first_effect = effects.map(|effect| effect.0).chain(called).min();
    let record = task
        .records
        .iter()
        .find(|(_, _, record)| record.state == Some(State::Done));
    let done = [
        task.commits().first().map(|commit| commit.0),
        record.map(|record| record.0),
    ];
    let first_done = done.into_iter().flatten().min()?;
    first_effect
        .is_none_or(|effect| effect > first_done)
        .then_some(first_done)
}
