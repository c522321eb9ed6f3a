//! Processors: threads of squall's own take turns with those of the instance.
//!
//! The instance and the threads are bound to the same processors, so that its turns become rare however many others
//! the machine has. Where it has more than one the first stays out of it: squall, its load and everything else have
//! that one. Bound this way, k busy threads on each processor leave 1 / (k + 1) of it to one that is always ready.

use std::collections::HashMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::{Pid, getppid};
use squall_core::event::ShortageLook;
use squall_core::place::Share;
use tokio::process::{Child, Command};

use super::Target;
use crate::processes;
use crate::world::gate;
use crate::{guard, processes::TAG};

/// So many threads on one processor leave 5 % of it.
const MOST: f64 = 19.0;
/// The one processor of a machine is never taken by more than this many.
const ALONE: f64 = 1.0;
/// Between two looks of the busy process whether its parent lives.
const PARENT: Duration = Duration::from_millis(20);

/// Processors that are being taken.
#[derive(Debug)]
pub(super) struct Load {
    burner: Child,
    pid: u32,
    on: CpuSet,
    /// Where the instance may run otherwise.
    usual: CpuSet,
    processors: u64,
    since: Instant,
    /// What each thread had waited when it was bound, in ns.
    waited: HashMap<u32, u64>,
}

impl Load {
    /// Takes a share of the processors of an instance.
    ///
    /// # Errors
    /// The instance is gone, or the kernel refuses.
    pub(super) fn start(taken: Share, target: Target<'_>) -> std::io::Result<Self> {
        let first = target
            .pids
            .first()
            .ok_or_else(|| std::io::Error::other("it does not run"))?;
        let usual = sched_getaffinity(pid(*first))?;
        let (on, numbers) = taken_of(&usual)?;
        let fraction = taken.fraction();
        let most = if numbers.len() == members(&usual).len() {
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
            on,
            usual,
            processors: numbers.len() as u64,
            since: Instant::now(),
            waited: HashMap::new(),
        };
        load.bind(target.pids);
        Ok(load)
    }

    /// Binds the threads that are not bound yet. One that ended meanwhile is no error.
    fn bind(&mut self, pids: &[u32]) {
        for (thread, waited) in pids.iter().flat_map(|pid| waits(*pid)) {
            if self.waited.contains_key(&thread) {
                continue;
            }
            let _ = sched_setaffinity(pid(thread), &self.on);
            self.waited.insert(thread, waited.unwrap_or(0));
        }
    }

    /// What was taken so far, and how long its threads had to wait.
    pub(super) fn look(&mut self, pids: &[u32]) -> ShortageLook {
        self.bind(pids);
        let (taken_us, ..) = processes::usage(&[self.pid]);
        let elapsed = u64::try_from(self.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        let mut waited = None;
        for (thread, now) in pids.iter().flat_map(|pid| waits(*pid)) {
            if let (Some(now), Some(before)) = (now, self.waited.get(&thread)) {
                *waited.get_or_insert(0) += now.saturating_sub(*before);
            }
        }
        ShortageLook::Cpu {
            there_us: elapsed.saturating_mul(self.processors),
            taken_us,
            waited_us: waited.map(|nanos| nanos / 1000),
        }
    }

    /// Ends the threads and lets the instance run where it might before.
    pub(super) async fn end(mut self, pids: &[u32]) {
        // What does not die of SIGKILL is the guard's.
        let _ = self.burner.kill().await;
        for (thread, _) in pids.iter().flat_map(|pid| waits(*pid)) {
            let _ = sched_setaffinity(pid(thread), &self.usual);
        }
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

/// The threads of a process, and how long each was ready and had to wait, in ns; `None` where the kernel does not say.
fn waits(pid: u32) -> Vec<(u32, Option<u64>)> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let threads = entries.flatten().filter_map(|entry| {
        let thread = entry.file_name().to_string_lossy().parse().ok()?;
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok();
        let waited = text.and_then(|text| text.split_whitespace().nth(1)?.parse().ok());
        Some((thread, waited))
    });
    threads.collect()
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

    #[test]
    fn one_processor_stays_out_of_it_where_there_is_another() {
        assert_eq!(taken_of(&set(&[0, 1, 5])).unwrap().1, [1, 5]);
        assert_eq!(taken_of(&set(&[3])).unwrap().1, [3]);
    }
}
