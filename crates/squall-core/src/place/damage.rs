//! What a service has on disk, and is not what it wrote.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which files are changed, and how.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Damage {
    /// Files whose path below the service's folder has this form.
    pub files: String,
    /// How.
    pub how: Harm,
    /// At so many spots.
    pub spots: u32,
    /// The service is stopped before, and started after.
    pub stopped: bool,
}

/// What is done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// One bit of it is another.
    BitFlip,
    /// Its end is missing.
    Truncate,
    /// Of one of its blocks (of 4096 bytes) only the first part was written, and the rest is zero.
    TornWrite,
}

impl Harm {
    /// What is counted of it.
    pub fn word(self) -> &'static str {
        match self {
            Harm::BitFlip => "bits flipped",
            Harm::Truncate => "files truncated",
            Harm::TornWrite => "writes torn",
        }
    }
}

impl fmt::Display for Damage {
    /// How, and where: `3 bits flipped in base/*, stopped meanwhile`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}", self.spots, self.how.word(), self.files)?;
        f.write_str(if self.stopped { ", stopped for it" } else { "" })
    }
}
