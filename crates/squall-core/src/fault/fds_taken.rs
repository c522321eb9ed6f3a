//! Descriptors that are all in use.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Shortage};

pub(super) const DOES: &str = "one copy can open no descriptor more, or few: no connection, no file";
pub(super) const PROOF: &str = "no free descriptor, and a connection it could not take or its own word of an error";

fault! {
    /// Leaves one copy few descriptors more than it has, or none.
    FdsTaken {
        /// The service.
        on: String,
        /// How many it can still open; none when absent.
        #[serde(default)]
        left: u32,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl FdsTaken {
    pub(super) fn condition(&self) -> Condition {
        Condition::Short(Shortage::Fds { left: self.left })
    }
}
