//! Processors: threads of squall's own take turns with those of the instance.
//!
//! The instance and the threads are bound to the same processors, so that its turns become rare however many others
//! the machine has. Where it has more than one the first stays out of it: squall, its load and everything else have
//! that one. Bound this way, k busy threads on each processor leave 1 / (k + 1) of it to one that is always ready.

use std::collections::{HashMap, HashSet};
use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, getppid};
use squall_core::event::ShortageLook;
use squall_core::place::Share;
use tokio::process::{Child, Command};

use super::{CHASE, Target};
use crate::processes::{self, Life};
use crate::world::gate;
use crate::{guard, processes::TAG};

/// So many threads on one processor leave 5 % of it.
const MOST: f64 = 19.0;
/// The one processor of a machine is never taken by more than this many.
const ALONE: f64 = 1.0;
/// Between two looks of the busy process whether its parent lives.
const PARENT: Duration = Duration::from_millis(20);
/// How long an instance's threads wait for their turns otherwise is seen for so long before any is taken.
const BEFORE: Duration = Duration::from_millis(250);

/// Processors that are being taken.
#[derive(Debug)]
pub(super) struct Load {
    burner: Child,
    pid: u32,
    bound: Bound,
    processors: u64,
    since: Instant,
    /// What each thread had waited when it was bound, in ns.
    waited: HashMap<Life, u64>,
    /// How much of the time they had to wait before, all together; `None` where the kernel does not say.
    usual: Option<f64>,
}

/// Threads that are bound to some processors.
#[derive(Debug)]
struct Bound {
    on: CpuSet,
    /// Where the first one may run otherwise.
    first: CpuSet,
    /// Where each one might before it was bound.
    usual: HashMap<Life, CpuSet>,
}

impl Bound {
    fn new(on: CpuSet, first: CpuSet) -> Self {
        Self {
            on,
            first,
            usual: HashMap::new(),
        }
    }

    /// Binds the threads of some processes that were not seen before; one that ended is no error.
    fn bind(&mut self, pids: &[u32]) -> io::Result<()> {
        let fresh = self.usual.is_empty();
        let new = threads(pids).filter(|life| !self.usual.contains_key(life));
        let new: Vec<(Life, CpuSet)> = new.filter_map(|life| Some((life, mask(life).ok()??))).collect();
        for (life, now) in new {
            // Once some are bound their offspring is born so; before, whoever runs there only chose to.
            let usual = if !fresh && now == self.on { self.first } else { now };
            self.usual.insert(life, usual);
            put(life, &self.on)?;
        }
        Ok(())
    }

    /// Lets each thread run where it might before, and reads back that it may; who was born bound may where the first one
    /// does. One that has bound itself elsewhere since is left there. Goes on until nobody is new.
    fn release(&self, pids: impl Fn() -> Vec<u32>) -> io::Result<()> {
        let (mut done, mut first) = (HashSet::new(), Ok(()));
        let until = Instant::now() + CHASE;
        loop {
            let mut new = 0;
            // A parent that ended leaves its children to others: their threads are known all the same.
            let known = self.usual.keys().copied().filter(|life| is(*life));
            for life in threads(&pids()).chain(known) {
                if !done.insert(life) {
                    continue;
                }
                new += 1;
                let put = match mask(life) {
                    Ok(Some(now)) if now == self.on => put(life, self.usual.get(&life).unwrap_or(&self.first)),
                    Ok(_) => Ok(()),
                    Err(error) => Err(error),
                };
                first = first.and(put);
            }
            if new == 0 {
                return first;
            }
            if Instant::now() > until {
                let text = format!("threads were still being born where it was bound to after {CHASE:?}");
                return first.and(Err(io::Error::other(text)));
            }
        }
    }
}

/// The threads of some processes, each with its start.
fn threads(pids: &[u32]) -> impl Iterator<Item = Life> + use<'_> {
    let entries = pids
        .iter()
        .filter_map(|pid| std::fs::read_dir(format!("/proc/{pid}/task")).ok());
    entries.flatten().flatten().filter_map(|entry| {
        let thread = entry.file_name().to_string_lossy().parse().ok()?;
        Some((thread, processes::stat(thread)?.started))
    })
}

/// Whether a thread is the one that was meant, and lives.
fn is((thread, started): Life) -> bool {
    processes::stat(thread).is_some_and(|stat| stat.started == started && stat.state != 'Z')
}

/// Where a thread may run; `None` when it is gone.
fn mask((thread, _): Life) -> io::Result<Option<CpuSet>> {
    match sched_getaffinity(pid(thread)) {
        Ok(mask) => Ok(Some(mask)),
        Err(Errno::ESRCH) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Binds a thread, and reads back that it is; one that is gone is no error.
fn put(life: Life, to: &CpuSet) -> io::Result<()> {
    if !is(life) {
        return Ok(());
    }
    match sched_setaffinity(pid(life.0), to) {
        Err(Errno::ESRCH) => return Ok(()),
        Err(error) => return Err(error.into()),
        Ok(()) => {}
    }
    match mask(life)? {
        Some(now) if now != *to && is(life) => {
            let (to, now) = (members(to), members(&now));
            let text = format!(
                "thread {} was to run on processors {to:?} and may run on {now:?}",
                life.0
            );
            Err(io::Error::other(text))
        }
        _ => Ok(()),
    }
}

impl Load {
    /// Takes a share of the processors of an instance.
    ///
    /// # Errors
    /// The instance is gone, or the kernel refuses.
    pub(super) async fn start(taken: Share, target: &Target<'_>) -> io::Result<Self> {
        let usual = usual(target).await;
        let pids = target.pids();
        let first = pids.first().ok_or_else(|| io::Error::other("it does not run"))?;
        let first = sched_getaffinity(pid(*first))?;
        let (on, numbers) = taken_of(&first)?;
        let fraction = taken.fraction();
        let most = if numbers.len() == members(&first).len() {
            ALONE
        } else {
            MOST
        };
        let threads = (fraction / (1.0 - fraction)).round().clamp(1.0, most) as u32;
        let list: Vec<String> = numbers.iter().map(usize::to_string).collect();
        let mut command = Command::new("/proc/self/exe");
        command
            .args([
                "inner",
                "burn",
                "--threads",
                &threads.to_string(),
                "--on",
                &list.join(","),
            ])
            .env(TAG, target.tag)
            .env_remove(guard::CHILD)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true);
        let burner = gate::spawn(|| command.spawn())?;
        let mut load = Self {
            pid: burner.id().unwrap_or(0),
            burner,
            bound: Bound::new(on, first),
            processors: numbers.len() as u64,
            since: Instant::now(),
            waited: HashMap::new(),
            usual,
        };
        match load.bind(&pids) {
            Ok(()) => Ok(load),
            // What can't be put in force is not left half in force.
            Err(error) => load.bound.release(|| target.pids()).and(Err(error)),
        }
    }

    /// Binds the threads that are not bound yet. One that ended meanwhile is no error.
    fn bind(&mut self, pids: &[u32]) -> io::Result<()> {
        for (life, waited) in waits(pids) {
            self.waited.entry(life).or_insert(waited.unwrap_or(0));
        }
        self.bound.bind(pids)
    }

    /// What was taken so far, and how long its threads had to wait.
    pub(super) fn look(&mut self, pids: &[u32]) -> ShortageLook {
        // One that was born a moment ago is bound at the next look.
        let _ = self.bind(pids);
        let (taken_us, ..) = processes::usage(&[self.pid]);
        let elapsed = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut waited = None;
        for (life, now) in waits(pids) {
            if let (Some(now), Some(before)) = (now, self.waited.get(&life)) {
                *waited.get_or_insert(0) += now.saturating_sub(*before);
            }
        }
        ShortageLook::Cpu {
            there_us: elapsed.saturating_mul(self.processors),
            taken_us,
            waited_us: waited.map(|nanos| nanos / 1000),
            usual_us: self.usual.map(|usual| (usual * elapsed as f64) as u64),
            astray: Some(self.astray(pids)),
        }
    }

    /// How many threads are not bound: of the instance, and of those that take turns with it.
    fn astray(&self, pids: &[u32]) -> u32 {
        let on = members(&self.bound.on);
        // The first thread of the others only waits for its parent's end.
        let own = [self.pid];
        let others = threads(&own).filter(|life| life.0 != self.pid);
        let elsewhere = |life: &Life| match mask(*life) {
            Ok(Some(mask)) => members(&mask).iter().any(|number| !on.contains(number)),
            Ok(None) => false,
            Err(_) => true,
        };
        threads(pids).chain(others).filter(elsewhere).count() as u32
    }

    /// Ends the threads and lets the instance run where it might before.
    ///
    /// # Errors
    /// They do not end, or a thread of the instance that lives may not run where it might.
    pub(super) async fn end(&mut self, pids: impl Fn() -> Vec<u32>) -> io::Result<()> {
        // Tried again, it may be gone by now.
        let ended = match self.burner.try_wait() {
            Ok(Some(_)) => Ok(()),
            _ => self.burner.kill().await,
        };
        self.bound.release(pids).and(ended)
    }
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number as i32)
}

/// The numbers in a set.
fn members(set: &CpuSet) -> Vec<usize> {
    (0..CpuSet::count())
        .filter(|number| set.is_set(*number).unwrap_or(false))
        .collect()
}

/// All but the first of a set of processors; the first where there is no other.
fn taken_of(usual: &CpuSet) -> nix::Result<(CpuSet, Vec<usize>)> {
    let mut numbers = members(usual);
    if numbers.len() > 1 {
        numbers.remove(0);
    }
    let mut on = CpuSet::new();
    for number in &numbers {
        on.set(*number)?;
    }
    Ok((on, numbers))
}

/// How much of the time the threads of an instance have to wait for their turns; `None` where the kernel does not say.
async fn usual(target: &Target<'_>) -> Option<f64> {
    let (since, before) = (Instant::now(), waits(&target.pids()).collect::<HashMap<_, _>>());
    tokio::time::sleep(BEFORE).await;
    let waited = more(&before, waits(&target.pids()))?;
    Some(waited as f64 / since.elapsed().as_nanos() as f64)
}

/// How much longer all have waited than before; who ended between being found and being asked is left out.
fn more(before: &HashMap<Life, Option<u64>>, now: impl Iterator<Item = (Life, Option<u64>)>) -> Option<u64> {
    let all =
        now.filter_map(|(life, now)| Some(now?.saturating_sub(before.get(&life).copied().flatten().unwrap_or(0))));
    all.fold(None, |sum, one| Some(sum.unwrap_or(0) + one))
}

/// The threads of some processes, and how long each was ready and had to wait, in ns; `None` where the kernel does not say.
fn waits(pids: &[u32]) -> impl Iterator<Item = (Life, Option<u64>)> + use<'_> {
    threads(pids).map(|life| {
        let text = std::fs::read_to_string(format!("/proc/{}/schedstat", life.0)).ok();
        (life, text.and_then(|text| text.split_whitespace().nth(1)?.parse().ok()))
    })
}

/// Keeps processors busy with so many threads on each, until the process that asked for it is gone. Never returns.
pub fn burn(threads: u32, on: &[usize]) -> ! {
    let parent = getppid();
    for processor in on.iter().copied() {
        for _ in 0..threads {
            std::thread::spawn(move || {
                let mut set = CpuSet::new();
                // Where it may not run there, it takes its turns somewhere else: too little is taken, and seen to be.
                if set.set(processor).is_ok() {
                    let _ = sched_setaffinity(Pid::from_raw(0), &set);
                }
                let mut turns = 0_u64;
                loop {
                    turns = std::hint::black_box(turns.wrapping_add(1));
                }
            });
        }
    }
    while getppid() == parent {
        std::thread::sleep(PARENT);
    }
    std::process::exit(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(numbers: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        numbers.iter().for_each(|number| set.set(*number).unwrap());
        set
    }

    /// A process that does nothing, bound to some processors.
    fn idle(on: &CpuSet) -> std::process::Child {
        let child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        sched_setaffinity(pid(child.id()), on).unwrap();
        child
    }

    #[test]
    fn each_thread_may_run_again_where_it_might_before() {
        let all = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let numbers = members(&all);
        // With one processor there is nowhere else to be bound to.
        let (first, last) = (set(&numbers[..1]), set(&numbers[numbers.len() - 1..]));
        // Three as they are: nowhere special, bound by itself, bound by itself to where all will be.
        let mut children = Vec::from([&all, &first, &last].map(idle));
        let pids = |children: &[std::process::Child]| children.iter().map(std::process::Child::id).collect::<Vec<_>>();
        let at = |child: &std::process::Child| sched_getaffinity(pid(child.id())).unwrap();
        let mut bound = Bound::new(last, all);
        bound.bind(&pids(&children)).unwrap();
        let low = children.iter().all(|child| at(child) == last);
        // Born bound: seen before the end, and not. And one that binds itself elsewhere meanwhile.
        children.extend([idle(&last), idle(&all)]);
        bound.bind(&pids(&children)).unwrap();
        sched_setaffinity(pid(children[4].id()), &first).unwrap();
        children.push(idle(&last));
        let released = bound.release(|| pids(&children));
        let after: Vec<CpuSet> = children.iter().map(at).collect();
        for child in &mut children {
            child.kill().unwrap();
            child.wait().unwrap();
        }
        released.unwrap();
        assert!(low);
        assert_eq!(after, [all, first, last, all, first, all]);
    }

    #[test]
    fn one_that_ends_meanwhile_hides_nothing_of_how_long_the_others_wait() {
        let before = HashMap::from([((1, 7), Some(100)), ((2, 7), Some(50)), ((3, 7), None)]);
        let more = |now: &[(Life, Option<u64>)]| more(&before, now.iter().copied());
        assert_eq!(
            more(&[((1, 7), Some(130)), ((2, 7), None), ((4, 8), Some(5))]),
            Some(35)
        );
        assert_eq!(more(&[((1, 7), Some(100))]), Some(0));
        // The kernel counts nothing, or nobody is there.
        assert_eq!(more(&[((1, 7), None), ((3, 7), None)]), None);
        assert_eq!(more(&[]), None);
    }

    #[test]
    fn one_processor_stays_out_of_it_where_there_is_another() {
        assert_eq!(taken_of(&set(&[0, 1, 5])).unwrap().1, [1, 5]);
        assert_eq!(taken_of(&set(&[3])).unwrap().1, [3]);
    }
}
