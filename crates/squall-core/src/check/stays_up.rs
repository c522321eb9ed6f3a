//! Nothing ends that nobody ended.
//!
//! Class `died`. Every end of a process that squall did not mean, and that no strike which ends processes explains, is a
//! finding: short of memory, room, descriptors or processor time a service may refuse, wait or do less, but not end. A
//! service that ends while something it needs is struck, and is started again by its supervisor, is one way to cope where
//! that thing is gone; here it is a finding all the same. Grace: none. Inconclusive when the run broke off, or squall
//! started no process.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::Demand;
use crate::event::EventId;
use crate::journal::{History, Life};
use crate::place::{Condition, Instance, Place};
use crate::time::words;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let lives = history.lives.iter();
    let all: Vec<(&Instance, &Life)> = lives
        .flat_map(|(instance, lives)| lives.iter().map(|life| (*instance, life)))
        .collect();
    if all.is_empty() {
        return Verdict::inconclusive(demand, "no process was started");
    }
    let found: Vec<(EventId, String)> = all
        .iter()
        .filter_map(|(instance, life)| died(instance, life, history))
        .collect();
    if let Some((_, first)) = found.first() {
        let more = match found.len() - 1 {
            0 => String::new(),
            more => format!(", and {} more", count(more, "end")),
        };
        let events = found.iter().map(|(event, _)| *event).collect();
        return Verdict::fail(demand, "died", events, format!("{first}{more}"));
    }
    let says = format!("{}, and nothing ended but what was ended", count(all.len(), "start"));
    match history.complete() {
        true => Verdict::pass(demand, all.len(), says),
        false => Verdict::inconclusive(demand, format!("{says}, but the run broke off")),
    }
}

/// The end of a process that nobody meant, and what held there then.
fn died(instance: &Instance, life: &Life, history: &History<'_>) -> Option<(EventId, String)> {
    let (event, at, wanted) = life.exited?;
    let here = history.strikes.iter().filter(|strike| {
        let on = matches!(strike.place, Place::Instance(struck) if struck == instance);
        on && strike.imposing.1 <= at && at <= strike.healed.unwrap_or(history.until)
    });
    let mut here = here.peekable();
    let while_ = here
        .peek()
        .map(|strike| format!(" while it was {}", strike.condition.word()));
    if wanted || here.any(|strike| matches!(strike.condition, Condition::Down(_))) {
        return None;
    }
    let lived = words(at.saturating_sub(life.started.1));
    let while_ = while_.unwrap_or_default();
    Some((
        event,
        format!("{instance} ended by itself{while_}, {lived} after its start"),
    ))
}
