//! A disk that is slow: a filesystem of squall's own (FUSE) over another one, that passes on what it is asked and holds
//! back reads, writes and syncs as long as it is told to.
//!
//! What is asked of it comes by files' numbers. Each number the kernel knows has a descriptor of the file below, so that
//! it stays what it was whatever is renamed or removed meanwhile. What the kernel has in its cache it reads there, as it
//! does from any disk.

mod files;
mod passing;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fuser::{BackgroundSession, Config, MountOption, Session, SessionACL};
use nix::unistd::{Uid, getppid};
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};

use self::files::Files;
use self::passing::Passing;

/// So many accesses are held back at once, each by a thread; those beyond wait for one of them.
const THREADS: usize = 16;

/// How slow it is, and what came of that.
#[derive(Debug, Default)]
struct Pace {
    latency: Mutex<Duration>,
    changed: Condvar,
    accesses: AtomicU64,
    held_us: AtomicU64,
}

impl Pace {
    /// Holds back an access of somebody, as long as the disk is that slow.
    fn hold(&self, tid: u32) {
        let latency = lock(&self.latency);
        let wanted = *latency;
        if wanted.is_zero() || is_squalls(tid) {
            return;
        }
        let began = Instant::now();
        let waited = self
            .changed
            .wait_timeout_while(latency, wanted, |latency| *latency == wanted);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        let held = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.held_us.fetch_add(held, Ordering::Relaxed);
        self.accesses.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether it is a thread of the process that started this one.
fn is_squalls(tid: u32) -> bool {
    Path::new(&format!("/proc/{}/task/{tid}", getppid())).exists()
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slow disk that is mounted; it goes with its process.
#[derive(Debug)]
pub(super) struct Slow {
    pace: Arc<Pace>,
    _session: BackgroundSession,
}

impl Slow {
    /// Mounts one over a folder, whose files are what it shows.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn over(folder: &Path) -> io::Result<Self> {
        // Each file the kernel knows of takes a descriptor.
        let files = getrlimit(Resource::Nofile);
        let most = Rlimit {
            current: files.maximum,
            ..files
        };
        setrlimit(Resource::Nofile, most)?;
        // The kernel has taken away already what each process's own mask says.
        umask(Mode::empty());
        let pace = Arc::new(Pace::default());
        let passing = Passing {
            files: Files::of(folder)?,
            pace: pace.clone(),
        };
        let mut config = Config::default();
        let name = MountOption::FSName("squall".to_owned());
        config.mount_options = vec![
            name,
            MountOption::DefaultPermissions,
            MountOption::NoSuid,
            MountOption::NoDev,
        ];
        // Others than root have nobody but themselves to let in, and the kernel asks no more of squall outside then.
        config.acl = match Uid::effective().is_root() {
            true => SessionACL::All,
            false => SessionACL::Owner,
        };
        config.n_threads = Some(THREADS);
        let session = Session::new(passing, folder, &config)?.spawn()?;
        Ok(Self {
            pace,
            _session: session,
        })
    }

    /// From now on each access takes so much longer; what is held back at this moment is let go. Counts anew.
    pub(super) fn set(&self, latency: Duration) {
        *lock(&self.pace.latency) = latency;
        self.pace.accesses.store(0, Ordering::Relaxed);
        self.pace.held_us.store(0, Ordering::Relaxed);
        self.pace.changed.notify_all();
    }

    /// How many accesses were held back, and how many microseconds altogether.
    pub(super) fn count(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.pace.accesses), read(&self.pace.held_us))
    }
}
