//! Reports: what a reader gets, from journals alone.

mod summary;

pub use summary::{Counts, Fault, Report, Run, Scenario, report};
