//! Memory that others have.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Shortage};

pub(super) const DOES: &str = "one copy can get only so much more memory; what goes beyond is refused to it";
pub(super) const PROOF: &str = "the limit in force on its processes, and that it asked for memory meanwhile";

fault! {
    /// Leaves one copy little more memory than it has.
    MemoryLoad {
        /// The service.
        on: String,
        /// Megabytes (of 1000000 bytes) it can still get.
        megabytes: std::num::NonZeroU32,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl MemoryLoad {
    pub(super) fn condition(&self) -> Condition {
        let left = u64::from(self.megabytes.get()) * 1_000_000;
        Condition::Short(Shortage::Memory { left })
    }
}
