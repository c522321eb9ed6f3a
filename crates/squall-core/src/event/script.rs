//! What became of commands of the scenario's own.

use serde::{Deserialize, Serialize};

/// Which command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptOf {
    /// One of the storm, by its place among the plan's `scripts`.
    Storm(usize),
    /// A check, by its place among the plan's `checks`.
    Check(usize),
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScriptEnd {
    /// With this exit code.
    Code(i32),
    /// Killed by this signal, and not by squall.
    Signal(i32),
    /// Killed by squall at its bound.
    Overran,
    /// Killed by squall because the storm was stopped.
    Stopped,
    /// It could not be started, and why.
    Unstarted(String),
}

impl ScriptEnd {
    /// Whether it ended as it should.
    pub fn well(&self) -> bool {
        *self == ScriptEnd::Code(0)
    }

    /// In words: `ended with exit code 1`.
    pub fn words(&self) -> String {
        match self {
            ScriptEnd::Code(code) => format!("ended with exit code {code}"),
            ScriptEnd::Signal(signal) => format!("was killed by signal {signal}"),
            ScriptEnd::Overran => "was killed at its bound".to_owned(),
            ScriptEnd::Stopped => "was killed when the storm was stopped".to_owned(),
            ScriptEnd::Unstarted(why) => format!("could not be started: {why}"),
        }
    }
}
