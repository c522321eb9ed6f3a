//! Memory and descriptors: the soft limits of the instance's own processes, lowered to what they have and a little.
//!
//! Limits need no privilege, reach nobody else, and die with the process: there is nothing to clear up after a run that
//! was killed. A limit on data (`RLIMIT_DATA`) counts private writable memory, as a cgroup's or a container's would, but
//! refuses an allocation instead of killing the process for one that was granted.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use squall_core::event::ShortageLook;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Target;
use crate::processes;

/// A connection to this machine is there within this, or not at all.
const CONNECT: Duration = Duration::from_millis(100);
/// Squall opens at most so many connections to see one wait.
const TRIALS: usize = 32;

/// A limit of a process: the soft one and the hard one, each absent where there is none.
type Bounds = (Option<u64>, Option<u64>);

/// A lowered limit of some processes.
#[derive(Debug)]
struct Lowered {
    resource: Resource,
    /// Its line in `/proc/PID/limits`.
    label: &'static str,
    /// When each process was started, and its bounds before.
    usual: HashMap<u32, (u64, Bounds)>,
    /// Those of the first: what is forked while the limit is low was born with it.
    first: Option<Bounds>,
}

impl Lowered {
    fn new(resource: Resource, label: &'static str) -> Self {
        Self {
            resource,
            label,
            usual: HashMap::new(),
            first: None,
        }
    }

    /// Lowers the limit of those that were not seen before to what `to` says for each. One that ended is no error.
    fn lower(&mut self, pids: &[u32], to: impl Fn(u32) -> Option<u64>) -> std::io::Result<()> {
        for pid in pids {
            let Some(stat) = processes::stat(*pid) else { continue };
            if self.usual.get(pid).is_some_and(|(started, _)| *started == stat.started) {
                continue;
            }
            let (Some(bounds), Some(soft)) = (bounds(*pid, self.label), to(*pid)) else {
                continue;
            };
            // Remembered first: what can't be put back must not be changed.
            self.usual.insert(*pid, (stat.started, bounds));
            self.first.get_or_insert(bounds);
            let soft = bounds.0.map_or(soft, |usual| usual.min(soft));
            match self.set(*pid, (Some(soft), bounds.1)) {
                Err(error) if processes::runs(*pid) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Puts back what each process had. What was born under the low limit gets what the first had.
    fn lift(self, pids: &[u32]) {
        for pid in pids {
            let known = self.usual.get(pid).map(|(_, bounds)| *bounds);
            let Some(hard) = bounds(*pid, self.label).map(|(_, hard)| hard) else {
                continue;
            };
            let soft = match (self.first, known) {
                // It may have been forked from one that was lowered, and lowered again.
                (Some(first), Some(known)) => more(first.0, known.0),
                (Some(first), None) => first.0,
                (None, _) => continue,
            };
            let _ = self.set(*pid, (soft, hard));
        }
    }

    fn set(&self, pid: u32, (current, maximum): Bounds) -> std::io::Result<()> {
        let pid = Pid::from_raw(pid as i32);
        prlimit(pid, self.resource, Rlimit { current, maximum })?;
        Ok(())
    }

    fn soft(&self, pid: u32) -> Option<u64> {
        bounds(pid, self.label)?.0
    }
}

/// The higher of two soft limits.
fn more(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    Some(one?.max(other?))
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
}

impl Memory {
    /// Leaves each process so many bytes more than it has.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn limit(left: u64, pids: &[u32]) -> std::io::Result<Self> {
        let lowered = Lowered::new(Resource::Data, "Max data size");
        let mut memory = Self { lowered, left };
        memory.keep(pids)?;
        Ok(memory)
    }

    fn keep(&mut self, pids: &[u32]) -> std::io::Result<()> {
        let left = self.left;
        self.lowered.lower(pids, |pid| Some(data(pid)? + left))
    }

    /// The process with the least to come.
    pub(super) fn look(&mut self, pids: &[u32]) -> Option<ShortageLook> {
        // Of a process that was started a moment ago the next look tells.
        let _ = self.keep(pids);
        let each = pids
            .iter()
            .filter_map(|pid| Some((self.lowered.soft(*pid)?, data(*pid)?)));
        let (limit, used) = each.min_by_key(|(limit, used)| limit.saturating_sub(*used))?;
        Some(ShortageLook::Memory { limit, used })
    }

    /// Puts the limits back.
    pub(super) fn lift(self, pids: &[u32]) {
        self.lowered.lift(pids);
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
    pub(super) fn limit(left: u32, pids: &[u32]) -> std::io::Result<Self> {
        let lowered = Lowered::new(Resource::Nofile, "Max open files");
        let trials = Vec::new();
        let mut descriptors = Self { lowered, left, trials };
        descriptors.keep(pids)?;
        Ok(descriptors)
    }

    fn keep(&mut self, pids: &[u32]) -> std::io::Result<()> {
        let left = self.left;
        self.lowered.lower(pids, |pid| Some(bound_for(&open(pid)?, left)))
    }

    /// The first process, and who waits for it.
    pub(super) async fn look(&mut self, target: Target<'_>) -> Option<ShortageLook> {
        // Of a process that was started a moment ago the next look tells.
        let _ = self.keep(target.pids);
        let first = *target.pids.first()?;
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
    pub(super) fn lift(self, pids: &[u32]) {
        self.lowered.lift(pids);
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
    use super::*;

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
