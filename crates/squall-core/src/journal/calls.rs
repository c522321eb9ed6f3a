//! Calls of the witness by work that carries its address: whose each was.

use std::collections::{BTreeMap, BTreeSet};

use super::{History, TaskHistory};
use crate::event::{EventId, Outcome};
use crate::time::Nanos;

impl<'a> TaskHistory<'a> {
    /// The mark it was sent with, where its create was acknowledged.
    pub fn mark(&self) -> Option<&'a str> {
        let (_, op) = self.created.filter(|(_, op)| op.outcome == Outcome::Ok)?;
        op.work.as_ref().map(|work| work.mark.as_str())
    }
}

impl<'a> History<'a> {
    /// A call may come before the create that sent its task was answered: whose it is shows at the end.
    pub(super) fn assign_calls(&mut self) {
        let mut by_mark: BTreeMap<&str, Vec<(EventId, Nanos)>> = BTreeMap::new();
        for (id, at, call) in self.calls.iter().filter(|(_, _, call)| call.answered) {
            by_mark.entry(&call.mark).or_default().push((*id, *at));
        }
        for task in self.tasks.values_mut() {
            let called = task.mark().and_then(|mark| by_mark.remove(mark));
            task.called = called.unwrap_or_default();
        }
    }

    /// The marks of work that called, but whose create was not acknowledged; with the first call of each.
    pub fn strange_calls(&self) -> BTreeMap<&'a str, EventId> {
        let known: BTreeSet<&str> = self.tasks.values().filter_map(TaskHistory::mark).collect();
        let mut strange = BTreeMap::new();
        for (event, _, call) in &self.calls {
            if !known.contains(call.mark.as_str()) {
                strange.entry(call.mark.as_str()).or_insert(*event);
            }
        }
        strange
    }
}
