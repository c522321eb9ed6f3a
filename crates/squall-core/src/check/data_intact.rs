//! Acknowledged data is there and unchanged.
//!
//! Classes: `lost-ack` (an acknowledged task is absent when last read back, or session data opened
//! at the start is refused at the audit), `corruption` (a payload read back, or seen by a worker, is
//! not the one that was sent: CRC-32 of its sorted compact JSON). No grace: the audit comes after
//! everything has settled. Inconclusive when the audit did not read back every acknowledged task and
//! session, or nothing was acknowledged.

use crate::check::Verdict;
use crate::check::sentence::{count, names, tally};
use crate::demand::Demand;
use crate::event::{Answer, EventId, Op, Phase, Role};
use crate::journal::{History, TaskHistory};

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let audit = history.began(Phase::Audit);
    let (mut lost, mut changed, mut unread, mut compared) = (Vec::new(), Vec::new(), 0, 0);
    let mut all = 0;
    for (id, task, _, op) in history.acknowledged() {
        all += 1;
        match task.last_record() {
            Some((event, _, record)) if record.state.is_none() => lost.push((id, event)),
            Some((_, at, _)) if audit.is_some_and(|audit| at >= audit) => {}
            _ => unread += 1,
        }
        changed.extend(differing(task, op).map(|event| (id, event)));
        compared += usize::from(seen(task).next().is_some());
    }
    let sessions: Vec<&(EventId, &Op)> = history.ops.iter().filter(|(_, op)| op.role == Role::Audit).collect();
    let refused: Vec<_> = sessions.iter().filter(|(_, op)| op.answer == Answer::Wrong).collect();
    let unanswered = sessions
        .iter()
        .filter(|(_, op)| !matches!(op.answer, Answer::Right | Answer::Wrong))
        .count();
    if !lost.is_empty() || !refused.is_empty() {
        let mut says = Vec::new();
        if !lost.is_empty() {
            says.push(format!(
                "{} of {} are gone: {}",
                lost.len(),
                count(all, "acknowledged task"),
                ids(&lost)
            ));
        }
        if !refused.is_empty() {
            let which = tally(refused.iter().map(|(_, op)| op.name.as_str()));
            says.push(format!("acknowledged session data was not there at the audit: {which}"));
        }
        let evidence = lost.iter().map(|(_, event)| *event);
        let evidence = evidence.chain(refused.iter().map(|(id, _)| *id)).collect();
        return Verdict::fail(demand, "lost-ack", evidence, says.join("; "));
    }
    if !changed.is_empty() {
        let says = format!(
            "{} of {} have a changed payload: {}",
            changed.len(),
            count(all, "acknowledged task"),
            ids(&changed)
        );
        return Verdict::fail(
            demand,
            "corruption",
            changed.iter().map(|(_, event)| *event).collect(),
            says,
        );
    }
    if all + sessions.len() == 0 {
        return Verdict::inconclusive(demand, "nothing was acknowledged that could be read back");
    }
    if unread + unanswered > 0 {
        let says = format!(
            "the audit did not read everything back: {} of {all} tasks and {unanswered} of {} session reads are missing",
            unread,
            sessions.len()
        );
        return Verdict::inconclusive(demand, says);
    }
    Verdict::pass(demand, all + sessions.len(), intact(all, sessions.len(), compared))
}

fn intact(tasks: usize, sessions: usize, payloads: usize) -> String {
    let payloads = match payloads {
        0 if tasks > 0 => "no payload was shown, so none could be compared (`show.payload` in the contract)".to_owned(),
        n => format!("{} unchanged", count(n, "payload")),
    };
    let (tasks, sessions) = (count(tasks, "task"), count(sessions, "session read"));
    format!("{tasks} and {sessions} were read back, {payloads}")
}

/// The first sight of a payload that is not the one sent.
fn differing(task: &TaskHistory<'_>, op: &Op) -> Option<EventId> {
    let sent = op.work.as_ref()?.payload_crc32;
    seen(task).find(|(_, crc)| *crc != sent).map(|(event, _)| event)
}

/// Every sight of a task's payload: read back first, then by workers.
fn seen(task: &TaskHistory<'_>) -> impl Iterator<Item = (EventId, u32)> {
    let records = task.records.iter();
    let read = records.filter_map(|(event, _, record)| Some((*event, record.payload_crc32?)));
    let effects = task.attempts.iter().flat_map(|attempt| &attempt.effects);
    read.chain(effects.filter_map(|(event, _, crc)| Some((*event, (*crc)?))))
}

fn ids(found: &[(&str, EventId)]) -> String {
    names(&found.iter().map(|(id, _)| *id).collect::<Vec<_>>())
}
