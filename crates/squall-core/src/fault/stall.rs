//! Links that lose packets, as TCP shows it.

use crate::amount::{Dur, Percent};
use crate::fault::{fault, impaired};
use crate::place::{Condition, Impair, Share, Way};

pub(super) const DOES: &str =
    "one copy's connections to a service stand still now and then, as if a packet were lost and sent again";
pub(super) const PROOF: &str = "times everything stood still, counted by the link's proxy";

fault! {
    /// Makes a link stand still now and then.
    StallLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// The share of packets (of 1460 bytes) that are lost.
        loss: Percent,
        /// How long it takes until one is sent again; 200 ms when absent, the least Linux waits.
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

impl StallLink {
    pub(super) fn condition(&self) -> Condition {
        impaired(
            Impair::Stall {
                share: Share::of(self.loss.fraction()),
                pause: self.pause.map_or(RESENT, Dur::get),
            },
            self.way,
            self.share,
        )
    }
}

/// The least time after which Linux sends a packet again.
const RESENT: std::time::Duration = std::time::Duration::from_millis(200);
