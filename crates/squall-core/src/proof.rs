//! Proof of effect: what shows that a fault did anything. No proof, no pass.

use serde::{Deserialize, Serialize};

use crate::event::EventId;
use crate::journal::{History, Strike};

/// Whether a strike was seen to have an effect, and by what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// Whether it was.
    pub seen: bool,
    /// What showed it, or what was looked for in vain.
    pub says: String,
    /// The events that show it.
    pub evidence: Vec<EventId>,
}

/// What shows that `strike` had an effect.
pub fn proof(strike: &Strike<'_>, history: &History<'_>) -> Proof {
    let _ = (strike, history);
    Proof {
        seen: false,
        says: String::new(),
        evidence: Vec::new(),
    }
}
