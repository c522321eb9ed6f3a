//! What can hinder the bytes of a link: what, in which direction, and on which connections.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of a whole, kept in billionths so that equal shares are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Share = Share(0);
    /// The whole.
    pub const ALL: Share = Share(1_000_000_000);

    /// The billionths nearest to `fraction`; below nothing is nothing, above the whole is the whole.
    pub fn of(fraction: f64) -> Self {
        Self((fraction.clamp(0.0, 1.0) * 1e9).round() as u32)
    }

    /// As a number from 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 1e9
    }
}

/// The direction in which bytes go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Either.
    #[default]
    Both,
    /// From the one that connects to the one it connects to.
    Up,
    /// Back.
    Down,
}

/// How deviations from a latency are spread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// Evenly, from the jitter below the latency to the jitter above it.
    #[default]
    Uniform,
    /// As a bell around the latency; the jitter is its standard deviation.
    Normal,
    /// Never below the latency; above it mostly little and now and then far more, by the jitter on average
    /// (a Pareto distribution of shape 3).
    Pareto,
}

/// What hinders bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Impair {
    /// They arrive later, in order.
    Delay {
        /// Added to the way of each.
        latency: Duration,
        /// How far from `latency` it may be.
        jitter: Duration,
        /// How it deviates.
        spread: Spread,
    },
    /// No more than so many pass in a second, on each connection.
    Rate {
        /// Bytes per second, at least 1.
        bytes: u64,
    },
    /// Now and then everything stands still for a while, as if a packet were lost and sent again.
    Stall {
        /// The share of packets (of 1460 bytes) that are lost.
        share: Share,
        /// How long it takes until one is sent again.
        pause: Duration,
    },
    /// Some of them arrive as other bytes.
    Corrupt {
        /// The share of bytes that are changed.
        share: Share,
    },
    /// They arrive in small pieces.
    Slice {
        /// Bytes in a piece, at least 1.
        bytes: u64,
        /// How far from `bytes` a piece may be.
        vary: u64,
        /// Between two pieces.
        pause: Duration,
    },
    /// The end of the stream arrives later.
    SlowClose {
        /// By so much.
        delay: Duration,
    },
    /// After so many bytes the connection is closed, in the middle of whatever it carried.
    Truncate {
        /// Bytes that still pass.
        after: u64,
    },
    /// None arrive, and nothing tells so.
    Silence,
    /// None arrive, and the connection is closed in the end: when this no longer holds, or sooner.
    Timeout {
        /// So long after it began to hold; `None` for no sooner.
        after: Option<Duration>,
    },
    /// None arrive, and the connection is reset.
    Reset {
        /// So long after the first would have arrived.
        after: Duration,
    },
    /// Some chunks are missing in the middle of the stream.
    Gaps {
        /// The share of chunks that are.
        share: Share,
        /// How much each one's lot depends on the one before.
        correlation: Share,
    },
}

impl Impair {
    /// Whether it meets every byte, and only makes it late.
    pub fn slows(&self) -> bool {
        matches!(self, Impair::Delay { .. } | Impair::Rate { .. } | Impair::Slice { .. })
    }

    /// The word used for a link in this state.
    pub fn word(&self) -> &'static str {
        match self {
            Impair::Delay { .. } => "delayed",
            Impair::Rate { .. } => "throttled",
            Impair::Stall { .. } => "stalled",
            Impair::Corrupt { .. } => "corrupted",
            Impair::Slice { .. } => "sliced",
            Impair::SlowClose { .. } => "slow to close",
            Impair::Truncate { .. } => "truncated",
            Impair::Silence => "silenced",
            Impair::Timeout { .. } => "timed out",
            Impair::Reset { .. } => "reset",
            Impair::Gaps { .. } => "full of gaps",
        }
    }
}

/// What hinders the bytes of a link, and which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Impairment {
    /// What.
    pub what: Impair,
    /// Those that go this way.
    pub way: Way,
    /// Those of so large a share of connections.
    pub share: Share,
}

impl Impairment {
    /// Whether it can't hinder anything: a share of nothing.
    pub fn is_nothing(&self) -> bool {
        let of_it = match self.what {
            Impair::Stall { share, .. } | Impair::Corrupt { share } => share,
            _ => Share::ALL,
        };
        self.share == Share::NONE || of_it == Share::NONE
    }
}

impl fmt::Display for Impairment {
    /// By how much, and where not everywhere: `by 50ms ± 10ms, up only, on 20% of connections`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)?;
        match self.way {
            Way::Both => {}
            Way::Up => f.write_str(", up only")?,
            Way::Down => f.write_str(", down only")?,
        }
        match self.share {
            Share::ALL => Ok(()),
            share => write!(f, ", on {share} of connections"),
        }
    }
}

impl fmt::Display for Impair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Impair::Delay {
                latency,
                jitter,
                spread,
            } => {
                let spread = match spread {
                    Spread::Uniform => "",
                    Spread::Normal => " (normal)",
                    Spread::Pareto => " (pareto)",
                };
                write!(f, "by {latency:?} ± {jitter:?}{spread}")
            }
            Impair::Rate { bytes } => write!(f, "to {bytes} bytes/s"),
            Impair::Stall { share, pause } => write!(f, "{pause:?} at {share} of packets"),
            Impair::Corrupt { share } => write!(f, "at {share} of bytes"),
            Impair::Slice { bytes, vary, pause } => write!(f, "into {bytes} ± {vary} bytes, {pause:?} apart"),
            Impair::SlowClose { delay } => write!(f, "by {delay:?}"),
            Impair::Truncate { after } => write!(f, "after {after} bytes"),
            Impair::Silence => f.write_str("silent"),
            Impair::Timeout { after: None } => f.write_str("silent, then closed"),
            Impair::Timeout { after: Some(after) } => write!(f, "silent, closed after {after:?}"),
            Impair::Reset { after } => write!(f, "reset after {after:?}"),
            Impair::Gaps { share, .. } => write!(f, "without {share} of chunks"),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 1e7)
    }
}

impl From<Impair> for Impairment {
    /// In both directions, on all connections.
    fn from(what: Impair) -> Self {
        Self {
            what,
            way: Way::Both,
            share: Share::ALL,
        }
    }
}
