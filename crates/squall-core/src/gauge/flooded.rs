//! The creates of the flood, and where it found the end of what the system takes.

use crate::event::{Answer, EventId, Op, Phase};
use crate::journal::History;
use crate::plan::FLOOD;
use crate::time::{Nanos, SECOND};
use crate::workload::PlannedFlood;

/// Later than this after its due moment a create counts as unserved.
const SOON: Nanos = SECOND;
/// The growing stretch is looked at in pieces of this length.
const BIN: Nanos = SECOND / 2;
/// A piece of which fewer were served is past what the system takes.
const ENOUGH: f64 = 0.95;

/// The flood as it was planned, and its creates.
pub struct Flooded<'a> {
    /// What was planned.
    pub plan: &'a PlannedFlood,
    /// When it began: no create was due before.
    pub begin: Nanos,
    /// When each planned create was due, since the beginning; whether or not it was ever sent.
    dues: Vec<Nanos>,
    ops: Vec<(EventId, &'a Op)>,
}

impl<'a> Flooded<'a> {
    /// `None` where none was planned, or the storm never began.
    pub fn of(history: &History<'a>) -> Option<Self> {
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
    pub fn due(&self, from: Nanos, to: Nanos) -> impl Iterator<Item = (EventId, &'a Op)> {
        let (from, to) = (self.begin.saturating_add(from), self.begin.saturating_add(to));
        self.ops
            .iter()
            .filter(move |(_, op)| (from..to).contains(&op.due))
            .copied()
    }

    /// How many were planned to be due in a time after the beginning.
    pub fn planned_in(&self, from: Nanos, to: Nanos) -> usize {
        self.dues.iter().filter(|due| (from..to).contains(*due)).count()
    }

    /// The creates of the even stretch.
    pub fn even(&self) -> impl Iterator<Item = (EventId, &'a Op)> {
        self.due(0, self.plan.lasts)
    }

    /// How many were planned for the even stretch.
    pub fn planned(&self) -> usize {
        self.planned_in(0, self.plan.lasts)
    }

    /// Whether a create was acknowledged soon enough to count as served.
    pub fn served(op: &Op) -> bool {
        op.answer == Answer::Right && op.ret.saturating_sub(op.due) <= SOON
    }

    /// Where the growing stretch found the end of what the system takes: when, since the beginning, and at how many a
    /// second; at once where the even stretch was too much already. `None` where it did not.
    pub fn saturated(&self) -> Option<(Nanos, f64)> {
        let even = self.even().filter(|(_, op)| Self::served(op)).count();
        if (even as f64 + 1e-9) < ENOUGH * self.planned() as f64 {
            return Some((0, self.plan.rate));
        }
        let (to, length) = self.plan.up_to?;
        for index in 0..length.div_ceil(BIN) {
            let from = self.plan.lasts + index * BIN;
            let planned = self.planned_in(from, from + BIN);
            let good = self.due(from, from + BIN).filter(|(_, op)| Self::served(op)).count();
            let share = index as f64 * BIN as f64 / length as f64;
            if (good as f64 + 1e-9) < ENOUGH * planned as f64 {
                return Some((from, self.plan.rate + (to - self.plan.rate) * share));
            }
        }
        None
    }
}
