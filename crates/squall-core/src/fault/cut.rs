//! Links that are gone.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Cut};

pub(super) const DOES: &str = "cuts the connections of one copy to a service: refuse, black_hole, half_open or reset";
pub(super) const PROOF: &str = "connections closed, or bytes that vanished, counted by the link's proxy";

fault! {
    /// Cuts a link.
    CutLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// How.
        how: Cut,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl CutLink {
    pub(super) fn condition(&self) -> Condition {
        Condition::Cut(self.how)
    }
}
