//! At most one commit of each task.
//!
//! Classes: `double-commit` (two attempts of one task were committed, or one attempt was begun and
//! committed again), `double-effect` (two effects of one task where the contract promises effects
//! `effectively-once`: reported by workers, or its own calls of the witness by the address in its payload). A worker that reports the same commit again because its first report got no
//! answer committed once: such reports are only counted. No grace: judged throughout.
//! Inconclusive when nothing was committed or the workers are not witnessed, and when a done task
//! has no reported commit and nothing that was struck explains it: a silent commit could hide a second.

use std::collections::BTreeMap;

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::contract::Delivery;
use crate::demand::Demand;
use crate::event::{EventId, Fact, State, TaskEvent};
use crate::journal::{Attempt, History, TaskHistory};
use crate::system::TaskFacts;
use crate::time::{Nanos, SECOND};

/// A commit follows its effect within this, unless what it needs is already gone.
const AT_ONCE: Nanos = SECOND;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let Some(facts) = &history.header.system.tasks else {
        return Verdict::inconclusive(demand, "the system has no tasks");
    };
    if !facts.witnessed {
        return by_calls(demand, facts, history);
    }
    let again = begun_again(history);
    let (mut restarted, mut repeated_effects, mut reports) = (0, 0, 0);
    let (mut committed, mut twice, mut effects_twice, mut silent) = (0, Vec::new(), Vec::new(), Vec::new());
    for (id, task) in &history.tasks {
        restarted += task.attempts.len().saturating_sub(1);
        let effects = effects(task);
        repeated_effects += effects.len().saturating_sub(1);
        let commits = task.commits();
        committed += usize::from(!commits.is_empty());
        reports += commits.len();
        let by = task.attempts.iter().filter(|attempt| !attempt.commits.is_empty());
        let rerun = by
            .clone()
            .any(|attempt| attempt.commits.len() > 1 && again.contains_key(&(*id, attempt.number, attempt.worker)));
        if by.count() > 1 || rerun {
            twice.push((*id, commits.last().map_or(0, |commit| commit.0)));
        }
        if effects.len() > 1 {
            effects_twice.push((*id, effects.last().copied().unwrap_or(0)));
        }
        let done = task
            .last_record()
            .filter(|(_, _, record)| record.state == Some(State::Done));
        if let Some((_, read, _)) = done.filter(|_| commits.is_empty() && !explained(task, history)) {
            silent.push((*id, read));
        }
    }
    let numbers = format!(
        "{} reported; {restarted} restarted, {repeated_effects} effects repeated, {} committed twice",
        count(reports, "commit"),
        twice.len()
    );
    let fail = |class: &str, found: &[(&str, EventId)], what: &str| {
        let ids: Vec<&str> = found.iter().map(|(id, _)| *id).collect();
        let says = format!("{} {what}: {} ({numbers})", count(found.len(), "task"), names(&ids));
        Verdict::fail(demand, class, found.iter().map(|(_, event)| *event).collect(), says)
    };
    if !twice.is_empty() {
        return fail("double-commit", &twice, "committed twice");
    }
    if facts.effects == Delivery::EffectivelyOnce && !effects_twice.is_empty() {
        return fail("double-effect", &effects_twice, "had its effect more than once");
    }
    if committed == 0 {
        return Verdict::inconclusive(demand, "no commit was reported");
    }
    if !silent.is_empty() {
        let says = format!(
            "{} no reported commit and no strike explains it: {}",
            match silent.len() {
                1 => "1 done task has".to_owned(),
                n => format!("{n} done tasks have"),
            },
            names(&silent.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        );
        return Verdict::inconclusive(demand, says);
    }
    Verdict::pass(
        demand,
        committed,
        format!("{}: {numbers}", count(committed, "committed task")),
    )
}

/// Its effects: those workers reported or its own calls, whichever are more, for one may be the other.
fn effects(task: &TaskHistory<'_>) -> Vec<EventId> {
    let reported: Vec<EventId> = task.attempts.iter().flat_map(|a| &a.effects).map(|e| e.0).collect();
    let called: Vec<EventId> = task.called.iter().map(|call| call.0).collect();
    if called.len() > reported.len() {
        called
    } else {
        reported
    }
}

/// Where no worker reports: the work's own calls, of which a second one is a finding only where one was promised.
fn by_calls(demand: &Demand, facts: &TaskFacts, history: &History<'_>) -> Verdict {
    let called: Vec<_> = history
        .tasks
        .iter()
        .filter(|(_, task)| !task.called.is_empty())
        .collect();
    let twice: Vec<_> = called.iter().filter(|(_, task)| task.called.len() > 1).collect();
    if facts.effects != Delivery::EffectivelyOnce || called.is_empty() {
        return Verdict::inconclusive(demand, "no worker can be expected to report its commits");
    }
    if twice.is_empty() {
        let says = format!(
            "{} called the witness once each; commits are seen by nobody",
            count(called.len(), "task")
        );
        return Verdict::pass(demand, called.len(), says);
    }
    let ids: Vec<&str> = twice.iter().map(|(id, _)| **id).collect();
    let events = twice
        .iter()
        .filter_map(|(_, task)| task.called.last())
        .map(|call| call.0);
    let says = format!(
        "{} of {} called the witness more than once: {}",
        twice.len(),
        count(called.len(), "task"),
        names(&ids)
    );
    Verdict::fail(demand, "double-effect", events.collect(), says)
}

/// The attempts that were begun again after they had been committed: (task, number, worker).
fn begun_again<'a>(history: &History<'a>) -> BTreeMap<(&'a str, u64, &'a str), EventId> {
    let mut committed = BTreeMap::new();
    let mut again = BTreeMap::new();
    for event in history.events {
        let Fact::Task(fact) = &event.fact else { continue };
        let key = (fact.task.as_str(), fact.attempt, fact.worker.as_str());
        match fact.event {
            TaskEvent::Committed => drop(committed.insert(key, event.id)),
            TaskEvent::Start if committed.contains_key(&key) => drop(again.insert(key, event.id)),
            _ => {}
        }
    }
    again
}

/// Whether something struck may have swallowed the report of a commit: the worker died in the middle
/// of it, or lost what it commits to, so that it never learned of its success.
fn explained(task: &TaskHistory<'_>, history: &History<'_>) -> bool {
    task.attempts
        .iter()
        .filter(|attempt| !attempt.ended())
        .any(|attempt| died_in(attempt, history) || struck_in(attempt, history))
}

/// The worker's process ended, and it had begun nothing else by then.
fn died_in(attempt: &Attempt<'_>, history: &History<'_>) -> bool {
    let Some(heard) = attempt.last_heard() else {
        return false;
    };
    let Some((_, died, _)) = history.life_of(attempt).and_then(|life| life.exited) else {
        return false;
    };
    died >= heard && !went_on(attempt, heard, died, history)
}

/// Whether the worker began something else in that time: then it had done with this attempt, and
/// with reporting of it, before.
fn went_on(attempt: &Attempt<'_>, from: Nanos, to: Nanos, history: &History<'_>) -> bool {
    let after = from.saturating_add(1)..to.saturating_add(1);
    !history.stints_begun(attempt.worker, after).is_empty()
}

/// Something the worker needs was struck while it may have tried to commit.
fn struck_in(attempt: &Attempt<'_>, history: &History<'_>) -> bool {
    let (Some(heard), Ok(worker)) = (attempt.last_heard(), attempt.worker.parse()) else {
        return false;
    };
    let tried = heard.saturating_add(AT_ONCE);
    history
        .strikes
        .iter()
        .filter(|strike| history.concerns(strike, &worker))
        // A killed worker is told by its death: see `died_in`.
        .filter(|strike| strike.place.to_string() != attempt.worker || strike.condition.word() == "frozen")
        .filter(|strike| !went_on(attempt, heard, strike.imposing.1, history))
        .any(|strike| strike.imposing.1 <= tried && strike.healed.unwrap_or(history.until) >= heard)
}
