//! Processes that die and can't be started again.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Death};

pub(super) const DOES: &str = "SIGKILL to one copy, and its next starts fail before its program is reached";
pub(super) const PROOF: &str = "starts that failed, and what its death interrupted";

fault! {
    /// Kills one copy and lets its next starts fail.
    StartFailure {
        /// The service.
        on: String,
        /// At most so many starts, after which they succeed; all when absent.
        #[serde(default)]
        starts: Option<std::num::NonZeroU32>,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl StartFailure {
    pub(super) fn condition(&self) -> Condition {
        let most = self.starts.map(std::num::NonZeroU32::get);
        Condition::Down(Death::Unstartable { most })
    }
}
