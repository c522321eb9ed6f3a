//! Proof of effect: what shows that a fault did anything. No proof, no pass.
//!
//! A fault counts as seen only by what it did to somebody: an attempt it interrupted, a client that
//! found nobody, an answer that had been right before, bytes the link's proxy held up. That a
//! process is gone proves nothing: it may have been idle.

mod disk;
mod link;
mod objects;
mod others;
mod shortage;
mod skew;
mod work;

pub use link::felt_on_link;
pub use shortage::seen_short;
pub use skew::seen_skewed;

use serde::{Deserialize, Serialize};

use self::work::{interrupted, stood_still};
use crate::event::{Answer, EventId, PulseOf};
use crate::journal::{History, Strike};
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
    let mut proof = effect(strike, history);
    for (instance, event, grace) in outstayed(strike, history) {
        proof.says += "; ";
        proof.says += &seen_outstayed(instance, grace);
        proof.evidence.insert(0, event);
    }
    proof.evidence.truncate(ENOUGH);
    proof
}

/// Who was asked to end, had not when its grace was over, and was killed.
pub fn seen_outstayed(instance: &Instance, grace: Nanos) -> String {
    format!(
        "{instance} had not ended {} after it was asked to, and was killed",
        words(grace)
    )
}

/// Who had not ended when asked to, until the strike was in force.
fn outstayed<'h>(
    strike: &'h Strike<'_>,
    history: &'h History<'_>,
) -> impl Iterator<Item = (&'h Instance, EventId, Nanos)> {
    let asked = strike.imposing.1..=strike.imposed.unwrap_or(history.until);
    let struck = |instance: &Instance| match strike.place {
        Place::Instance(place) => place == instance,
        Place::Service(service) => instance.service == *service,
        Place::Link { .. } => false,
    };
    let lives = history.lives.iter().filter(move |(instance, _)| struck(instance));
    let lives = lives.flat_map(|(instance, lives)| lives.iter().map(move |life| (*instance, life.outstayed)));
    lives.filter_map(move |(instance, outstayed)| {
        let (event, _, grace) = outstayed.filter(|(_, at, _)| asked.contains(at))?;
        Some((instance, event, grace))
    })
}

/// What shows what it did.
fn effect(strike: &Strike<'_>, history: &History<'_>) -> Proof {
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
    if !first.seen {
        return first;
    }
    match seen_again(&first.says, death, fell.len()) {
        Ok(says) => Proof::seen(says, fell.into_iter().chain(first.evidence).collect()),
        Err(says) => Proof::unseen(says, strike),
    }
}

/// Whether something went down again and again: after what its `first` death did, so often.
///
/// # Errors
/// It went down once. One death is none that recurs: what was looked for in vain.
pub fn seen_again(first: &str, death: Death, since: usize) -> Result<String, String> {
    let what = match death {
        Death::Unstartable { .. } => "starts failed",
        _ => "times it came back and was killed",
    };
    match since {
        0 => Err(format!("{first}, but then it was left in peace: 0 {what}")),
        _ => Ok(format!("{first}; {since} {what}")),
    }
}

/// What lost its power: proven by what its death did, and by its disk, which took no write any more.
fn powerless(strike: &Strike<'_>, history: &History<'_>) -> Proof {
    let death = at_once(strike, history);
    match strike.dark {
        _ if !death.seen => death,
        None => Proof::unseen(format!("{}, but its disk was not seen to be gone", death.says), strike),
        Some((_, _, Some(0))) => Proof::unseen(format!("{}, but there was nothing on its disk", death.says), strike),
        Some((event, says, _)) => {
            let evidence = std::iter::once(event).chain(death.evidence).collect();
            Proof::seen(
                format!("{}; to a write its disk answered: {says}", death.says),
                evidence,
            )
        }
    }
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
