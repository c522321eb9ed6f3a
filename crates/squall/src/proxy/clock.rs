//! Alarms that ring on time: never early, and late by tens of microseconds.
//!
//! Tokio's timer wheel turns once a millisecond and rounds up, which would add more than a
//! millisecond to every delay. One plain thread waits for the next alarm instead, with its
//! kernel timer slack set to one nanosecond where the system has such a thing (Linux); elsewhere
//! the system's own slack remains.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

/// A handle to the timer thread; clones share it.
#[derive(Clone)]
pub(super) struct Clock(Arc<Shared>);

struct Shared {
    alarms: Mutex<BinaryHeap<Reverse<Alarm>>>,
    /// Told when an alarm was added that rings before all others.
    sooner: Condvar,
}

struct Alarm {
    due: Instant,
    bell: oneshot::Sender<()>,
}

impl Clock {
    /// The one clock of this process; the first call starts its thread.
    pub(super) fn shared() -> io::Result<Self> {
        static CLOCK: Mutex<Option<Clock>> = Mutex::new(None);
        let mut slot = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(clock) = &*slot {
            return Ok(clock.clone());
        }
        let clock = Self::start()?;
        Ok(slot.insert(clock).clone())
    }

    fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared {
            alarms: Mutex::default(),
            sooner: Condvar::new(),
        });
        let ringer = Arc::clone(&shared);
        thread::Builder::new()
            .name("squall-clock".to_owned())
            .spawn(move || ringer.ring_forever())?;
        Ok(Self(shared))
    }

    /// Resolves once `due` has passed. Dropping the receiver calls the alarm off.
    pub(super) fn at(&self, due: Instant) -> oneshot::Receiver<()> {
        let (bell, rung) = oneshot::channel();
        let mut alarms = self.0.lock();
        let is_next = alarms.peek().is_none_or(|Reverse(next)| due < next.due);
        alarms.push(Reverse(Alarm { due, bell }));
        drop(alarms);
        if is_next {
            self.0.sooner.notify_one();
        }
        rung
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<Alarm>>> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring_forever(&self) {
        minimize_timer_slack();
        let mut alarms = self.lock();
        loop {
            let now = Instant::now();
            alarms = match alarms.peek() {
                None => self.sooner.wait(alarms).unwrap_or_else(PoisonError::into_inner),
                Some(Reverse(next)) if next.due > now => {
                    let patience = next.due - now;
                    let woken = self.sooner.wait_timeout(alarms, patience);
                    woken.unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let next = alarms.pop();
                    drop(alarms);
                    if let Some(Reverse(alarm)) = next {
                        // Nobody listens any more when the alarm was called off.
                        _ = alarm.bell.send(());
                    }
                    self.lock()
                }
            };
        }
    }
}

#[cfg(target_os = "linux")]
fn minimize_timer_slack() {
    // Without it alarms are up to 50 µs later, which is no reason not to run.
    _ = nix::sys::prctl::set_timerslack(1);
}

#[cfg(not(target_os = "linux"))]
fn minimize_timer_slack() {}

impl Ord for Alarm {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl PartialOrd for Alarm {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Alarm {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Alarm {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn alarms_ring_on_time_and_never_early() {
        let clock = Clock::shared().unwrap();
        let mut lateness = Vec::new();
        for round in 0..400u64 {
            let due = Instant::now() + Duration::from_micros(300 + round * 13 % 3000);
            clock.at(due).await.unwrap();
            let now = Instant::now();
            assert!(now >= due, "rang {:?} early", due - now);
            lateness.push(now - due);
        }
        lateness.sort();
        println!(
            "lateness: p50 {:?}, p90 {:?}, p99 {:?}",
            lateness[200], lateness[360], lateness[396]
        );
    }

    #[tokio::test]
    async fn an_earlier_alarm_set_later_rings_first() {
        let clock = Clock::shared().unwrap();
        let start = Instant::now();
        let far = clock.at(start + Duration::from_secs(60));
        clock.at(start + Duration::from_millis(5)).await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(30));
        drop(far);
    }
}
