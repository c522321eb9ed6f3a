//! Processes that stand still and later go on as if nothing had happened.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::Condition;

pub(super) const DOES: &str = "SIGSTOP to every process of one copy, SIGCONT afterwards";
pub(super) const PROOF: &str =
    "its processes and its attempt stood still while it was frozen, or its clients waited in vain";

fault! {
    /// SIGSTOP, later SIGCONT.
    Freeze {
        /// The service.
        on: String,
        /// How long it stands still.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl Freeze {
    pub(super) fn condition(&self) -> Condition {
        Condition::Frozen
    }
}
