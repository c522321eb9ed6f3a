//! Disks that take their time.

use std::time::Duration;

use crate::amount::Dur;
use crate::fault::{Objection, fault};
use crate::place::{Condition, Shortage};

pub(super) const DOES: &str = "each read, write and sync of one copy on its disk takes so much longer";
pub(super) const PROOF: &str = "reads, writes and syncs of its own that were held back, counted where its disk is";

fault! {
    /// Slows the disk of one copy.
    DiskSlow {
        /// The service; it must have a `disk`, or be one squall makes, such as `preset: postgres`.
        on: String,
        /// Added to each read, write and sync.
        latency: Dur,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl DiskSlow {
    pub(super) fn condition(&self) -> Condition {
        let latency = self.latency.get();
        Condition::Short(Shortage::SlowDisk { latency })
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        // Who waits for it can't be ended meanwhile.
        const LONGEST: Duration = Duration::from_secs(5);
        match self.latency.get() {
            Duration::ZERO => Some((
                "/latency",
                "a disk that takes no longer is not slow",
                "write how much longer, such as 50ms",
            )),
            latency if latency > LONGEST => Some((
                "/latency",
                "a disk takes at most 5s longer: nothing can end a process while it waits for one",
                "write 5s, or use `freeze` for what stands still altogether",
            )),
            _ => None,
        }
    }
}
