//! A command of one's own in the storm. What it does squall can't know: it heals nothing of it.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Dur, DurRange};
use crate::fault::Timing;
use crate::script::{Script, half_a_minute};

pub(super) const DOES: &str =
    "runs a command of one's own; squall kills it at its bound and heals nothing of what it did";
pub(super) const PROOF: &str = "its exit code is 0: anything else makes the run inconclusive";

/// Runs a command of one's own.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "Written")]
#[schemars(with = "Written")]
pub struct RunScript {
    /// What is run.
    pub script: Script,
    timing: Timing,
}

/// How it is written: the command alone, or with its settings.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RunScript")]
enum Written {
    /// The command, split into arguments; never given to a shell.
    Plain(String),
    /// The command, its bound, and when.
    Timed(Timed),
}

#[derive(Deserialize, JsonSchema)]
struct Timed {
    /// The command, split into arguments; never given to a shell.
    run: String,
    /// It is killed when it takes longer.
    #[serde(default = "half_a_minute")]
    within: Dur,
    /// The first run, from the storm's start; a range is drawn from.
    #[serde(default)]
    at: Option<DurRange>,
    /// Again at such distances; a range is drawn from each time.
    #[serde(default)]
    every: Option<DurRange>,
    /// Not after this time from the storm's start.
    #[serde(default)]
    until: Option<Dur>,
    /// At most so many times.
    #[serde(default)]
    times: Option<u32>,
}

impl From<Written> for RunScript {
    fn from(written: Written) -> Self {
        match written {
            Written::Plain(run) => Self {
                script: Script {
                    run,
                    within: half_a_minute(),
                },
                timing: Timing::default(),
            },
            Written::Timed(timed) => Self {
                script: Script {
                    run: timed.run,
                    within: timed.within,
                },
                timing: Timing {
                    at: timed.at,
                    every: timed.every,
                    until: timed.until,
                    times: timed.times,
                    ..Timing::default()
                },
            },
        }
    }
}

impl RunScript {
    /// When it is run.
    pub fn timing(&self) -> Timing {
        self.timing.clone()
    }
}
