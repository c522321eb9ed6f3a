//! The system's own monitoring says so when something is gone.
//!
//! Class `unnoticed`: when the bound had passed since a copy of the service was brought down, or a link to it cut, the alarm
//! was silent and had been all the time. Class `false-alarm`: it still rang when the bound had passed since the return, or it
//! began to ring with no fault in force and none lifted within the bound. Losses shorter than the bound demand nothing; nor do
//! those of a service with other copies left, unless the link was cut, nor those during which the alarm could not be read.
//! Inconclusive when no loss demanded anything, or when the run broke off.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Alarmed, Demand};
use crate::event::{AlarmState, EventId, Phase};
use crate::journal::{History, Strike};
use crate::place::{Condition, Place};
use crate::time::{Nanos, SECOND, nanos, words};

/// One change of the alarm.
type Change = (EventId, Nanos, AlarmState);

/// What an alarm may do so long after a change of the system without being wrong: it is looked at now and then.
const NOTICE: Nanos = SECOND / 2;

/// What a loss showed.
enum Met {
    /// It rang so long after the loss.
    Rang(Nanos),
    /// It was silent: the event that says so.
    Silent(EventId),
    /// Nothing was read.
    Unread,
}

impl Met {
    fn rang(&self) -> Option<Nanos> {
        match self {
            Met::Rang(after) => Some(*after),
            Met::Silent(_) | Met::Unread => None,
        }
    }
}

pub(super) fn judge(demand: &Demand, wanted: &Alarmed, history: &History<'_>) -> Verdict {
    let changes: Vec<Change> = history
        .alarms
        .iter()
        .filter(|(_, _, of, _)| *of == wanted.by)
        .map(|(id, at, _, state)| (*id, *at, *state))
        .collect();
    if !changes.iter().any(|(_, _, state)| *state != AlarmState::Unread) {
        return Verdict::inconclusive(demand, format!("the alarm `{}` was never read", wanted.by));
    }
    let within = nanos(wanted.within.get());
    let losses = history.strikes.iter().filter_map(|strike| {
        let from = loss(strike, wanted, within, history)?;
        Some((strike, met(&changes, from, within)))
    });
    let losses: Vec<_> = losses.collect();
    let unnoticed = losses.iter().filter_map(|(strike, met)| match met {
        Met::Silent(event) => Some((strike, *event)),
        _ => None,
    });
    let unnoticed: Vec<_> = unnoticed.collect();
    if let Some((first, _)) = unnoticed.first() {
        let says = format!(
            "`{}` was still silent {} after {} was {}; so it was {}",
            wanted.by,
            words(within),
            first.place,
            first.condition.word(),
            count(unnoticed.len(), "time"),
        );
        let evidence = unnoticed.iter().flat_map(|(strike, event)| [strike.imposing.0, *event]);
        return Verdict::fail(demand, "unnoticed", evidence.collect(), says);
    }
    let wrong = false_alarms(&changes, within, history);
    if let Some((_, at, _)) = wrong.first() {
        let says = format!(
            "`{}` rang {} with nothing broken, first {} into the run",
            wanted.by,
            count(wrong.len(), "time"),
            words(*at)
        );
        let evidence = wrong.iter().map(|(event, ..)| *event);
        return Verdict::fail(demand, "false-alarm", evidence.collect(), says);
    }
    let rang: Vec<Nanos> = losses.iter().filter_map(|(_, met)| met.rang()).collect();
    truthful(demand, wanted, (&rang, losses.len()), history)
}

/// What an alarm that told no lie showed.
fn truthful(demand: &Demand, wanted: &Alarmed, (rang, losses): (&[Nanos], usize), history: &History<'_>) -> Verdict {
    let Alarmed { by, of, within } = wanted;
    if !history.complete() {
        return Verdict::inconclusive(demand, format!("`{by}` told the truth, but the run broke off"));
    }
    match rang.iter().max() {
        Some(slowest) => {
            let (slowest, losses) = (words(*slowest), count(rang.len(), "outage"));
            let says = format!("`{by}` rang within {slowest} of {losses} of {of}, and at no other time");
            Verdict::pass(demand, rang.len(), says)
        }
        None if losses > 0 => {
            let losses = count(losses, "outage");
            Verdict::inconclusive(demand, format!("`{by}` could not be read in {losses} of {of}"))
        }
        None => Verdict::inconclusive(demand, format!("nothing of {of} was gone for longer than {within}")),
    }
}

/// When a strike took the service away for longer than the bound.
fn loss(strike: &Strike<'_>, wanted: &Alarmed, within: Nanos, history: &History<'_>) -> Option<Nanos> {
    let hit = match (strike.place, strike.condition) {
        (Place::Instance(copy), Condition::Down(_)) => {
            let facts = history.header.system.services.get(&copy.service)?;
            copy.service == wanted.of && facts.replicas == 1
        }
        (Place::Link { to, .. }, Condition::Cut(_)) => *to == wanted.of && history.strikes_entry(strike) == Some(false),
        _ => false,
    };
    let from = strike.imposed.filter(|_| hit)?;
    let lifted = strike
        .healing
        .map(|(_, at)| at)
        .or(strike.healed)
        .unwrap_or(history.until);
    (lifted > from.saturating_add(within)).then_some(from)
}

/// What the alarm did within the bound of a loss.
fn met(changes: &[Change], from: Nanos, within: Nanos) -> Met {
    let until = from + within;
    let before = changes.iter().rev().find(|(_, at, _)| *at <= from);
    let inside = changes.iter().filter(|(_, at, _)| *at > from && *at <= until);
    let mut last = None;
    for (event, at, state) in before.into_iter().chain(inside) {
        if *state == AlarmState::Ringing {
            return Met::Rang(at.saturating_sub(from));
        }
        last = Some((*event, *state));
    }
    match last {
        Some((event, AlarmState::Silent)) => Met::Silent(event),
        _ => Met::Unread,
    }
}

/// The times it rang with nothing to tell of: from when nothing excuses it.
fn false_alarms(changes: &[Change], within: Nanos, history: &History<'_>) -> Vec<Change> {
    let after = within.max(NOTICE);
    let excused: Vec<(Nanos, Nanos)> = history
        .strikes
        .iter()
        .map(|strike| {
            let healed = strike.healed.unwrap_or(history.until);
            (strike.imposing.1, healed.saturating_add(after))
        })
        .collect();
    let begins = history
        .phases
        .iter()
        .find(|(phase, _)| *phase == Phase::Reference)
        .map_or(0, |(_, at)| *at);
    let ends = changes.iter().skip(1).map(|(_, at, _)| *at).chain([history.until]);
    let ringing = changes
        .iter()
        .zip(ends)
        .filter(|((_, _, state), _)| *state == AlarmState::Ringing);
    let wrong = ringing.filter_map(|((event, from, state), to)| {
        // From where no window excuses it any more.
        let mut at = (*from).max(begins.saturating_add(NOTICE));
        while let Some((_, end)) = excused.iter().find(|(start, end)| (*start..*end).contains(&at)) {
            at = *end;
        }
        (at < to).then_some((*event, at, *state))
    });
    wrong.collect()
}
