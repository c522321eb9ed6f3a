//! Memory and descriptors: the soft limits of the instance's own processes, lowered to what they have and a little.
//!
//! Limits need no privilege, reach nobody else, and die with the process: there is nothing to clear up after a run that
//! was killed. A limit on data (`RLIMIT_DATA`) counts private writable memory, as a cgroup's or a container's would, but
//! refuses an allocation instead of killing the process for one that was granted.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use squall_core::event::ShortageLook;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{CHASE, Target};
use crate::processes::{self, Life};

/// A connection to this machine is there within this, or not at all.
const CONNECT: Duration = Duration::from_millis(100);
/// Squall opens at most so many connections to see one wait.
const TRIALS: usize = 32;

/// A limit of a process: the soft one and the hard one, each absent where there is none.
type Bounds = (Option<u64>, Option<u64>);

/// A soft limit that was lowered.
#[derive(Debug, Clone, Copy)]
struct Was {
    /// The usual one: its own, or, where it was born under a lowered one, its parent's.
    usual: Option<u64>,
    /// The one it was given.
    given: u64,
}

/// A lowered limit of some processes.
#[derive(Debug)]
struct Lowered {
    resource: Resource,
    /// Its line in `/proc/PID/limits`.
    label: &'static str,
    /// What was lowered of each process.
    known: HashMap<Life, Was>,
}

impl Lowered {
    fn new(resource: Resource, label: &'static str) -> Self {
        Self {
            resource,
            label,
            known: HashMap::new(),
        }
    }

    /// Lowers the limit of those that were not seen before to what `to` says for each. One that ended is no error.
    fn lower(&mut self, pids: &[u32], to: impl Fn(u32) -> Option<u64>) -> io::Result<()> {
        for pid in pids {
            let Some(stat) = processes::stat(*pid) else { continue };
            let life = (*pid, stat.started);
            if self.known.contains_key(&life) {
                continue;
            }
            let (Some(bounds), Some(soft)) = (bounds(*pid, self.label), to(*pid)) else {
                continue;
            };
            let usual = self.inherited(stat.parent, bounds.0).unwrap_or(bounds.0);
            let given = bounds.0.map_or(soft, |now| now.min(soft));
            // Remembered first: what can't be put back must not be changed.
            self.known.insert(life, Was { usual, given });
            match self.set(*pid, (Some(given), bounds.1)) {
                Err(error) if is(life) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// What the parent had before, where a soft limit is the one its parent was given: who is forked from a lowered
    /// process is born with that. The parent may be gone, and its child another's.
    fn inherited(&self, parent: u32, soft: Option<u64>) -> Option<Option<u64>> {
        let given = |was: &&Was| Some(was.given) == soft;
        let parents = self.known.iter().find(|(life, was)| life.0 == parent && given(was));
        let was = parents.map(|(_, was)| was).or_else(|| self.known.values().find(given));
        was.map(|was| was.usual)
    }

    /// Puts back what each process had, and reads back that it has it; who was born under a lowered limit gets what its
    /// parent had. A limit that is another than the one given is its own by now. Goes on until nobody is new.
    fn lift(&self, pids: impl Fn() -> Vec<u32>) -> io::Result<()> {
        let (mut done, mut first) = (HashSet::new(), Ok(()));
        let until = Instant::now() + CHASE;
        loop {
            let mut new = 0;
            for pid in pids().into_iter().chain(self.strayed()) {
                let Some(stat) = processes::stat(pid) else { continue };
                if !done.insert((pid, stat.started)) {
                    continue;
                }
                new += 1;
                match self.put_back((pid, stat.started), stat.parent) {
                    Err(error) if is((pid, stat.started)) => first = first.and(Err(error)),
                    _ => {}
                }
            }
            if new == 0 {
                return first;
            }
            if Instant::now() > until {
                let text = format!("processes were still being born under its lowered limit after {CHASE:?}");
                return first.and(Err(io::Error::other(text)));
            }
        }
    }

    /// Those that were lowered and live: a parent that ended leaves its children to others.
    fn strayed(&self) -> impl Iterator<Item = u32> + use<'_> {
        self.known.keys().filter(|life| is(**life)).map(|life| life.0)
    }

    fn put_back(&self, life: Life, parent: u32) -> io::Result<()> {
        let Some((soft, hard)) = bounds(life.0, self.label) else {
            return Ok(());
        };
        let usual = match self.known.get(&life) {
            Some(was) if soft == Some(was.given) => was.usual,
            // It has chosen another one since.
            Some(_) => return Ok(()),
            None => match self.inherited(parent, soft) {
                Some(usual) => usual,
                None => return Ok(()),
            },
        };
        // Nobody can have more than its hard one, and who was born later may have a lower one.
        let usual = match (usual, hard) {
            (Some(usual), Some(hard)) => Some(usual.min(hard)),
            (usual, hard) => usual.or(hard),
        };
        if usual == soft {
            return Ok(());
        }
        self.set(life.0, (usual, hard))?;
        match self.soft(life.0) {
            now if now == usual => Ok(()),
            now => {
                let text = format!(
                    "process {} was given {usual:?} again and has {now:?} ({})",
                    life.0, self.label
                );
                Err(io::Error::other(text))
            }
        }
    }

    fn set(&self, pid: u32, (current, maximum): Bounds) -> io::Result<()> {
        let pid = Pid::from_raw(pid as i32);
        prlimit(pid, self.resource, Rlimit { current, maximum })?;
        Ok(())
    }

    fn soft(&self, pid: u32) -> Option<u64> {
        bounds(pid, self.label)?.0
    }
}

/// Whether a process is the one that was meant, and lives.
fn is((pid, started): Life) -> bool {
    processes::stat(pid).is_some_and(|stat| stat.started == started && stat.state != 'Z')
}

/// A limit of a process, as the kernel shows it.
fn bounds(pid: u32, label: &str) -> Option<Bounds> {
    bounds_in(&std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?, label)
}

fn bounds_in(limits: &str, label: &str) -> Option<Bounds> {
    let rest = limits.lines().find_map(|line| line.strip_prefix(label))?;
    let mut words = rest.split_whitespace().map(|word| match word {
        "unlimited" => Some(None),
        number => number.parse().ok().map(Some),
    });
    Some((words.next()??, words.next()??))
}

/// Memory of an instance that is limited.
#[derive(Debug)]
pub(super) struct Memory {
    lowered: Lowered,
    left: u64,
    /// What each process had when its limit was set.
    had: HashMap<Life, u64>,
}

impl Memory {
    /// Leaves each process so many bytes more than it has.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn limit(left: u64, pids: &[u32]) -> io::Result<Self> {
        let lowered = Lowered::new(Resource::Data, "Max data size");
        let had = HashMap::new();
        let mut memory = Self { lowered, left, had };
        match memory.keep(pids) {
            Ok(()) => Ok(memory),
            // What can't be put in force is not left half in force.
            Err(error) => memory.lift(|| pids.to_vec()).and(Err(error)),
        }
    }

    fn keep(&mut self, pids: &[u32]) -> io::Result<()> {
        for pid in pids {
            if let (Some(stat), Some(data)) = (processes::stat(*pid), data(*pid)) {
                self.had.entry((*pid, stat.started)).or_insert(data);
            }
        }
        let left = self.left;
        self.lowered.lower(pids, |pid| Some(data(pid)? + left))
    }

    /// The most a process has more than when its limit was set.
    fn grown(&self) -> Option<u64> {
        let living = self.had.iter().filter(|(life, _)| is(**life));
        living
            .filter_map(|(life, had)| Some(data(life.0)?.saturating_sub(*had)))
            .max()
    }

    /// The process with the least to come.
    pub(super) fn look(&mut self, pids: &[u32]) -> Option<ShortageLook> {
        // Of a process that was started a moment ago the next look tells.
        let _ = self.keep(pids);
        let each = pids
            .iter()
            .filter_map(|pid| Some((self.lowered.soft(*pid)?, data(*pid)?)));
        let (limit, used) = each.min_by_key(|(limit, used)| limit.saturating_sub(*used))?;
        let grown = self.grown();
        Some(ShortageLook::Memory { limit, used, grown })
    }

    /// Puts the limits back.
    ///
    /// # Errors
    /// A process that lives has not what it had.
    pub(super) fn lift(&mut self, pids: impl Fn() -> Vec<u32>) -> io::Result<()> {
        self.lowered.lift(pids)
    }
}

/// Private writable memory of a process, in bytes: what `RLIMIT_DATA` counts.
fn data(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let rest = status.lines().find_map(|line| line.strip_prefix("VmData:"))?;
    Some(rest.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// Descriptors of an instance that are limited.
#[derive(Debug)]
pub(super) struct Descriptors {
    lowered: Lowered,
    left: u32,
    /// Connections of squall's own: whether one waits to be taken shows that none can be.
    trials: Vec<TcpStream>,
}

impl Descriptors {
    /// Leaves each process so many descriptors more than it has.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn limit(left: u32, pids: &[u32]) -> io::Result<Self> {
        let lowered = Lowered::new(Resource::Nofile, "Max open files");
        let trials = Vec::new();
        let mut descriptors = Self { lowered, left, trials };
        match descriptors.keep(pids) {
            Ok(()) => Ok(descriptors),
            Err(error) => descriptors.lift(|| pids.to_vec()).and(Err(error)),
        }
    }

    fn keep(&mut self, pids: &[u32]) -> io::Result<()> {
        let left = self.left;
        self.lowered.lower(pids, |pid| Some(bound_for(&open(pid)?, left)))
    }

    /// The first process, and who waits for it.
    pub(super) async fn look(&mut self, target: &Target<'_>) -> Option<ShortageLook> {
        let pids = target.pids();
        // Of a process that was started a moment ago the next look tells.
        let _ = self.keep(&pids);
        let first = *pids.first()?;
        let mut waiting = 0;
        if let Some(addr) = target.addr {
            waiting = waiting_at(addr);
            if waiting == 0 && self.trials.len() < TRIALS {
                let trial = timeout(CONNECT, TcpStream::connect(addr)).await;
                self.trials.extend(trial.ok().and_then(Result::ok));
            }
        }
        let open = open(first)?;
        let soft = self.lowered.soft(first)?;
        let below = open.iter().filter(|number| u64::from(**number) < soft).count() as u64;
        Some(ShortageLook::Fds {
            open: open.len() as u32,
            free: u32::try_from(soft.saturating_sub(below)).unwrap_or(u32::MAX),
            waiting,
        })
    }

    /// Puts the limits back, and goes away.
    ///
    /// # Errors
    /// A process that lives has not what it had.
    pub(super) fn lift(&mut self, pids: impl Fn() -> Vec<u32>) -> io::Result<()> {
        self.trials.clear();
        self.lowered.lift(pids)
    }
}

/// The open descriptors of a process, sorted.
fn open(pid: u32) -> Option<Vec<u32>> {
    let entries = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
    let mut open: Vec<u32> = entries
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
        .collect();
    open.sort_unstable();
    Some(open)
}

/// The limit under which exactly `left` numbers are free: a new descriptor gets the lowest one that is.
fn bound_for(open: &[u32], left: u32) -> u64 {
    let mut free = 0;
    let mut bound = 0;
    for number in open {
        let gap = number - bound;
        if free + gap > left {
            break;
        }
        free += gap;
        bound = number + 1;
    }
    u64::from(bound + (left - free))
}

/// How many connections wait to be taken where somebody listens.
fn waiting_at(addr: SocketAddr) -> u32 {
    let file = if addr.is_ipv4() {
        "/proc/net/tcp"
    } else {
        "/proc/net/tcp6"
    };
    waiting_in(&std::fs::read_to_string(file).unwrap_or_default(), addr.port())
}

/// Of a listening socket the receive queue counts connections, see proc_net_tcp(5).
fn waiting_in(table: &str, port: u16) -> u32 {
    let port = format!(":{port:04X}");
    let waits = table.lines().filter_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, local, _, "0A", queues, ..] = words.as_slice() else {
            return None;
        };
        let waiting = queues.split_once(':')?.1;
        local.ends_with(&port).then(|| u32::from_str_radix(waiting, 16).ok())?
    });
    waits.sum()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// A shell that starts another process whenever it is asked to, after a command of its own.
    fn shell(own: &str) -> Child {
        let script = format!("{own}; while read -r line; do eval \"$line\"; done");
        let mut command = Command::new("sh");
        command
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::null());
        command.spawn().unwrap()
    }

    /// Tells a shell something, and waits until it has so many children.
    fn tell(shell: &mut Child, line: &str, children: usize) -> Vec<u32> {
        use std::io::Write;
        writeln!(shell.stdin.as_mut().unwrap(), "{line}").unwrap();
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let all = processes::tree(shell.id());
            let ready = |pid: &u32| {
                std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words.starts_with(b"sleep"))
            };
            if all.len() == children + 1 && all[1..].iter().all(ready) {
                return all;
            }
            assert!(Instant::now() < until, "{children} children of {all:?} after `{line}`");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn end(mut shell: Child, all: &[u32]) {
        processes::signal(all, nix::sys::signal::Signal::SIGKILL);
        shell.wait().unwrap();
    }

    const FILES: &str = "Max open files";

    fn soft(pid: u32) -> Option<u64> {
        bounds(pid, FILES).unwrap().0
    }

    fn lowered(pids: &[u32], to: u64) -> Lowered {
        let mut lowered = Lowered::new(Resource::Nofile, FILES);
        lowered.lower(pids, |_| Some(to)).unwrap();
        lowered
    }

    #[test]
    fn each_process_gets_back_its_own_limit_and_never_more_than_its_hard_one() {
        let mut shell = shell("ulimit -Sn 200");
        tell(&mut shell, "sleep 60 &", 1);
        tell(&mut shell, "(ulimit -Sn 90; exec sleep 60) &", 2);
        let all = tell(&mut shell, "(ulimit -Sn 60; ulimit -Hn 70; exec sleep 60) &", 3);
        let before: HashMap<u32, Bounds> = all.iter().map(|pid| (*pid, bounds(*pid, FILES).unwrap())).collect();
        let mut lowered = lowered(&all, 50);
        assert!(all.iter().all(|pid| soft(*pid) == Some(50)));
        // Born while it is low: with it, lowered again, with one of its own, with a hard one below its parent's usual one.
        let born = |before: &[u32], after: &[u32]| *after.iter().find(|pid| !before.contains(pid)).unwrap();
        let one = tell(&mut shell, "sleep 60 &", 4);
        let two = tell(&mut shell, "sleep 60 &", 5);
        lowered.lower(&[born(&one, &two)], |_| Some(45)).unwrap();
        let three = tell(&mut shell, "(ulimit -Sn 40; exec sleep 60) &", 6);
        let four = tell(&mut shell, "(ulimit -Hn 100; exec sleep 60) &", 7);
        let root = shell.id();
        let lifted = lowered.lift(|| processes::tree(root));
        let after: HashMap<u32, Bounds> = four.iter().map(|pid| (*pid, bounds(*pid, FILES).unwrap())).collect();
        end(shell, &four);
        lifted.unwrap();
        for (pid, bounds) in &before {
            assert_eq!(after[pid], *bounds);
        }
        let late = [
            born(&all, &one),
            born(&one, &two),
            born(&two, &three),
            born(&three, &four),
        ];
        assert_eq!(late.map(|pid| after[&pid].0), [200, 200, 40, 100].map(Some));
    }

    #[test]
    fn a_process_born_while_all_are_looked_through_is_not_left_with_the_low_limit() {
        let mut shell = shell("ulimit -Sn 200");
        let all = tell(&mut shell, "sleep 60 &", 1);
        let lowered = lowered(&all, 50);
        let root = shell.id();
        let asked = std::cell::Cell::new(0);
        let shell = std::cell::RefCell::new(shell);
        // Between the first list and the second another one comes.
        let lifted = lowered.lift(|| {
            asked.set(asked.get() + 1);
            let listed = processes::tree(root);
            if asked.get() == 1 {
                tell(&mut shell.borrow_mut(), "sleep 60 &", 2);
            }
            listed
        });
        let all = processes::tree(root);
        let softs: Vec<_> = all.iter().map(|pid| soft(*pid)).collect();
        end(shell.into_inner(), &all);
        lifted.unwrap();
        assert_eq!(softs, [Some(200); 3]);
    }

    #[test]
    fn who_only_has_the_number_of_one_that_was_lowered_is_left_alone() {
        let mut shell = shell("ulimit -Sn 200");
        let all = tell(&mut shell, "(ulimit -Sn 90; exec sleep 60) &", 1);
        let mut lowered = Lowered::new(Resource::Nofile, FILES);
        lowered.known.insert(
            (all[1], 0),
            Was {
                usual: Some(150),
                given: 50,
            },
        );
        let lifted = lowered.lift(|| processes::tree(shell.id()));
        let now = soft(all[1]);
        end(shell, &all);
        lifted.unwrap();
        assert_eq!(now, Some(90));
    }

    #[test]
    fn the_bound_leaves_exactly_so_many_numbers_whatever_the_gaps() {
        for (open, left, bound) in [
            (&[0, 1, 2, 3][..], 0, 4),
            (&[0, 1, 2, 3], 2, 6),
            (&[0, 1, 2, 5], 0, 3),
            (&[0, 1, 2, 5], 1, 4),
            (&[0, 1, 2, 5], 2, 6),
            (&[0, 1, 2, 5], 3, 7),
            (&[], 1, 1),
        ] {
            assert_eq!(bound_for(open, left), bound, "{open:?} {left}");
        }
    }

    #[test]
    fn limits_are_read_as_the_kernel_shows_them() {
        let text = "Limit                     Soft Limit           Hard Limit           Units     \n\
                    Max data size             unlimited            unlimited            bytes     \n\
                    Max open files            1024                 524288               files     \n";
        assert_eq!(bounds_in(text, "Max data size"), Some((None, None)));
        assert_eq!(bounds_in(text, "Max open files"), Some((Some(1024), Some(524_288))));
        assert_eq!(bounds_in(text, "Max nice"), None);
    }

    #[test]
    fn only_those_who_wait_at_the_port_are_counted() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
                     0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000\n   \
                     1: 0100007F:1F90 0100007F:9999 01 00000000:00000007 00:00000000\n   \
                     2: 0100007F:1F91 00000000:0000 0A 00000000:00000001 00:00000000\n";
        assert_eq!(waiting_in(table, 8080), 3);
        assert_eq!(waiting_in(table, 80), 0);
    }
}
