//! Proof of effect: what shows that a fault did anything. No proof, no pass.
//!
//! A fault counts as seen only by what it did to somebody: an attempt it interrupted, a client that
//! found nobody, an answer that had been right before, bytes the link's proxy held up. That a
//! process is gone proves nothing: it may have been idle.

mod link;
mod objects;
mod others;
mod shortage;
mod skew;

pub use link::felt_on_link;
pub use shortage::seen_short;
pub use skew::seen_skewed;

use serde::{Deserialize, Serialize};

use crate::event::{Answer, EventId, PulseOf, State};
use crate::journal::{Attempt, History, Strike};
use crate::place::{Condition, Death, Instance, Place};
use crate::time::{Nanos, SECOND, words};

/// So many events are enough to show it.
const ENOUGH: usize = 10;
/// Lines that were under way when a process was stopped may still arrive this long after.
const UNDER_WAY: Nanos = 50_000_000;

/// Whether a strike was seen to have an effect, and by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Whether it was.
    pub seen: bool,
    /// What showed it, or what was looked for in vain.
    pub says: String,
    /// The events that show it.
    pub evidence: Vec<EventId>,
}

impl Proof {
    fn seen(says: String, mut evidence: Vec<EventId>) -> Self {
        evidence.truncate(ENOUGH);
        Self {
            seen: true,
            says,
            evidence,
        }
    }

    fn unseen(says: String, strike: &Strike<'_>) -> Self {
        Self {
            seen: false,
            says,
            evidence: vec![strike.imposing.0],
        }
    }
}

/// What shows that `strike` had an effect.
pub fn proof(strike: &Strike<'_>, history: &History<'_>) -> Proof {
    match (strike.condition, strike.place) {
        (Condition::Down(death), Place::Instance(instance)) if death.recurs() => {
            again(strike, (instance, *death), history)
        }
        (Condition::Down(Death::PowerLoss), _) => powerless(strike, history),
        _ => at_once(strike, history),
    }
}

/// What shows that it had an effect when it struck.
fn at_once(strike: &Strike<'_>, history: &History<'_>) -> Proof {
    match (strike.condition, strike.place) {
        (Condition::Impaired(impairment), _) => link::hindered(strike, &impairment.what),
        (Condition::Intercepted(_), _) => link::intercepted(strike),
        (Condition::Cut(_), _) => link::cut(strike, history),
        (Condition::Short(short), Place::Instance(instance)) => shortage::short(strike, (instance, short), history),
        (Condition::Damaged(damage), Place::Instance(instance)) => {
            shortage::damaged(strike, (instance, damage), history)
        }
        (Condition::Skewed(skew), Place::Instance(instance)) => skew::skewed(strike, (instance, *skew), history),
        (Condition::Replicas(n), Place::Service(service)) => scaled(strike, (service, *n), history),
        (condition, Place::Instance(instance)) if *instance.service == history.header.system.entry => {
            if let Some(held_up) = objects::held_up(strike, instance, history) {
                return held_up;
            }
            nobody_there(strike, instance, *condition == Condition::Frozen, history)
        }
        (Condition::Frozen, Place::Instance(instance)) if history.works(&instance.service) => {
            stood_still(strike, instance, history)
        }
        (Condition::Down(death), Place::Instance(instance)) if history.works(&instance.service) => {
            interrupted(strike, instance, *death, history)
        }
        (_, place) => missed(strike, place, history),
    }
}

/// What went down again and again: proven by what its first death did, and by the ones that followed.
fn again(strike: &Strike<'_>, (instance, death): (&Instance, Death), history: &History<'_>) -> Proof {
    let starts = matches!(death, Death::Unstartable { .. });
    let lives = history.lives.get(instance).into_iter().flatten();
    let fell = lives.filter(|life| strike.ended(life) && life.ready.is_none() == starts);
    let fell: Vec<EventId> = fell.filter_map(|life| life.exited).map(|exited| exited.0).collect();
    let first = at_once(strike, history);
    let what = if starts {
        "starts failed"
    } else {
        "times it came back and was killed"
    };
    match (first.seen, fell.len()) {
        (false, _) => first,
        (true, 0) => Proof::unseen(
            format!("{}, but then it was left in peace: 0 {what}", first.says),
            strike,
        ),
        (true, count) => {
            let evidence = fell.into_iter().chain(first.evidence).collect();
            Proof::seen(format!("{}; {count} {what}", first.says), evidence)
        }
    }
}

/// What lost its power: proven by what its death did, and by its disk, which took no write any more.
fn powerless(strike: &Strike<'_>, history: &History<'_>) -> Proof {
    let death = at_once(strike, history);
    match strike.dark {
        _ if !death.seen => death,
        None => Proof::unseen(format!("{}, but its disk was not seen to be gone", death.says), strike),
        Some((event, says)) => {
            let evidence = std::iter::once(event).chain(death.evidence).collect();
            Proof::seen(
                format!("{}; to a write its disk answered: {says}", death.says),
                evidence,
            )
        }
    }
}

/// A worker that went down: proven by what it was at.
fn interrupted(strike: &Strike<'_>, worker: &Instance, death: Death, history: &History<'_>) -> Proof {
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
fn stood_still(strike: &Strike<'_>, worker: &Instance, history: &History<'_>) -> Proof {
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

/// Another number of copies: they came or went, and there was work that could tell.
fn scaled(strike: &Strike<'_>, (service, n): (&str, u32), history: &History<'_>) -> Proof {
    let (from, to) = (strike.imposing.1, strike.healed.unwrap_or(history.until));
    let inside = |at: Nanos| (from..=to).contains(&at);
    let (mut went, mut came, mut missing, mut events) = (0, 0, 0, vec![strike.imposing.0]);
    for (instance, lives) in history
        .lives
        .iter()
        .filter(|(instance, _)| instance.service == *service)
    {
        let ran = lives
            .iter()
            .any(|life| life.started.1 < from && life.exited.is_none_or(|exited| exited.1 >= from));
        let gone = lives
            .iter()
            .filter_map(|life| life.exited)
            .find(|exited| exited.2 && inside(exited.1));
        let new = lives
            .iter()
            .filter(|life| inside(life.started.1))
            .find_map(|life| life.ready);
        match (ran, instance.index <= n) {
            // It comes back when the other strike is over.
            (false, true) if others::keep_down(strike, instance, from, history) => continue,
            (true, false) => went += usize::from(gone.is_some()),
            (false, true) => came += usize::from(new.is_some()),
            _ => continue,
        }
        let event = if ran {
            gone.map(|exited| exited.0)
        } else {
            new.map(|ready| ready.0)
        };
        missing += usize::from(event.is_none());
        events.extend(event);
    }
    let what = format!("{service} was scaled to {n}: {went} ended, {came} came");
    if went + came == 0 || missing > 0 {
        return Proof::unseen(format!("{what}, {missing} did not"), strike);
    }
    // A change nobody works under shows nothing.
    if !history.work_waited(from, from) {
        return Proof::unseen(format!("{what}, but no work waited for them"), strike);
    }
    Proof::seen(format!("{what}, while work waited"), events)
}

/// The entry service: a client found nobody, or waited in vain.
fn nobody_there(strike: &Strike<'_>, entry: &Instance, frozen: bool, history: &History<'_>) -> Proof {
    let word = strike.condition.word();
    let (from, to) = window(strike, history);
    let gone = |answer: Answer| matches!(answer, Answer::Down | Answer::Hung);
    // Only who is not there refuses to be connected to; that an answer does not come may be another strike's doing.
    let silent = |answer: Answer| answer != Answer::Down;
    // An answer that only came after the thaw was held up by the freeze.
    let late = |call: Nanos, ret: Nanos| frozen && call < to && ret > to && ret - call > SECOND / 2;
    let pulses: Vec<EventId> = history
        .pulses
        .iter()
        .filter(|(_, at, pulse)| {
            (gone(pulse.answer) && *at >= from && pulse.call <= to) || (pulse.call >= from && late(pulse.call, *at))
        })
        .filter(|(_, at, pulse)| !(silent(pulse.answer) && others::explain_pulse(strike, (pulse, *at), history)))
        .map(|(id, ..)| *id)
        .collect();
    let ops: Vec<EventId> = history
        .ops
        .iter()
        .filter(|(_, op)| (gone(op.answer) && op.ret >= from && op.call <= to) || late(op.call.max(from), op.ret))
        .filter(|(_, op)| !(silent(op.answer) && others::explain_op(strike, op, history)))
        .map(|(id, _)| *id)
        .collect();
    if pulses.is_empty() && ops.is_empty() {
        return Proof::unseen(format!("{entry} was {word}, but no client noticed"), strike);
    }
    let says = format!(
        "{entry} was {word}: {} requests and {} probes found nobody",
        ops.len(),
        pulses.len()
    );
    Proof::seen(says, ops.into_iter().chain(pulses).collect())
}

/// Something others need: their answers went bad, or their attempts failed.
fn missed(strike: &Strike<'_>, place: &Place, history: &History<'_>) -> Proof {
    let word = strike.condition.word();
    let (from, to) = window(strike, history);
    let before = from.saturating_sub(SECOND);
    let entry = &history.header.system.entry;
    let answers_need_it = matches!(place, Place::Instance(instance) if history.needs(entry, &instance.service));
    // Where no answer depends on it, a wrong one has another cause.
    let bad: Vec<Bad> = match answers_need_it {
        true => bad_answers(strike, history),
        false => Vec::new(),
    };
    let inside: Vec<EventId> = bad
        .iter()
        .filter(|bad| (from..=to).contains(&bad.at) && !bad.explained)
        .map(|bad| bad.id)
        .collect();
    let already = bad.iter().filter(|bad| (before..from).contains(&bad.at)).count();
    if !inside.is_empty() && already == 0 {
        let says = format!(
            "{place} was {word}: {} requests and probes of those who need it went wrong, none in the second before",
            inside.len()
        );
        return Proof::seen(says, inside);
    }
    let failed: Vec<EventId> = history
        .tasks
        .values()
        .flat_map(|task| &task.attempts)
        .filter_map(|attempt| Some((attempt.worker, attempt.failed?)))
        .filter(|(worker, (_, at, ..))| {
            (from..=to).contains(at) && !others::explain_failure(strike, (worker, *at), history)
        })
        .map(|(_, (id, ..))| id)
        .collect();
    let used_by_workers = matches!(place, Place::Instance(instance) if workers_need(&instance.service, history));
    if !failed.is_empty() && used_by_workers && history.strikes_entry(strike).is_none() {
        let says = format!("{place} was {word}: {} attempts failed meanwhile", failed.len());
        return Proof::seen(says, failed);
    }
    let says = match already {
        0 => format!("{place} was {word}, but nobody who needs it noticed"),
        _ => format!("{place} was {word}, but answers had gone wrong before it was"),
    };
    Proof::unseen(says, strike)
}

/// An answer that was not right.
struct Bad {
    id: EventId,
    at: Nanos,
    /// Another strike may be why.
    explained: bool,
}

/// Answers that were not right: of the readiness probe, and refused or missing ones of requests.
fn bad_answers(strike: &Strike<'_>, history: &History<'_>) -> Vec<Bad> {
    let pulses = history
        .pulses
        .iter()
        .filter(|(_, _, pulse)| pulse.of == PulseOf::Ready && pulse.answer != Answer::Right)
        .map(|(id, at, pulse)| Bad {
            id: *id,
            at: *at,
            explained: others::explain_pulse(strike, (pulse, *at), history),
        });
    let ops = history
        .ops
        .iter()
        .filter(|(_, op)| matches!(op.answer, Answer::Refused | Answer::Hung | Answer::Down))
        .map(|(id, op)| Bad {
            id: *id,
            at: op.ret,
            explained: others::explain_op(strike, op, history),
        });
    pulses.chain(ops).collect()
}

fn workers_need(service: &str, history: &History<'_>) -> bool {
    let names = history.header.system.services.keys();
    names
        .filter(|name| history.works(name))
        .any(|name| history.needs(name, service))
}

/// From just before a strike to its end, or to the journal's.
fn window(strike: &Strike<'_>, history: &History<'_>) -> (Nanos, Nanos) {
    (strike.imposing.1, strike.healed.unwrap_or(history.until))
}

/// The attempts a worker was at.
fn at_work<'h, 'a>(worker: &Instance, at: Nanos, history: &'h History<'a>) -> Vec<(&'a str, &'h Attempt<'a>)> {
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
