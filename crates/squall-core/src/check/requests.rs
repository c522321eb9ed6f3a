//! Requests inside and outside of outages: what the three checks of answers read.

use crate::event::{EventId, Op, Role};
use crate::journal::History;

/// Fewer requests in an outage tell nothing.
pub(super) const FEWEST: usize = 5;

/// A request that met an outage.
pub(super) struct Met<'a> {
    pub(super) id: EventId,
    pub(super) op: &'a Op,
    /// Whether the entry service itself was struck then, so that nobody may have been there.
    pub(super) entry: bool,
}

/// The requests that met an outage, and those that did not. The audit's are judged as data.
pub(super) fn sorted<'a>(history: &History<'a>) -> (Vec<Met<'a>>, Vec<(EventId, &'a Op)>) {
    let outages = history.outages();
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for &(id, op) in history.ops.iter().filter(|(_, op)| op.role != Role::Audit) {
        let mut met = outages
            .iter()
            .filter(|outage| outage.overlaps(op.call.min(op.due), op.ret))
            .peekable();
        if met.peek().is_none() {
            outside.push((id, op));
        } else {
            let entry = met.any(|outage| outage.entry);
            inside.push(Met { id, op, entry });
        }
    }
    (inside, outside)
}

/// Whether the plan strikes anything the entry service needs, or, where that counts, the entry service itself.
pub(super) fn outage_planned(history: &History<'_>, entry_counts: bool) -> bool {
    let facts = &history.header.system;
    let links = facts
        .services
        .get(&facts.entry)
        .map_or(&[][..], |entry| entry.links.as_slice());
    history.header.plan.steps.iter().any(|step| {
        let entry = step.service == facts.entry;
        match &step.link_to {
            Some(_) => entry,
            None => (entry && entry_counts) || links.contains(&step.service),
        }
    })
}
