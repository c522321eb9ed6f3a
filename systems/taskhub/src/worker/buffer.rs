//! Between claiming and running: what was claimed and waits for its turn.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Job;

/// Claimed tasks, in their order. One side puts them in and one takes them out.
pub struct Buffer {
    state: Mutex<State>,
    /// With so many tasks in hand, or more, none are fetched.
    enough: usize,
    came: Notify,
    went: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Job>,
    running: usize,
    closed: bool,
}

impl Buffer {
    /// A buffer for batches of so many. It is to be filled while less than half
    /// a batch is in hand, which for a batch of one means: while nothing runs.
    pub fn new(batch: usize) -> Self {
        Self {
            state: Mutex::default(),
            enough: batch.div_ceil(2),
            came: Notify::new(),
            went: Notify::new(),
        }
    }

    /// Waits until it is time to claim more.
    pub async fn room(&self) {
        loop {
            {
                let state = self.lock();
                if state.waiting.len() + state.running < self.enough {
                    return;
                }
            }
            self.went.notified().await;
        }
    }

    /// Adds what was claimed.
    pub fn put(&self, jobs: Vec<Job>) {
        self.lock().waiting.extend(jobs);
        self.came.notify_one();
    }

    /// The next task, once there is one; `None` when there won't be any more.
    pub async fn next(&self) -> Option<Job> {
        loop {
            {
                let mut state = self.lock();
                if let Some(job) = state.waiting.pop_front() {
                    state.running += 1;
                    return Some(job);
                }
                if state.closed {
                    return None;
                }
            }
            self.came.notified().await;
        }
    }

    /// A task that [`next`](Self::next) gave out is no longer in hand.
    pub fn done(&self) {
        self.lock().running -= 1;
        self.went.notify_one();
    }

    /// Ends it; returns what had not begun.
    pub fn close(&self) -> Vec<Job> {
        let mut state = self.lock();
        state.closed = true;
        self.came.notify_one();
        state.waiting.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
