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
    ops: Vec<(EventId, &'a Op)>,
}

impl<'a> Flooded<'a> {
    /// `None` where none was planned, or the storm never began.
    pub(super) fn of(history: &History<'a>) -> Option<Self> {
        let plan = history.header.plan.flood.as_ref()?;
        let ops: Vec<_> = history.ops.iter().filter(|(_, op)| op.name == FLOOD).copied().collect();
        let first = ops.iter().map(|(_, op)| op.due).min();
        let begin = first.or_else(|| history.began(Phase::Storm))?;
        Some(Self { plan, begin, ops })
    }

    /// The creates that were due in a time.
    pub(super) fn due(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = (EventId, &'a Op)> {
        let inside = self.ops.iter().filter(move |(_, op)| (from..to).contains(&op.due));
        inside.copied()
    }

    /// Those of the even stretch.
    pub(super) fn even(&self) -> impl Iterator<Item = (EventId, &'a Op)> {
        self.due(self.begin, self.begin.saturating_add(self.plan.lasts))
    }

    /// How many were planned for the even stretch: as many as were due, or what the rate makes where fewer were.
    pub(super) fn planned(&self) -> usize {
        // Arrivals are drawn, so their number varies with its own square root; what is missing beyond that was unsent.
        let mean = self.plan.rate * self.plan.lasts as f64 / 1e9;
        let least = (mean - 4.0 * mean.sqrt()).max(0.0) as usize;
        self.even().count().max(least)
    }
}
