//! Links that break in the middle of something.

use crate::amount::{Dur, Percent};
use crate::fault::{fault, impaired};
use crate::place::{Condition, Impair, Way};

pub(super) const DOES: &str = "one copy's connections to a service are closed once they have carried so many bytes";
pub(super) const PROOF: &str = "connections that were closed early, counted by the link's proxy";

fault! {
    /// Closes connections early.
    TruncateLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// Bytes that still pass, on each connection.
        bytes: u64,
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

impl TruncateLink {
    pub(super) fn condition(&self) -> Condition {
        impaired(Impair::Truncate { after: self.bytes }, self.way, self.share)
    }
}
