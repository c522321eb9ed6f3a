//! The plan: every step timed and targeted, so that no dice are left.
//!
//! What only the moment can tell (which worker is busy) is late-bound: the plan holds a rank drawn
//! now, applied to the sorted candidates then, and the answer is journaled.

mod bounds;
mod draw;
mod fit;
mod needs;
mod note;
mod part;
mod wait;
mod work;

pub use draw::{Request, plan};
pub use needs::needs;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::demand::Demand;
use crate::fault::Aim;
use crate::place::{Condition, Instance, Place};
use crate::script::PlannedScript;
use crate::stop::StopWhen;
use crate::time::Nanos;
use crate::workload::{PlannedBulky, PlannedClients, PlannedFlood, PlannedTask, PlannedWrites};

/// What requests of the flood are called in the journal.
pub const FLOOD: &str = "flood";

/// What tests ask for that are about something else.
#[cfg(test)]
pub(crate) const PLAIN: Request<'static> = Request {
    level: 1,
    level_name: "basic",
    seed: 1,
    pace: 1.0,
    jobs: 1,
    repeat: "",
};

/// A scenario at a level, with a seed and a pace, without dice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scenario's name.
    pub scenario: String,
    /// What is believed.
    pub hypothesis: String,
    /// The level, 1 to 6.
    pub level: u8,
    /// The level's name.
    pub level_name: String,
    /// What all randomness was drawn from.
    pub seed: u64,
    /// By how much planned durations were divided.
    pub pace: f64,
    /// How many scenarios run at once: they share the machine.
    #[serde(default = "alone")]
    pub jobs: u8,
    /// The storm's tasks, created at its start in this order.
    pub tasks: Vec<PlannedTask>,
    /// Which kind of those the hypothesis is about.
    pub main_kind: Option<String>,
    /// When they shall be done, from the storm's start.
    pub deadline: Option<Nanos>,
    /// Streams of small writes, all through the storm.
    pub writes: Vec<PlannedWrites>,
    /// Tasks created open-loop, from the storm's start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flood: Option<PlannedFlood>,
    /// Creates that are far too large to be taken, all through the storm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bulky: Option<PlannedBulky>,
    /// Clients that work objects, all through the storm.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<PlannedClients>,
    /// Distance between two requests of the rotating API traffic.
    pub api_every: Option<Nanos>,
    /// Whether every API case is tried once before and after.
    pub survey: bool,
    /// How long undisturbed traffic is watched first.
    pub reference: Nanos,
    /// How long the system must stay inside the reference band to count as steady.
    pub steady: Nanos,
    /// The storm goes on at least so long.
    pub lasts: Nanos,
    /// The faults, in the order of the scenario.
    pub steps: Vec<Step>,
    /// The commands run meanwhile, in the order of the scenario.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scripts: Vec<PlannedScript>,
    /// Copies of a service instead of the system's own number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replicas: BTreeMap<String, u32>,
    /// What ends the storm at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stop_when: Vec<StopWhen>,
    /// What is judged.
    pub checks: Vec<Demand>,
    /// The command that plans the same again.
    #[serde(default)]
    pub repeat: String,
}

/// A journal that does not say so was written when there was no other way.
fn alone() -> u8 {
    1
}

/// One strike of one fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which entry of the scenario's storm it comes from; strikes of one entry prove each other.
    pub entry: usize,
    /// The fault's word.
    pub fault: String,
    /// When it strikes.
    pub start: Start,
    /// Strikes sooner, once this share of the main tasks is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub or_done: Option<f64>,
    /// Waits for this state first, and how long at most.
    pub aim: Option<(Aim, Nanos)>,
    /// The service it strikes, or whose links it strikes.
    pub service: String,
    /// For links: the service at the other end.
    pub link_to: Option<String>,
    /// Where nothing is left open: the very place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Chooses among the candidates: `candidates[rank % len]`.
    pub rank: u64,
    /// What holds there.
    pub condition: Condition,
    /// How long.
    pub hold: Hold,
}

impl Step {
    /// Where it strikes, of this copy of its service.
    pub fn place_at(&self, copy: Instance) -> Place {
        match &self.link_to {
            Some(to) => Place::Link {
                from: copy,
                to: to.clone(),
            },
            None => Place::Instance(copy),
        }
    }
}

/// When a step strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At this time from the storm's start.
    At(Nanos),
    /// This long after another step ended.
    After {
        /// Its index in the plan.
        step: usize,
        /// How long after.
        gap: Nanos,
    },
}

/// How long a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// Squall holds it and then heals: recovery counts from the heal.
    For(Nanos),
    /// The service's own supervision ends it after this long: recovery counts from the death.
    Restart(Nanos),
    /// Until another step of its kind takes its place, or the storm ends.
    Stays,
}

impl Hold {
    /// How long, either way.
    pub fn nanos(self) -> Nanos {
        match self {
            Hold::For(nanos) | Hold::Restart(nanos) => nanos,
            Hold::Stays => 0,
        }
    }
}
