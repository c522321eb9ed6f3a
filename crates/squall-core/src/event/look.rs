//! What the probes see.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::place::{Instance, Skew};
use crate::time::Nanos;

/// One look of the recovery probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// Which question was asked.
    pub of: PulseOf,
    /// Just before it was sent.
    pub call: Nanos,
    /// What came back.
    pub answer: Answer,
}

/// The questions of the recovery probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PulseOf {
    /// "Do you live?"
    Live,
    /// "Can you serve?"
    Ready,
}

/// An instance's use of the machine, all its processes together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Which.
    pub instance: Instance,
    /// Processor time used since the last look, in millionths of a second.
    pub cpu_us: u64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// Open descriptors.
    pub fds: u32,
}

/// What all processors of the machine did since the last look, in millionths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineLook {
    /// They worked, for whomever.
    pub busy_us: u64,
    /// They had nothing to do.
    pub idle_us: u64,
    /// Of the working: for squall itself, its proxies and its load generator.
    pub own_us: u64,
}

/// What a database has done since its counters began, and what it does now. They begin anew when it crashed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatabaseLook {
    /// The database instance.
    pub instance: Instance,
    /// Client connections that are inside a query or a transaction at this moment.
    pub busy: u32,
    /// Client connections open at this moment.
    pub open: u32,
    /// The most it allows.
    pub limit: u32,
    /// Transactions committed so far.
    pub commits: u64,
    /// Time sessions spent executing so far, in millionths of a second; `None` before PostgreSQL 14.
    pub active_us: Option<u64>,
}

/// Whether a circuit breaker lets work through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All of it.
    Closed,
    /// None.
    Open,
    /// One, as a trial.
    HalfOpen,
}

impl BreakerState {
    /// The word used for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            BreakerState::Closed => "closed",
            BreakerState::Open => "open",
            BreakerState::HalfOpen => "half-open",
        }
    }
}

/// What an alarm of the system's own monitoring says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Nothing is wrong.
    Silent,
    /// Something is.
    Ringing,
    /// It could not be read.
    Unread,
}

impl AlarmState {
    /// What reports say that it did.
    pub fn words(self) -> &'static str {
        match self {
            AlarmState::Silent => "was silent",
            AlarmState::Ringing => "rang",
            AlarmState::Unread => "could not be read",
        }
    }
}

/// What a link's proxy counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Connections that were opened.
    #[serde(default)]
    pub opened: u64,
    /// Connections the fault closed or reset. Those the kernel refused never reach the proxy.
    pub closed: u64,
    /// Bytes that vanished in a black hole.
    pub swallowed: u64,
    /// Bytes that were held back.
    pub delayed: u64,
    /// Bytes that had to wait for a rate.
    #[serde(default)]
    pub throttled: u64,
    /// Times everything stood still as if a packet were lost.
    #[serde(default)]
    pub stalls: u64,
    /// Bytes that were changed.
    #[serde(default)]
    pub corrupted: u64,
    /// Pieces that were cut off.
    #[serde(default)]
    pub slices: u64,
    /// Ends of streams that were held back.
    #[serde(default)]
    pub slow_closes: u64,
    /// Connections that were closed after so many bytes.
    #[serde(default)]
    pub truncated: u64,
    /// Requests that could be told apart, where any were looked for.
    #[serde(default)]
    pub requests: u64,
    /// Requests that failed, waited or lost their reply.
    #[serde(default)]
    pub intercepted: u64,
    /// Connections on which no request could be told from another: encrypted, or of another protocol.
    #[serde(default)]
    pub foreign: u64,
}

/// Requests of one sort that passed a link as they were, while some were looked for there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Untouched {
    /// HTTP: the method. RESP: the command. PostgreSQL: the statement's first word. Empty when not known.
    pub command: String,
    /// HTTP: the path, in which `*` stands for what names or numbers one thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How many.
    pub count: u64,
}

impl Untouched {
    /// Those of all sorts in words, as they are listed: `30 SELECT, 2 POST /tasks/*`.
    pub fn words(all: &[Untouched]) -> String {
        let one = |of: &Untouched| {
            let command = match of.command.as_str() {
                "" => "of no known command",
                command => command,
            };
            let path = of.path.as_ref().map_or(String::new(), |path| format!(" {path}"));
            format!("{} {command}{path}", of.count)
        };
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// A spot of a file that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spot {
    /// The file, below the instance's folder.
    pub file: String,
    /// Where in it.
    pub offset: u64,
    /// So many bytes are others, or missing.
    pub bytes: u64,
}

/// One look at an instance whose wall clock is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkewLook {
    /// Its clock functions are replaced in so many of its processes.
    pub replaced: u32,
    /// So many of these have run them since.
    pub ran: u32,
    /// What it said of its clock, where it was asked and answered.
    pub said: Option<Said>,
}

/// What an instance said of its wall clock: between what it lies, in nanoseconds ahead of squall's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// How.
    pub by: SaidBy,
    /// At least so far ahead; below zero when it is behind.
    pub least: i64,
    /// At most so far ahead.
    pub most: i64,
}

/// How an instance says what its wall clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SaidBy {
    /// By the date of an answer of HTTP, in whole seconds. Servers keep it for a while.
    Date,
    /// By the answer to a query, exactly.
    Query,
}

impl Said {
    /// Whether its clock may have been so far ahead.
    pub fn allows(&self, by: i64) -> bool {
        (self.least..=self.most).contains(&by)
    }

    /// How far its clock was off, no finer than is known: in words that squall's own follows.
    pub fn words(&self) -> String {
        let units = [1_000_000, 10_000_000, 100_000_000];
        let fits = |unit: &i64| self.most - self.least <= 2 * unit;
        let unit = units.into_iter().find(fits).unwrap_or(1_000_000_000);
        let middle = self.least + (self.most - self.least) / 2;
        let by = (middle + unit / 2).div_euclid(unit) * unit;
        Skew { by }.beside()
    }
}

/// One look at whether an instance that was told to stand still does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standstill {
    /// Which.
    pub instance: Instance,
    /// Its processes.
    pub processes: u32,
    /// Those of them of which every thread is stopped.
    pub stopped: u32,
    /// Processor time they used since the first look, in millionths of a second; the kernel counts in hundredths of one.
    pub used_us: u64,
}

impl Standstill {
    /// Whether nobody of it could do anything since the first look, as exactly as the kernel counts.
    pub fn holds(&self) -> bool {
        self.processes > 0 && self.stopped == self.processes && self.used_us <= 10_000
    }
}

/// One look at a service that is short of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShortageLook {
    /// Others use its processors; both figures count from when they began, in millionths of a second.
    Cpu {
        /// Processor time there was, on those processors.
        there_us: u64,
        /// Processor time the others took.
        taken_us: u64,
        /// Its own threads were ready to run and had to wait; `None` where the kernel does not count it.
        waited_us: Option<u64>,
        /// They would have had to wait so long, had it gone on as just before.
        #[serde(default)]
        usual_us: Option<u64>,
        /// Threads, its own or the others', that may run on other processors at this moment.
        #[serde(default)]
        astray: Option<u32>,
    },
    /// Its memory is limited.
    Memory {
        /// The most it can have, in bytes.
        limit: u64,
        /// What it has, in bytes.
        used: u64,
        /// How much more one of its processes has than when its limit was set; `None` where nobody compared.
        #[serde(default)]
        grown: Option<u64>,
    },
    /// Its descriptors are limited.
    Fds {
        /// Those it has open.
        open: u32,
        /// How many it could still open.
        free: u32,
        /// Connections that wait for it to take them.
        waiting: u32,
    },
    /// Its disk is full.
    Disk {
        /// Bytes that are free there.
        free: u64,
        /// Whether squall's own write was refused for want of room.
        refused: bool,
    },
    /// Its disk is slow; both count from when it became so.
    SlowDisk {
        /// Reads, writes and syncs that were held back.
        accesses: u64,
        /// For how long altogether, in millionths of a second.
        held_us: u64,
    },
    /// Its connections are taken.
    Connections {
        /// By squall.
        held: u32,
        /// How often another one was refused since the look before, and be it to squall itself as it looked.
        refused: u32,
    },
}
