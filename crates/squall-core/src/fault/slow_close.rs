//! Links on which the end of a stream is noticed late.

use crate::amount::{Dur, Percent};
use crate::fault::{Objection, fault, impaired};
use crate::place::{Condition, Impair, Way};

pub(super) const DOES: &str =
    "that one end of a copy's connections to a service has closed is noticed later by the other";
pub(super) const PROOF: &str = "ends of streams that were held back, counted by the link's proxy";

fault! {
    /// Holds the end of a stream back.
    SlowClose {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// How much later.
        by: Dur,
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

impl SlowClose {
    pub(super) fn condition(&self) -> Condition {
        impaired(Impair::SlowClose { delay: self.by.get() }, self.way, self.share)
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        let nothing = self.by == Dur::ZERO;
        nothing.then_some((
            "/by",
            "later by nothing changes nothing",
            "write how much, such as 500ms",
        ))
    }
}
