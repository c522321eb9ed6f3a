//! The figures of a run, counted from its history.

use std::collections::{BTreeMap, BTreeSet};

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::event::{Answer, Fact, Line, Op, Phase, Role, State, line};
use crate::journal::{Attempt, History, TaskHistory};
use crate::place::Instance;
use crate::time::Nanos;

/// Figures of a run's requests and tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Requests answered as the contract says.
    pub right: usize,
    /// Honest refusals.
    pub refused: usize,
    /// Of these: inside an outage, where refusing is right.
    pub refused_in_outage: usize,
    /// Wrong answers.
    pub wrong: usize,
    /// No answer within the client's patience.
    pub hung: usize,
    /// Nobody there.
    pub down: usize,
    /// Tasks acknowledged.
    pub created: usize,
    /// Of these: done.
    pub done: usize,
    /// Of these: dead.
    pub dead: usize,
    /// Of these: waiting or running still when they were looked at last.
    pub unfinished: usize,
    /// Of these: cancelled.
    #[serde(default)]
    pub cancelled: usize,
    /// Of these: unknown to the system, or in a state that its contract does not name.
    #[serde(default)]
    pub missing: usize,
    /// The storm's main tasks: all that were planned.
    pub main: usize,
    /// Of these: done at the deadline.
    pub in_time: usize,
    /// Of these: done later.
    pub late: usize,
    /// How much later than the deadline the last one was.
    pub late_by: Option<Nanos>,
    /// Attempts after a failure.
    pub retries: usize,
    /// Attempts after a death or a lost lease.
    pub redeliveries: usize,
    /// Effects beyond the first of a task.
    pub repeated_effects: usize,
    /// Commits beyond the first of a task.
    pub repeated_commits: usize,
}

/// How long requests took, from the moment they were due to their answer; those nobody answered are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half took at most this long.
    pub p50: Nanos,
    /// 99 of 100 took at most this long.
    pub p99: Nanos,
    /// The longest.
    pub max: Nanos,
}

/// What an instance used of the machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Use {
    /// Processor time over time, in hundredths of one processor.
    pub cpu_percent: Option<f64>,
    /// Largest resident memory, in KiB.
    pub rss_kib: Option<u64>,
    /// How fast resident memory grew, in KiB a minute: least squares over the run.
    pub rss_slope: Option<f64>,
    /// Most descriptors open.
    pub fds: Option<u32>,
    /// For a database: most client connections open.
    pub connections: Option<u32>,
}

/// A start of an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartUp {
    /// Whose.
    pub instance: Instance,
    /// When, since the journal was opened.
    pub at: Nanos,
    /// How long until it was ready; `None` when it never was.
    pub took: Option<Nanos>,
}

/// Lines worth a look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogCounts {
    /// Lines that speak of an error.
    pub errors: usize,
    /// Lines that warn.
    pub warnings: usize,
    /// Lines that speak of a panic.
    pub panics: usize,
}

/// Counts requests and tasks.
pub(super) fn counts(history: &History<'_>) -> Counts {
    let mut counts = Counts::default();
    let outages = history.outages();
    for (_, op) in &history.ops {
        match op.answer {
            Answer::Right => counts.right += 1,
            Answer::Refused => counts.refused += 1,
            Answer::Wrong => counts.wrong += 1,
            Answer::Hung => counts.hung += 1,
            Answer::Down => counts.down += 1,
        }
        let in_outage = outages.iter().any(|window| window.overlaps(op.call, op.ret));
        counts.refused_in_outage += usize::from(op.answer == Answer::Refused && in_outage);
    }
    for task in history.tasks.values() {
        count_attempts(&mut counts, task);
        if task.created.is_none() {
            continue;
        }
        counts.created += 1;
        match state(task) {
            Some(State::Done) => counts.done += 1,
            Some(State::Dead) => counts.dead += 1,
            Some(State::Waiting | State::Running) | None => counts.unfinished += 1,
            Some(State::Cancelled) => counts.cancelled += 1,
            Some(State::Odd) => counts.missing += 1,
        }
    }
    count_main(&mut counts, history);
    counts
}

/// What a task is, as far as anyone said: the system's own record, else a worker's word.
fn state(task: &TaskHistory<'_>) -> Option<State> {
    let dead = task
        .attempts
        .iter()
        .any(|attempt| attempt.failed.is_some_and(|failed| failed.3));
    match task.last_record() {
        Some((_, _, record)) => record.state.or(Some(State::Odd)),
        None if task.first_commit().is_some() => Some(State::Done),
        None if dead => Some(State::Dead),
        None => None,
    }
}

fn count_attempts(counts: &mut Counts, task: &TaskHistory<'_>) {
    for pair in task.attempts.windows(2) {
        match pair[0].failed {
            Some(_) => counts.retries += 1,
            None => counts.redeliveries += 1,
        }
    }
    let effects: usize = task.attempts.iter().map(|attempt| attempt.effects.len()).sum();
    counts.repeated_effects += effects.max(task.called.len()).saturating_sub(1);
    counts.repeated_commits += task.commits().len().saturating_sub(1);
}

fn count_main(counts: &mut Counts, history: &History<'_>) {
    let plan = &history.header.plan;
    let Some(kind) = &plan.main_kind else { return };
    let marks: BTreeSet<&str> = plan
        .tasks
        .iter()
        .filter(|task| task.kind == *kind)
        .map(|task| task.mark.as_str())
        .collect();
    counts.main = marks.len();
    let deadline = plan
        .deadline
        .zip(history.began(Phase::Storm))
        .map(|(length, began)| began + length);
    let is_main = |op: &Op| op.work.as_ref().is_some_and(|work| marks.contains(work.mark.as_str()));
    for task in history.tasks.values() {
        let Some((_, done)) = task.done().filter(|_| task.created.is_some_and(|(_, op)| is_main(op))) else {
            continue;
        };
        match deadline {
            Some(deadline) if done > deadline => {
                counts.late += 1;
                counts.late_by = counts.late_by.max(Some(done - deadline));
            }
            _ => counts.in_time += 1,
        }
    }
}

/// From when it was due to its answer; `None` when nobody was there to answer.
pub(super) fn answered_in(op: &Op) -> Option<Nanos> {
    (op.answer != Answer::Down && op.role != Role::Audit).then(|| op.ret.saturating_sub(op.due))
}

/// Quantiles of all requests.
pub(super) fn latency(history: &History<'_>) -> Option<Latency> {
    quantiles(history.ops.iter().filter_map(|(_, op)| answered_in(op)))
}

/// Quantiles of the requests that create a task.
pub(super) fn creates(history: &History<'_>) -> Option<Latency> {
    let creates = history.ops.iter().filter(|(_, op)| op.role == Role::Create);
    quantiles(creates.filter_map(|(_, op)| answered_in(op)))
}

fn quantiles(times: impl Iterator<Item = Nanos>) -> Option<Latency> {
    let mut histogram = Histogram::<u64>::new(3).ok()?;
    for took in times {
        // It grows as needed, so only a length beyond all bounds is refused.
        let _ = histogram.record(took);
    }
    (!histogram.is_empty()).then(|| Latency {
        p50: histogram.value_at_quantile(0.5),
        p99: histogram.value_at_quantile(0.99),
        max: histogram.max(),
    })
}

/// What each instance used, over the whole run.
pub(super) fn uses(history: &History<'_>) -> BTreeMap<Instance, Use> {
    let mut uses: BTreeMap<Instance, Use> = BTreeMap::new();
    let mut looks: BTreeMap<&Instance, Vec<(Nanos, u64, u64)>> = BTreeMap::new();
    for event in history.events {
        match &event.fact {
            Fact::Usage(usage) => {
                let found = uses.entry(usage.instance.clone()).or_default();
                found.rss_kib = found.rss_kib.max(Some(usage.rss_kib));
                found.fds = found.fds.max(Some(usage.fds));
                looks
                    .entry(&usage.instance)
                    .or_default()
                    .push((event.at, usage.cpu_us, usage.rss_kib));
            }
            Fact::Connections { instance, open } => {
                let found = uses.entry(instance.clone()).or_default();
                found.connections = found.connections.max(Some(*open));
            }
            _ => {}
        }
    }
    for (instance, looks) in looks {
        if let Some(found) = uses.get_mut(instance) {
            found.cpu_percent = cpu_percent(&looks);
            found.rss_slope = slope(&looks);
        }
    }
    uses
}

/// The first look only opens the span: its processor time was used before it.
fn cpu_percent(looks: &[(Nanos, u64, u64)]) -> Option<f64> {
    let span = looks.last()?.0 - looks.first()?.0;
    let used: u64 = looks.iter().skip(1).map(|look| look.1).sum();
    (span > 0).then(|| used as f64 * 1e5 / span as f64)
}

/// Least squares of memory over time, in KiB a minute; of three looks at least.
fn slope(looks: &[(Nanos, u64, u64)]) -> Option<f64> {
    if looks.len() < 3 {
        return None;
    }
    let number = looks.len() as f64;
    let minutes = |look: &(Nanos, u64, u64)| look.0 as f64 / 60e9;
    let mean_x = looks.iter().map(minutes).sum::<f64>() / number;
    let mean_y = looks.iter().map(|look| look.2 as f64).sum::<f64>() / number;
    let spread: f64 = looks.iter().map(|look| (minutes(look) - mean_x).powi(2)).sum();
    let shared: f64 = looks
        .iter()
        .map(|look| (minutes(look) - mean_x) * (look.2 as f64 - mean_y))
        .sum();
    (spread > 0.0).then(|| shared / spread)
}

/// Every start, in order of time.
pub(super) fn starts(history: &History<'_>) -> Vec<StartUp> {
    let mut starts: Vec<_> = history
        .lives
        .iter()
        .flat_map(|(instance, lives)| {
            lives.iter().map(|life| StartUp {
                instance: (*instance).clone(),
                at: life.started.1,
                took: life.ready.map(|ready| ready.1.saturating_sub(life.started.1)),
            })
        })
        .collect();
    starts.sort_by_key(|start| start.at);
    starts
}

/// Error and warning lines in each part of the run; parts without any are there too.
pub(super) fn logs(history: &History<'_>) -> Vec<(Phase, LogCounts)> {
    let mut parts: Vec<_> = history
        .phases
        .iter()
        .map(|(phase, at)| (*phase, *at, LogCounts::default()))
        .collect();
    for event in history.events {
        let Fact::Log { line: text, .. } = &event.fact else {
            continue;
        };
        let Some((_, _, counts)) = parts.iter_mut().rev().find(|(_, began, _)| *began <= event.at) else {
            continue;
        };
        match line(text) {
            Line::Panic => counts.panics += 1,
            Line::Error => counts.errors += 1,
            Line::Warning => counts.warnings += 1,
            Line::Plain => {}
        }
    }
    parts.into_iter().map(|(phase, _, counts)| (phase, counts)).collect()
}

/// How an attempt ended, as far as the journal can tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ending {
    /// Its commit was acknowledged.
    Committed,
    /// It failed, and said so.
    Failed,
    /// Its worker died over it.
    Interrupted,
    /// Its worker lived on, but another attempt took its place.
    Fenced,
    /// Nothing more was heard of it.
    Open,
}

/// How `attempts[index]` ended, and when at the latest.
pub(super) fn ending(history: &History<'_>, attempts: &[Attempt<'_>], index: usize) -> (Ending, Nanos) {
    let attempt = &attempts[index];
    let heard = attempt.last_heard().unwrap_or(0);
    if !attempt.commits.is_empty() {
        return (Ending::Committed, heard);
    }
    if attempt.failed.is_some() {
        return (Ending::Failed, heard);
    }
    let died = attempt.worker.parse::<Instance>().ok().and_then(|worker| {
        let lives = history.lives.get(&worker)?;
        lives
            .iter()
            .filter_map(|life| life.exited)
            .map(|exited| exited.1)
            .find(|at| *at >= heard)
    });
    let successor = attempts[index + 1..].iter().find(|later| later.start.is_some());
    match (died, successor.and_then(Attempt::last_heard)) {
        (Some(died), Some(heard_of_successor)) if died > heard_of_successor => (Ending::Fenced, heard_of_successor),
        (Some(died), _) => (Ending::Interrupted, died),
        (None, Some(heard_of_successor)) => (Ending::Fenced, heard.max(heard_of_successor)),
        (None, None) => (Ending::Open, history.until),
    }
}
