//! A command of one's own, as a check or as a step of a storm.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Dur;
use crate::command;
use crate::time::Nanos;

/// A command, split into arguments as a shell would; never given to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Written")]
#[schemars(with = "Written")]
pub struct Script {
    /// The command.
    pub run: String,
    /// It is killed when it takes longer.
    pub within: Dur,
}

/// How it is written: the command alone, or with its bound.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Script")]
enum Written {
    /// The command, split into arguments; never given to a shell.
    Plain(String),
    /// The command and its bound.
    Bound(Bound),
}

#[derive(Deserialize, JsonSchema)]
struct Bound {
    /// The command, split into arguments; never given to a shell.
    run: String,
    /// It is killed when it takes longer.
    #[serde(default = "half_a_minute")]
    within: Dur,
}

/// How long a command may take where nothing is said.
pub(crate) fn half_a_minute() -> Dur {
    Dur::secs(30)
}

impl From<Written> for Script {
    fn from(written: Written) -> Self {
        let (run, within) = match written {
            Written::Plain(run) => (run, half_a_minute()),
            Written::Bound(Bound { run, within }) => (run, within),
        };
        Self { run, within }
    }
}

/// A command of the storm, planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedScript {
    /// Which entry of the scenario's storm it comes from.
    pub entry: usize,
    /// When it is started, from the storm's start.
    pub at: Nanos,
    /// The command.
    pub script: Script,
}

impl Script {
    /// Its arguments, the program first; none where nothing is written.
    ///
    /// # Errors
    /// As [`command::words`] says.
    pub fn words(&self) -> Result<Vec<String>, String> {
        command::words(&self.run)
    }
}
