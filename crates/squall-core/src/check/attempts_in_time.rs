//! No attempt goes on for longer than it may, whatever is broken around it.
//!
//! Class `hung`: an attempt at a kind of work that takes no time of its own went on for longer than `within`, from its
//! start to its end as its worker reported them; one without an end counts up to the end of the journal, or of its
//! worker. Attempts of a worker that was itself struck meanwhile (killed, frozen) are left out. Grace: none beyond the
//! bound. Inconclusive when there was no such attempt.

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::{Demand, Within};
use crate::journal::{Attempt, History};
use crate::place::{Instance, Place};
use crate::time::{Nanos, nanos, words};

pub(super) fn judge(demand: &Demand, wanted: &Within, history: &History<'_>) -> Verdict {
    let within = nanos(wanted.within.get());
    let main = history.header.plan.main_kind.as_deref();
    let (mut found, mut checked, mut longest) = (Vec::new(), 0, 0);
    for (id, task) in &history.tasks {
        if task.kind().is_none() || task.kind() == main {
            continue;
        }
        for attempt in &task.attempts {
            let Some((event, from)) = attempt.start else { continue };
            let to = end(attempt, history);
            if struck(attempt, from, to, history) {
                continue;
            }
            checked += 1;
            let took = to.saturating_sub(from);
            longest = longest.max(took);
            if took > within {
                let says = format!(
                    "attempt {} of {id} by {} took {}",
                    attempt.number,
                    attempt.worker,
                    words(took)
                );
                found.push((event, says));
            }
        }
    }
    if !found.is_empty() {
        let which: Vec<&str> = found.iter().map(|(_, says)| says.as_str()).collect();
        let says = format!("{}; at most {} is allowed", names(&which), words(within));
        return Verdict::fail(demand, "hung", found.iter().map(|found| found.0).collect(), says);
    }
    if checked == 0 {
        return Verdict::inconclusive(demand, "no attempt at work without a length of its own was seen");
    }
    let says = format!("{} took {} at most", count(checked, "attempt"), words(longest));
    Verdict::pass(demand, checked, says)
}

/// When an attempt ended, or nobody was there any more to end it.
fn end(attempt: &Attempt<'_>, history: &History<'_>) -> Nanos {
    if attempt.ended() {
        return attempt.last_heard().unwrap_or(0);
    }
    let died = history.life_of(attempt).and_then(|life| life.exited);
    died.map_or(history.until, |exited| exited.1)
}

fn struck(attempt: &Attempt<'_>, from: Nanos, to: Nanos, history: &History<'_>) -> bool {
    let Ok(worker) = attempt.worker.parse::<Instance>() else {
        return false;
    };
    history.strikes.iter().any(|strike| {
        let here = matches!(strike.place, Place::Instance(place) if *place == worker);
        here && strike.imposing.1 <= to && strike.healed.is_none_or(|healed| healed >= from)
    })
}
