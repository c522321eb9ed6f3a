//! Standing still: all processes of an instance are stopped, and looked at twice: when they are, and before they go on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use squall_core::event::{Fact, Standstill};
use tokio::time::sleep;

use super::Kept;
use crate::processes::{self, Life, stands};

/// What was told to stop stands still within this, unless the kernel works for it.
const WITHIN: Duration = Duration::from_secs(2);
/// Between two looks whether it does.
const LOOK: Duration = Duration::from_millis(2);

/// Processes that were stopped, and the processor time each had used by then, in clock ticks.
#[derive(Debug, Default)]
pub(super) struct Still(HashMap<Life, u64>);

impl Kept {
    /// Stops all processes, those too that are born meanwhile, and says how many stand still.
    pub(super) async fn stand_still(&mut self) {
        let until = Instant::now() + WITHIN;
        let mut before = Vec::new();
        loop {
            let all = self.all();
            processes::signal(&all, Signal::SIGSTOP);
            // Twice the same ones: what was born between two looks runs.
            if (all == before && all.iter().all(|pid| stands(*pid))) || Instant::now() > until {
                break;
            }
            before = all;
            sleep(LOOK).await;
        }
        self.still = Still::of(&self.all());
        self.look();
    }

    /// Looks once more, and lets them go on.
    pub(super) fn go_on(&mut self) {
        self.look();
        processes::signal(&self.all(), Signal::SIGCONT);
    }

    fn look(&self) {
        let all = self.all();
        let used: u64 = Still::of(&all)
            .0
            .iter()
            .map(|(life, now)| self.still.since(*life, *now))
            .sum();
        self.recorder.record(Fact::Standstill(Standstill {
            instance: self.instance.clone(),
            processes: all.len() as u32,
            stopped: all.iter().filter(|pid| stands(**pid)).count() as u32,
            used_us: used * 10_000,
        }));
    }
}

impl Still {
    fn of(pids: &[u32]) -> Self {
        let lives = pids.iter().filter_map(|pid| {
            let stat = processes::stat(*pid)?;
            Some(((*pid, stat.started), stat.ticks))
        });
        Self(lives.collect())
    }

    /// The ticks a process used since: of one that was not there, all.
    fn since(&self, life: Life, now: u64) -> u64 {
        now.saturating_sub(self.0.get(&life).copied().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn waited(what: &str, holds: impl Fn() -> bool) {
        let until = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < until, "{what} within 10 s");
            std::thread::sleep(LOOK);
        }
    }

    #[test]
    fn only_what_was_stopped_stands_still_and_uses_nothing() {
        let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let pid = busy.id();
        let ticks = || processes::stat(pid).map_or(0, |stat| stat.ticks);
        waited("some work", || ticks() > 1);
        let goes = stands(pid);
        let before = Still::of(&[pid]);
        let begun = ticks();
        waited("more work", || ticks() > begun + 1);
        let worked: u64 = Still::of(&[pid])
            .0
            .iter()
            .map(|(life, now)| before.since(*life, *now))
            .sum();
        processes::signal(&[pid], Signal::SIGSTOP);
        waited("a standstill", || stands(pid));
        let still = Still::of(&[pid]);
        for _ in 0..10 {
            std::thread::sleep(Duration::from_millis(5));
        }
        let rested: u64 = Still::of(&[pid])
            .0
            .iter()
            .map(|(life, now)| still.since(*life, *now))
            .sum();
        busy.kill().unwrap();
        busy.wait().unwrap();
        // What it did until it was off its processor may fill a tick that had begun.
        assert!(!goes && worked > 1 && rested <= 1, "{worked} and {rested}");
    }

    #[test]
    fn a_process_that_has_ended_keeps_none_from_standing_still() {
        let mut ended = Command::new("true").spawn().unwrap();
        let state = || processes::stat(ended.id()).map(|stat| stat.state);
        waited("its end", || state() == Some('Z'));
        let zombie = stands(ended.id());
        ended.wait().unwrap();
        assert!(zombie && stands(ended.id()), "nothing of it runs");
    }
}
