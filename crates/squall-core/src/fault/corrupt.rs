//! Links that carry other bytes than were sent.

use crate::amount::{Dur, Percent};
use crate::fault::{fault, impaired};
use crate::place::{Condition, Impair, Share, Way};

pub(super) const DOES: &str = "some bytes on one copy's connections to a service arrive as others";
pub(super) const PROOF: &str = "bytes that were changed, counted by the link's proxy";

fault! {
    /// Changes bytes on a link.
    CorruptLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// The share of bytes that are changed.
        bytes: Percent,
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

impl CorruptLink {
    pub(super) fn condition(&self) -> Condition {
        impaired(
            Impair::Corrupt {
                share: Share::of(self.bytes.fraction()),
            },
            self.way,
            self.share,
        )
    }
}
