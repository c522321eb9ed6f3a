//! A scenario: hypothesis, workload, storm, checks.

mod ad_hoc;
mod check;

pub use ad_hoc::ad_hoc;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::Dur;
use crate::demand::Demand;
use crate::diagnostic::{Mistake, Mistakes};
use crate::document::Document;
use crate::fault::Fault;
use crate::stop::StopWhen;
use crate::workload::Workload;

/// A scenario file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Its name: the file's name without `.yaml`.
    pub scenario: String,
    /// What is believed, in one sentence.
    pub hypothesis: String,
    /// More about it, for `squall list scenarios`.
    #[serde(default)]
    pub about: Option<String>,
    /// What clients do.
    #[serde(default)]
    pub workload: Workload,
    /// Copies of a service instead of the system's own number.
    #[serde(default)]
    pub replicas: BTreeMap<String, u32>,
    /// What is broken, and when.
    #[serde(default)]
    pub storm: Vec<Fault>,
    /// The storm goes on at least so long.
    #[serde(default)]
    pub lasts: Option<Dur>,
    /// What ends the storm at once; then the run is inconclusive, unless it has a finding.
    #[serde(default)]
    pub stop_when: Vec<StopWhen>,
    /// What is judged.
    pub checks: Vec<Demand>,
}

impl Scenario {
    /// Reads a scenario file whose `${…}` are filled in.
    ///
    /// # Errors
    /// Every mistake in the file, each at its place.
    pub fn read(doc: &Document) -> Result<Self, Mistakes> {
        let (scenario, found) = Self::read_on(doc)?;
        if found.is_empty() {
            Ok(scenario)
        } else {
            Err(doc.mistakes(found))
        }
    }

    /// The same for who goes on to look for mistakes of other sorts, to show all of them: what contradicts itself in the
    /// scenario is answered beside it.
    ///
    /// # Errors
    /// It is none: everything in which the file differs from its schema, each at its place.
    pub fn read_on(doc: &Document) -> Result<(Self, Vec<Mistake>), Mistakes> {
        let scenario: Scenario = doc.read()?;
        let found = check::all(doc, &scenario);
        Ok((scenario, found))
    }
}
