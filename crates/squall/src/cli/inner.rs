//! What squall starts for itself: processes that keep processors busy, hold a disk, or begin where one is.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use super::say;
use crate::exit;
use crate::world::process::{MakeDisk, burn, hold, tell, within};

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
        #[command(flatten)]
        make: MakeDisk,
    },
    /// Tell what time it is, for each byte of the input
    Clock,
    /// End with an error and say nothing
    Fail,
    /// Become a program where a disk is
    Within {
        /// The process that holds it
        holder: u32,
        /// Whom it runs as, by numbers: `USER:GROUP`
        #[arg(long, value_parser = user)]
        user: Option<(u32, u32)>,
        /// The program and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<OsString>,
    },
}

fn user(text: &str) -> Result<(u32, u32), String> {
    let numbers = text.split_once(':').map(|(user, group)| (user.parse(), group.parse()));
    match numbers {
        Some((Ok(user), Ok(group))) => Ok((user, group)),
        _ => Err("expected USER:GROUP".to_owned()),
    }
}

/// Does it. Answers the exit code.
pub(super) fn inner(inner: &Inner) -> u8 {
    let failed = match inner {
        Inner::Burn { threads, on } => burn(*threads, on),
        Inner::Disk { folder, make } => match hold(folder, *make) {
            Ok(()) => return exit::PASS,
            Err(error) => error,
        },
        Inner::Clock => match tell() {
            Ok(()) => return exit::PASS,
            Err(error) => error,
        },
        Inner::Fail => return FAILED,
        Inner::Within { holder, user, words } => within(*holder, *user, words),
    };
    say::err(&failed.to_string());
    exit::ENVIRONMENT
}
