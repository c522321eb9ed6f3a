//! Keeping a claim alive while the work goes on.

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::queue::{Claim, Queue};
use crate::settings::WorkerSettings;

/// Pause before a failed renewal is tried again.
const RETRY: Duration = Duration::from_millis(100);

/// A claim that is renewed in the background until this is dropped.
pub struct Lease {
    /// When the lease is over unless renewed; `None` once the task is no longer ours.
    until: watch::Receiver<Option<Instant>>,
    beat: JoinHandle<()>,
}

impl Lease {
    /// Starts to renew a claim that was made just now.
    pub fn keep(queue: Queue, claim: &Claim, settings: &WorkerSettings) -> Self {
        let (sender, until) = watch::channel(Some(Instant::now() + settings.lease));
        let beat = Beat {
            queue,
            lease: settings.lease,
            every: settings.heartbeat,
        };
        let (id, attempt) = (claim.id, claim.attempt);
        let beat = tokio::spawn(async move { beat.run(id, attempt, sender).await });
        Self { until, beat }
    }

    /// Waits until the database says that the task is no longer ours.
    pub async fn lost(&self) {
        let mut until = self.until.clone();
        if until.wait_for(Option::is_none).await.is_err() {
            // The beat ended without losing the lease, which it does only when aborted.
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
        self.beat.abort();
    }
}

struct Beat {
    queue: Queue,
    lease: Duration,
    every: Duration,
}

impl Beat {
    async fn run(&self, id: uuid::Uuid, attempt: i32, until: watch::Sender<Option<Instant>>) {
        let mut pause = self.every;
        loop {
            sleep(pause).await;
            pause = match timeout(self.lease, self.queue.renew(id, attempt)).await {
                Ok(Ok(true)) => {
                    until.send_replace(Some(Instant::now() + self.lease));
                    self.every
                }
                Ok(Ok(false)) => {
                    until.send_replace(None);
                    return;
                }
                // Not knowing is not losing: the work goes on, the fence decides.
                Ok(Err(_)) | Err(_) => RETRY.min(self.every),
            };
        }
    }
}
