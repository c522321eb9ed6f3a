//! What squall starts for itself: processes that keep processors busy, hold a disk, or begin where one is.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::say;
use crate::exit;
use crate::world::process::{burn, hold, within};

/// With what a start ends that is to fail, as most programs do that can't begin.
const FAILED: u8 = 1;

/// Which of them.
#[derive(Debug, Subcommand)]
pub(super) enum Inner {
    /// Keep processors busy until whoever asked for it is gone
    Burn {
        /// So many threads on each
        #[arg(long)]
        threads: u32,
        /// Their numbers
        #[arg(long, value_delimiter = ',', required = true)]
        on: Vec<usize>,
    },
    /// Hold a disk until the input ends
    Disk {
        /// Where
        #[arg(long)]
        folder: PathBuf,
        /// Its size
        #[arg(long)]
        bytes: u64,
    },
    /// End with an error and say nothing
    Fail,
    /// Become a program where a disk is
    Within {
        /// The process that holds it
        holder: u32,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<OsString>,
    },
}

/// Does it. Answers the exit code.
pub(super) fn inner(inner: &Inner) -> u8 {
    let failed = match inner {
        Inner::Burn { threads, on } => burn(*threads, on),
        Inner::Disk { folder, bytes } => match hold(folder, *bytes) {
            Ok(()) => return exit::PASS,
            Err(error) => error,
        },
        Inner::Fail => return FAILED,
        Inner::Within { holder, words } => within(*holder, words),
    };
    say::err(&failed.to_string());
    exit::ENVIRONMENT
}
