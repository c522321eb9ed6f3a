//! Keeping claims alive while the work goes on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::queue::{Claim, Fence, Queue};
use crate::settings::WorkerSettings;

/// Pause before a failed renewal is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// When a lease is over unless renewed; `None` once the task is no longer ours.
type Until = Option<Instant>;

/// What this worker holds. All of it is renewed by one statement.
pub struct Leases {
    held: Held,
    lease: Duration,
    beat: JoinHandle<()>,
}

/// A claim that is renewed in the background until this is dropped.
pub struct Lease {
    fence: Fence,
    until: watch::Receiver<Until>,
    held: Held,
}

#[derive(Clone, Default)]
struct Held(Arc<Mutex<HashMap<Fence, watch::Sender<Until>>>>);

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fence, watch::Sender<Until>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Leases {
    /// Starts to renew, every heartbeat, what will be held.
    pub fn start(queue: Queue, settings: &WorkerSettings) -> Self {
        let held = Held::default();
        let beat = Beat {
            queue,
            held: held.clone(),
            lease: settings.lease,
            every: settings.heartbeat,
        };
        Self {
            held,
            lease: settings.lease,
            beat: tokio::spawn(beat.run()),
        }
    }

    /// Keeps a claim that was made just now.
    pub fn keep(&self, claim: &Claim) -> Lease {
        let (sender, until) = watch::channel(Some(Instant::now() + self.lease));
        self.held.lock().insert(claim.fence(), sender);
        Lease {
            fence: claim.fence(),
            until,
            held: self.held.clone(),
        }
    }
}

impl Drop for Leases {
    fn drop(&mut self) {
        self.beat.abort();
    }
}

impl Lease {
    /// Waits until the database says that the task is no longer ours.
    pub async fn lost(&self) {
        let mut until = self.until.clone();
        if until.wait_for(Option::is_none).await.is_err() {
            // Nobody renews any more, which happens only when the worker ends.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the lease has surely run out. The clock is our own and counts
    /// from the latest moment the renewal can have taken effect.
    pub fn over(&self) -> bool {
        self.until.borrow().is_none_or(|until| Instant::now() >= until)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.held.lock().remove(&self.fence);
    }
}

struct Beat {
    queue: Queue,
    held: Held,
    lease: Duration,
    every: Duration,
}

impl Beat {
    async fn run(self) {
        let mut pause = self.every;
        loop {
            sleep(pause).await;
            pause = self.every;
            let fences: Vec<Fence> = self.held.lock().keys().copied().collect();
            if fences.is_empty() {
                continue;
            }
            match timeout(self.lease, self.queue.renew(&fences)).await {
                Ok(Ok(kept)) => {
                    let until = Instant::now() + self.lease;
                    let held = self.held.lock();
                    // What was let go meanwhile is no longer in `held`, and its answer means nothing.
                    for (fence, sender) in fences.iter().filter_map(|fence| Some((fence, held.get(fence)?))) {
                        sender.send_replace(kept.contains(fence).then_some(until));
                    }
                }
                // Not knowing is not losing: the work goes on, the fence decides.
                Ok(Err(_)) | Err(_) => pause = RETRY.min(self.every),
            }
        }
    }
}
