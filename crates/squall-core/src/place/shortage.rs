//! What a service can be short of, because others took it.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Share;
use crate::time::{nanos, words};

/// A resource of a service that is used up, and how far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shortage {
    /// Others take part of the processors it runs on.
    Cpu {
        /// What is taken when it wants all of them.
        taken: Share,
    },
    /// It can get little more memory than it has.
    Memory {
        /// So many bytes more.
        left: u64,
    },
    /// It can open few descriptors more.
    Fds {
        /// So many more.
        left: u32,
    },
    /// Its disk is full.
    Disk,
    /// Its disk takes longer.
    SlowDisk {
        /// So much longer for each read, write and sync.
        latency: Duration,
    },
    /// No connection to it can be opened.
    Connections {
        /// Whether those that others had are ended first.
        evict: bool,
    },
}

impl Shortage {
    /// The word used for a service in this state.
    pub fn word(&self) -> &'static str {
        match self {
            Shortage::Cpu { .. } => "short of processor time",
            Shortage::Memory { .. } => "short of memory",
            Shortage::Fds { .. } => "out of descriptors",
            Shortage::Disk => "out of disk",
            Shortage::SlowDisk { .. } => "slowed by its disk",
            Shortage::Connections { .. } => "out of connections",
        }
    }

    /// Whether nobody can be asked to answer meanwhile: a service that can't take a connection can't refuse politely.
    pub fn silences(&self) -> bool {
        matches!(self, Shortage::Fds { .. })
    }
}

impl fmt::Display for Shortage {
    /// How far: `of 90% of its processors`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortage::Cpu { taken } => write!(f, "of {taken} of its processors"),
            Shortage::Memory { left } => write!(f, "but for {} MB", left / 1_000_000),
            Shortage::Fds { left: 0 } => f.write_str("of all descriptors"),
            Shortage::Fds { left } => write!(f, "but for {left} descriptors"),
            Shortage::Disk => f.write_str("of its disk"),
            Shortage::SlowDisk { latency } => write!(f, "by {} at each access", words(nanos(*latency))),
            Shortage::Connections { evict: false } => f.write_str("of all free connections"),
            Shortage::Connections { evict: true } => f.write_str("of all connections"),
        }
    }
}
