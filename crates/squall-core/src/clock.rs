//! The recovery clock: for each strike, how long until what broke was noticed, served again, was steady again.

use serde::{Deserialize, Serialize};

use crate::journal::History;
use crate::place::Place;
use crate::time::Nanos;

/// From when recovery counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The moment of death: it must come back by itself.
    Death,
    /// The moment of heal: squall held it until then.
    Heal,
}

/// One strike's recovery. All times are durations since `from`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The step of the plan.
    pub step: usize,
    /// Where it struck.
    pub place: Place,
    /// From when it counts.
    pub origin: Origin,
    /// That moment, since the journal was opened.
    pub from: Nanos,
    /// From the strike (not `from`) to the first sign a client or the supervisor could see.
    pub detected: Option<Nanos>,
    /// Serving again.
    pub serving: Option<Nanos>,
    /// Back inside the reference band for the steady window; judged after the last fault.
    pub steady: Option<Nanos>,
    /// Whether serving again could be asked for: work waited for it, or it answers probes.
    pub expected: bool,
}

/// The recovery clocks of all strikes, in order.
pub fn clocks(history: &History<'_>) -> Vec<Clock> {
    let _ = history;
    Vec::new()
}
