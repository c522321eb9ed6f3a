//! All of the storm's main tasks are done at the deadline.
//!
//! Class `incomplete`: a main task was done after the storm's start + deadline and the level does not
//! allow it, or was not done at all when a drain that ran its course had ended. Where the level allows
//! lateness, it is a warning with the figure. No grace. Inconclusive when the drain hit its bound
//! (an `overrun` note) or the run broke off with work undone.

use crate::check::Verdict;
use crate::check::finish::Finish;
use crate::check::sentence::{count, names};
use crate::demand::{Deadline, Demand};
use crate::event::{Fact, NoteKind};
use crate::journal::History;
use crate::time::words;

pub(super) fn judge(demand: &Demand, wanted: &Deadline, history: &History<'_>) -> Verdict {
    let finish = match Finish::of(history) {
        Ok(finish) => finish,
        Err(why) => return Verdict::inconclusive(demand, why),
    };
    let late = finish.late();
    let by = words(late.last().map_or(0, |(_, at)| at - finish.deadline));
    if !late.is_empty() && !wanted.late_warns {
        let says = format!(
            "{} of {} tasks missed the deadline, by up to {by}",
            late.len(),
            finish.planned
        );
        return Verdict::fail(
            demand,
            "incomplete",
            late.iter().map(|(event, _)| *event).collect(),
            says,
        );
    }
    if !finish.open.is_empty() {
        let ids: Vec<&str> = finish.open.iter().map(|(id, _)| *id).collect();
        let says = format!(
            "{} of {} tasks were not done at the end: {}",
            ids.len(),
            finish.planned,
            names(&ids)
        );
        if overrun(history) || !history.complete() {
            return Verdict::inconclusive(
                demand,
                format!("{says}; the drain did not run its course (drain-incomplete)"),
            );
        }
        return Verdict::fail(
            demand,
            "incomplete",
            finish.open.iter().map(|(_, event)| *event).collect(),
            says,
        );
    }
    let says = match late.len() {
        0 => format!("all {} were done in time", count(finish.acknowledged, "task")),
        n => format!(
            "all {} were done, {n} of them late by up to {by}",
            count(finish.planned, "task")
        ),
    };
    let warning = (!late.is_empty()).then(|| format!("late by {by}"));
    let missing = finish.planned.saturating_sub(finish.acknowledged);
    let refused = (missing > 0).then(|| format!("{} of the plan were never acknowledged", count(missing, "task")));
    Verdict::pass(demand, finish.acknowledged, says)
        .warn(warning)
        .warn(refused)
}

fn overrun(history: &History<'_>) -> bool {
    let mut notes = history.events.iter().map(|event| &event.fact);
    notes.any(|fact| {
        matches!(
            fact,
            Fact::Note {
                kind: NoteKind::Overrun,
                ..
            }
        )
    })
}
