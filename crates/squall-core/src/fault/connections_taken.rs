//! Databases whose connections others have.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Shortage};

pub(super) const DOES: &str = "every connection a database allows is taken and held";
pub(super) const PROOF: &str = "a connection the database refused because it had too many";

fault! {
    /// Takes all connections a database allows.
    ConnectionsTaken {
        /// The service; it must be of the preset `postgres`.
        on: String,
        /// Whether those that others have are ended first, so that these must come for new ones.
        #[serde(default)]
        evict: bool,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl ConnectionsTaken {
    pub(super) fn condition(&self) -> Condition {
        Condition::Short(Shortage::Connections { evict: self.evict })
    }
}
