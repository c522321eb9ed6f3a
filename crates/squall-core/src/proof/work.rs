//! What shows that a worker was struck: the attempts it was at.

use super::{Proof, UNDER_WAY};
use crate::event::State;
use crate::journal::{Attempt, History, Strike};
use crate::place::{Death, Instance};
use crate::time::{Nanos, words};

/// A worker that went down: proven by what it was at.
pub(super) fn interrupted(strike: &Strike<'_>, worker: &Instance, death: Death, history: &History<'_>) -> Proof {
    let word = strike.condition.word();
    let running = at_work(worker, strike.imposing.1, history);
    let lost = running
        .iter()
        .find(|(task, attempt)| !attempt.ended() && !only_its_report_was_lost(task, attempt, history));
    if let Some((task, attempt)) = lost {
        let ran = attempt
            .began()
            .map_or(0, |began| strike.imposing.1.saturating_sub(began));
        let says = format!(
            "{worker} was {word} {} into attempt {} of task {task}, which never ended",
            words(ran),
            attempt.number
        );
        let evidence = attempt.first_event().into_iter().chain([strike.imposing.0]).collect();
        return Proof::seen(says, evidence);
    }
    // Asked to end, a worker may finish what it holds: that it held something is the effect looked for.
    if let (Death::Terminate, Some((task, attempt))) = (death, running.first()) {
        let says = format!(
            "{worker} was {word} while it ran attempt {} of task {task}",
            attempt.number
        );
        let evidence = attempt.first_event().into_iter().chain([strike.imposing.0]).collect();
        return Proof::seen(says, evidence);
    }
    let says = match running.first() {
        Some((task, _)) => format!("{worker} was {word} only after it had finished task {task}"),
        None => format!("{worker} was {word} while it ran nothing"),
    };
    Proof::unseen(says, strike)
}

/// A frozen worker: it was at something and not a line of it came until it was thawed.
pub(super) fn stood_still(strike: &Strike<'_>, worker: &Instance, history: &History<'_>) -> Proof {
    let frozen = strike.imposed.unwrap_or(strike.imposing.1);
    let running = at_work(worker, strike.imposing.1, history);
    let Some((task, attempt)) = running.first() else {
        return Proof::unseen(format!("{worker} was frozen while it ran nothing"), strike);
    };
    let Some((_, thawed)) = strike.healing else {
        return Proof::unseen(format!("{worker} was frozen, and its thawing was not seen"), strike);
    };
    let lasted = thawed.saturating_sub(frozen);
    let quiet = frozen.saturating_add(UNDER_WAY);
    let name = worker.to_string();
    let begun = history.stints_begun(&name, 0..thawed).iter();
    let stirred = begun.filter(|stint| stint.heard > quiet).any(|stint| {
        let attempt = history.attempt(stint);
        let inside = |at: Nanos| at > quiet && at < thawed;
        attempt.effects.iter().any(|effect| inside(effect.1))
            || attempt.commits.iter().any(|commit| inside(commit.1))
            || attempt.start.is_some_and(|start| inside(start.1))
            || attempt.failed.is_some_and(|failed| inside(failed.1))
    });
    if stirred {
        return Proof::unseen(format!("{worker} went on reporting although it was frozen"), strike);
    }
    if lasted <= UNDER_WAY.max(strike.step.hold.nanos() / 2) {
        let says = format!("{worker} was frozen for {} only, too short to tell", words(lasted));
        return Proof::unseen(says, strike);
    }
    // That nothing was heard of it is no wonder where it is often quiet for so long.
    let [(first, true), .., (last, true)] = strike.still[..] else {
        let says = match strike.still.len() {
            0 | 1 => "nobody looked whether its processes stood still from first to last",
            _ => "not all of its processes stood still from first to last",
        };
        return Proof::unseen(format!("{worker} was frozen, but {says}"), strike);
    };
    let says = format!(
        "{worker} stood still for {} in attempt {} of task {task}",
        words(lasted),
        attempt.number
    );
    let evidence = attempt
        .first_event()
        .into_iter()
        .chain([strike.imposing.0, first, last]);
    Proof::seen(says, evidence.collect())
}

/// The attempts a worker was at.
pub(super) fn at_work<'h, 'a>(
    worker: &Instance,
    at: Nanos,
    history: &'h History<'a>,
) -> Vec<(&'a str, &'h Attempt<'a>)> {
    let born = history
        .lives
        .get(worker)
        .and_then(|lives| lives.iter().rev().find(|life| life.started.1 <= at))
        .map_or(0, |life| life.started.1);
    let worker = worker.to_string();
    let begun = history.stints_begun(&worker, 0..at).iter();
    let running = begun.filter(|stint| {
        let began = stint.start.is_some_and(|start| start < at && start >= born);
        began && (!stint.ended || stint.heard >= at)
    });
    let running = running.map(|stint| (stint.task, history.attempt(stint)));
    running
        .filter(|(task, attempt)| taken_over(task, attempt, history).is_none_or(|since| since > at))
        .collect()
}

/// When another attempt at the task of this one began: whoever had it before may be at something else since, or at nothing.
fn taken_over(task: &str, attempt: &Attempt<'_>, history: &History<'_>) -> Option<Nanos> {
    let others = history.tasks.get(task)?.attempts.iter();
    let later = others.filter(|other| !std::ptr::eq(*other, attempt) && other.began() > attempt.began());
    later.filter_map(Attempt::began).min()
}

/// A kill between the system's commit and the worker's report of it leaves an attempt without end
/// that was nevertheless finished: the system says so, and nobody took it over.
fn only_its_report_was_lost(task: &str, attempt: &Attempt<'_>, history: &History<'_>) -> bool {
    let Some(known) = history.tasks.get(task) else {
        return false;
    };
    let done = known
        .last_record()
        .is_some_and(|(_, _, record)| record.state == Some(State::Done));
    done && taken_over(task, attempt, history).is_none()
}
