//! What fails for one kind of work fails for no other.
//!
//! Class `not-isolated`: an attempt at one of the `kinds` failed while a fault held that this kind has no need of, or
//! while a breaker was open. Grace: attempts of workers that were themselves struck, or whose database was, are left
//! out. Inconclusive when of one of these kinds no attempt came to an end meanwhile.

use std::collections::BTreeSet;

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::{Demand, Kinds};
use crate::event::BreakerState;
use crate::journal::{Attempt, History};
use crate::place::{Instance, Place};
use crate::time::Nanos;

pub(super) fn judge(demand: &Demand, wanted: &Kinds, history: &History<'_>) -> Verdict {
    let windows = troubles(history);
    let (mut found, mut checked) = (Vec::new(), 0);
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for (id, task) in &history.tasks {
        let Some(kind) = task
            .kind()
            .filter(|kind| wanted.kinds.iter().any(|other| other == kind))
        else {
            continue;
        };
        for attempt in &task.attempts {
            let Some(from) = attempt.began() else { continue };
            let to = attempt.last_heard().unwrap_or(from);
            if !windows.iter().any(|window| from <= window.1 && to >= window.0)
                || own_trouble(attempt, from, to, history)
            {
                continue;
            }
            if attempt.ended() {
                checked += 1;
                seen.insert(kind);
            }
            if let Some((event, _, reason, _)) = attempt.failed {
                found.push((
                    event,
                    format!("attempt {} of {kind} task {id} failed ({reason})", attempt.number),
                ));
            }
        }
    }
    if !found.is_empty() {
        let which: Vec<&str> = found.iter().map(|(_, says)| says.as_str()).collect();
        let says = format!(
            "{} although they need nothing that was broken: {}",
            count(found.len(), "attempt"),
            names(&which)
        );
        return Verdict::fail(
            demand,
            "not-isolated",
            found.iter().map(|found| found.0).collect(),
            says,
        );
    }
    let unseen: Vec<&str> = wanted
        .kinds
        .iter()
        .map(String::as_str)
        .filter(|kind| !seen.contains(kind))
        .collect();
    if !unseen.is_empty() {
        return Verdict::inconclusive(
            demand,
            format!("no attempt at {} came to an end meanwhile", names(&unseen)),
        );
    }
    let says = format!(
        "{} at {} went on undisturbed",
        count(checked, "attempt"),
        wanted.kinds.join(", ")
    );
    Verdict::pass(demand, checked, says)
}

/// When something was broken or a breaker open.
fn troubles(history: &History<'_>) -> Vec<(Nanos, Nanos)> {
    let struck = history
        .strikes
        .iter()
        .map(|strike| (strike.imposing.1, strike.healed.unwrap_or(history.until)));
    let mut windows: Vec<(Nanos, Nanos)> = struck.collect();
    for (index, (_, at, of, state)) in history.breakers.iter().enumerate() {
        if *state == BreakerState::Open {
            let mut later = history.breakers[index + 1..].iter();
            let closed = later.find(|(_, _, other, state)| other == of && *state == BreakerState::Closed);
            windows.push((*at, closed.map_or(history.until, |closed| closed.1)));
        }
    }
    windows
}

/// Whether the worker itself, or the entry service's stores, were struck while it was at this.
fn own_trouble(attempt: &Attempt<'_>, from: Nanos, to: Nanos, history: &History<'_>) -> bool {
    let Ok(worker) = attempt.worker.parse::<Instance>() else {
        return false;
    };
    history.strikes.iter().any(|strike| {
        let meanwhile = strike.imposing.1 <= to && strike.healed.is_none_or(|healed| healed >= from);
        let own = match strike.place {
            Place::Instance(place) => *place == worker || history.strikes_entry(strike).is_some(),
            Place::Link { from, .. } => *from == worker || history.strikes_entry(strike).is_some(),
            Place::Service(_) => false,
        };
        meanwhile && own
    })
}
