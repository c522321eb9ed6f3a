//! Links that carry bytes one way only.

use crate::amount::{Dur, Percent};
use crate::fault::{fault, impaired};
use crate::place::{Condition, Impair, Way};

pub(super) const DOES: &str = "bytes vanish on one copy's connections to a service, in one direction or both";
pub(super) const PROOF: &str = "bytes that vanished, counted by the link's proxy";

fault! {
    /// Lets bytes vanish.
    SilenceLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
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

impl SilenceLink {
    pub(super) fn condition(&self) -> Condition {
        impaired(Impair::Silence, self.way, self.share)
    }
}
