//! What clients did with each object: counters, locks.

use std::collections::BTreeMap;

use super::History;
use crate::contract::Object;
use crate::event::{Act, EventId, Op, Outcome, Touch};
use crate::place::Instance;
use crate::time::Nanos;

/// A request that did something with an object.
#[derive(Debug, Clone, Copy)]
pub struct Touched<'a> {
    /// Its event.
    pub id: EventId,
    /// The request.
    pub op: &'a Op,
    /// What it did.
    pub touch: &'a Touch,
}

/// A lock in somebody's hands.
#[derive(Debug, Clone)]
pub struct Hold<'a> {
    /// Who: unique to it.
    pub owner: &'a str,
    /// The request that acquired it.
    pub acquired: Touched<'a>,
    /// The fencing token it came with.
    pub token: Option<i64>,
    /// When it was first asked to be given back; from then on it may be anybody's.
    pub released: Option<Nanos>,
    /// What was appended under it, with its mark.
    pub appends: Vec<(&'a str, Touched<'a>)>,
}

impl Hold<'_> {
    /// Until when it surely was its holder's: its lease counts from some moment after it was asked for.
    pub fn surely_until(&self, lease: Nanos) -> Nanos {
        let expired = self.acquired.op.call.saturating_add(lease);
        self.released.map_or(expired, |released| released.min(expired))
    }
}

impl<'a> History<'a> {
    /// The objects of a kind, each with all that was done with it, in the order of the answers.
    pub fn objects(&self, of: Object) -> BTreeMap<&'a str, Vec<Touched<'a>>> {
        let mut objects: BTreeMap<&str, Vec<Touched<'_>>> = BTreeMap::new();
        for &(id, op) in &self.ops {
            if let Some(touch) = op.touch.as_ref().filter(|touch| touch.of == of) {
                objects.entry(&touch.name).or_default().push(Touched { id, op, touch });
            }
        }
        objects
    }

    /// The requests of clients of objects that one copy was asked.
    pub fn asked_of(&self, copy: &Instance) -> impl Iterator<Item = (EventId, &'a Op)> {
        let to = move |op: &Op| op.touch.as_ref().is_some_and(|touch| touch.to.as_ref() == Some(copy));
        self.ops.iter().filter(move |(_, op)| to(op)).copied()
    }
}

/// Who surely had a lock, in the order in which they were told so.
pub fn holds<'a>(touched: &[Touched<'a>]) -> Vec<Hold<'a>> {
    let mut holds: Vec<Hold<'_>> = Vec::new();
    for &acquired in touched {
        if let (Act::Acquire { owner, token }, Outcome::Ok) = (&acquired.touch.act, acquired.op.outcome) {
            holds.push(Hold {
                owner,
                acquired,
                token: *token,
                released: None,
                appends: Vec::new(),
            });
        }
    }
    let by_owner: BTreeMap<&str, usize> = holds
        .iter()
        .enumerate()
        .map(|(index, hold)| (hold.owner, index))
        .collect();
    for &done in touched {
        match &done.touch.act {
            Act::Release { owner } => {
                if let Some(index) = by_owner.get(owner.as_str()) {
                    let hold = &mut holds[*index];
                    hold.released = Some(hold.released.map_or(done.op.call, |first| first.min(done.op.call)));
                }
            }
            Act::Append { owner, mark } => {
                if let Some(index) = by_owner.get(owner.as_str()) {
                    holds[*index].appends.push((mark, done));
                }
            }
            _ => {}
        }
    }
    holds.sort_by_key(|hold| hold.acquired.op.ret);
    holds
}
