//! The guard: squall is two processes from its first moment, and each heals when the other dies.
//!
//! The process the user started is the guard. It holds the terminal and the exit code and does
//! nothing but wait. Its child, in a session of its own, does the work. Both are subreapers, so
//! whatever a dying service leaves behind becomes the child's, and what the child leaves behind
//! becomes the guard's. The child learns of the guard's death by the end of its standard input.

mod memory;
mod sweep;

pub use memory::forget;
pub use sweep::{Sweep, remove_scratch, sweep, sweep_with};

use std::io::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;

use crate::processes;
use crate::store::{Folder, RunId};

/// The environment variable by which the guard tells its child that it is the child, and of which run.
pub const CHILD: &str = "SQUALL_CHILD_OF_RUN";

/// How long the child may take to heal after it was asked to stop.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a process of squall is.
#[derive(Debug)]
pub enum Role {
    /// The one the user started.
    Guard,
    /// The one that does the work, for this run.
    Worker(RunId),
}

/// What this process is.
pub fn role() -> Role {
    match std::env::var(CHILD) {
        Ok(id) => Role::Worker(RunId::given(&id)),
        Err(_) => Role::Guard,
    }
}

/// From now on this process is asked to stop when the one that started it dies.
pub fn follow_parent() {
    // Where the kernel refuses, the run is only finished instead.
    let _ = nix::sys::prctl::set_pdeathsig(Signal::SIGTERM);
}

/// Runs this program again as the worker of run `id`, whose folder is below `output`, waits for
/// it, and clears up behind it. Answers the exit code.
///
/// # Errors
/// When the worker can't be started.
pub fn stand_guard(id: &RunId, output: &Path) -> io::Result<u8> {
    nix::sys::prctl::set_child_subreaper(true)?;
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals.thread_block()?;
    // Blocked here, before any thread exists, so that the waiting thread alone receives them.
    let (send, signals_seen) = std::sync::mpsc::channel();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Ok(signal) = signals.wait() {
            if send.send(signal).is_err() {
                break;
            }
        }
    })?;
    let mut worker = itself()?
        .args(std::env::args_os().skip(1))
        .env(CHILD, id.to_string())
        .stdin(Stdio::piped())
        .spawn()?;
    let mut asked: Option<(Instant, Signal)> = None;
    let status = loop {
        if let Some(status) = worker.try_wait()? {
            break status;
        }
        if asked.is_some_and(|(asked, _)| asked.elapsed() > PATIENCE) {
            worker.kill()?;
        }
        match signals_seen.recv_timeout(Duration::from_secs(1)) {
            Ok(Signal::SIGCHLD) | Err(_) => processes::reap_all(&std::iter::once(worker.id()).collect()),
            Ok(signal) => {
                // The worker stops, heals and reports; a second request changes nothing.
                asked.get_or_insert_with(|| (Instant::now(), signal));
                let _ = kill(Pid::from_raw(worker.id() as i32), signal);
            }
        }
    };
    let swept = sweep(id);
    let folder = Folder::of(output, id);
    folder.remove_partial();
    if swept.clean() {
        folder.forget();
    }
    Ok(match (status.code(), swept.clean()) {
        (_, false) => {
            complain(&format!(
                "not everything could be removed: {swept}; `squall heal` tries again"
            ));
            crate::exit::NOT_HEALED
        }
        (Some(code), true) => u8::try_from(code).unwrap_or(crate::exit::ENVIRONMENT),
        // It had not begun to listen: nothing was lost by it.
        (None, true) if asked.is_some_and(|(_, signal)| status.signal() == Some(signal as i32)) => {
            complain("stopped on request");
            crate::exit::ENVIRONMENT
        }
        (None, true) => {
            let signal = status.signal().unwrap_or(0);
            complain(&format!(
                "squall's working process was killed (signal {signal}); all it had started is stopped and removed"
            ));
            crate::exit::ENVIRONMENT
        }
    })
}

/// The command that starts this program again.
///
/// # Errors
/// There is no `/proc`, through which it is found.
pub fn itself() -> io::Result<Command> {
    let program = "/proc/self/exe";
    match std::fs::symlink_metadata(program) {
        Ok(_) => Ok(Command::new(program)),
        Err(error) => {
            let why =
                "there is no /proc, and nothing can be started or found without: run it on Linux, with /proc mounted";
            Err(io::Error::new(error.kind(), why))
        }
    }
}

fn complain(text: &str) {
    use std::io::Write;
    // The terminal may be gone with whoever killed us: then there is nobody to tell.
    let _ = writeln!(io::stderr(), "squall: {text}");
}

/// Makes this process a worker whose guard may die: a session of its own, a subreaper, and a
/// thread that calls `orphaned` when the guard is gone.
///
/// # Errors
/// When the kernel refuses.
pub fn work_guarded(orphaned: impl FnOnce() + Send + 'static) -> io::Result<()> {
    nix::unistd::setsid()?;
    nix::sys::prctl::set_child_subreaper(true)?;
    // What the guard blocks is inherited, by this process and by every service it would start.
    SigSet::all().thread_unblock()?;
    std::thread::Builder::new()
        .name("guard's end".to_owned())
        .spawn(move || {
            // Nothing is ever written into this pipe: reading ends when the guard does.
            let _ = io::stdin().read(&mut [0]);
            orphaned();
        })?;
    Ok(())
}
