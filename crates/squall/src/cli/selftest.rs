//! `squall selftest`: every planted bug against the scenario that must catch it, and the sound system beside it.

use std::path::PathBuf;

use clap::Args;

use crate::store::RunId;

/// What `selftest` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct SelftestArgs {
    /// Divide every planned duration by this
    #[arg(long, default_value = "10", value_name = "N", value_parser = super::pace)]
    pub(super) pace: f64,
    /// What all randomness is drawn from
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Only these bugs, separated by commas
    #[arg(long, value_name = "A,B")]
    pub(super) bugs: Option<String>,
    /// Sound repetitions of every scenario
    #[arg(long, default_value = "1", value_name = "N")]
    pub(super) sound: u32,
    /// The system file of taskhub
    #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE")]
    pub(super) system: Option<PathBuf>,
    /// Where the run's folder goes
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    pub(super) output: PathBuf,
}

/// Runs them all. Answers the exit code.
pub(super) fn selftest(_args: &SelftestArgs, _id: &RunId) -> u8 {
    crate::exit::ENVIRONMENT
}
