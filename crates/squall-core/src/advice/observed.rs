//! What the journal shows around a finding's first event: who died when, what was broken then.

use crate::check::Verdict;
use crate::event::{Event, Fact, Phase};
use crate::journal::{Attempt, History, Life, TaskHistory};
use crate::place::{Condition, Death, Instance, Place};
use crate::time::{Nanos, SECOND, words};

/// A death later than this has little to do with it.
const NEAR: Nanos = 60 * SECOND;

/// One clause about the finding, where the journal has one.
pub(super) fn observed(class: &str, verdict: &Verdict, history: &History<'_>) -> Option<String> {
    let event = event(verdict, history);
    match class {
        "lost-task" | "lost-ack" | "phantom-task" => death_after(event?, history),
        "stuck-task" | "missing-retry" | "phantom-done" => interrupted(event?, history),
        "double-commit" | "double-effect" => twice(event?, history),
        "unsafe-after-expiry"
        | "wrong-answer"
        | "hung"
        | "error-burst"
        | "panic"
        | "ack-gap"
        | "health-lie"
        | "not-isolated" => Some(broken_at(moment(event?), history)),
        "no-recovery" | "slow-recovery" => way_back(history),
        _ => None,
    }
}

fn event<'a>(verdict: &Verdict, history: &History<'a>) -> Option<&'a Event> {
    let first = *verdict.evidence.first()?;
    // Events are numbered from 1 without gaps.
    history.events.get(usize::try_from(first).ok()?.checked_sub(1)?)
}

/// A request counts from when it was asked: its answer may come long after.
fn moment(event: &Event) -> Nanos {
    match &event.fact {
        Fact::Op(op) => op.due,
        _ => event.at,
    }
}

fn task<'h, 'a>(event: &'a Event, history: &'h History<'a>) -> Option<(&'a str, &'h TaskHistory<'a>)> {
    let id = match &event.fact {
        Fact::Op(op) => op.work.as_ref()?.task.as_deref()?,
        Fact::Task(fact) => fact.task.as_str(),
        Fact::Record(record) => record.task.as_str(),
        _ => return None,
    };
    history.tasks.get(id).map(|task| (id, task))
}

/// The first end of a process at `from` or later.
fn death<'a>(history: &History<'a>, from: Nanos) -> Option<(Nanos, &'a Instance)> {
    let lives = history.lives.iter();
    let ends = lives.flat_map(|(instance, lives)| {
        let exits = lives.iter().filter_map(|life| life.exited);
        exits.map(move |(_, at, _)| (at, *instance))
    });
    ends.filter(|(at, _)| *at >= from).min()
}

fn death_after(event: &Event, history: &History<'_>) -> Option<String> {
    let (what, acknowledged) = match task(event, history).and_then(|(id, task)| Some((id, task.created?))) {
        Some((id, (_, op))) => (format!("task {id}"), op.ret),
        None => return Some(broken_at(moment(event), history)),
    };
    let died = death(history, acknowledged).map(|(at, instance)| (at, format!("{instance} died")));
    let (at, broke) = died.into_iter().chain(link_after(history, acknowledged)).min()?;
    let after = at - acknowledged;
    (after <= NEAR).then(|| {
        let when = match after {
            0 => "when".to_owned(),
            after => format!("{} after", words(after)),
        };
        format!("{broke} {when} {what} was acknowledged: is it durable before the answer?")
    })
}

/// The first strike on a link that held at `from` or later.
fn link_after(history: &History<'_>, from: Nanos) -> Option<(Nanos, String)> {
    let links = history.strikes.iter().filter(|strike| {
        matches!(strike.place, Place::Link { .. }) && strike.healed.is_none_or(|healed| healed >= from)
    });
    let told = links.map(|strike| {
        let at = strike.imposing.1.max(from);
        (at, format!("{} was {}", strike.place, strike.condition.word()))
    });
    told.min()
}

/// The attempt nobody went on with.
fn interrupted(event: &Event, history: &History<'_>) -> Option<String> {
    let (id, task) = task(event, history)?;
    let attempt: &Attempt<'_> = task.attempts.last()?;
    let heard = attempt.last_heard()?;
    let worker: Instance = attempt.worker.parse().ok()?;
    let exits = history.lives.get(&worker)?.iter().filter_map(|life| life.exited);
    if attempt.ended() {
        return Some(format!(
            "the last attempt at task {id} ended on {worker} at {}",
            words(heard)
        ));
    }
    let died = exits.map(|(_, at, _)| at).find(|at| *at >= heard)?;
    Some(format!(
        "{worker} died {} into attempt {} at task {id}",
        words(died - heard),
        attempt.number
    ))
}

fn twice(event: &Event, history: &History<'_>) -> Option<String> {
    let (id, task) = task(event, history)?;
    let workers: Vec<&str> = task.attempts.iter().map(|attempt| attempt.worker).collect();
    let frozen = history.strikes.iter().find(|strike| {
        let own = |instance: &Instance| workers.contains(&instance.to_string().as_str());
        matches!(strike.place, Place::Instance(instance) if own(instance)) && *strike.condition == Condition::Frozen
    });
    if let Some(strike) = frozen {
        let lasted = strike.healed.unwrap_or(history.until).saturating_sub(strike.imposing.1);
        let lease = history.header.system.tasks.as_ref().map_or(0, |tasks| tasks.lease);
        return Some(format!(
            "{} stood still for {} over task {id}, with a lease of {}",
            strike.place,
            words(lasted),
            words(lease)
        ));
    }
    Some(format!("task {id} was worked on by {}", workers.join(" and ")))
}

fn broken_at(at: Nanos, history: &History<'_>) -> String {
    let holds = |from: Nanos, to: Option<Nanos>| from <= at && to.is_none_or(|to| at <= to);
    let mut strikes = history.strikes.iter();
    if let Some(strike) = strikes.find(|strike| holds(strike.imposing.1, strike.healed)) {
        return format!("{} was {} then", strike.place, strike.condition.word());
    }
    let healed = history
        .strikes
        .iter()
        .filter_map(|strike| Some((strike.healed?, strike)));
    let last = healed
        .filter(|(healed, _)| *healed <= at)
        .max_by_key(|(healed, _)| *healed);
    match last {
        Some((healed, strike)) => format!(
            "nothing was broken then, {} after {} was healed",
            words(at - healed),
            strike.place
        ),
        None => "nothing was broken then".to_owned(),
    }
}

/// The copy that was struck last, by what, and its last process.
fn struck_last<'h, 'a>(history: &'h History<'a>) -> Option<(&'a Instance, &'a Condition, &'h Life)> {
    let mut strikes = history.strikes.iter().rev();
    let (instance, condition) = strikes.find_map(|strike| match strike.place {
        Place::Instance(instance) => Some((instance, strike.condition)),
        _ => None,
    })?;
    Some((instance, condition, history.lives.get(instance)?.last()?))
}

/// What became of the process that was struck last.
fn way_back(history: &History<'_>) -> Option<String> {
    let (instance, _, life) = struck_last(history)?;
    // Squall itself ends everything once it has read everything back.
    let cleared = history.began(Phase::Audit).unwrap_or(Nanos::MAX);
    let exited = life.exited.filter(|(_, at, _)| *at < cleared);
    let again = || format!("{instance} was started again at {}", words(life.started.1));
    let wrote = || last_words(instance, life, history).map_or(String::new(), |line| format!("; it wrote: {line}"));
    Some(match (exited, life.ready) {
        (Some(_), None) if life.not_ready.is_some() => format!("{} and ended before it was ready{}", again(), wrote()),
        (Some((_, at, _)), _) => format!("{instance} ended at {} and was not started again", words(at)),
        (None, None) => format!("{} and never ready{}", again(), wrote()),
        (None, Some((_, at))) => format!("{instance} itself was ready again at {}", words(at)),
    })
}

/// The line in which a process says why it could not start; else its last.
fn last_words<'a>(instance: &Instance, life: &Life, history: &History<'a>) -> Option<&'a str> {
    let own = |event: &&Event| matches!(&event.fact, Fact::Started { instance: of, .. } if of == instance);
    let since = history.events.iter().filter(|event| event.id > life.started.0);
    let lines = since
        .take_while(|event| !own(event))
        .filter_map(|event| match &event.fact {
            Fact::Log { instance: of, line } if of == instance => Some(line.as_str()),
            _ => None,
        });
    let lines: Vec<&str> = lines.collect();
    let fatal = lines
        .iter()
        .rfind(|line| line.contains("PANIC") || line.contains("FATAL"));
    fatal.or(lines.last()).copied()
}

/// Cause and remedy where what lost its power could not start on what it had kept.
pub(super) fn kept_too_little(class: &str, history: &History<'_>) -> Option<(&'static str, &'static str)> {
    let (_, condition, life) = struck_last(history)?;
    let lost = class == "no-recovery" && *condition == Condition::Down(Death::PowerLoss) && life.ready.is_none();
    lost.then_some((
        "what it needs at its start was not synced, or not before what counts on it",
        "sync (`fsync`) what a start reads before anything counts on it, and let a start do without an end that is torn or missing",
    ))
}
