//! Where things hold and what holds there: the vocabulary between faults and worlds.
//!
//! A fault compiles to [`Effect`]s while planning; a world is told the whole list of
//! [`Condition`]s wanted at a [`Place`] and makes it so. An empty list means healthy.

mod damage;
mod impair;
mod intercept;
mod meeting;
mod shortage;
mod skew;

pub use damage::{Damage, Harm};
pub use impair::{Impair, Impairment, Share, Spread, Way};
pub use intercept::{Intercept, Which};
pub use meeting::Meeting;
pub use shortage::Shortage;
pub use skew::Skew;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One running copy of a service, for example `worker-2`. Indexes start at 1.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance {
    /// The service's name in the system file.
    pub service: String,
    /// Which copy, from 1.
    pub index: u32,
}

impl Instance {
    /// The `index`-th copy of `service`.
    pub fn new(service: impl Into<String>, index: u32) -> Self {
        Self {
            service: service.into(),
            index,
        }
    }

    /// The copy of a service this one is connected to, of so many: the callers' copies spread over those of the called.
    pub fn called(&self, service: &str, copies: u32) -> Option<Instance> {
        let index = self.index.checked_sub(1)?.checked_rem(copies)?;
        Some(Self::new(service, index + 1))
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.service, self.index)
    }
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no place (expected SERVICE-N or SERVICE-N->SERVICE)")]
pub struct NoPlace(pub String);

impl FromStr for Instance {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (service, index) = text.rsplit_once('-').ok_or_else(|| NoPlace(text.to_owned()))?;
        match index.parse() {
            Ok(index) if !service.is_empty() => Ok(Self::new(service, index)),
            _ => Err(NoPlace(text.to_owned())),
        }
    }
}

/// Something a condition can hold at.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// One copy of a service.
    Instance(Instance),
    /// The connections one copy opens to another service.
    Link {
        /// The copy that connects.
        from: Instance,
        /// The service it connects to.
        to: String,
    },
    /// A service with all its copies.
    Service(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Instance(instance) => instance.fmt(f),
            Place::Link { from, to } => write!(f, "{from}->{to}"),
            Place::Service(service) => write!(f, "{service} (all)"),
        }
    }
}

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        match text.split_once("->") {
            Some((from, to)) => Ok(Place::Link {
                from: from.parse()?,
                to: to.to_owned(),
            }),
            None => match text.strip_suffix(" (all)") {
                Some(service) if !service.is_empty() => Ok(Place::Service(service.to_owned())),
                _ => Ok(Place::Instance(text.parse()?)),
            },
        }
    }
}

/// Serde as the one-line text form, so that journals stay readable.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
as_text!(Instance, Place);

/// How a process is brought down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Death {
    /// SIGKILL to every process of the instance at once.
    Kill,
    /// SIGTERM, so that it can finish what it does.
    Terminate,
    /// The service's own fast stop: for PostgreSQL SIGINT to the postmaster, else SIGTERM.
    Stop,
    /// SIGKILL, and again each time it has come back.
    Again {
        /// How long each process lives once it is ready.
        lives: Duration,
        /// So many deaths in all, after which it lives on; without end when absent.
        most: Option<u32>,
    },
    /// SIGKILL, and its next starts fail before its program is reached.
    Unstartable {
        /// So many starts, after which they succeed; all when absent.
        most: Option<u32>,
    },
    /// SIGKILL, and what it had not synced to its disk is gone, too.
    PowerLoss,
}

impl Death {
    /// Whether it is tried to bring it back meanwhile.
    pub fn recurs(self) -> bool {
        matches!(self, Death::Again { .. } | Death::Unstartable { .. })
    }
}

/// How a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cut {
    /// New connections are refused; open ones are closed.
    Refuse,
    /// Bytes vanish in both directions; connections stay open and new ones hang.
    BlackHole,
    /// Open and new connections are reset.
    Reset,
    /// The called end is gone without a word: its side is closed, the caller's stays open and silent.
    HalfOpen,
}

/// What holds at a place while a fault is on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// The instance does not run.
    Down(Death),
    /// The instance's processes are stopped (SIGSTOP) and keep what they hold.
    Frozen,
    /// The link is cut.
    Cut(Cut),
    /// The link's bytes are hindered.
    Impaired(Impairment),
    /// Some of the link's requests are picked out.
    Intercepted(Intercept),
    /// The instance is short of something.
    Short(Shortage),
    /// Files of the instance are not what it wrote.
    Damaged(Damage),
    /// The instance's wall clock is wrong.
    Skewed(Skew),
    /// So many copies of the service run, the ones with the lowest numbers.
    Replicas(u32),
}

impl Condition {
    /// The same with its planned lengths divided by a pace. How late or slow something is made is none of them.
    #[must_use]
    pub fn paced(self, pace: f64) -> Self {
        match self {
            Self::Down(Death::Again { lives, most }) => Self::Down(Death::Again {
                lives: lives.div_f64(pace),
                most,
            }),
            other => other,
        }
    }

    /// Every byte, either way, arrives later: by `latency`, plus or minus up to `jitter`.
    pub fn delay(latency: Duration, jitter: Duration) -> Self {
        let spread = Spread::Uniform;
        Self::Impaired(
            Impair::Delay {
                latency,
                jitter,
                spread,
            }
            .into(),
        )
    }

    /// Whether it meets every byte of a link, and only makes it late.
    pub fn slows(&self) -> bool {
        matches!(self, Condition::Impaired(impairment) if impairment.what.slows())
    }

    /// Whether it is looked at all the while it holds.
    pub fn is_watched(&self) -> bool {
        matches!(self, Condition::Short(_) | Condition::Skewed(_))
    }

    /// The word used for it in reports.
    pub fn word(&self) -> &'static str {
        match self {
            Condition::Down(Death::Kill) => "killed",
            Condition::Down(Death::Terminate) => "terminated",
            Condition::Down(Death::Stop) => "stopped",
            Condition::Down(Death::Again { .. }) => "killed again and again",
            Condition::Down(Death::Unstartable { .. }) => "kept from starting",
            Condition::Down(Death::PowerLoss) => "cut off from its power",
            Condition::Frozen => "frozen",
            Condition::Cut(Cut::Refuse) => "cut (refused)",
            Condition::Cut(Cut::BlackHole) => "cut (black hole)",
            Condition::Cut(Cut::Reset) => "cut (reset)",
            Condition::Cut(Cut::HalfOpen) => "cut (half open)",
            Condition::Impaired(impairment) => impairment.what.word(),
            Condition::Intercepted(_) => "intercepted",
            Condition::Short(shortage) => shortage.word(),
            Condition::Damaged(_) => "damaged",
            Condition::Skewed(_) => "skewed",
            Condition::Replicas(_) => "scaled",
        }
    }
}

/// A condition at a place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Effect {
    /// Where.
    pub place: Place,
    /// What holds there.
    pub condition: Condition,
}
