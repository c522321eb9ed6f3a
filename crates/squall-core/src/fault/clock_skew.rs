//! Wall clocks that are wrong, while every other one on the machine is right.

use crate::amount::{Dur, Offset};
use crate::fault::fault;
use crate::place::{Condition, Skew};

pub(super) const DOES: &str = "the wall clock of one copy is ahead or behind; nobody else's is";
pub(super) const PROOF: &str = "its answers gave the wrong time; where they give none, that it was used and its \
                                processes ran the clock functions that were replaced";

fault! {
    /// Lets one copy see a wrong wall clock.
    ClockSkew {
        /// The service.
        on: String,
        /// How wrong: `+90s` is ahead, `-1h` behind.
        by: Offset,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl ClockSkew {
    pub(super) fn condition(&self) -> Condition {
        Condition::Skewed(Skew { by: self.by.nanos() })
    }
}
