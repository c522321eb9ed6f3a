//! Links that carry little.

use crate::amount::{Dur, Percent};
use crate::fault::{fault, impaired};
use crate::place::{Condition, Impair, Way};

pub(super) const DOES: &str =
    "no more than so many kilobytes pass in a second on each connection of one copy to a service";
pub(super) const PROOF: &str = "bytes that had to wait, counted by the link's proxy";

fault! {
    /// Makes a link narrow.
    ThrottleLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// Kilobytes (of 1000 bytes) per second, on each connection and in each direction.
        kilobytes: std::num::NonZeroU32,
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

impl ThrottleLink {
    pub(super) fn condition(&self) -> Condition {
        impaired(
            Impair::Rate {
                bytes: u64::from(self.kilobytes.get()) * 1000,
            },
            self.way,
            self.share,
        )
    }
}
