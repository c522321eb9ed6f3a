//! Links that are slow.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::Condition;

pub(super) const DOES: &str = "every byte on one copy's connections to a service arrives later, in order";
pub(super) const PROOF: &str = "bytes held back, counted by the link's proxy";

fault! {
    /// Slows a link.
    DelayLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// Added in each direction.
        latency: Dur,
        /// Largest deviation from it.
        #[serde(default)]
        jitter: Option<Dur>,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl DelayLink {
    pub(super) fn condition(&self) -> Condition {
        Condition::Delay {
            latency: self.latency.get(),
            jitter: self.jitter.map_or(std::time::Duration::ZERO, Dur::get),
        }
    }
}
