//! Processes as `/proc` shows them: who descends from whom, who carries a run's tag, what they use.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// The environment variable that carries a run's id to everything the run starts.
pub const TAG: &str = "SQUALL_RUN";

/// A process that was told to stop stands still within this, unless the kernel works for it.
const STANDSTILL: Duration = Duration::from_millis(100);

/// One process in `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Its parent.
    pub parent: u32,
    /// Its state's letter: `R`, `S`, `D`, `Z`, `T` …
    pub state: char,
    /// Processor time used, in clock ticks.
    pub ticks: u64,
    /// When it was started, in clock ticks since boot: with the pid, this names a process for good.
    pub started: u64,
    /// Resident memory, in pages.
    pub pages: u64,
}

/// Reads one process; `None` when it is gone.
pub fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything, so fields count from the last one.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: number(1)? as u32,
        ticks: number(11)? + number(12)?,
        started: number(19)?,
        pages: number(21)?,
    })
}

/// Which boot of the machine this is: starts are counted from it. Empty where the kernel does not say.
pub fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    id.trim().to_owned()
}

/// A process named for good: its number, and when it was started, in clock ticks since boot.
pub type Life = (u32, u64);

/// Those of `lives` that still run, and all that descends from them, besides `but`.
pub fn still(lives: &[Life], but: &[u32]) -> Vec<u32> {
    let alive = |life: &&Life| stat(life.0).is_some_and(|stat| stat.started == life.1 && stat.state != 'Z');
    let found = lives.iter().filter(alive).flat_map(|life| tree(life.0));
    found.filter(|pid| !but.contains(pid)).collect()
}

/// All processes there are.
pub fn all() -> BTreeMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

/// The children of a process, zombies among them, without a look at all other processes there are. One that is
/// born or dies meanwhile may be missed; `None` where the kernel keeps no such list.
fn children(pid: u32) -> Option<Vec<u32>> {
    let mut found = Vec::new();
    // Each thread has a list of its own.
    for task in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        match fs::read_to_string(task.path().join("children")) {
            Ok(list) => found.extend(list.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok())),
            // A thread that ended has no folder any more.
            Err(_) if task.path().exists() => return None,
            Err(_) => {}
        }
    }
    Some(found)
}

/// Like [`tree`], zombies among them, and soon done however many processes there are: for figures, not for killing.
pub fn family(root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next) {
        match children(*parent) {
            Some(born) => found.extend(born),
            None if stat(*parent).is_some() => return tree(root),
            None => {}
        }
        next += 1;
    }
    found
}

/// `root` and all that descends from it, children after parents; zombies are left out.
pub fn tree(root: u32) -> Vec<u32> {
    let all = all();
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(
            all.iter()
                .filter(|(_, stat)| stat.parent == parent)
                .map(|(pid, _)| *pid),
        );
        next += 1;
    }
    found.retain(|pid| all.get(pid).is_some_and(|stat| stat.state != 'Z'));
    found
}

/// Sends a signal to each of them; those that are gone are no error.
pub fn signal(pids: &[u32], signal: Signal) {
    for pid in pids {
        let _ = kill(Pid::from_raw(*pid as i32), signal);
    }
}

/// Where a program is: in PATH, or where systems have their own, which is not in everybody's.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let systems = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"].map(PathBuf::from);
    let mut programs = std::env::split_paths(&path)
        .chain(systems)
        .map(|folder| folder.join(name));
    programs.find(|program| program.is_file())
}

/// Whether a process runs (a zombie does not).
pub fn runs(pid: u32) -> bool {
    stat(pid).is_some_and(|stat| stat.state != 'Z')
}

/// Everything that carries the tag of run `id`, besides `but`.
///
/// A process may overwrite the memory its environment is shown from (PostgreSQL does, for its
/// titles): one without any environment is known by standing in the run's scratch folder. A shell
/// somebody opened there to look around has its own, and is nobody's but theirs.
pub fn tagged(id: &str, scratch: &Path, but: &[u32]) -> Vec<u32> {
    let tag = format!("{TAG}={id}");
    let ours = |pid: u32| {
        let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else {
            return false;
        };
        let entries = || environ.split(|byte| *byte == 0);
        let overwritten = !entries().any(|entry| entry.contains(&b'='));
        entries().any(|entry| entry == tag.as_bytes()) || (overwritten && stands_in(pid, scratch))
    };
    let all = all();
    all.iter()
        .filter(|(pid, stat)| !but.contains(pid) && stat.state != 'Z' && ours(**pid))
        .map(|(pid, _)| *pid)
        .collect()
}

/// Whether nothing of a process runs: each of its threads is stopped or has ended. So it is of one that is gone.
pub fn stands(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    let mut threads = threads.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    threads.all(|thread| stat(thread).is_none_or(|stat| "tTZX".contains(stat.state)))
}

fn stands_in(pid: u32, folder: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
}

/// SIGKILLs whatever `find` finds until it finds nothing more, for at most `within`; what is left.
/// Before they die they stand still for `last_look`: what it sees of them is all there will be.
pub fn kill_until_gone(find: impl Fn() -> Vec<u32>, mut last_look: impl FnMut(&[u32]), within: Duration) -> Vec<u32> {
    let until = Instant::now() + within;
    let mut nothing = 0;
    loop {
        let left = find();
        // Twice: a process may be born and its parent die between two looks at the list's ends.
        nothing = if left.is_empty() { nothing + 1 } else { 0 };
        if nothing == 2 || Instant::now() > until {
            return left;
        }
        signal(&left, Signal::SIGSTOP);
        let patience = Instant::now() + STANDSTILL;
        while !left.iter().all(|pid| stands(*pid)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        last_look(&left);
        signal(&left, Signal::SIGKILL);
        reap_all(&BTreeSet::new());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Reaps children that ended, but for `others`, which somebody else waits for.
pub fn reap_all(others: &BTreeSet<u32>) {
    let me = std::process::id();
    let children = children(me).unwrap_or_else(|| {
        let all = all().into_iter();
        all.filter(|(_, stat)| stat.parent == me).map(|(pid, _)| pid).collect()
    });
    for pid in children.into_iter().filter(|pid| !others.contains(pid)) {
        // Of one that still runs this tells so and no more.
        let _ = waitpid(Pid::from_raw(pid as i32), Some(WaitPidFlag::WNOHANG));
    }
}

/// What a set of processes uses: processor time in µs since they began, resident KiB, descriptors.
pub fn usage(pids: &[u32]) -> (u64, u64, u32) {
    // Linux reports ticks of 10 ms and pages of 4 KiB on every platform squall is built for.
    const TICK_US: u64 = 10_000;
    const PAGE_KIB: u64 = 4;
    let mut sum = (0, 0, 0);
    let living = pids
        .iter()
        .filter_map(|pid| stat(*pid))
        .filter(|stat| stat.state != 'Z');
    for stat in living {
        sum.0 += stat.ticks * TICK_US;
        sum.1 += stat.pages * PAGE_KIB;
    }
    for pid in pids {
        sum.2 += fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, |entries| entries.count() as u32);
    }
    sum
}

/// What all processors have done since boot, in µs: worked, and had nothing to do. `None` where nobody says.
pub fn machine() -> Option<(u64, u64)> {
    const TICK_US: u64 = 10_000;
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    // User, nice, system, idle, waiting for disks, interrupts, soft interrupts, stolen; guests are among the first.
    let [user, nice, system, idle, disks, interrupts, soft, stolen, ..] = ticks.as_slice() else {
        return None;
    };
    let busy = user + nice + system + interrupts + soft + stolen;
    Some((busy * TICK_US, (idle + disks) * TICK_US))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_process_that_left_its_session_is_still_found_below_its_ancestor() {
        let mut child = Command::new("sh")
            .args(["-c", "setsid sleep 60 & wait"])
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let until = Instant::now() + Duration::from_secs(5);
        let session = |pid: u32| nix::unistd::getsid(Some(Pid::from_raw(pid as i32)));
        // Seen in the list of all processes, not by what is tested.
        let grandchild = loop {
            let born = all().into_iter().find(|(_, stat)| stat.parent == child.id());
            match born {
                Some((pid, _)) if session(pid).is_ok() && session(pid) != session(child.id()) => break pid,
                _ => assert!(Instant::now() < until, "no grandchild left its session within 5 s"),
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let (below, family) = (tree(child.id()), family(child.id()));
        signal(&[child.id(), grandchild], Signal::SIGKILL);
        child.wait().unwrap();
        assert_eq!(below, [child.id(), grandchild]);
        assert_eq!(family, [child.id(), grandchild]);
    }

    #[test]
    fn whoever_merely_stands_in_the_scratch_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut bystander = Command::new("sleep")
            .arg("60")
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        let found = tagged("no such run", folder.path(), &[]);
        bystander.kill().unwrap();
        bystander.wait().unwrap();
        assert_eq!(found, [0; 0]);
    }

    #[test]
    fn only_what_carries_the_tag_is_found() {
        let id = format!("test-{}", std::process::id());
        let mut tagged_one = Command::new("sleep").arg("60").env(TAG, &id).spawn().unwrap();
        let mut other = Command::new("sleep")
            .arg("60")
            .env(TAG, format!("{id}-other"))
            .spawn()
            .unwrap();
        let found = tagged(&id, Path::new("/nonexistent"), &[]);
        tagged_one.kill().unwrap();
        other.kill().unwrap();
        tagged_one.wait().unwrap();
        other.wait().unwrap();
        assert_eq!(found, [tagged_one.id()]);
    }
}
