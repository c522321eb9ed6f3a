//! Shortages: what an instance needs is taken by others, or withheld, and given back.
//!
//! Nothing here needs a privilege, and nothing reaches further than the instance: processors are taken by threads of
//! squall's own on those the instance is bound to meanwhile, memory and descriptors are withheld by limits of its
//! processes, its disk is one of its own, its connections are held by squall. What is not in force yet for a process
//! that was started meanwhile is put in force at the next look.

mod connections;
mod cpu;
pub(in crate::world) mod disk;
mod limit;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use squall_core::event::ShortageLook;
use squall_core::place::{Condition, Instance, Shortage};
use tokio::sync::Mutex;

use self::connections::Taken;
use self::cpu::Load;
pub use self::cpu::burn;
use self::disk::{Ballast, Disk};
pub use self::disk::{Kind as DiskKind, hold, within};
use self::limit::{Descriptors, Memory};
use crate::world::Trouble;

/// What an instance is, as far as shortages go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    /// Its processes, the first one first; none while it does not run.
    pub(super) pids: &'a [u32],
    /// Where it listens, if it does.
    pub(super) addr: Option<SocketAddr>,
    /// Its disk, where it has one of its own.
    pub(super) disk: Option<&'a Disk>,
    /// The URL of the database it is.
    pub(super) url: Option<&'a str>,
    /// The run's id.
    pub(super) tag: &'a str,
}

/// The shortages in force, by instance.
#[derive(Debug, Default)]
pub(super) struct Shorts(Mutex<BTreeMap<Instance, Vec<(Shortage, Held)>>>);

#[derive(Debug)]
enum Held {
    Cpu(Box<Load>),
    Memory(Memory),
    Fds(Descriptors),
    Disk(Ballast),
    Connections(Box<Taken>),
}

impl Shorts {
    /// Lifts what is in force at an instance and not wanted.
    pub(super) async fn lift(&self, instance: &Instance, wanted: &[Condition], target: Target<'_>) {
        let mut all = self.0.lock().await;
        let Some(held) = all.remove(instance) else { return };
        let mut kept = Vec::new();
        for (shortage, held) in held {
            match wanted.contains(&Condition::Short(shortage)) {
                true => kept.push((shortage, held)),
                false => held.lift(target.pids).await,
            }
        }
        if !kept.is_empty() {
            all.insert(instance.clone(), kept);
        }
    }

    /// Puts in force what is wanted at an instance and is not.
    ///
    /// # Errors
    /// It did not come into force.
    pub(super) async fn hold(
        &self,
        instance: &Instance,
        wanted: &[Condition],
        target: Target<'_>,
    ) -> Result<(), Trouble> {
        for condition in wanted {
            let Condition::Short(shortage) = condition else {
                continue;
            };
            let mut all = self.0.lock().await;
            let held = all.entry(instance.clone()).or_default();
            if held.iter().any(|(known, _)| known == shortage) {
                continue;
            }
            let new = Held::new(*shortage, target)
                .await
                .map_err(|cause| Trouble::io(format!("{instance}, to be {}", shortage.word()))(cause))?;
            held.push((*shortage, new));
        }
        Ok(())
    }

    /// Looks at one shortage of an instance, and puts it in force where it is not.
    pub(super) async fn look(
        &self,
        instance: &Instance,
        shortage: &Shortage,
        target: Target<'_>,
    ) -> Option<ShortageLook> {
        let mut all = self.0.lock().await;
        let (_, held) = all.get_mut(instance)?.iter_mut().find(|(known, _)| known == shortage)?;
        held.look(target).await
    }
}

impl Held {
    async fn new(shortage: Shortage, target: Target<'_>) -> std::io::Result<Self> {
        let missing = |what: &str| std::io::Error::other(format!("it has no {what}"));
        Ok(match shortage {
            Shortage::Cpu { taken } => Held::Cpu(Box::new(Load::start(taken, target)?)),
            Shortage::Memory { left } => Held::Memory(Memory::limit(left, target.pids)?),
            Shortage::Fds { left } => Held::Fds(Descriptors::limit(left, target.pids)?),
            Shortage::Disk => Held::Disk(Ballast::fill(target.disk.ok_or_else(|| missing("disk of its own"))?)?),
            Shortage::Connections { evict } => {
                let url = target.url.ok_or_else(|| missing("connections squall could take"))?;
                Held::Connections(Box::new(Taken::all(url, evict).await?))
            }
        })
    }

    async fn look(&mut self, target: Target<'_>) -> Option<ShortageLook> {
        match self {
            Held::Cpu(load) => Some(load.look(target.pids)),
            Held::Memory(memory) => memory.look(target.pids),
            Held::Fds(descriptors) => descriptors.look(target).await,
            Held::Disk(ballast) => ballast.look(),
            Held::Connections(taken) => Some(taken.look().await),
        }
    }

    async fn lift(self, pids: &[u32]) {
        match self {
            Held::Cpu(load) => load.end(pids).await,
            Held::Memory(memory) => memory.lift(pids),
            Held::Fds(descriptors) => descriptors.lift(pids),
            Held::Disk(ballast) => ballast.lift(),
            Held::Connections(taken) => taken.give_back().await,
        }
    }
}
