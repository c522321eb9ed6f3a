//! No attempt goes on for longer than it may, whatever is broken around it.
//!
//! Class `hung`: an attempt at a kind of work that takes no time of its own went on for longer than `within`, from its
//! start to its end as its worker reported them; one without an end counts up to its worker's death, the task's next
//! attempt, or the end of the journal. The time in which the worker itself was struck, or something it needs, is left out, and
//! a second after each such strike, but not for a cut link: that is what bounds are for. Grace: none beyond the bound.
//! Inconclusive when there was no such attempt.

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::{Demand, Within};
use crate::event::State;
use crate::journal::{Attempt, History, TaskHistory};
use crate::place::{Condition, Instance};
use crate::time::{Nanos, SECOND, nanos, words};

/// What was struck needs a moment to go on as before.
const SETTLES: Nanos = SECOND;

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
            let Some(to) = end(task, attempt, history) else {
                continue;
            };
            let (took, excused) = (to.saturating_sub(from), excused(attempt, (from, to), history));
            if excused >= took {
                continue;
            }
            checked += 1;
            longest = longest.max(took - excused);
            if took - excused > within {
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

/// When an attempt ended, was taken over, or nobody was there any more to end it. `None` when that can't be told: the
/// task came to its end, and only this attempt's report of it was lost.
fn end(task: &TaskHistory<'_>, attempt: &Attempt<'_>, history: &History<'_>) -> Option<Nanos> {
    if attempt.ended() {
        return attempt.last_heard();
    }
    let died = history
        .life_of(attempt)
        .and_then(|life| life.exited)
        .map(|exited| exited.1);
    let others = task.attempts.iter().filter(|other| other.began() > attempt.began());
    let taken_over = others.filter_map(Attempt::began).min();
    let ended = task
        .last_record()
        .is_some_and(|(_, _, record)| !matches!(record.state, Some(State::Running)));
    if ended && died.is_none() && taken_over.is_none() {
        return None;
    }
    Some([died, taken_over].into_iter().flatten().fold(history.until, Nanos::min))
}

/// How much of an attempt's time was a strike's, or just after one.
fn excused(attempt: &Attempt<'_>, (from, to): (Nanos, Nanos), history: &History<'_>) -> Nanos {
    let Ok(worker) = attempt.worker.parse::<Instance>() else {
        return 0;
    };
    let strikes = history.strikes.iter().filter(|strike| {
        // A cut is what the bound is for; everything else costs time that no bound of its own can save.
        history.concerns(strike, &worker) && !matches!(strike.condition, Condition::Cut(_))
    });
    let mut spans: Vec<(Nanos, Nanos)> = strikes
        .map(|strike| {
            let over = strike.healed.map_or(to, |healed| healed.saturating_add(SETTLES));
            (strike.imposing.1.max(from), over.min(to))
        })
        .filter(|(begun, over)| begun < over)
        .collect();
    spans.sort_unstable();
    let (mut sum, mut seen) = (0, from);
    for (begun, over) in spans {
        let begun = begun.max(seen);
        sum += over.saturating_sub(begun);
        seen = seen.max(over);
    }
    sum
}
