//! What a run left behind, looked for without asking squall: in `/proc`, in the kernel's tables and on disk.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process, named for good: numbers are given anew, a number and its start are not.
type Life = (u32, u64);

/// How often a run is looked at while it lives.
const LOOK: Duration = Duration::from_millis(10);

/// All that was seen of a run while it lived.
#[derive(Debug, Default)]
struct Seen {
    lives: BTreeSet<Life>,
    listeners: BTreeSet<u64>,
    shared: BTreeSet<PathBuf>,
    runs: BTreeSet<String>,
}

/// Follows a process and all that descends from it.
#[derive(Debug)]
pub struct Trail {
    seen: Arc<Mutex<Seen>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    folder: PathBuf,
    /// When it began, in seconds of the epoch.
    since: u64,
}

/// What is left; empty is clean.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Residue {
    /// Processes: number and command line.
    pub processes: Vec<(u32, String)>,
    /// Everything else, in words.
    pub others: Vec<String>,
}

impl Residue {
    /// Whether there is none.
    pub fn none(&self) -> bool {
        self.processes.is_empty() && self.others.is_empty()
    }
}

impl Trail {
    /// Follows `root`; `folder` is where squall was started, with its `scratch` and its output in it.
    pub fn follow(root: u32, folder: &Path) -> Self {
        let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let seen = Arc::<Mutex<Seen>>::default();
        let done = Arc::<AtomicBool>::default();
        let (into, ended) = (seen.clone(), done.clone());
        let thread = std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                look(root, &mut into.lock().unwrap());
                std::thread::sleep(LOOK);
            }
        });
        Self {
            seen,
            done,
            thread: Some(thread),
            folder: folder.to_owned(),
            since,
        }
    }

    /// The descendants seen so far that live, with their command lines.
    pub fn living(&self) -> Vec<(u32, String)> {
        let lives = self.seen.lock().unwrap().lives.clone();
        lives
            .into_iter()
            .filter(|life| alive(*life))
            .map(|(pid, _)| (pid, words(pid)))
            .collect()
    }

    /// Looks no more: what was seen is enough to know all that is left by.
    pub fn rest(&self) {
        self.done.store(true, Ordering::Relaxed);
    }

    /// The ids of the runs seen.
    pub fn runs(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().runs.clone()
    }

    /// What is left of the run now.
    pub fn residue(&self) -> Residue {
        let seen = self.seen.lock().unwrap();
        assert!(!seen.runs.contains(""), "a tag that names no run is everybody's");
        let mut left = Residue::default();
        for (pid, stat) in processes() {
            let follows = seen.lives.contains(&(pid, stat.started));
            if stat.state != 'Z' && (follows || carries(pid, &seen.runs) || uses(pid, &self.folder)) {
                left.processes.push((pid, words(pid)));
            }
        }
        let open = listening();
        left.others.extend(
            (seen.listeners.iter())
                .filter_map(|inode| open.get(inode))
                .map(|port| format!("port {port} listens")),
        );
        left.others.extend(
            seen.shared
                .iter()
                .filter(|file| file.exists())
                .map(|file| format!("{} is there", file.display())),
        );
        left.others.extend(segments(&seen.lives, self.since));
        left.others.extend(files(&self.folder));
        left.others.extend(disks(&self.folder));
        left
    }

    /// Ends what is left, by number, and removes it.
    pub fn clear(&self) {
        for _ in 0..200 {
            let left = self.residue().processes;
            if left.is_empty() {
                break;
            }
            for (pid, _) in left {
                let _ = kill(Pid::from_raw(pid as i32), Signal::SIGKILL);
            }
            std::thread::sleep(LOOK);
        }
        let seen = self.seen.lock().unwrap();
        for segment in unused_segments(&seen.lives, self.since) {
            let _ = std::process::Command::new("ipcrm")
                .args(["-m", &segment.to_string()])
                .status();
        }
        seen.shared.iter().for_each(|file| drop(fs::remove_file(file)));
        if let Ok(entries) = fs::read_dir(self.folder.join("scratch")) {
            entries
                .flatten()
                .for_each(|entry| drop(fs::remove_dir_all(entry.path())));
        }
    }
}

impl Drop for Trail {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Stat {
    parent: u32,
    started: u64,
    state: char,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn processes() -> BTreeMap<u32, Stat> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, stat(pid)?))).collect()
}

fn alive((pid, started): Life) -> bool {
    stat(pid).is_some_and(|stat| stat.started == started && stat.state != 'Z')
}

/// The command line of a process.
pub fn words(pid: u32) -> String {
    let text = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ").trim().to_owned()
}

fn look(root: u32, seen: &mut Seen) {
    let all = processes();
    let mut found = BTreeSet::from([root]);
    // A number may be lower than its parent's: until nothing is added.
    loop {
        let more: Vec<u32> = (all.iter())
            .filter(|(pid, stat)| !found.contains(pid) && found.contains(&stat.parent))
            .map(|(pid, _)| *pid)
            .collect();
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let open = listening();
    for pid in found {
        let Some(stat) = all.get(&pid) else { continue };
        let new = seen.lives.insert((pid, stat.started));
        if new || words(pid).starts_with("/proc/self/exe") {
            seen.runs.extend(run_of(pid));
        }
        seen.listeners
            .extend(sockets(pid).into_iter().filter(|inode| open.contains_key(inode)));
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        let shared = maps
            .lines()
            .filter_map(|line| line.find("/dev/shm/").map(|at| &line[at..]));
        seen.shared
            .extend(shared.filter(|name| !name.ends_with("(deleted)")).map(PathBuf::from));
    }
}

fn environ(pid: u32) -> Vec<String> {
    let text = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    text.split(|byte| *byte == 0)
        .map(|entry| String::from_utf8_lossy(entry).into_owned())
        .collect()
}

fn run_of(pid: u32) -> Option<String> {
    let named = |entry: &String| entry.strip_prefix("SQUALL_RUN=").map(str::to_owned);
    environ(pid).iter().find_map(named)
}

fn carries(pid: u32, runs: &BTreeSet<String>) -> bool {
    run_of(pid).is_some_and(|run| runs.contains(&run))
}

/// Whether a process stands in `folder`'s scratch, runs a program from there, or has a file of it open.
fn uses(pid: u32, folder: &Path) -> bool {
    let scratch = folder.join("scratch");
    let below = |link: PathBuf| fs::read_link(link).is_ok_and(|target| target.starts_with(&scratch));
    let proc = PathBuf::from(format!("/proc/{pid}"));
    let mut fds = fs::read_dir(proc.join("fd")).into_iter().flatten().flatten();
    below(proc.join("cwd")) || below(proc.join("exe")) || fds.any(|entry| below(entry.path()))
}

fn sockets(pid: u32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let inode = |link: PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    entries
        .filter_map(|entry| inode(fs::read_link(entry.path()).ok()?))
        .collect()
}

/// The listening TCP sockets of the machine: inode and port.
fn listening() -> BTreeMap<u64, u16> {
    let text = ["/proc/net/tcp", "/proc/net/tcp6"].map(|file| fs::read_to_string(file).unwrap_or_default());
    let lines = text.iter().flat_map(|text| text.lines().skip(1));
    let listener = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok()?;
        (*fields.get(3)? == "0A").then_some((fields.get(9)?.parse().ok()?, port))
    };
    lines.filter_map(listener).collect()
}

/// System V segments made by one of `lives`, after `since`, that nobody uses any more.
fn unused_segments(lives: &BTreeSet<Life>, since: u64) -> Vec<u64> {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let segment = |line: &str| {
        let fields: Vec<u64> = line.split_whitespace().map_while(|field| field.parse().ok()).collect();
        let (id, creator, users, made) = (*fields.get(1)?, *fields.get(4)?, *fields.get(6)?, *fields.get(13)?);
        let ours = lives.iter().any(|(pid, _)| u64::from(*pid) == creator);
        // Numbers of processes are given anew: an older segment is another's.
        (ours && made >= since && users == 0).then_some(id)
    };
    table.lines().skip(1).filter_map(segment).collect()
}

fn segments(lives: &BTreeSet<Life>, since: u64) -> Vec<String> {
    let unused = unused_segments(lives, since);
    unused
        .iter()
        .map(|id| format!("shared memory segment {id} is there"))
        .collect()
}

/// Files that belong to nobody: anything in `scratch`, and half-written ones in the output.
fn files(folder: &Path) -> Vec<String> {
    let mut left: Vec<String> = names(&folder.join("scratch"))
        .map(|path| format!("{} is there", path.display()))
        .collect();
    let mut folders = vec![folder.join("tmp")];
    while let Some(folder) = folders.pop() {
        for path in names(&folder) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".partial") || name.starts_with(".latest-") {
                left.push(format!("{} is there", path.display()));
            }
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            }
        }
    }
    left
}

/// Loop devices whose file is in `folder`, and mounts below it that this process sees.
pub fn disks(folder: &Path) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let files = devices.filter_map(|device| {
        let file = fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        let name = device.file_name().to_string_lossy().into_owned();
        Path::new(file.trim_end())
            .starts_with(folder)
            .then(|| format!("{name} has {}", file.trim_end()))
    });
    let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
    let below = |line: &str| Path::new(line.split(' ').nth(1).unwrap_or_default()).starts_with(folder);
    let mounts = mounts
        .lines()
        .filter(|line| below(line))
        .map(|line| format!("mounted: {line}"));
    files.chain(mounts.collect::<Vec<_>>()).collect()
}

fn names(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
}
