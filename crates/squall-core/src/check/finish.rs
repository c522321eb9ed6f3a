//! When each task of the main kind was done: what `completion` and `deadline` read.

use crate::event::{EventId, Phase};
use crate::journal::History;
use crate::time::Nanos;

/// The main tasks against their deadline.
pub(super) struct Finish<'a> {
    /// The kind.
    pub(super) kind: &'a str,
    /// How many were planned.
    pub(super) planned: usize,
    /// How many were acknowledged.
    pub(super) acknowledged: usize,
    /// The deadline, since the journal was opened.
    pub(super) deadline: Nanos,
    /// When each done one was: event, time.
    pub(super) done: Vec<(EventId, Nanos)>,
    /// The acknowledged ones that were not done when the journal ended: id, create.
    pub(super) open: Vec<(&'a str, EventId)>,
}

impl<'a> Finish<'a> {
    /// `Err` says what is missing.
    pub(super) fn of(history: &History<'a>) -> Result<Self, &'static str> {
        let plan = &history.header.plan;
        let (Some(kind), Some(deadline)) = (plan.main_kind.as_deref(), plan.deadline) else {
            return Err("the plan has no main tasks with a deadline");
        };
        let Some(storm) = history.began(Phase::Storm) else {
            return Err("the run did not come to its storm");
        };
        let mut finish = Finish {
            kind,
            planned: plan.tasks.iter().filter(|task| task.kind == kind).count(),
            acknowledged: 0,
            deadline: storm.saturating_add(deadline),
            done: Vec::new(),
            open: Vec::new(),
        };
        for (id, task, created, op) in history.acknowledged() {
            // The stream of small writes may be of the same kind: only planned tasks count.
            let planned = |mark: &str| plan.tasks.iter().any(|task| task.kind == kind && task.mark == mark);
            if !op
                .work
                .as_ref()
                .is_some_and(|work| work.kind == kind && planned(&work.mark))
            {
                continue;
            }
            finish.acknowledged += 1;
            match task.done() {
                Some(done) => finish.done.push(done),
                None => finish.open.push((id, created)),
            }
        }
        if finish.acknowledged == 0 {
            return Err("no main task was acknowledged");
        }
        Ok(finish)
    }

    /// How many were done at the deadline.
    pub(super) fn in_time(&self) -> usize {
        self.done.iter().filter(|(_, at)| *at <= self.deadline).count()
    }

    /// The done ones that missed it, the latest last.
    pub(super) fn late(&self) -> Vec<(EventId, Nanos)> {
        let mut late: Vec<_> = self
            .done
            .iter()
            .copied()
            .filter(|(_, at)| *at > self.deadline)
            .collect();
        late.sort_by_key(|(_, at)| *at);
        late
    }

    /// Whether the deadline was watched, or nothing was left to wait for.
    pub(super) fn over(&self, history: &History<'_>) -> bool {
        history.until >= self.deadline || self.done.len() >= self.planned
    }
}
