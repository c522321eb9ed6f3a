//! Links that carry bytes in small pieces.

use crate::amount::{Dur, Percent};
use crate::fault::{Objection, fault, impaired};
use crate::place::{Condition, Impair, Way};

pub(super) const DOES: &str = "bytes on one copy's connections to a service arrive in small pieces";
pub(super) const PROOF: &str = "pieces that were cut off, counted by the link's proxy";

fault! {
    /// Cuts a stream into pieces.
    SliceLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// Bytes in a piece.
        bytes: std::num::NonZeroU32,
        /// How far from it a piece may be; none when absent.
        #[serde(default)]
        vary: u32,
        /// Between two pieces; none when absent.
        #[serde(default)]
        pause: Option<Dur>,
        /// Which direction: `up` (from the one that connects), `down`, or `both` when absent.
        #[serde(default)]
        way: Way,
        /// The share of connections; all when absent.
        #[serde(default)]
        share: Option<Percent>,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl SliceLink {
    pub(super) fn condition(&self) -> Condition {
        impaired(
            Impair::Slice {
                bytes: u64::from(self.bytes.get()),
                vary: u64::from(self.vary),
                pause: self.pause.map_or(std::time::Duration::ZERO, Dur::get),
            },
            self.way,
            self.share,
        )
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        let empty = self.vary >= self.bytes.get();
        empty.then_some(("/vary", "a piece could have no byte at all", "write less than `bytes`"))
    }
}
