//! What clients do: tasks, a stream of writes, rotating API traffic.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Dur, Rate};
use crate::contract::Object;
use crate::schedule::{Arrivals, BadRate, Schedule, Stretch};
use crate::time::Nanos;

/// What clients do during a scenario.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Workload {
    /// The work the storm is about, created at its start.
    #[serde(default)]
    pub tasks: Option<TaskLoad>,
    /// So many tasks of each other kind of the contract, so that retries and the dead-letter queue are exercised.
    #[serde(default)]
    pub others: u32,
    /// Streams of small tasks, all through the storm.
    #[serde(default)]
    pub writes: Vec<Writes>,
    /// Tasks created open-loop at a rate, from the storm's start.
    #[serde(default)]
    pub flood: Option<Flood>,
    /// Creates that are far too large to be taken, all through the storm.
    #[serde(default)]
    pub bulky: Option<Bulky>,
    /// Clients that add to counters, all through the storm.
    #[serde(default)]
    pub counters: Option<CounterLoad>,
    /// Clients that hold locks, all through the storm.
    #[serde(default)]
    pub locks: Option<LockLoad>,
    /// The contract's API cases in turn, all through the run.
    #[serde(default)]
    pub api: Option<Api>,
    /// Whether every API case is tried once before the storm and once after it.
    #[serde(default)]
    pub survey: bool,
}

/// The work the storm is about.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct TaskLoad {
    /// How many.
    pub count: u32,
    /// How long each takes.
    pub takes: Dur,
    /// When they shall be done, from the storm's start; whenever they are, when absent.
    #[serde(default)]
    pub deadline: Option<Dur>,
    /// Which kind of the contract.
    #[serde(default = "work")]
    pub kind: String,
}

fn work() -> String {
    "work".to_owned()
}

/// A stream of small tasks.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Writes {
    /// How many in a time.
    pub rate: Rate,
    /// So many are sent at once; the rate stays.
    #[serde(default = "one")]
    pub burst: u32,
    /// Which kind of the contract.
    pub kind: String,
}

fn one() -> u32 {
    1
}

/// Tasks created open-loop: each when it is due, whatever became of the ones before. Pace leaves its rates alone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Flood {
    /// Which kind of the contract.
    pub kind: String,
    /// How long each takes.
    #[serde(default)]
    pub takes: Option<Dur>,
    /// How many in a time.
    pub rate: Rate,
    /// For how long; never less than 11 s, or there would be too few samples for a trend.
    #[serde(rename = "for")]
    pub lasts: Dur,
    /// Then the rate grows evenly up to this one, in a quarter of that time: where answers no longer keep up is saturation.
    #[serde(default)]
    pub up_to: Option<Rate>,
}

/// Creates with a body of so many megabytes, of which none must be taken: each is to be refused with 413. Pace leaves
/// their rate alone.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Bulky {
    /// How many in a time.
    pub rate: Rate,
    /// Megabytes (of 1000000 bytes) in each.
    pub megabytes: NonZeroU32,
}

/// Clients that add to counters: each adds one, pauses, and does so again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct CounterLoad {
    /// How many counters; a client goes from one to the next.
    pub count: NonZeroU32,
    /// How many clients.
    pub clients: NonZeroU32,
    /// Between two turns of a client.
    pub pause: Dur,
}

/// Clients that hold locks: each acquires one, appends to what it guards, holds it, appends again and gives it back; it
/// never looks at the clock.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct LockLoad {
    /// How many locks; a client goes from one to the next.
    pub count: NonZeroU32,
    /// How many clients.
    pub clients: NonZeroU32,
    /// Between two turns of a client, and before it asks again for a lock it did not get.
    pub pause: Dur,
    /// Between what a holder appends first and last.
    pub hold: Dur,
}

/// Clients that work objects, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedClients {
    /// What they work.
    pub of: Object,
    /// The objects' names.
    pub names: Vec<String>,
    /// How many clients.
    pub clients: u32,
    /// Between two turns of a client.
    pub pause: Nanos,
    /// For locks: how long one is held.
    pub hold: Nanos,
}

/// Rotating API traffic.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Api {
    /// How many requests in a time.
    pub rate: Rate,
}

/// The stream of small tasks, planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedWrites {
    /// Between two bursts.
    pub every: Nanos,
    /// How many are sent at once.
    pub burst: u32,
    /// Which kind of the contract.
    pub kind: String,
}

/// Creates that are far too large, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedBulky {
    /// Between two.
    pub every: Nanos,
    /// Bytes in each.
    pub bytes: u64,
}

/// The flood, planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedFlood {
    /// Which kind of the contract.
    pub kind: String,
    /// How long each takes, in milliseconds.
    pub ms: u64,
    /// Tasks a second.
    pub rate: f64,
    /// For how long.
    pub lasts: Nanos,
    /// Then up to this rate, and in which time.
    pub up_to: Option<(f64, Nanos)>,
}

impl PlannedFlood {
    /// When each create is due, drawn from the plan's seed.
    ///
    /// # Errors
    /// A rate no schedule can have.
    pub fn schedule(&self, seed: u64) -> Result<Schedule, BadRate> {
        let even = Stretch::even(self.rate, self.lasts);
        let up = self.up_to.map(|(to, length)| Stretch::ramp(self.rate, to, length));
        let stretches: Vec<Stretch> = [Some(even), up].into_iter().flatten().collect();
        Schedule::new(stretches, Arrivals::Poisson { seed })
    }
}

/// One task of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlannedTask {
    /// Which kind of the contract.
    pub kind: String,
    /// How long it takes, in milliseconds; for kinds that take time.
    pub ms: u64,
    /// A text unique in the run, inside the payload.
    pub mark: String,
}
