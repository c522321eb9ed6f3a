//! The dead-letter queue holds exactly what belongs there.
//!
//! Class `dlq-leak`: an acknowledged task is dead although its failures are below the maximum and its
//! deaths below their cap (that it has no handler excuses only a kind that must end dead: for any other
//! the system has one, whatever it says); or it ended otherwise (done, cancelled, gone) although its
//! failures are used up, a worker reported its last failure as final, or its kind must end dead.
//! Failures and deaths are the larger of what the system shows and what was witnessed.
//! The sums of all states are in the sentence. No grace. Inconclusive when a task was not read back
//! or had not come to its end, or when neither record nor witness can tell why a task is dead.

use std::collections::BTreeMap;

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::contract::Ends;
use crate::demand::Demand;
use crate::event::{Record, State};
use crate::journal::{History, TaskHistory};
use crate::system::TaskFacts;

/// Why a task is, or is not, where it belongs.
enum Place {
    Right,
    Wrong(String),
    Unknown,
}

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let Some(facts) = &history.header.system.tasks else {
        return Verdict::inconclusive(demand, "the system has no tasks");
    };
    let (mut leaks, mut unknown, mut all) = (Vec::new(), Vec::new(), 0);
    let mut sums: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, task, created, _) in history.acknowledged() {
        all += 1;
        let last = task.last_record();
        *sums
            .entry(last.map_or("not read back", |(_, _, record)| word(record.state)))
            .or_default() += 1;
        let Some((event, _, record)) = last else {
            unknown.push(id);
            continue;
        };
        match place(task, record, facts) {
            Place::Right => {}
            Place::Wrong(why) => leaks.push((event.max(created), format!("{id} {why}"))),
            Place::Unknown => unknown.push(id),
        }
    }
    let parts: Vec<String> = sums.iter().map(|(word, n)| format!("{n} {word}")).collect();
    let sums = format!("{} = {}", count(all, "acknowledged task"), parts.join(" + "));
    if !leaks.is_empty() {
        let which: Vec<&str> = leaks.iter().map(|(_, says)| says.as_str()).collect();
        let says = format!("{}; {sums}", names(&which));
        return Verdict::fail(
            demand,
            "dlq-leak",
            leaks.iter().map(|(event, _)| *event).collect(),
            says,
        );
    }
    if all == 0 {
        return Verdict::inconclusive(demand, "no task was acknowledged");
    }
    if !unknown.is_empty() {
        let says = format!(
            "the end of {} can't be told: {}; {sums}",
            count(unknown.len(), "task"),
            names(&unknown)
        );
        return Verdict::inconclusive(demand, says);
    }
    Verdict::pass(demand, all, sums)
}

fn place(task: &TaskHistory<'_>, record: &Record, facts: &TaskFacts) -> Place {
    let witnessed = task.attempts.iter().filter_map(|attempt| attempt.failed);
    let failed = witnessed.clone().count() as u64;
    let failures = record.failures.unwrap_or(0).max(failed);
    let exhausted = failures >= facts.max_failures;
    let final_word = witnessed.clone().any(|(_, _, _, last)| last);
    let must_die = task.kind().and_then(|kind| facts.kinds.get(kind)) == Some(&Ends::Dead);
    match record.state {
        Some(State::Dead) => {
            let silent = task.attempts.iter().filter(|attempt| !attempt.ended()).count() as u64;
            let deaths = record.deaths.unwrap_or(0).max(silent);
            let mut reasons = witnessed
                .map(|(_, _, reason, _)| reason)
                .chain(record.reason.as_deref());
            let capped = facts.max_deaths.is_some_and(|cap| deaths >= cap);
            // The reason can only excuse what must die; without it, a figure is enough to tell.
            let told = record.failures.is_some() && (record.reason.is_some() || !must_die);
            if exhausted || capped || (must_die && reasons.any(says_no_handler)) {
                Place::Right
            } else if facts.witnessed || told {
                let max = facts.max_failures;
                Place::Wrong(format!(
                    "is dead after {failures} of {max} failures and {deaths} deaths"
                ))
            } else {
                Place::Unknown
            }
        }
        Some(State::Done | State::Cancelled) | None if must_die || exhausted || final_word => {
            let word = word(record.state);
            Place::Wrong(format!(
                "is {word} after {failures} of {} failures, not dead",
                facts.max_failures
            ))
        }
        Some(State::Done | State::Cancelled) | None => Place::Right,
        Some(State::Waiting | State::Running | State::Odd) => Place::Unknown,
    }
}

fn says_no_handler(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.contains("handler") || reason.contains("unknown type") || reason.contains("unknown task type")
}

fn word(state: Option<State>) -> &'static str {
    match state {
        Some(State::Waiting) => "waiting",
        Some(State::Running) => "running",
        Some(State::Done) => "done",
        Some(State::Dead) => "dead",
        Some(State::Cancelled) => "cancelled",
        Some(State::Odd) => "in an odd state",
        None => "missing",
    }
}
