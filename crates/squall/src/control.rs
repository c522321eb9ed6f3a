//! Control: how a system that `squall up` keeps is spoken to from outside.
//!
//! A Unix socket in the folder of what is up, readable by its owner only. Every request carries the
//! token that lies beside it, for its owner's eyes only, too. One request a connection, as a line of
//! JSON; then replies, a line each, until the last.

mod caller;
mod listener;

pub use caller::{Found, Unheard, ask, ask_until, found};
pub use listener::{Answers, Listener};

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use squall_core::amount::Dur;
use squall_core::place::{Effect, Instance};

/// Something is said at least this often while an order is carried out.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What can be asked of a system that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// How it is.
    Status,
    /// To end, and leave nothing.
    Down,
    /// To break or mend a service.
    Order(Order),
    /// To put one fault in force for some time.
    Inject(Injection),
}

/// To put one fault in force for some time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Injection {
    /// The fault's word.
    pub fault: String,
    /// Its keys, as they would stand in a scenario.
    pub keys: Vec<(String, String)>,
    /// For so many milliseconds it holds.
    pub millis: u64,
}

impl Injection {
    /// Nothing is injected for longer.
    pub const LONGEST: Dur = Dur::secs(86_400);

    /// How long it holds.
    ///
    /// # Errors
    /// For no time, or for too long.
    pub fn lasts(&self) -> Result<Dur, String> {
        let millis = u32::try_from(self.millis).ok().map(Dur::millis);
        let bounded = millis.filter(|lasts| *lasts > Dur::ZERO && *lasts <= Self::LONGEST);
        bounded.ok_or_else(|| format!("it holds for some time, and for {} at most", Self::LONGEST))
    }
}

/// To break or mend a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// What to do.
    pub act: Act,
    /// To which service, or which copy of it (`worker-2`); the database where `act` means it.
    pub service: Option<String>,
    /// After so many milliseconds it is started again; it stays down when absent.
    pub delay: Option<u64>,
}

/// What can be done to a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// SIGKILL; it stays down until `start`, or for --delay
    Kill,
    /// Ask it to end; it stays down until `start`, or for --delay
    Stop,
    /// Start it again, and wait until it is ready
    Start,
    /// SIGKILL, down for --delay (5 s), start, wait until ready
    Restart,
    /// `stop`, of the database
    DbStop,
    /// Stop the database, down for --delay (5 s), start, wait until ready
    DbRestart,
}

/// What is answered. The last reply is any but the first two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// It is being done.
    Busy,
    /// Something to tell while it is being done.
    Said(String),
    /// How it is.
    Status(Box<Status>),
    /// It is done.
    Done(String),
    /// It was not begun: nothing was touched.
    Refused {
        /// What is wrong.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// It was begun and could not be done.
    Failed(String),
    /// It was done and undone, and nothing shows that it had an effect.
    Unproven(String),
    /// It was done and could not be undone.
    Unhealed(String),
}

impl Reply {
    fn is_last(&self) -> bool {
        !matches!(self, Reply::Busy | Reply::Said(_))
    }
}

/// How a system is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Its name.
    pub system: String,
    /// The id of its run: the tag on everything it consists of.
    pub run: String,
    /// The system file it was started from.
    pub file: PathBuf,
    /// Where clients talk to it.
    pub url: String,
    /// Where its logs are.
    pub folder: PathBuf,
    /// For how many seconds it is up.
    pub seconds: u64,
    /// Squall's own two processes: the guard, and the one that does the work.
    pub squall: [u32; 2],
    /// Its services, one copy each.
    pub services: Vec<Service>,
    /// What `squall inject` holds in force.
    pub faults: Vec<Effect>,
}

/// How one copy of a service is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Which.
    pub instance: Instance,
    /// Its process, while it runs.
    pub pid: Option<u32>,
    /// Where it listens, if it was told to.
    pub port: Option<u16>,
    /// How it is.
    pub health: Health,
    /// How often it was started again.
    pub restarts: u32,
    /// Where what it writes goes.
    pub log: PathBuf,
}

/// How one copy of a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It says that it is ready.
    Ready,
    /// It runs; nothing says when it is ready.
    Running,
    /// It runs, and does not say that it is ready.
    NotReady,
    /// It does not run.
    Down,
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Health::Ready => "ready",
            Health::Running => "running",
            Health::NotReady => "not ready",
            Health::Down => "down",
        })
    }
}

/// A request as it is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Request {
    token: String,
    ask: Ask,
}

/// What is written down of a system that is up, for those who look for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sign {
    /// Its name.
    pub system: String,
    /// The id of its run.
    pub run: String,
    /// The system file it is started from.
    pub file: PathBuf,
}

impl Sign {
    /// The file it is in, in the folder of what is up.
    pub const FILE: &str = "up.json";
}

#[cfg(test)]
mod tests;
