//! The longest time in which writes were asked for and none was acknowledged.

use crate::event::{EventId, Outcome, Role};
use crate::journal::History;
use crate::time::Nanos;

/// A time without an acknowledged write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckGap {
    /// From the acknowledgement before it; where nobody asked then, from the first write that was due later.
    pub from: Nanos,
    /// To the acknowledgement that ended it; where none did, to the last answer that was none.
    pub to: Nanos,
    /// That acknowledgement, or answer.
    pub event: EventId,
    /// How many writes were acknowledged in all.
    pub acknowledged: usize,
}

impl AckGap {
    /// How long it was.
    pub fn length(&self) -> Nanos {
        self.to.saturating_sub(self.from)
    }
}

/// The longest such time; `None` where no write was asked for.
pub fn ack_gap(history: &History<'_>) -> Option<AckGap> {
    let writes = history.ops.iter().filter(|(_, op)| op.role == Role::Create);
    let mut asked: Vec<(Nanos, Nanos)> = writes.clone().map(|(_, op)| (op.due, op.ret)).collect();
    asked.sort_unstable();
    let mut acks: Vec<(Nanos, EventId)> = writes
        .clone()
        .filter(|(_, op)| op.outcome == Outcome::Ok)
        .map(|(event, op)| (op.ret, *event))
        .collect();
    acks.sort_unstable();
    let acknowledged = acks.len();
    // What was asked last may never have been acknowledged: its answer ends the last gap.
    let last = writes.map(|(event, op)| (op.ret, *event)).max()?;
    acks.push(last);
    // Until when at least one of the writes due so far waited for its answer.
    let mut waiting = Vec::with_capacity(asked.len());
    for (_, ret) in &asked {
        waiting.push(waiting.last().copied().unwrap_or(0).max(*ret));
    }
    let mut before = 0;
    let mut longest: Option<AckGap> = None;
    for (to, event) in acks {
        let due = asked.partition_point(|(due, _)| *due <= before);
        let waited = due.checked_sub(1).is_some_and(|last| waiting[last] > before);
        let from = match asked.get(due) {
            _ if waited => before,
            Some((due, _)) => *due,
            None => to,
        };
        let gap = AckGap {
            from: from.min(to),
            to,
            event,
            acknowledged,
        };
        if longest.is_none_or(|longest| gap.length() > longest.length()) {
            longest = Some(gap);
        }
        before = to;
    }
    longest
}
