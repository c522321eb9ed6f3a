//! One connection whose requests are picked out: what passes is read along, and something is done with some of it.
//!
//! Only connections of a link where that is wanted have one; all others pay nothing for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use squall_core::place::Intercept;
use squall_core::protocol::{Act, Counts, Dialogue, Ending, Protocol, Request};

use super::stage::{Chance, Piece};
use super::stats::Counters;

/// What is wanted of all connections of a link together.
pub(super) struct Picking {
    protocol: Protocol,
    /// The requests that are picked out, with the rule's key; none where only is read along, so that it is known later
    /// what was said before.
    what: Option<(u64, Intercept)>,
    /// What is left to chance depends on it.
    seed: u64,
    /// Requests that fitted so far.
    fitted: AtomicU64,
}

impl Picking {
    /// Of a link where this is picked out; where nothing is but might be later, what it speaks.
    pub(super) fn of(what: Option<(u64, &Intercept)>, speaks: Option<Protocol>, seed: u64) -> Option<Arc<Self>> {
        let protocol = what.map(|(_, what)| what.protocol).or(speaks)?;
        let fitted = AtomicU64::new(0);
        Some(Arc::new(Self {
            protocol,
            what: what.map(|(key, what)| (key, what.clone())),
            seed,
            fitted,
        }))
    }

    /// Whether it is what is wanted still.
    pub(super) fn is(&self, wanted: Option<(u64, &Intercept)>) -> bool {
        self.what.as_ref().map(|(key, what)| (*key, what)) == wanted
    }

    fn judge(&self, request: &Request, counters: &Counters) -> Option<Act> {
        let (key, what) = self.what.as_ref()?;
        let taken = what.fits(request) && {
            let ordinal = self.fitted.fetch_add(1, Relaxed) + 1;
            let drawn = Chance::new(self.seed, ordinal).of(*key);
            what.which.takes(ordinal, drawn)
        };
        if !taken {
            counters.untouched(request);
        }
        taken.then(|| what.then.clone())
    }
}

/// A connection that is read along.
pub(super) struct Exchange {
    picking: Arc<Picking>,
    dialogue: Dialogue,
    counted: Counts,
}

impl Exchange {
    /// Of a connection that has carried nothing yet, if `fresh`.
    pub(super) fn new(picking: Arc<Picking>, fresh: bool) -> Box<Self> {
        Box::new(Self {
            dialogue: Dialogue::new(picking.protocol, fresh),
            picking,
            counted: Counts::default(),
        })
    }

    /// Whether it is what is wanted already.
    pub(super) fn is_for(&self, picking: Option<&Arc<Picking>>) -> bool {
        picking.is_some_and(|picking| Arc::ptr_eq(picking, &self.picking))
    }

    /// Reads on for another purpose. Says whether it can.
    pub(super) fn turn_to(&mut self, picking: Option<&Arc<Picking>>) -> bool {
        match picking.filter(|picking| picking.protocol == self.picking.protocol) {
            Some(picking) => {
                self.picking = picking.clone();
                true
            }
            None => false,
        }
    }

    /// What becomes of pieces that go `up`, or back.
    pub(super) fn read(&mut self, up: bool, pieces: Vec<Piece>, counters: &Counters) -> Vec<Piece> {
        let mut all = Vec::new();
        for piece in pieces {
            if up {
                let picking = &self.picking;
                let passed = self
                    .dialogue
                    .ask(&piece.bytes, &mut |request| picking.judge(request, counters));
                all.extend(passed.into_iter().map(|passed| {
                    let (at, due) = (piece.at + passed.later, piece.due + passed.later);
                    let bytes = passed.bytes;
                    Piece { at, due, bytes }
                }));
            } else {
                let bytes = self.dialogue.hear(&piece.bytes);
                all.extend((!bytes.is_empty()).then_some(Piece { bytes, ..piece }));
            }
        }
        self.count(counters);
        all
    }

    /// What a client is told now although its server has said nothing.
    pub(super) fn told(&mut self, counters: &Counters) -> Option<Piece> {
        let bytes = self.dialogue.told();
        self.count(counters);
        at_once(bytes)
    }

    /// What was held back of one direction and goes on now that there will be no more of it, or nobody reads along.
    pub(super) fn rest(&mut self, up: bool, counters: &Counters) -> Option<Piece> {
        let bytes = match up {
            true => self.dialogue.asked_all(),
            false => self.dialogue.heard_all(),
        };
        self.count(counters);
        at_once(bytes)
    }

    /// How the connection is to end once its client has been told all.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.dialogue.ending()
    }

    /// Whether the connection must not go on when nobody reads along any more.
    pub(super) fn has_hole(&self) -> bool {
        self.dialogue.has_hole()
    }

    /// Whether an end has missed something already.
    pub(super) fn has_lost(&self) -> bool {
        self.dialogue.has_lost()
    }

    fn count(&mut self, counters: &Counters) {
        let now = self.dialogue.counts();
        if now != self.counted {
            counters.read_along(&self.counted, &now);
            self.counted = now;
        }
    }
}

fn at_once(bytes: Vec<u8>) -> Option<Piece> {
    let now = Instant::now();
    let (at, due) = (now, now);
    (!bytes.is_empty()).then_some(Piece { at, due, bytes })
}
