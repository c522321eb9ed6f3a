//! Worlds: where a system lives, and how conditions are made to hold there.
//!
//! There are two: processes squall started, and a system that ran already, of which it knows the address and nothing
//! else. What the second can't do is refused before anything is run.

pub mod process;

pub use crate::gate;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use squall_core::event::{Fact, LinkCounts, Untouched};
use squall_core::place::{Condition, Instance, Place};

use self::process::ProcessWorld;

/// Where the system of a run lives.
pub enum World {
    /// Squall started it, as processes of this machine.
    Processes(Box<ProcessWorld>),
    /// It ran already, at this base address; squall has a handle on none of its parts.
    Attached(String),
}

impl World {
    /// The base address clients talk to.
    pub fn base(&self) -> String {
        match self {
            World::Processes(world) => format!("http://{}", world.entry()),
            World::Attached(base) => base.clone(),
        }
    }

    /// The processes, where they are squall's own.
    pub fn processes(&self) -> Option<&ProcessWorld> {
        match self {
            World::Processes(world) => Some(world),
            World::Attached(_) => None,
        }
    }

    /// The instances squall has a handle on, sorted.
    pub fn instances(&self) -> Vec<Instance> {
        self.processes().map(ProcessWorld::instances).unwrap_or_default()
    }

    /// Whether the process of an instance runs.
    pub fn runs(&self, instance: &Instance) -> bool {
        self.processes().is_some_and(|world| world.pid(instance).is_some())
    }

    /// Makes exactly what is `wanted` hold at `place`, see [`ProcessWorld::impose`].
    ///
    /// # Errors
    /// There is no such place, or the condition did not come into force within its bound.
    pub async fn impose(&self, place: &Place, wanted: impl Fn() -> Vec<Condition>) -> Result<(), Trouble> {
        match self {
            World::Processes(world) => world.impose(place, wanted).await,
            World::Attached(_) => Err(Trouble::NoPlace(place.clone())),
        }
    }

    /// What a link's proxy counted since a condition came into force there; `None` while it is not.
    pub fn counts(&self, place: &Place, condition: &Condition) -> Option<LinkCounts> {
        self.processes()?.counts(place, condition)
    }

    /// The requests that passed a link as they were, where some were looked for, since it was healthy last.
    pub fn untouched(&self, place: &Place) -> Vec<Untouched> {
        self.processes().map_or(Vec::new(), |world| world.untouched(place))
    }

    /// What is seen at a place while a step's condition holds there, see [`ProcessWorld::look`].
    pub async fn look(&self, place: &Place, condition: &Condition, step: usize) -> Option<Fact> {
        match (self.processes(), place) {
            (Some(world), Place::Instance(instance)) => world.look(instance, condition, step).await,
            _ => None,
        }
    }

    /// Ends what squall started, at once; what ran already stays as it is.
    pub async fn end(self) {
        if let World::Processes(world) = self {
            world.end().await;
        }
    }
}

/// How far it is with what a fault wants to hold at a place: from when it takes the place until that is free again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The place is taken; what shall hold there is not in the journal yet.
    Taken,
    /// It shall hold.
    Holding,
    /// It is being lifted: it shall hold no more, and its place is not free yet.
    Ending,
}

/// Why a world can't do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A program the world needs is not installed.
    #[error("{what} is not installed")]
    Missing {
        /// What.
        what: String,
        /// What to do.
        remedy: String,
    },
    /// The build command failed.
    #[error("the build failed: `{command}` {how}")]
    Build {
        /// The command.
        command: String,
        /// How it ended.
        how: String,
        /// Its last lines.
        output: String,
    },
    /// Where a system is said to run already, nobody takes a connection.
    #[error("nothing answers at {base}")]
    Nobody {
        /// The address.
        base: String,
    },
    /// The run's folder can't be made.
    #[error("the run's folder can't be made: {cause}")]
    Output {
        /// Why, with the path.
        cause: io::Error,
    },
    /// A command can't be started.
    #[error("{instance} can't be started: `{command}`: {cause}")]
    Spawn {
        /// Whose.
        instance: Instance,
        /// The command.
        command: String,
        /// Why.
        cause: io::Error,
    },
    /// A service ended instead of becoming ready.
    #[error("{instance} ended instead of becoming ready ({how})")]
    Ended {
        /// Which.
        instance: Instance,
        /// How.
        how: String,
        /// Its last lines.
        output: String,
    },
    /// A service did not become ready.
    #[error("{instance} was not ready within {within:?} (waited for {condition})")]
    NotReady {
        /// Which.
        instance: Instance,
        /// How long was waited.
        within: Duration,
        /// What was waited for.
        condition: String,
        /// Its last lines.
        output: String,
    },
    /// A port that was asked for is taken.
    #[error("port {port} is taken")]
    PortTaken {
        /// Which.
        port: u16,
    },
    /// A template names something that is not there.
    #[error("{instance}: {cause}")]
    Template {
        /// Whose.
        instance: Instance,
        /// What.
        cause: String,
    },
    /// Someone stopped it.
    #[error("stopped on request")]
    Interrupted,
    /// There is no such place.
    #[error("there is no {0}")]
    NoPlace(Place),
    /// A condition did not come into force.
    #[error("{place} did not become {word} within {within:?}")]
    Stubborn {
        /// Where.
        place: Place,
        /// What was wanted.
        word: String,
        /// How long was waited.
        within: Duration,
    },
    /// Reading or writing failed.
    #[error("{what}: {cause}")]
    Io {
        /// What.
        what: String,
        /// Why.
        cause: io::Error,
    },
}

impl Trouble {
    /// For `map_err`: an I/O error while doing `what`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Trouble {
        let what = what.into();
        |cause| Trouble::Io { what, cause }
    }

    /// What to do about it.
    pub fn remedy(&self) -> String {
        let said = match self {
            Trouble::Missing { remedy, .. } => return remedy.clone(),
            Trouble::Build { output, .. } if !output.is_empty() => return format!("its last lines:\n{output}"),
            Trouble::Ended { output, .. } | Trouble::NotReady { output, .. } if !output.is_empty() => {
                return format!("it wrote last:\n{output}");
            }
            Trouble::Build { .. } => "it wrote nothing; try it by hand, in the folder squall was started in",
            Trouble::Output { .. } => "choose a folder this user may write to with --output",
            Trouble::Ended { .. } | Trouble::NotReady { .. } => {
                "it wrote nothing; look at its `run` and `ready` in the system file"
            }
            Trouble::Spawn { cause, .. } => match cause.kind() {
                io::ErrorKind::NotFound => {
                    "there is no such program: was it built, and is the path relative to where squall was started?"
                }
                io::ErrorKind::PermissionDenied => "is it a program, and executable for this user?",
                _ => "can it be started by hand? `squall doctor` shows what this machine has",
            },
            Trouble::Nobody { .. } => {
                "is it up? `squall up --detach` starts one; without --base-url a run starts its own"
            }
            Trouble::PortTaken { .. } => "stop what listens there, or choose another with --port",
            Trouble::Template { .. } => "look at what it is given in the system file: `run`, `env` and `links`",
            Trouble::Interrupted => "the same command begins anew",
            Trouble::NoPlace(_) => "look at the copies and `links` of its service in the system file",
            Trouble::Stubborn { .. } => "the log of its service may say why; a machine with less to do may be in time",
            Trouble::Io { cause, .. } if cause.kind() == io::ErrorKind::StorageFull => "make room on the disk",
            Trouble::Io { .. } => "is something used up, or gone? `squall doctor` shows what this machine has",
        };
        said.to_owned()
    }
}

/// What a world needs to know to start a system.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The run's id: the tag on everything made.
    pub run: crate::store::RunId,
    /// Where instances' logs go.
    pub logs: PathBuf,
    /// The folder of the scenario below the run's scratch folder.
    pub scratch: PathBuf,
    /// The port the entry service shall have; any when absent.
    pub port: Option<u16>,
    /// The witness's URL.
    pub witness: String,
    /// For the proxies' draws.
    pub seed: u64,
    /// The services whose disks will be filled: these get disks of their own.
    pub filled: std::collections::BTreeSet<String>,
    /// The services whose machines will lose their power: their disks can do so.
    pub powered: std::collections::BTreeSet<String>,
    /// The services whose disks will be slow: theirs can be.
    pub slowed: std::collections::BTreeSet<String>,
    /// The links whose requests will be picked out, by who connects and to whom: what they speak.
    pub spoken: std::collections::BTreeMap<(String, String), squall_core::protocol::Protocol>,
}
