//! Clearing up behind a run: everything that carries its tag, and nothing else.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::memory;
use crate::processes::{self, Life};
use crate::store::RunId;

/// How long processes may take to be gone after SIGKILL: the kernel may be writing for them.
const WITHIN: Duration = Duration::from_secs(5);

/// Held by the one that sweeps.
static SWEEPING: Mutex<()> = Mutex::new(());

/// What a sweep could not remove.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Processes still there.
    pub processes: Vec<u32>,
    /// Folders still there.
    pub folders: Vec<PathBuf>,
}

impl Sweep {
    /// Whether nothing is left.
    pub fn clean(&self) -> bool {
        self.processes.is_empty() && self.folders.is_empty()
    }
}

impl fmt::Display for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pids = self.processes.iter().map(|pid| format!("process {pid}"));
        let folders = self.folders.iter().map(|folder| folder.display().to_string());
        f.write_str(&pids.chain(folders).collect::<Vec<_>>().join(", "))
    }
}

/// Stops and removes all that run `id` made, besides this process and those above it.
///
/// Descendants first, whatever they carry: both of squall's processes are subreapers, so nothing
/// a run started can leave that tree while one of them lives. Then, for `squall heal` after both
/// died, whatever carries the tag.
pub fn sweep(id: &RunId) -> Sweep {
    sweep_with(id, &[])
}

/// The same, and those of `lives` that still run: what a run started itself, and may have overwritten the
/// environment that shows the tag.
pub fn sweep_with(id: &RunId, lives: &[Life]) -> Sweep {
    // The second waits: it would find nothing, and end the process in the middle of the first.
    let _sweeping = SWEEPING.lock().unwrap_or_else(PoisonError::into_inner);
    let me = std::process::id();
    let scratch = id.scratch();
    let spared = ancestors(me);
    let mut shared = BTreeSet::new();
    let find = || {
        let mut found: Vec<u32> = processes::tree(me).into_iter().filter(|pid| *pid != me).collect();
        found.extend(processes::tagged(&id.to_string(), &scratch, &spared));
        found.extend(processes::still(lives, &spared));
        found
    };
    // Whoever waits for a disk whose holder stands still neither stops nor ends, and who looks there waits, too.
    let holders = || find().into_iter().filter(|pid| answers_for_a_disk(*pid)).collect();
    processes::kill_until_gone(holders, |_| {}, WITHIN);
    // Seen before they are killed: afterwards nobody knows whose the memory was.
    let look = |pids: &[u32]| {
        shared.extend(memory::shared_files(pids));
        memory::forget(pids, &scratch);
    };
    let processes = processes::kill_until_gone(find, look, WITHIN);
    for file in shared {
        let _ = fs::remove_file(file);
    }
    let folders = match remove_scratch(&scratch) {
        Ok(()) => Vec::new(),
        Err(_) => vec![scratch],
    };
    Sweep { processes, folders }
}

/// Removes a scratch folder, or a part of one, after the processes in it have ended.
///
/// # Errors
/// It is still there.
pub fn remove_scratch(scratch: &Path) -> io::Result<()> {
    memory::release_segments(scratch, None);
    match fs::remove_dir_all(scratch) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether it is one of squall's that holds a disk and answers for each access to it.
fn answers_for_a_disk(pid: u32) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words: Vec<&[u8]> = line.split(|byte| *byte == 0).skip(1).collect();
    words.starts_with(&[b"inner", b"disk"]) && words.contains(&&b"--slow"[..])
}

fn ancestors(pid: u32) -> Vec<u32> {
    let mut line = vec![pid];
    while let Some(parent) = line
        .last()
        .and_then(|pid| processes::stat(*pid))
        .map(|stat| stat.parent)
    {
        if parent <= 1 {
            break;
        }
        line.push(parent);
    }
    line
}
