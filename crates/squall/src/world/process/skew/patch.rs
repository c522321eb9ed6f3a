//! One process: its vDSO, read and written while it stands still and nothing of it is inside.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::code::Patches;
use crate::processes;

/// A vDSO has no more bytes; today's have 8 KiB.
const LARGEST: u64 = 1 << 20;
/// A process that was told to stop does so within this, unless the kernel works for it.
const STANDSTILL: Duration = Duration::from_millis(100);
/// Between two looks whether it stands.
const LOOK: Duration = Duration::from_micros(200);
/// So often is tried to find it outside its clock functions.
const TRIES: u32 = 200;
/// It goes on for so long between two tries.
const GOES_ON: Duration = Duration::from_millis(2);
/// So much of each stack is searched for a signal's frame, the newest first.
const STACK: usize = 16 << 10;

/// A process whose clock functions are replaced.
#[derive(Debug)]
pub(super) struct Process {
    /// Of this program: reads nothing any more once it is another.
    memory: File,
    base: u64,
    ran: bool,
}

/// Where a process has its vDSO.
#[derive(Debug, Clone, Copy)]
struct Region {
    from: u64,
    to: u64,
}

impl Region {
    fn holds(self, address: u64) -> bool {
        (self.from..self.to).contains(&address)
    }
}

/// Whether a process runs its own program, or will.
pub(super) fn lives(pid: u32) -> bool {
    processes::stat(pid).is_some_and(|stat| !"ZX".contains(stat.state))
}

impl Process {
    /// Replaces its clock functions, where they are not.
    ///
    /// # Errors
    /// It has none squall knows, may not be written to, or never came out of them.
    pub(super) fn replace(pid: u32, patches: &Patches) -> io::Result<Self> {
        let memory = memory(pid)?;
        let region = region(pid)?;
        let held = holds(&memory, region, patches)?;
        let held = held.ok_or_else(|| io::Error::other("its vDSO is not the one squall itself has"))?;
        if !held {
            write(pid, &memory, region, || {
                let mut all = patches.0.iter();
                all.try_for_each(|patch| memory.write_all_at(&patch.is, region.from + patch.at))
            })?;
            // Some kernels take such a write and let it vanish.
            if holds(&memory, region, patches)? != Some(true) {
                return Err(io::Error::other("what was written into its vDSO is not there"));
            }
        }
        // Reading it there counted as use.
        forget_use(pid)?;
        Ok(Self {
            memory,
            base: region.from,
            ran: false,
        })
    }

    /// Whether its program still runs.
    pub(super) fn lives(&self) -> bool {
        // Nothing is mapped at address 0, so of one that lives this is an error; of one that is gone there is nothing to read.
        !matches!(self.memory.read_at(&mut [0], 0), Ok(0))
    }

    /// Whether it has run what was put there since; `None` when that is not there any more.
    pub(super) fn ran(&mut self, pid: u32, patches: &Patches) -> Option<bool> {
        if !self.ran && used(pid) {
            let region = region(pid).ok()?;
            let there = region.from == self.base && holds(&self.memory, region, patches).ok()? == Some(true);
            _ = forget_use(pid);
            self.ran = there;
            return there.then_some(true);
        }
        Some(self.ran)
    }
}

/// Gives a process the kernel's own clock functions back; whether it had others.
///
/// # Errors
/// It may not be written to, or never came out of them.
pub(super) fn restore(pid: u32, patches: &Patches) -> io::Result<bool> {
    let (memory, region) = (memory(pid)?, region(pid)?);
    if holds(&memory, region, patches)? != Some(true) {
        return Ok(false);
    }
    write(pid, &memory, region, || {
        let mut all = patches.0.iter();
        all.try_for_each(|patch| memory.write_all_at(&patch.was, region.from + patch.at))
    })?;
    Ok(true)
}

/// The vDSO of this very process.
pub(super) fn own_image() -> io::Result<Vec<u8>> {
    let pid = std::process::id();
    let region = region(pid)?;
    let mut image = vec![0; (region.to - region.from) as usize];
    File::open("/proc/self/mem")?.read_exact_at(&mut image, region.from)?;
    Ok(image)
}

fn memory(pid: u32) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .open(format!("/proc/{pid}/mem"))
}

fn region(pid: u32) -> io::Result<Region> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps"))?;
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let found = maps.lines().find(|line| line.ends_with("[vdso]")).and_then(|line| {
        let (from, to) = line.split_whitespace().next()?.split_once('-')?;
        let (from, to) = (hex(from)?, hex(to)?);
        to.checked_sub(from).filter(|length| *length <= LARGEST)?;
        Some(Region { from, to })
    });
    found.ok_or_else(|| io::Error::other("it has no vDSO"))
}

/// Whether its clock functions are the replaced ones, or the kernel's own; `None` when they are neither.
fn holds(memory: &File, region: Region, patches: &Patches) -> io::Result<Option<bool>> {
    let mut seen = (true, true);
    for patch in &patches.0 {
        let mut now = vec![0; patch.is.len()];
        memory.read_exact_at(&mut now, region.from + patch.at)?;
        seen = (seen.0 && now == patch.is, seen.1 && now == patch.was);
    }
    match seen {
        (true, _) => Ok(Some(true)),
        (_, true) => Ok(Some(false)),
        _ => Ok(None),
    }
}

/// Writes while a process stands still and none of its threads is inside, or will return there.
fn write(pid: u32, memory: &File, region: Region, act: impl Fn() -> io::Result<()>) -> io::Result<()> {
    let mut why = "";
    for _ in 0..TRIES {
        // Whoever stopped it before lets it go on, too.
        let stood = processes::stat(pid).is_some_and(|stat| stat.state == 'T');
        if !stood {
            processes::signal(&[pid], Signal::SIGSTOP);
        }
        let done = match (stands_still(pid), outside(pid, memory, region)) {
            (false, _) => Err("it did not stand still"),
            (_, false) => Err("its threads were always inside its clock functions"),
            _ => Ok(act()),
        };
        if !stood {
            processes::signal(&[pid], Signal::SIGCONT);
        }
        match done {
            Ok(result) => return result,
            Err(_) if !lives(pid) => break,
            Err(lacking) => why = lacking,
        }
        std::thread::sleep(GOES_ON);
    }
    Err(io::Error::other(why))
}

fn threads(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

fn stands_still(pid: u32) -> bool {
    let still = |task: std::path::PathBuf| {
        let text = fs::read_to_string(task.join("stat")).unwrap_or_default();
        let state = text.rsplit_once(')').and_then(|(_, rest)| rest.trim().chars().next());
        // One that ended meanwhile runs nothing.
        state.is_none_or(|state| "tTZX".contains(state))
    };
    let until = Instant::now() + STANDSTILL;
    loop {
        if threads(pid).all(still) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether no thread of a process that stands still is inside a region, nor was when a signal took it elsewhere.
fn outside(pid: u32, memory: &File, region: Region) -> bool {
    threads(pid).all(|task| {
        // The number of a system call with its arguments, or -1; then the stack's end and the next instruction.
        let Ok(text) = fs::read_to_string(task.join("syscall")) else {
            return !task.exists();
        };
        let mut words = text.split_whitespace().rev();
        let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
        match (hex(), hex()) {
            (Some(next), Some(stack)) => !region.holds(next) && !interrupted(memory, stack, region),
            _ => false,
        }
    })
}

/// Whether a stack holds what a signal saved when it came inside a region: the next instruction, the flags, and the segment
/// that all programs of 64 bits have.
fn interrupted(memory: &File, stack: u64, region: Region) -> bool {
    const SEGMENT: u64 = 0x33;
    let mut bytes = vec![0; STACK];
    let read = memory.read_at(&mut bytes, stack).unwrap_or(0);
    let words: Vec<u64> = bytes[..read]
        .chunks_exact(8)
        .map(|word| word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
        .collect();
    words
        .windows(3)
        .any(|saved| region.holds(saved[0]) && saved[2] & 0xFFFF == SEGMENT)
}

/// Whether anything ran in its vDSO since that was forgotten.
fn used(pid: u32) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    let mut lines = maps.lines().skip_while(|line| !line.ends_with("[vdso]")).skip(1);
    let referenced = lines.find_map(|line| line.strip_prefix("Referenced:"));
    referenced.is_some_and(|rest| rest.split_whitespace().next() != Some("0"))
}

/// Forgets which of its memory was used: it is none the worse for it.
fn forget_use(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "1")
}
