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
/// A process that was told to stop does so within this, unless the kernel works for it: it must have its turn first.
const STANDSTILL: Duration = Duration::from_secs(1);
/// Between two looks whether it stands.
const LOOK: Duration = Duration::from_micros(200);
/// So often is tried to find it outside its clock functions as it goes on by itself, and then with these barred.
const STRAIGHT: u32 = 10;
const PATIENT: u32 = 200;
/// All tries together take no longer than about this.
const LONGEST: Duration = Duration::from_secs(5);
/// `jmp` to itself: who comes there waits.
const BAR: [u8; 2] = [0xEB, 0xFE];
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
        match holds(&memory, region, patches)? {
            Holds::Replaced => {}
            Holds::Other => return Err(io::Error::other("its vDSO is not the one squall itself has")),
            Holds::Own | Holds::Barred => {
                let pieces: Vec<Piece<'_>> = patches
                    .0
                    .iter()
                    .map(|patch| (region.from + patch.at, &patch.is[..]))
                    .collect();
                let memory = &memory;
                Scene { pid, memory, region }.write(&pieces)?;
                // Some kernels take such a write and let it vanish.
                if holds(memory, region, patches)? != Holds::Replaced {
                    return Err(io::Error::other("what was written into its vDSO is not there"));
                }
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
            let there = region.from == self.base && holds(&self.memory, region, patches).ok()? == Holds::Replaced;
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
    match holds(&memory, region, patches)? {
        Holds::Own | Holds::Other => Ok(false),
        Holds::Replaced | Holds::Barred => {
            let pieces: Vec<Piece<'_>> = patches
                .0
                .iter()
                .map(|patch| (region.from + patch.at, &patch.was[..]))
                .collect();
            let memory = &memory;
            Scene { pid, memory, region }.write(&pieces).map(|()| true)
        }
    }
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
    found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "it has no vDSO"))
}

/// Whether this says that a process had no memory, or not all of it.
pub(super) fn is_bare(error: &io::Error) -> bool {
    use io::ErrorKind::{NotFound, UnexpectedEof, WriteZero};
    let gone = error.raw_os_error() == Some(nix::libc::ESRCH);
    gone || [NotFound, UnexpectedEof, WriteZero].contains(&error.kind())
}

/// What a process has where its clock functions begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The kernel's own.
    Own,
    /// The replaced ones.
    Replaced,
    /// Either, with [`BAR`] before: it was born while that stood there.
    Barred,
    /// Something squall does not know.
    Other,
}

fn holds(memory: &File, region: Region, patches: &Patches) -> io::Result<Holds> {
    let (mut own, mut replaced, mut barred) = (true, true, true);
    for patch in &patches.0 {
        let mut now = vec![0; patch.is.len()];
        memory.read_exact_at(&mut now, region.from + patch.at)?;
        let (begin, rest) = now.split_at(BAR.len());
        own &= now == patch.was;
        replaced &= now == patch.is;
        barred &= begin == BAR && [&patch.was, &patch.is].iter().any(|known| known.ends_with(rest));
    }
    Ok(match (own, replaced, barred) {
        (true, ..) => Holds::Own,
        (_, true, _) => Holds::Replaced,
        (_, _, true) => Holds::Barred,
        _ => Holds::Other,
    })
}

/// Bytes, and where in a process they belong.
type Piece<'a> = (u64, &'a [u8]);

/// A process that is written to.
#[derive(Clone, Copy)]
struct Scene<'a> {
    pid: u32,
    memory: &'a File,
    region: Region,
}

/// Why nothing was written yet.
enum Lacking {
    /// It did not stand still.
    Stillness,
    /// A thread was where it may not be.
    Room,
    /// The kernel refused.
    Leave(io::Error),
}

impl Lacking {
    fn error(self) -> io::Error {
        match self {
            Lacking::Stillness => io::Error::other("it did not stand still"),
            Lacking::Room => io::Error::other("its threads were always inside its clock functions"),
            Lacking::Leave(error) => error,
        }
    }
}

impl Scene<'_> {
    /// Writes functions anew while the process stands still and none of its threads is inside, or will return there. Where
    /// always one is, they are barred: who comes waits at their beginnings, until all who are inside have left.
    fn write(self, pieces: &[Piece<'_>]) -> io::Result<()> {
        match self.attempt(STRAIGHT, |next| !self.region.holds(next), pieces) {
            Err(Lacking::Room) => {}
            done => return done.map_err(Lacking::error),
        }
        let begins = |next: u64| pieces.iter().any(|(at, _)| *at == next);
        let mut before = Vec::new();
        for (at, _) in pieces {
            let mut bytes = [0; BAR.len()];
            self.memory.read_exact_at(&mut bytes, *at)?;
            before.push((*at, bytes));
        }
        let bars: Vec<Piece<'_>> = pieces.iter().map(|(at, _)| (*at, &BAR[..])).collect();
        // The bar may cover an instruction of one byte and the beginning of the next.
        let barred = self.attempt(PATIENT, |next| !begins(next.wrapping_sub(1)), &bars);
        barred.map_err(Lacking::error)?;
        let done = self.attempt(PATIENT, |next| begins(next) || !self.region.holds(next), pieces);
        if done.is_err() {
            let before: Vec<Piece<'_>> = before.iter().map(|(at, bytes)| (*at, &bytes[..])).collect();
            // Whoever waits goes on as if nothing had been, wherever the others are.
            _ = self.attempt(PATIENT, |_| true, &before);
        }
        done.map_err(Lacking::error)
    }

    /// Writes once the process stands still and each of its threads is where it may be; so often is tried.
    fn attempt(self, tries: u32, may: impl Fn(u64) -> bool, pieces: &[Piece<'_>]) -> Result<(), Lacking> {
        let mut lacking = Lacking::Stillness;
        let end = Instant::now() + LONGEST;
        for _ in 0..tries {
            // Whoever stopped it before lets it go on, too.
            let stood = processes::stat(self.pid).is_some_and(|stat| stat.state == 'T');
            if !stood {
                processes::signal(&[self.pid], Signal::SIGSTOP);
            }
            let done = match stands_still(self.pid) {
                false => Err(Lacking::Stillness),
                true if !self.threads_are(&may) => Err(Lacking::Room),
                true => {
                    let mut pieces = pieces.iter();
                    let written = pieces.try_for_each(|(at, bytes)| self.memory.write_all_at(bytes, *at));
                    Ok(written.map_err(Lacking::Leave))
                }
            };
            if !stood {
                processes::signal(&[self.pid], Signal::SIGCONT);
            }
            match done {
                Ok(written) => return written,
                Err(why) => lacking = why,
            }
            if !lives(self.pid) || Instant::now() > end {
                break;
            }
            std::thread::sleep(GOES_ON);
        }
        Err(lacking)
    }

    /// Whether each thread of the process, which stands still, is where it may be, and was when a signal took it elsewhere.
    fn threads_are(self, may: impl Fn(u64) -> bool) -> bool {
        threads(self.pid).all(|task| {
            // The number of a system call with its arguments, or -1; then the stack's end and the next instruction.
            let Ok(text) = fs::read_to_string(task.join("syscall")) else {
                return !task.exists();
            };
            let mut words = text.split_whitespace().rev();
            let mut hex = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
            match (hex(), hex()) {
                (Some(next), Some(stack)) => may(next) && self.interrupted(stack).all(&may),
                // One that has just ended is nowhere.
                _ => !task.exists(),
            }
        })
    }

    /// Where inside its clock functions signals came: a stack then holds the next instruction, the flags, and the segment
    /// that all programs of 64 bits have.
    fn interrupted(self, stack: u64) -> impl Iterator<Item = u64> {
        const SEGMENT: u64 = 0x33;
        let mut bytes = vec![0; STACK];
        let read = self.memory.read_at(&mut bytes, stack).unwrap_or(0);
        let word = |word: &[u8]| word.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
        let words: Vec<u64> = bytes[..read].chunks_exact(8).map(word).collect();
        let saved = words
            .windows(3)
            .filter(|saved| self.region.holds(saved[0]) && saved[2] & 0xFFFF == SEGMENT);
        saved.map(|saved| saved[0]).collect::<Vec<_>>().into_iter()
    }
}

fn threads(pid: u32) -> impl Iterator<Item = std::path::PathBuf> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten();
    entries.flatten().map(|entry| entry.path())
}

fn stands_still(pid: u32) -> bool {
    let until = Instant::now() + STANDSTILL;
    loop {
        if processes::stands(pid) {
            return true;
        }
        if Instant::now() > until {
            return false;
        }
        std::thread::sleep(LOOK);
    }
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

/// Whether a process has the kernel's own clock functions.
#[cfg(test)]
pub(super) fn is_own(pid: u32, patches: &Patches) -> io::Result<bool> {
    holds(&memory(pid)?, region(pid)?, patches).map(|holds| holds == Holds::Own)
}
