//! The creates of the flood: what `throughput` and `create_latency` read.

use crate::event::{EventId, Op, Phase};
use crate::journal::History;
use crate::plan::FLOOD;
use crate::time::Nanos;
use crate::workload::PlannedFlood;

/// The flood as it was planned, and its creates.
pub(super) struct Flooded<'a> {
    /// What was planned.
    pub(super) plan: &'a PlannedFlood,
    /// When it began: no create was due before.
    pub(super) begin: Nanos,
    /// When each planned create was due, since the beginning; whether or not it was ever sent.
    dues: Vec<Nanos>,
    ops: Vec<(EventId, &'a Op)>,
}

impl<'a> Flooded<'a> {
    /// `None` where none was planned, or the storm never began.
    pub(super) fn of(history: &History<'a>) -> Option<Self> {
        let plan = history.header.plan.flood.as_ref()?;
        let schedule = plan.schedule(history.header.plan.seed).ok()?;
        let dues: Vec<Nanos> = schedule.dues().map(|due| due.at).collect();
        let ops: Vec<_> = history.ops.iter().filter(|(_, op)| op.name == FLOOD).copied().collect();
        // The first one was due when its plan says; by that the beginning is known from any of them.
        let first = ops.iter().map(|(_, op)| op.due).min().zip(dues.first().copied());
        let begin = first
            .map(|(at, due)| at.saturating_sub(due))
            .or_else(|| history.began(Phase::Storm))?;
        Some(Self { plan, begin, dues, ops })
    }

    /// The creates that were due in a time after the beginning.
    pub(super) fn due(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = (EventId, &'a Op)> {
        let (from, to) = (self.begin.saturating_add(from), self.begin.saturating_add(to));
        self.ops
            .iter()
            .filter(move |(_, op)| (from..to).contains(&op.due))
            .copied()
    }

    /// How many were planned to be due in a time after the beginning.
    pub(super) fn planned_in(&self, from: Nanos, to: Nanos) -> usize {
        self.dues.iter().filter(|due| (from..to).contains(*due)).count()
    }

    /// The creates of the even stretch.
    pub(super) fn even(&self) -> impl Iterator<Item = (EventId, &'a Op)> {
        self.due(0, self.plan.lasts)
    }

    /// How many were planned for the even stretch.
    pub(super) fn planned(&self) -> usize {
        self.planned_in(0, self.plan.lasts)
    }
}
