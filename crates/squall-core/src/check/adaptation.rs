//! The system adapts to every change of its number of copies, and soon.
//!
//! Classes: `no-adaptation` (a copy that was added never began an attempt although work waited), `slow-adaptation` (it
//! began its first, or a copy that was taken away ended, only after the bound). Counts from the change for copies that
//! go, from their readiness for those that come. Grace: none beyond the bound. Inconclusive when nothing was scaled,
//! or when no change met waiting work.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Demand, Within};
use crate::event::EventId;
use crate::journal::{History, Life, Strike};
use crate::place::{Condition, Instance, Place};
use crate::time::{Nanos, nanos, words};

/// One copy's way into, or out of, the work.
struct Change {
    event: EventId,
    copy: String,
    came: bool,
    /// How long it took; `None` when it was not seen.
    took: Option<Nanos>,
    /// How long was looked.
    watched: Nanos,
}

pub(super) fn judge(demand: &Demand, wanted: &Within, history: &History<'_>) -> Verdict {
    let within = nanos(wanted.within.get());
    let mut changes = Vec::new();
    for strike in &history.strikes {
        if let (Place::Service(service), Condition::Replicas(n)) = (strike.place, strike.condition) {
            changes.extend(of(strike, (service, *n), history));
        }
    }
    // Who was looked at for no longer than the bound may still have been about to begin.
    changes.retain(|change| change.took.is_some() || change.watched > within);
    if changes.is_empty() {
        return Verdict::inconclusive(demand, "no copy came or went while work waited");
    }
    let late = |change: &&Change| change.took.unwrap_or(change.watched) > within;
    let never: Vec<&Change> = changes
        .iter()
        .filter(|change| change.took.is_none())
        .filter(late)
        .collect();
    let slow: Vec<&Change> = changes
        .iter()
        .filter(|change| change.took.is_some())
        .filter(late)
        .collect();
    let of_class = |class: &str, found: &[&Change], what: &str| {
        let evidence = found.iter().map(|change| change.event).collect();
        let says = found
            .iter()
            .max_by_key(|change| change.took.unwrap_or(change.watched))
            .map(|worst| {
                let did = if worst.came { "took its first task" } else { "ended" };
                let time = words(worst.took.unwrap_or(worst.watched));
                format!(
                    "{} {what} {did} within {}: {} after {time}",
                    worst.copy,
                    words(within),
                    count(found.len(), "such copy")
                )
            });
        Verdict::fail(demand, class, evidence, says.unwrap_or_default())
    };
    if !never.is_empty() {
        return of_class("no-adaptation", &never, "never");
    }
    if !slow.is_empty() {
        return of_class("slow-adaptation", &slow, "had not");
    }
    let slowest = changes.iter().filter_map(|change| change.took).max().unwrap_or(0);
    let came = changes.iter().filter(|change| change.came).count();
    let says = format!(
        "{came} copies that came and {} that went had adapted within {}",
        changes.len() - came,
        words(slowest)
    );
    Verdict::pass(demand, changes.len(), says)
}

/// The copies that one change of the number brought or took.
fn of(strike: &Strike<'_>, (service, n): (&str, u32), history: &History<'_>) -> Vec<Change> {
    let from = strike.imposing.1;
    let lives = history
        .lives
        .iter()
        .filter(|(instance, _)| instance.service == *service);
    let changed = lives.filter_map(|(instance, lives)| {
        let before = lives.iter().rev().find(|life| life.started.1 < from);
        let ran = before.is_some_and(|life| life.exited.is_none_or(|exited| exited.1 > from));
        match (ran, instance.index <= n) {
            (true, false) => Some(went(instance, before?, from, history)),
            (false, true) => came(instance, lives, from, history),
            _ => None,
        }
    });
    changed.collect()
}

fn went(instance: &Instance, life: &Life, from: Nanos, history: &History<'_>) -> Change {
    Change {
        event: life.started.0,
        copy: instance.to_string(),
        came: false,
        took: life.exited.map(|exited| exited.1.saturating_sub(from)),
        watched: history.until.saturating_sub(from),
    }
}

/// A copy that came, where work waited for it.
fn came(instance: &Instance, lives: &[Life], from: Nanos, history: &History<'_>) -> Option<Change> {
    let life = lives.iter().find(|life| life.started.1 >= from)?;
    let Some((event, ready)) = life.ready else {
        // It never came as far as being able to begin.
        let end = life.exited.map_or(history.until, |exited| exited.1);
        return Some(Change {
            event: life.started.0,
            copy: instance.to_string(),
            came: true,
            took: None,
            watched: end.saturating_sub(life.started.1),
        });
    };
    let end = life.exited.map_or(history.until, |exited| exited.1);
    let name = instance.to_string();
    let first = history
        .stints_begun(&name, ready..end)
        .iter()
        .map(|stint| stint.began)
        .min();
    // Only as long as something waited could it have begun anything.
    let watched = history.waited_for(ready, first.unwrap_or(end));
    if watched == 0 && first.is_none() {
        return None;
    }
    Some(Change {
        event,
        copy: name,
        came: true,
        took: first.map(|first| first.saturating_sub(ready).min(watched)),
        watched,
    })
}
