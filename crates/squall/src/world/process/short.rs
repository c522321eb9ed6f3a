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
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use squall_core::event::ShortageLook;
use squall_core::place::{Condition, Instance, Shortage};
use tokio::sync::{Mutex, watch};
use tokio::task::block_in_place;

use self::connections::Taken;
use self::cpu::Load;
pub use self::cpu::burn;
use self::disk::{Ballast, Disk, Order};
pub use self::disk::{Make as MakeDisk, hold, within};
use self::limit::{Descriptors, Memory};
use crate::processes;
use crate::world::Trouble;

/// Processes and threads that go on being born while all are looked through are chased for so long.
const CHASE: Duration = Duration::from_secs(5);

/// What an instance is, as far as shortages go.
#[derive(Debug, Clone)]
pub(super) struct Target<'a> {
    /// Its first process, while it runs.
    pub(super) pid: watch::Receiver<Option<u32>>,
    /// Where it listens, if it does.
    pub(super) addr: Option<SocketAddr>,
    /// Its disk, where it has one of its own.
    pub(super) disk: Option<&'a Disk>,
    /// The URL of the database it is.
    pub(super) url: Option<String>,
    /// The run's id.
    pub(super) tag: &'a str,
}

impl Target<'_> {
    /// Its processes at this moment, the first one first; none while it does not run.
    fn pids(&self) -> Vec<u32> {
        self.pid.borrow().map_or_else(Vec::new, processes::tree)
    }
}

/// The shortages in force, by instance. Each instance has a lock of its own: some take and give back for long.
#[derive(Debug, Default)]
pub(super) struct Shorts(Lock<BTreeMap<Instance, Arc<Mutex<InForce>>>>);

type InForce = Vec<(Shortage, Held)>;

#[derive(Debug)]
enum Held {
    Cpu(Box<Load>),
    Memory(Memory),
    Fds(Descriptors),
    Disk(Ballast),
    SlowDisk,
    Connections(Box<Taken>),
}

impl Shorts {
    fn of(&self, instance: &Instance) -> Arc<Mutex<InForce>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(instance.clone()).or_default().clone()
    }

    /// Lifts what is in force at an instance and not wanted, and sees that it is gone. What is not stays known, so that
    /// it can be lifted again.
    ///
    /// # Errors
    /// The first that was not lifted; the others were tried, too.
    pub(super) async fn lift(
        &self,
        instance: &Instance,
        wanted: &[Condition],
        target: &Target<'_>,
    ) -> Result<(), Trouble> {
        let own = self.of(instance);
        let mut own = own.lock().await;
        let (mut index, mut first) = (0, Ok(()));
        while let Some((shortage, held)) = own.get_mut(index) {
            if wanted.contains(&Condition::Short(*shortage)) {
                index += 1;
                continue;
            }
            match held.lift(target).await {
                Ok(()) => drop(own.remove(index)),
                Err(cause) => {
                    let what = format!("{instance} is still {}", shortage.word());
                    first = first.and(Err(Trouble::io(what)(cause)));
                    index += 1;
                }
            }
        }
        first
    }

    /// Puts in force what is wanted at an instance and is not.
    ///
    /// # Errors
    /// It did not come into force.
    pub(super) async fn hold(
        &self,
        instance: &Instance,
        wanted: &[Condition],
        target: &Target<'_>,
    ) -> Result<(), Trouble> {
        let own = self.of(instance);
        let mut own = own.lock().await;
        for condition in wanted {
            let Condition::Short(shortage) = condition else {
                continue;
            };
            if own.iter().any(|(known, _)| known == shortage) {
                continue;
            }
            let new = Held::new(*shortage, target)
                .await
                .map_err(|cause| Trouble::io(format!("{instance}, to be {}", shortage.word()))(cause))?;
            own.push((*shortage, new));
        }
        Ok(())
    }

    /// Looks at one shortage of an instance, and puts it in force where it is not.
    pub(super) async fn look(
        &self,
        instance: &Instance,
        shortage: &Shortage,
        target: &Target<'_>,
    ) -> Option<ShortageLook> {
        let own = self.of(instance);
        let mut own = own.lock().await;
        let (_, held) = own.iter_mut().find(|(known, _)| known == shortage)?;
        held.look(target).await
    }
}

impl Held {
    async fn new(shortage: Shortage, target: &Target<'_>) -> io::Result<Self> {
        let missing = |what: &str| io::Error::other(format!("it has no {what}"));
        Ok(match shortage {
            Shortage::Cpu { taken } => Held::Cpu(Box::new(Load::start(taken, target).await?)),
            Shortage::Memory { left } => Held::Memory(Memory::limit(left, &target.pids())?),
            Shortage::Fds { left } => Held::Fds(Descriptors::limit(left, &target.pids())?),
            Shortage::Disk => Held::Disk(Ballast::fill(own_disk(target)?)?),
            Shortage::SlowDisk { latency } => {
                slow(target, latency)?;
                Held::SlowDisk
            }
            Shortage::Connections { evict } => {
                let url = target
                    .url
                    .as_deref()
                    .ok_or_else(|| missing("connections squall could take"))?;
                Held::Connections(Box::new(Taken::all(url, evict).await?))
            }
        })
    }

    async fn look(&mut self, target: &Target<'_>) -> Option<ShortageLook> {
        match self {
            Held::Cpu(load) => Some(load.look(&target.pids())),
            Held::Memory(memory) => memory.look(&target.pids()),
            Held::Fds(descriptors) => descriptors.look(target).await,
            Held::Disk(ballast) => ballast.look(),
            Held::SlowDisk => block_in_place(|| disk::look_slow(target.disk?)),
            Held::Connections(taken) => Some(taken.look().await),
        }
    }

    async fn lift(&mut self, target: &Target<'_>) -> io::Result<()> {
        match self {
            Held::Cpu(load) => load.end(|| target.pids()).await,
            Held::Memory(memory) => memory.lift(|| target.pids()),
            Held::Fds(descriptors) => descriptors.lift(|| target.pids()),
            Held::Disk(ballast) => ballast.lift(),
            Held::SlowDisk => slow(target, Duration::ZERO),
            Held::Connections(taken) => taken.give_back().await,
        }
    }
}

fn own_disk<'a>(target: &Target<'a>) -> io::Result<&'a Disk> {
    target.disk.ok_or_else(|| io::Error::other("it has no disk of its own"))
}

fn slow(target: &Target<'_>, latency: Duration) -> io::Result<()> {
    let disk = own_disk(target)?;
    block_in_place(|| disk.tell(Order::Slow(latency))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_instance_waits_for_what_is_done_to_another() {
        let (shorts, [one, other]) = (Shorts::default(), ["one", "other"].map(|name| Instance::new(name, 1)));
        let target = Target {
            pid: watch::channel(None).1,
            addr: None,
            disk: None,
            url: None,
            tag: "",
        };
        let own = shorts.of(&one);
        let _busy = own.lock().await;
        let soon = Duration::from_secs(5);
        let lifted = tokio::time::timeout(soon, shorts.lift(&other, &[], &target)).await;
        lifted.expect("it waited for the other one").unwrap();
        let again = tokio::time::timeout(Duration::from_millis(20), shorts.lift(&one, &[], &target)).await;
        again.expect_err("its own is taken");
    }
}
