//! Difficulty levels: rows of parameters a scenario reads, as data.

use std::collections::BTreeMap;

use serde::Deserialize;

/// One row of the table of levels.
#[derive(Debug, Clone, Deserialize)]
pub struct Level {
    /// 1 to 6.
    pub level: u8,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Where it is used.
    pub use_cases: Vec<String>,
    /// Said before a run begins, where the level is not meant to be fully met.
    #[serde(default)]
    pub warning: Option<String>,
    /// The guide's total time for it.
    pub total_time: String,
    /// What `${level.…}` gives.
    pub values: BTreeMap<String, serde_json::Value>,
}
