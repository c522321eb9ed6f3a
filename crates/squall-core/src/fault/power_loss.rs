//! Machines that lose their power.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Death};

pub(super) const DOES: &str = "the machine of one copy loses its power: what was not synced to its disk is gone, too";
pub(super) const PROOF: &str = "its disk refused a write, and what its death interrupted";

fault! {
    /// Ends one copy together with all that it had not synced to its disk.
    PowerLoss {
        /// The service; it must have a `disk` or be of the preset `postgres`.
        on: String,
        /// How long it stays down; the service's own `restart.after` when absent.
        #[serde(default)]
        down: Option<Dur>,
    }
}

impl PowerLoss {
    pub(super) fn condition(&self) -> Condition {
        Condition::Down(Death::PowerLoss)
    }
}
