//! The survey: what this machine has and can do. It looks, and leaves nothing changed.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd::{AccessFlags, Uid, access};
use squall_core::fault::Fault;
use squall_core::mechanism::{Found, Machine};

use crate::priority;
use crate::world::process::{Clock, Cluster, Disk};

/// So many pauses of a millisecond are timed.
const PAUSES: usize = 9;

/// Looks at this machine; its timers, which takes milliseconds and no fault needs, are left to [`timer_error`], and whether a
/// disk can lose its power to [`survey_with_power`].
pub fn survey() -> Machine {
    let text = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
    let kernel = text("/proc/sys/kernel/osrelease").map_or(String::new(), |release| format!(" {release}"));
    Machine {
        system: format!("{}{kernel}, {}", std::env::consts::OS, std::env::consts::ARCH),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        root: Uid::effective().is_root(),
        processes: Path::new("/proc/self/stat").is_file(),
        descriptors: getrlimit(Resource::RLIMIT_NOFILE).ok(),
        timer_error_us: None,
        priority: priority::may_go_ahead(),
        cgroup: cgroup(text("/proc/self/cgroup").unwrap_or_default().as_str()),
        postgres: match Cluster::possible() {
            Ok(folder) => Found::At(folder.display().to_string()),
            Err(missing) => Found::Missing(missing.to_string()),
        },
        clocks: match Clock::possible() {
            Ok(whose) => Found::At(whose),
            Err(error) => Found::Missing(error.to_string()),
        },
        disks: match Disk::possible() {
            Ok(by) => Found::At(by),
            Err(error) => Found::Missing(error.to_string()),
        },
        slow_disks: match Disk::possible_slow() {
            Ok(by) => Found::At(by),
            Err(error) => Found::Missing(error.to_string()),
        },
        power: Found::Missing("not tried".to_owned()),
    }
}

/// The same for those to whom it matters whether a disk can lose its power: to try it takes a loop device for a moment,
/// and shows in the kernel's log.
pub fn survey_with_power() -> Machine {
    Machine {
        power: match Disk::possible_with_power() {
            Ok(by) => Found::At(by),
            Err(error) => Found::Missing(error.to_string()),
        },
        ..survey()
    }
}

/// What this machine has and can do, looked at when it is first asked for.
#[derive(Debug, Default)]
pub struct Survey {
    usual: OnceCell<Machine>,
    with_power: OnceCell<Machine>,
}

impl Survey {
    /// As far as it matters to these faults.
    pub fn machine(&self, storm: &[Fault]) -> &Machine {
        match storm.iter().any(|fault| matches!(fault, Fault::PowerLoss(_))) {
            true => self.with_power.get_or_init(survey_with_power),
            false => self.usual.get_or_init(survey),
        }
    }
}

/// By how many microseconds a pause of a millisecond is too long, in the middle of several.
pub fn timer_error() -> u64 {
    let pause = Duration::from_millis(1);
    let mut late: Vec<Duration> = (0..PAUSES)
        .map(|_| {
            let began = Instant::now();
            std::thread::sleep(pause);
            began.elapsed().saturating_sub(pause)
        })
        .collect();
    late.sort_unstable();
    u64::try_from(late[PAUSES / 2].as_micros()).unwrap_or(u64::MAX)
}

/// The control group (of version 2) this process is in, if groups may be made below it.
fn cgroup(own: &str) -> Found {
    let Some(path) = own.lines().find_map(|line| line.strip_prefix("0::")) else {
        return Found::Missing("there are no control groups of version 2".to_owned());
    };
    let group = PathBuf::from("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    if !group.join("cgroup.procs").is_file() {
        return Found::Missing(format!("{} is no control group", group.display()));
    }
    match access(&group, AccessFlags::W_OK) {
        Ok(()) => Found::At(group.display().to_string()),
        Err(error) => Found::Missing(format!("{}: {}", group.display(), error.desc())),
    }
}
