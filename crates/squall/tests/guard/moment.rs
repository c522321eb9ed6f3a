//! When to strike, and whom.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::PATIENCE;
use super::place::Running;
use super::residue::Trail;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Build,
    Initdb,
    Start,
    Reference,
    Storm,
    Drain,
    Report,
}

impl Moment {
    pub const ALL: [Self; 7] = [
        Self::Build,
        Self::Initdb,
        Self::Start,
        Self::Reference,
        Self::Storm,
        Self::Drain,
        Self::Report,
    ];

    /// Waits until it begins; `false` when the run ended before.
    pub fn wait(self, running: &mut Running, trail: &Trail, folder: &Path) -> bool {
        match self {
            Self::Build => running.until("squall: building:", PATIENCE),
            Self::Initdb => until(|| trail.living().iter().any(|(_, words)| words.contains("initdb"))),
            Self::Start => running.until(" start", PATIENCE),
            Self::Reference => running.until(" reference", PATIENCE),
            Self::Storm => running.until(": in force", PATIENCE),
            Self::Drain => running.until(" drain", PATIENCE),
            // Whichever comes first: the moments of writing are short.
            Self::Report => running.until(" audit", PATIENCE) && until(|| writing(folder)),
        }
    }

    /// How long after its beginning a strike may come.
    pub fn spread(self) -> Duration {
        Duration::from_millis(match self {
            Self::Build => 600,
            Self::Initdb => 400,
            Self::Start => 500,
            Self::Reference => 900,
            Self::Storm => 80,
            Self::Drain => 15,
            Self::Report => 4,
        })
    }
}

/// Whether anything of a report is there.
fn writing(folder: &Path) -> bool {
    let runs = fs::read_dir(folder.join("tmp")).into_iter().flatten().flatten();
    let names = runs.flat_map(|run| fs::read_dir(run.path()).into_iter().flatten().flatten());
    names
        .into_iter()
        .any(|entry| entry.file_name().to_string_lossy().contains("report."))
}

fn until(holds: impl Fn() -> bool) -> bool {
    let end = Instant::now() + PATIENCE;
    while Instant::now() < end {
        if holds() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    false
}

/// Whom to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    Guard,
    Child,
    Group,
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Guard, Self::Child, Self::Group];

    /// Kills it; `false` when it was gone.
    pub fn kill(self, running: &Running, trail: &Trail) -> bool {
        let guard = running.child.id();
        match self {
            Self::Guard => lives(guard) && kill(pid(guard), Signal::SIGKILL).is_ok(),
            Self::Group => lives(guard) && killpg(pid(guard), Signal::SIGKILL).is_ok(),
            Self::Child => child(trail, guard).is_some_and(|child| kill(pid(child), Signal::SIGKILL).is_ok()),
        }
    }
}

/// The second of squall's two processes.
pub fn child(trail: &Trail, guard: u32) -> Option<u32> {
    let mut ours = trail.living().into_iter().filter(|(pid, _)| *pid != guard);
    ours.find(|(_, words)| words.starts_with("/proc/self/exe"))
        .map(|(pid, _)| pid)
}

fn lives(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status
        .lines()
        .any(|line| line.starts_with("State:") && !line.contains('Z'))
}

pub fn pid(number: u32) -> Pid {
    Pid::from_raw(number as i32)
}
