//! What judging looks up for every strike and every attempt, sorted once: a journal of hours is
//! judged about as fast as it is read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::{Attempt, History, TaskHistory};
use crate::event::{Answer, EventId, Outcome, Pulse, PulseOf, Role};
use crate::system::Facts;
use crate::time::Nanos;

/// One attempt on its worker's time line.
#[derive(Debug, Clone, Copy)]
pub struct Stint<'a> {
    /// The task.
    pub task: &'a str,
    /// When it was first heard of.
    pub began: Nanos,
    /// When it was last heard of.
    pub heard: Nanos,
    /// When its start was reported.
    pub start: Option<Nanos>,
    /// Whether it came to an end of its own.
    pub ended: bool,
    first: Option<EventId>,
    /// Its place among the task's attempts.
    pub(super) index: usize,
}

/// The sorted lists.
#[derive(Debug, Default)]
pub(super) struct Index<'a> {
    /// Each worker's attempts, by their beginnings.
    stints: BTreeMap<&'a str, Vec<Stint<'a>>>,
    /// From when on acknowledged tasks waited, and until when at least one of those so far did.
    waits: Vec<(Nanos, Nanos)>,
    /// All services a service needs, directly or through others.
    needs: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

impl<'a> Index<'a> {
    /// The lists for these tasks of this system.
    pub(super) fn of(tasks: &BTreeMap<&'a str, TaskHistory<'a>>, facts: &'a Facts) -> Self {
        let mut stints: BTreeMap<&str, Vec<Stint<'_>>> = BTreeMap::new();
        for (task, known) in tasks {
            for (index, attempt) in known.attempts.iter().enumerate() {
                let stint = stint(task, index, attempt);
                stints.entry(attempt.worker).or_default().extend(stint);
            }
        }
        for stints in stints.values_mut() {
            stints.sort_by_key(|stint| (stint.began, stint.first));
        }
        let services = facts.services.keys();
        Self {
            stints,
            waits: waits(tasks),
            needs: services.map(|name| (name.as_str(), facts.needs(name))).collect(),
        }
    }

    pub(super) fn workers(&self) -> impl Iterator<Item = &'a str> {
        self.stints.keys().copied()
    }

    pub(super) fn stints(&self, worker: &str) -> &[Stint<'a>] {
        self.stints.get(worker).map_or(&[], Vec::as_slice)
    }

    /// Whether some acknowledged task waited for its first attempt from `from` to `to`.
    pub(super) fn waited(&self, from: Nanos, to: Nanos) -> bool {
        to <= self.waited_until(from)
    }

    /// Until when some task that waited at `from` went on waiting; 0 when none did.
    fn waited_until(&self, from: Nanos) -> Nanos {
        let before = self.waits.partition_point(|(since, _)| *since <= from);
        before.checked_sub(1).map_or(0, |last| self.waits[last].1)
    }

    pub(super) fn needs(&self, service: &str) -> Option<&BTreeSet<&'a str>> {
        self.needs.get(service)
    }
}

impl<'a> History<'a> {
    /// The attempts a worker reported, by their beginnings.
    pub fn stints(&self, worker: &str) -> &[Stint<'a>] {
        self.index.stints(worker)
    }

    /// Those of them that began in `range`.
    pub fn stints_begun(&self, worker: &str, range: Range<Nanos>) -> &[Stint<'a>] {
        let all = self.stints(worker);
        let place = |at: Nanos| all.partition_point(|stint| stint.began < at);
        all.get(place(range.start)..place(range.end)).unwrap_or(&[])
    }

    /// All that is known of an attempt.
    pub fn attempt(&self, stint: &Stint<'_>) -> &Attempt<'a> {
        &self.tasks[stint.task].attempts[stint.index]
    }

    /// Whether some acknowledged task waited for its first attempt from `from` to `to`.
    pub fn work_waited(&self, from: Nanos, to: Nanos) -> bool {
        self.index.waited(from, to)
    }

    /// How long after `from`, up to `to`, one acknowledged task went on waiting for its first attempt.
    pub fn waited_for(&self, from: Nanos, to: Nanos) -> Nanos {
        self.index.waited_until(from).min(to).saturating_sub(from)
    }

    /// The first right `ready` answer that was asked for at `from` or later. A system that does not tell how it
    /// is serves again with the first request it answers right.
    pub fn serving_since(&self, from: Nanos) -> Option<Nanos> {
        if self.ready_pulses(0).next().is_none() {
            let asks = |role: Role| matches!(role, Role::Traffic | Role::Survey | Role::Create);
            let mut ops = self.ops.iter().filter(|(_, op)| asks(op.role) && op.call >= from);
            return ops.find(|(_, op)| op.answer == Answer::Right).map(|(_, op)| op.ret);
        }
        // Answers come after their questions: none before `from` can be the one.
        self.ready_pulses(from)
            .find(|(_, _, pulse)| pulse.call >= from && pulse.answer == Answer::Right)
            .map(|(_, at, _)| *at)
    }

    /// The looks whether it can serve that were answered at `from` or later, in order.
    pub fn ready_pulses(&self, from: Nanos) -> impl Iterator<Item = &(EventId, Nanos, &'a Pulse)> {
        let first = self.pulses.partition_point(|(_, at, _)| *at < from);
        let answered = self.pulses[first..].iter();
        answered.filter(|(_, _, pulse)| pulse.of == PulseOf::Ready)
    }
}

fn stint<'a>(task: &'a str, index: usize, attempt: &Attempt<'a>) -> Option<Stint<'a>> {
    Some(Stint {
        task,
        began: attempt.began()?,
        heard: attempt.last_heard()?,
        start: attempt.start.map(|start| start.1),
        ended: attempt.ended(),
        first: attempt.first_event(),
        index,
    })
}

fn waits(tasks: &BTreeMap<&str, TaskHistory<'_>>) -> Vec<(Nanos, Nanos)> {
    let waiting = tasks.values().filter_map(|task| {
        let (_, op) = task.created.filter(|(_, op)| op.outcome == Outcome::Ok)?;
        let begun = task.attempts.iter().filter_map(Attempt::began).min();
        match begun {
            Some(begun) => Some((op.ret, begun)),
            // Nobody began it, and nobody looked at it either: it waits still, as far as is known.
            None => task.records.is_empty().then_some((op.ret, Nanos::MAX)),
        }
    });
    let mut waits: Vec<_> = waiting.collect();
    waits.sort_unstable();
    let mut longest = 0;
    for (_, until) in &mut waits {
        longest = longest.max(*until);
        *until = longest;
    }
    waits
}
