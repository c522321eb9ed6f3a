//! No task ran that was never sent, or was refused.
//!
//! Class `phantom-task`: the witness heard of more tasks without an acknowledgement than there were
//! requests that may have made one unnoticed: creates whose outcome is unknown, and API cases that
//! ask for the very request that creates tasks and were not refused. Which of them is the phantom can't be told; all are evidence. No
//! grace. Inconclusive when nothing ran, the workers are not witnessed, or there were more and the run broke off.

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::Demand;
use crate::event::{EventId, Op, Outcome, Role};
use crate::journal::History;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let ran: Vec<_> = history
        .tasks
        .iter()
        .filter(|(_, task)| !task.attempts.is_empty() || !task.called.is_empty())
        .collect();
    let called = history.strange_calls();
    if ran.is_empty() && called.is_empty() {
        return Verdict::inconclusive(demand, "no worker reported of any task");
    }
    let strangers: Vec<(&str, EventId)> = ran
        .iter()
        .filter(|(_, task)| task.created.is_none_or(|(_, op)| op.outcome != Outcome::Ok))
        .filter_map(|(id, task)| Some((**id, task.attempts.first()?.first_event()?)))
        .chain(called)
        .collect();
    let create = history.header.system.tasks.as_ref().map_or("", |facts| &facts.create);
    let possible = history.ops.iter().filter(|(_, op)| may_have_created(op, create));
    let possible = possible.count();
    if strangers.len() <= possible {
        let says = match strangers.len() {
            0 => format!("{} that ran had been acknowledged", count(ran.len(), "task")),
            unknown => format!(
                "{} ran; {unknown} of them without an acknowledgement, and {possible} requests may have created one",
                count(ran.len(), "task")
            ),
        };
        return Verdict::pass(demand, ran.len(), says);
    }
    let ids: Vec<&str> = strangers.iter().map(|(id, _)| *id).collect();
    let says = format!(
        "{} ran without an acknowledgement, but only {possible} requests may have created one: {}",
        count(strangers.len(), "task"),
        names(&ids)
    );
    if !history.complete() {
        let says = format!("{says}, but the run broke off: what was asked for last may not have been written down");
        return Verdict::inconclusive(demand, says);
    }
    let evidence = strangers.iter().map(|(_, event)| *event).collect();
    Verdict::fail(demand, "phantom-task", evidence, says)
}

/// Whether a request may have made a task whose id nobody was told.
fn may_have_created(op: &Op, create: &str) -> bool {
    let acknowledged = op.work.as_ref().is_some_and(|work| work.task.is_some());
    match op.role {
        Role::Create => op.outcome == Outcome::Unknown || (op.outcome == Outcome::Ok && !acknowledged),
        Role::Traffic | Role::Survey => op.outcome != Outcome::Failed && is(&op.request, create),
        Role::Touch | Role::Session | Role::Audit => false,
    }
}

/// Whether a request as it was sent is the one of a contract, whose path may have holes to fill in.
fn is(sent: &str, contract: &str) -> bool {
    let (mut sent, mut wanted) = (sent.split('/'), contract.split('/'));
    loop {
        match (sent.next(), wanted.next()) {
            (None, None) => return !contract.is_empty(),
            (Some(sent), Some(wanted)) if sent == wanted || wanted.contains("${") => {}
            _ => return false,
        }
    }
}
