//! Wall clocks that are wrong, of one instance alone.
//!
//! A program reads its clocks through functions the kernel maps into each process: the vDSO. While a process stands still,
//! those of them that tell the time of day are replaced, in its own copy, by others that ask the kernel and add an offset.
//! Nobody else has that copy but the children it forks later. All other clocks, and the kernel's own view of files and
//! timers, stay right. What was replaced goes with the process; what is started meanwhile is replaced, too.

mod ask;
mod code;
mod patch;
mod trial;

pub(in crate::world) use ask::ask;
pub use trial::{Clock, tell};

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use squall_core::event::{Said, SkewLook};
use squall_core::place::{Condition, Instance, Skew};
use tokio::sync::{Mutex, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use self::code::Patches;
use self::patch::{Process, lives};
use crate::processes;
use crate::world::Trouble;

/// Children that became other programs are looked for this often; a start is noticed at once.
const LOOK: Duration = Duration::from_millis(20);
/// Processes may be born while others are replaced: so often is looked once more.
const PASSES: usize = 50;

/// Where the first process of an instance is told.
pub(super) type Pid = watch::Receiver<Option<u32>>;

/// The wrong clocks in force, by instance.
#[derive(Debug, Default)]
pub(super) struct Skews(Mutex<BTreeMap<Instance, Held>>);

#[derive(Debug)]
struct Held {
    skew: Skew,
    clocks: Arc<Lock<Clocks>>,
    /// Replaces them in what is started meanwhile.
    follows: JoinHandle<()>,
    /// It has said that its clock is wrong: there is no need to ask again.
    said: bool,
}

/// The processes of one instance whose clock functions are replaced.
#[derive(Debug)]
struct Clocks {
    patches: Patches,
    processes: BTreeMap<u32, Process>,
    lifted: bool,
}

impl Skews {
    /// Lifts what is in force at an instance and not wanted.
    ///
    /// # Errors
    /// A process could not be given its clocks back.
    pub(super) async fn lift(&self, instance: &Instance, wanted: &[Condition], pid: &Pid) -> Result<(), Trouble> {
        let mut all = self.0.lock().await;
        let Some(held) = all.get(instance) else { return Ok(()) };
        if wanted.contains(&Condition::Skewed(held.skew)) {
            return Ok(());
        }
        held.follows.abort();
        let (clocks, root) = (held.clocks.clone(), *pid.borrow());
        off_thread(move || lock(&clocks).lift(root))
            .await
            .map_err(Trouble::io(format!("{instance}, to get its clock back")))?;
        all.remove(instance);
        Ok(())
    }

    /// Puts in force what is wanted at an instance and is not.
    ///
    /// # Errors
    /// It did not come into force.
    pub(super) async fn hold(&self, instance: &Instance, wanted: &[Condition], pid: &Pid) -> Result<(), Trouble> {
        let skewed = wanted.iter().find_map(|condition| match condition {
            Condition::Skewed(skew) => Some(*skew),
            _ => None,
        });
        let mut all = self.0.lock().await;
        let Some(skew) = skewed.filter(|_| !all.contains_key(instance)) else {
            return Ok(());
        };
        let trouble = || Trouble::io(format!("{instance}, to be skewed"));
        let clocks = Arc::new(Lock::new(Clocks {
            patches: Patches::new(skew).map_err(trouble())?,
            processes: BTreeMap::new(),
            lifted: false,
        }));
        let follows = tokio::spawn(follow(clocks.clone(), pid.clone()));
        let held = Held {
            skew,
            clocks: clocks.clone(),
            follows,
            said: false,
        };
        // Known before it is tried: what was done of it by then is lifted as all else is.
        all.insert(instance.clone(), held);
        let root = *pid.borrow();
        off_thread(move || lock(&clocks).hold(root)).await.map_err(trouble())
    }

    /// Looks at an instance whose clock is wrong; `asks` tells what it says of it.
    pub(super) async fn look(
        &self,
        instance: &Instance,
        pid: &Pid,
        asks: impl Future<Output = Option<Said>>,
    ) -> Option<SkewLook> {
        let mut all = self.0.lock().await;
        let held = all.get_mut(instance)?;
        let (clocks, root) = (held.clocks.clone(), *pid.borrow());
        let (replaced, ran) = off_thread(move || {
            let mut clocks = lock(&clocks);
            // One that can't be is not among those that are.
            _ = clocks.hold(root);
            Ok(clocks.count())
        })
        .await
        .ok()?;
        let said = if held.said { None } else { asks.await };
        held.said |= said.is_some_and(|said| said.allows(held.skew.by) && !said.allows(0));
        Some(SkewLook { replaced, ran, said })
    }
}

/// Replaces them in each process that is new, until it is lifted or the instance is nobody's any more.
async fn follow(clocks: Arc<Lock<Clocks>>, mut pid: Pid) {
    loop {
        if let Ok(Err(_)) = timeout(LOOK, pid.changed()).await {
            return;
        }
        let (clocks, root) = (clocks.clone(), *pid.borrow_and_update());
        // What can't be replaced is missed at the next look.
        _ = off_thread(move || lock(&clocks).hold(root)).await;
    }
}

impl Clocks {
    /// Replaces them in every process of the instance that has them not replaced yet.
    fn hold(&mut self, root: Option<u32>) -> io::Result<()> {
        self.processes.retain(|_, process| process.lives());
        if self.lifted {
            return Ok(());
        }
        for _ in 0..PASSES {
            let mut failed = None;
            let mut new = false;
            for pid in self.family(root) {
                if self.processes.contains_key(&pid) {
                    continue;
                }
                match Process::replace(pid, &self.patches) {
                    Ok(process) => {
                        new = true;
                        self.processes.insert(pid, process);
                    }
                    Err(error) if lives(pid) => failed = failed.or(Some(error)),
                    Err(_) => {}
                }
            }
            match failed {
                Some(error) if !new => return Err(error),
                None if !new => return Ok(()),
                _ => {}
            }
        }
        Err(io::Error::other("more and more processes were born meanwhile"))
    }

    /// Gives each process its own back.
    fn lift(&mut self, root: Option<u32>) -> io::Result<()> {
        self.lifted = true;
        for _ in 0..PASSES {
            self.processes.retain(|_, process| process.lives());
            let mut still = false;
            for pid in self.family(root) {
                match patch::restore(pid, &self.patches) {
                    Ok(restored) => still |= restored,
                    Err(error) if lives(pid) => return Err(error),
                    Err(_) => {}
                }
            }
            if !still {
                self.processes.clear();
                return Ok(());
            }
        }
        Err(io::Error::other("more and more processes were born meanwhile"))
    }

    /// In how many processes they are replaced, and how many of these have run them since.
    fn count(&mut self) -> (u32, u32) {
        let ran = self
            .processes
            .iter_mut()
            .map(|(pid, process)| process.ran(*pid, &self.patches));
        let ran: Vec<Option<bool>> = ran.collect();
        let count = |wanted: fn(&bool) -> bool| ran.iter().flatten().filter(|ran| wanted(ran)).count() as u32;
        (count(|_| true), count(|ran| *ran))
    }

    /// All processes of the instance, also those whose parents have died.
    fn family(&self, root: Option<u32>) -> Vec<u32> {
        let roots = root.into_iter().chain(self.processes.keys().copied());
        let mut all: Vec<u32> = roots.flat_map(processes::family).collect();
        let mut seen = std::collections::BTreeSet::new();
        all.retain(|pid| seen.insert(*pid) && lives(*pid));
        all
    }
}

/// What waits for processes to stand still must not hold up squall's own.
async fn off_thread<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    spawn_blocking(act).await.map_err(io::Error::other)?
}

fn lock(clocks: &Lock<Clocks>) -> std::sync::MutexGuard<'_, Clocks> {
    clocks.lock().unwrap_or_else(PoisonError::into_inner)
}
