//! The gate everything passes that would outlive the run: processes, folders, files.
//!
//! It is closed for good when the run must leave nothing behind: clearing up beside something that
//! still makes would never be done.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::priority;

static CLOSED: Mutex<bool> = Mutex::new(false);

/// Makes something, unless the gate is closed; closing it waits until it is made.
///
/// # Errors
/// What `make` answers, or that the gate is closed.
pub fn pass<T>(make: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    if *closed {
        return Err(io::Error::other("squall is stopping"));
    }
    make()
}

/// Starts a process at the usual priority, unless the gate is closed.
///
/// # Errors
/// What `start` answers, or that the gate is closed.
pub(crate) fn spawn<T>(start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    pass(|| priority::as_usual(start))
}

/// From now on nothing is made.
pub fn close() {
    *CLOSED.lock().unwrap_or_else(PoisonError::into_inner) = true;
}
