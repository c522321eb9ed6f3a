//! With work waiting, every worker takes its share.
//!
//! Class `hoarding`. Counting starts would blame the innocent: kills make a worker start often and
//! finish seldom, and tasks differ in length. What hoarding does, whatever its kind, is to leave
//! workers without work while acknowledged tasks wait for their first attempt. So it is found where a
//! worker was free (up for 0.5 s, running nothing, nothing it needs struck within 2 s + lease) while
//! one and the same task waited, for
//! - at least 1 s and half of the longest planned work;
//! - at least 500 ms and twice the longest planned work; or
//! - at least 150 ms and 60 % of that, when 4 or more younger tasks had been begun before it: the
//!   waiting task was in somebody's hands already.
//!
//! Grace: a worker that dies or is struck between claiming and beginning a task leaves it waiting until
//! its lease ends, so as many waiting tasks as there were such deaths and strikes are excused.
//! Inconclusive when the run broke off, no worker reported a start, or several workers began fewer than 3
//! attempts each on average; with one worker there is nothing to spread, which is said and passed.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::Demand;
use crate::event::EventId;
use crate::journal::{History, Span};
use crate::place::Instance;
use crate::time::{Nanos, SECOND, words};

/// Nobody idles for so long by chance.
const LONG: Nanos = SECOND;
/// Nor for so long while others finish two tasks.
const MEDIUM: Nanos = SECOND / 2;
/// Nor for so long beside a task that was overtaken.
const SHORT: Nanos = 150_000_000;
/// So many younger tasks before it: no first-in-first-out queue with a few workers does that.
const OVERTAKEN: usize = 4;
/// Fewer starts for each worker tell nothing.
const FEWEST: usize = 3;

/// A task from its acknowledgement to its first attempt.
struct Wait {
    created: EventId,
    span: Span,
}

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let crew = history.crew();
    let starts: Vec<(&Instance, usize)> = crew
        .free
        .iter()
        .map(|(worker, _)| (*worker, history.stints(&worker.to_string()).len()))
        .collect();
    let all: usize = starts.iter().map(|(_, starts)| starts).sum();
    let each: Vec<String> = starts.iter().map(|(worker, n)| format!("{worker} {n}")).collect();
    let shares = format!("{} begun: {}", count(all, "attempt"), each.join(", "));
    if all == 0 {
        return Verdict::inconclusive(demand, "no worker reported a start");
    }
    let waits = waits(history);
    let mut found: Vec<(EventId, Span, &Instance)> = Vec::new();
    for (worker, spans) in &crew.free {
        let idle = spans.iter().filter_map(|free| hoarded(*free, &waits, history));
        found.extend(idle.map(|(event, span)| (event, span, *worker)));
    }
    if starts.len() >= 2
        && let Some((_, span, worker)) = found.iter().max_by_key(|(_, span, _)| span.length())
    {
        let says = format!(
            "{worker} had nothing to do for {} while work waited; {shares}",
            words(span.length())
        );
        return Verdict::fail(
            demand,
            "hoarding",
            found.iter().map(|(event, ..)| *event).collect(),
            says,
        );
    }
    if !history.complete() {
        return Verdict::inconclusive(demand, format!("the run broke off; {shares}"));
    }
    if starts.len() < 2 {
        return Verdict::pass(demand, all, format!("only one worker to take work; {shares}"));
    }
    if all < FEWEST * starts.len() {
        return Verdict::inconclusive(demand, format!("too few tasks to tell ({all}); {shares}"));
    }
    Verdict::pass(
        demand,
        all,
        format!("no worker was without work while work waited; {shares}"),
    )
}

/// The waits of all acknowledged tasks, in order of their acknowledgements.
fn waits(history: &History<'_>) -> Vec<Wait> {
    let mut waits: Vec<Wait> = history
        .acknowledged()
        .filter_map(|(_, task, created, op)| {
            // A task nobody ever began is stuck, which is for `none_stuck` to say.
            let begun = task.attempts.iter().filter_map(|attempt| attempt.began()).min()?;
            let span = Span {
                from: op.ret,
                to: begun.max(op.ret),
            };
            Some(Wait { created, span })
        })
        .collect();
    waits.sort_by_key(|wait| wait.span.from);
    waits
}

/// The longest part of a free time beside one waiting task that tells of hoarding.
fn hoarded(free: Span, waits: &[Wait], history: &History<'_>) -> Option<(EventId, Span)> {
    if free.length() < SHORT {
        return None;
    }
    let work = history.longest_task();
    let told = waits.iter().enumerate().filter_map(|(index, wait)| {
        let idle = free.and(wait.span)?;
        let younger = waits.get(index + 1..).unwrap_or(&[]).iter();
        let overtaken = younger.filter(|other| other.span.to < idle.from).count();
        let length = idle.length();
        let long = length >= LONG.max(work / 2) || length >= MEDIUM.max(work.saturating_mul(2));
        let passed_over = length >= SHORT.max(work / 10 * 6) && overtaken >= OVERTAKEN;
        let beside = || waits.iter().filter(|other| other.span.and(idle) == Some(idle)).count();
        ((long || passed_over) && beside() > excused(idle, history)).then_some((wait.created, idle))
    });
    told.max_by_key(|(_, idle)| idle.length())
}

/// How many tasks may have been claimed by a worker that never came to begin them.
fn excused(idle: Span, history: &History<'_>) -> usize {
    let lease = history.header.system.tasks.as_ref().map_or(0, |tasks| tasks.lease);
    let around = |at: Nanos| at.saturating_add(lease + LONG) >= idle.from && at <= idle.to;
    let workers = history
        .lives
        .iter()
        .filter(|(instance, _)| history.works(&instance.service));
    let deaths = workers
        .flat_map(|(_, lives)| lives)
        .filter(|life| life.exited.is_some_and(|exited| around(exited.1)))
        .count();
    let frozen = history.strikes.iter().filter(|strike| {
        let down = matches!(strike.condition, crate::place::Condition::Down(_));
        !down && around(strike.imposing.1)
    });
    deaths + frozen.count()
}
