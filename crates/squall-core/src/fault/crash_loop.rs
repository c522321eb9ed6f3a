//! Processes that die again each time they have come back.

use crate::amount::Dur;
use crate::fault::{Objection, fault};
use crate::place::{Condition, Death};

pub(super) const DOES: &str = "SIGKILL to one copy, and again each time it is ready again";
pub(super) const PROOF: &str = "it came back and was killed again, and what its first death interrupted";

fault! {
    /// Kills one copy again and again.
    CrashLoop {
        /// The service.
        on: String,
        /// How long each process lives once it is ready; not at all when absent.
        #[serde(default)]
        lives: Option<Dur>,
        /// At most so many deaths, two or more, after which it lives on; as many as fit when absent.
        #[serde(default)]
        crashes: Option<std::num::NonZeroU32>,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl CrashLoop {
    pub(super) fn condition(&self) -> Condition {
        Condition::Down(Death::Again {
            lives: self.lives.map_or(std::time::Duration::ZERO, Dur::get),
            most: self.crashes.map(std::num::NonZeroU32::get),
        })
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        if self.crashes.is_some_and(|crashes| crashes.get() == 1) {
            return Some(("/crashes", "one death is no loop", "write 2 or more, or a `kill`"));
        }
        let outlives = self.lives.is_some_and(|lives| lives >= self.lasts);
        outlives.then_some((
            "/lives",
            "a process would outlive the fault, and never die again",
            "write less than `for`",
        ))
    }
}
