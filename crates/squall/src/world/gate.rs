//! The gate every process start passes: closed for good when the run must leave nothing behind.

use std::sync::{Mutex, PoisonError};

static CLOSED: Mutex<bool> = Mutex::new(false);

/// Starts a process, unless the gate is closed.
///
/// # Errors
/// What `start` answers, or that the gate is closed.
pub(crate) fn spawn<T>(start: impl FnOnce() -> std::io::Result<T>) -> std::io::Result<T> {
    let closed = CLOSED.lock().unwrap_or_else(PoisonError::into_inner);
    if *closed {
        return Err(std::io::Error::other("squall is stopping"));
    }
    start()
}

/// From now on nothing is started: what clears up would never be done otherwise.
pub fn close() {
    *CLOSED.lock().unwrap_or_else(PoisonError::into_inner) = true;
}
