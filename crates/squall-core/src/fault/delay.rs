//! Links that are slow.

use crate::amount::{Dur, Percent};
use crate::fault::{Objection, fault, impaired};
use crate::place::{Condition, Impair, Spread, Way};

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
        /// How jitter is spread: `uniform` (when absent), `normal` or `pareto`.
        #[serde(default)]
        spread: Spread,
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

impl DelayLink {
    pub(super) fn condition(&self) -> Condition {
        let what = Impair::Delay {
            latency: self.latency.get(),
            jitter: self.jitter.map_or(std::time::Duration::ZERO, Dur::get),
            spread: self.spread,
        };
        impaired(what, self.way, self.share)
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        let nothing = self.latency == Dur::ZERO && self.jitter.is_none_or(|jitter| jitter == Dur::ZERO);
        nothing.then_some((
            "/latency",
            "a delay of nothing changes nothing",
            "write how much, such as 50ms",
        ))
    }
}
