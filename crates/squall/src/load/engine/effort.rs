//! How much of its time this thread worked, or would have.

use std::fs;
use std::time::Instant;

use squall_core::time::{Nanos, nanos};

use crate::load::tally::Effort;

/// From a moment on this thread.
pub(super) struct Stopwatch {
    begin: Instant,
    ran_and_waited: Option<(Nanos, Nanos)>,
}

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self {
            begin: Instant::now(),
            ran_and_waited: ran_and_waited(),
        }
    }

    /// The effort since; `None` where the kernel does not count it.
    pub(super) fn stop(self) -> Option<Effort> {
        let (before, after) = (self.ran_and_waited?, ran_and_waited()?);
        Some(Effort {
            wall: nanos(self.begin.elapsed()),
            ran: after.0.saturating_sub(before.0),
            waited: after.1.saturating_sub(before.1),
        })
    }
}

/// How long this thread has had a core, and how long it was ready and had none.
fn ran_and_waited() -> Option<(Nanos, Nanos)> {
    let text = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let mut numbers = text.split_whitespace().map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_only_works_worked_or_waited_most_of_the_time() {
        let stopwatch = Stopwatch::start();
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 50 {
            std::hint::spin_loop();
        }
        // Only kernels that count say so.
        if let Some(effort) = stopwatch.stop() {
            assert!(effort.share() > 0.5, "{effort:?}");
        }
    }
}
