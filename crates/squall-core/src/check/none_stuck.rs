//! After healing, nothing is stuck.
//!
//! Class `stuck-task`: when last read back, an acknowledged task was
//! - *running*, more than lease + 5 s after the later of: the last heal, the death of the worker that
//!   ran it, and (where that worker lives) the last line of the attempt + the longest planned work; or
//! - *waiting*, more than the longest backoff + 5 s after the later of: its acknowledgement, its last
//!   attempt's last line, the last heal;
//!
//! and in that time some worker was free for 2.5 s on end (up, unstruck, running nothing): a queue that
//! is merely long is no defect. Inconclusive when a task is unfinished and less than that was seen,
//! was not read back, or something was never healed.

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::demand::Demand;
use crate::event::State;
use crate::journal::{Crew, History, TaskHistory};
use crate::system::TaskFacts;
use crate::time::{Nanos, SECOND, words};

/// Beyond lease or backoff.
pub(super) const GRACE: Nanos = 5 * SECOND;
/// A worker free for so long would have taken what there was to take.
pub(super) const FREE: Nanos = 5 * SECOND / 2;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let Some(facts) = &history.header.system.tasks else {
        return Verdict::inconclusive(demand, "the system has no tasks");
    };
    let crew = history.crew();
    let healed = history
        .strikes
        .iter()
        .filter_map(|strike| strike.healed)
        .max()
        .unwrap_or(0);
    let (mut stuck, mut open, mut all) = (Vec::new(), Vec::new(), 0);
    for (id, task, created, op) in history.acknowledged() {
        all += 1;
        let Some((event, read, record)) = task.last_record() else {
            open.push(id);
            continue;
        };
        let (since, bound, word) = match record.state {
            Some(State::Running) => (idle_since(task, history), facts.lease, "running"),
            Some(State::Waiting) => (last_heard(task), facts.backoff, "waiting"),
            Some(State::Odd) => {
                open.push(id);
                continue;
            }
            _ => continue,
        };
        let since = since.max(op.ret).max(healed);
        if over(since.saturating_add(bound), read, &crew) {
            let says = format!("{id} {word} for {}", words(read.saturating_sub(since)));
            stuck.push((event.max(created), says));
        } else {
            open.push(id);
        }
    }
    if !stuck.is_empty() {
        let which: Vec<&str> = stuck.iter().map(|(_, says)| says.as_str()).collect();
        let says = format!(
            "{} of {} are stuck with a worker free (lease {}, longest backoff {}): {}",
            stuck.len(),
            count(all, "acknowledged task"),
            words(facts.lease),
            words(facts.backoff),
            names(&which)
        );
        return Verdict::fail(
            demand,
            "stuck-task",
            stuck.iter().map(|(event, _)| *event).collect(),
            says,
        );
    }
    if all == 0 {
        return Verdict::inconclusive(demand, "no task was acknowledged");
    }
    conclude(demand, facts, &open, all)
}

fn conclude(demand: &Demand, facts: &TaskFacts, open: &[&str], all: usize) -> Verdict {
    if open.is_empty() {
        let says = format!("all {} came to an end", count(all, "acknowledged task"));
        return Verdict::pass(demand, all, says);
    }
    let says = format!(
        "{} of {} had not come to an end, but were not watched with a worker free for {} (drain-incomplete): {}",
        open.len(),
        count(all, "acknowledged task"),
        words(facts.lease.max(facts.backoff) + GRACE),
        names(open)
    );
    Verdict::inconclusive(demand, says)
}

/// Whether a bound and its grace are over at `read`, with a worker free meanwhile.
pub(super) fn over(bound: Nanos, read: Nanos, crew: &Crew<'_>) -> bool {
    read > bound.saturating_add(GRACE) && crew.longest_free(bound, read) >= FREE
}

/// When a task was last heard of.
pub(super) fn last_heard(task: &TaskHistory<'_>) -> Nanos {
    task.attempts
        .iter()
        .filter_map(|attempt| attempt.last_heard())
        .max()
        .unwrap_or(0)
}

/// From when nobody can be at a task's last attempt any more: its worker's death, or the end of its work.
fn idle_since(task: &TaskHistory<'_>, history: &History<'_>) -> Nanos {
    let Some(last) = task.attempts.iter().max_by_key(|attempt| attempt.last_heard()) else {
        return 0;
    };
    let heard = last.last_heard().unwrap_or(0);
    let died = history
        .life_of(last)
        .and_then(|life| life.exited)
        .map(|exited| exited.1);
    match died {
        Some(died) => died.max(heard),
        None => heard.saturating_add(history.longest_task()),
    }
}
