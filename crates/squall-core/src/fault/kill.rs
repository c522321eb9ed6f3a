//! Processes that end: at once, politely, or by their own fast stop.

use crate::amount::Dur;
use crate::fault::fault;
use crate::place::{Condition, Death};

pub(super) const KILL: &str = "SIGKILL to every process of one copy of a service, at once";
pub(super) const TERMINATE: &str = "SIGTERM to one copy of a service, so that it may finish what it does";
pub(super) const STOP: &str = "the service's own fast stop (PostgreSQL: SIGINT, else SIGTERM)";
pub(super) const PROOF: &str = "what it interrupted: an attempt that ended with it, or a refused connection";

fault! {
    /// SIGKILL to every process of one copy.
    Kill {
        /// The service.
        on: String,
        /// How long it stays down; the service's own `restart.after` when absent.
        #[serde(default)]
        down: Option<Dur>,
    }
}

fault! {
    /// SIGTERM to one copy.
    Terminate {
        /// The service.
        on: String,
        /// How long it stays down; the service's own `restart.after` when absent.
        #[serde(default)]
        down: Option<Dur>,
    }
}

fault! {
    /// The service's own fast stop.
    Stop {
        /// The service.
        on: String,
        /// How long it stays down; the service's own `restart.after` when absent.
        #[serde(default)]
        down: Option<Dur>,
    }
}

impl Kill {
    pub(super) fn condition(&self) -> Condition {
        Condition::Down(Death::Kill)
    }
}

impl Terminate {
    pub(super) fn condition(&self) -> Condition {
        Condition::Down(Death::Terminate)
    }
}

impl Stop {
    pub(super) fn condition(&self) -> Condition {
        Condition::Down(Death::Stop)
    }
}
