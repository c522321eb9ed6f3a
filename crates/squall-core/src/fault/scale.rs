//! Services that get fewer copies, or more again.

use crate::amount::Percent;
use crate::fault::fault;
use crate::place::Condition;

pub(super) const DOES: &str =
    "changes how many copies of a service run: SIGTERM to those that are too many, a start to those that are missing";
pub(super) const PROOF: &str = "the copies that ended or became ready, while there was work to do";

fault! {
    /// Changes how many copies of a service run; holds until the next change, or the end of the storm.
    Scale {
        /// The service.
        on: String,
        /// How many copies; never more than it has undisturbed.
        to: u32,
        /// Strikes sooner than `at`, once this share of the main tasks is done.
        #[serde(default)]
        or_done: Option<Percent>,
    }
}

impl Scale {
    pub(super) fn condition(&self) -> Condition {
        Condition::Replicas(self.to)
    }
}
