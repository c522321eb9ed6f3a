//! Processors that others use.

use crate::amount::{Dur, Percent};
use crate::fault::{Objection, fault};
use crate::place::{Condition, Share, Shortage};

pub(super) const DOES: &str = "others take part of the processors one copy runs on; one processor stays out of it";
pub(super) const PROOF: &str =
    "processor time that was taken, and that the copy had to wait for one clearly longer than before";

/// Which shares of its processors can be taken from a service.
const SHARES: std::ops::RangeInclusive<f64> = 0.5..=0.95;

fault! {
    /// Takes processor time away from one copy.
    CpuLoad {
        /// The service.
        on: String,
        /// What is taken of its processors when it wants all of them: 50% to 95%.
        share: Percent,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl CpuLoad {
    pub(super) fn condition(&self) -> Condition {
        let taken = Share::of(self.share.fraction());
        Condition::Short(Shortage::Cpu { taken })
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        (!SHARES.contains(&self.share.fraction())).then_some((
            "/share",
            "no such share can be taken",
            "write 50% to 95%: with one other at each of its turns it gets half",
        ))
    }
}
