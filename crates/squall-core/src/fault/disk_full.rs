//! Disks without room.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Shortage};

pub(super) const DOES: &str = "the disk of one copy (`disk` in the system file) is filled to its last byte";
pub(super) const PROOF: &str =
    "a write there that was refused for want of room, and that the copy's log, end or answers tell of one of its own";

fault! {
    /// Fills the disk of one copy.
    DiskFull {
        /// The service; it must have a `disk`.
        on: String,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl DiskFull {
    pub(super) fn condition(&self) -> Condition {
        Condition::Short(Shortage::Disk)
    }
}
