//! The gate everything passes that would outlive the run: processes, folders, files.
//!
//! It is closed for good when the run must leave nothing behind: clearing up beside something that
//! still makes would never be done.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::priority;

static GATE: Mutex<Gate> = Mutex::new(Gate {
    closed: false,
    started: BTreeSet::new(),
    witness: None,
});

/// Who is told of each process that was started, at once.
type Witness = Box<dyn FnMut(u32) + Send>;

struct Gate {
    closed: bool,
    /// Processes that passed it: who started one waits for its end.
    started: BTreeSet<u32>,
    witness: Option<Witness>,
}

/// A process that was just started.
pub(crate) trait Started {
    /// Its id, unless it ended already and was waited for.
    fn pid(&self) -> Option<u32>;
}

impl Started for std::process::Child {
    fn pid(&self) -> Option<u32> {
        Some(self.id())
    }
}

impl Started for tokio::process::Child {
    fn pid(&self) -> Option<u32> {
        self.id()
    }
}

/// Makes something, unless the gate is closed; closing it waits until it is made.
///
/// # Errors
/// What `make` answers, or that the gate is closed.
pub fn pass<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let gate = gate();
    open(&gate)?;
    make()
}

/// Starts a process at the usual priority, unless the gate is closed.
///
/// # Errors
/// What `start` answers, or that the gate is closed.
pub(crate) fn spawn<T: Started>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let mut gate = gate();
    open(&gate)?;
    let child = priority::as_usual(start)?;
    if let Some(pid) = child.pid() {
        gate.started.insert(pid);
        if let Some(witness) = &mut gate.witness {
            witness(pid);
        }
    }
    Ok(child)
}

/// Looks at the processes that passed, while none does.
pub(crate) fn look<T>(at: impl FnOnce(&BTreeSet<u32>) -> T) -> T {
    at(&gate().started)
}

/// From now on `witness` is told of each process that is started, before anything else passes.
pub(crate) fn witness(witness: impl FnMut(u32) + Send + 'static) {
    gate().witness = Some(Box::new(witness));
}

/// From now on nothing is made.
pub fn close() {
    gate().closed = true;
}

fn gate() -> MutexGuard<'static, Gate> {
    GATE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(gate: &Gate) -> io::Result<()> {
    match gate.closed {
        true => Err(io::Error::other("squall is stopping")),
        false => Ok(()),
    }
}
