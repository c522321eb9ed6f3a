//! The worker: claim, run, commit, again.

mod acks;
mod attempt;
mod backoff;
mod buffer;
mod floor;
mod handlers;
mod lease;
mod queue;
mod wakeup;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::breaker::Breakers;
use crate::bug::Bug;
use crate::db::{Db, DbError};
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use acks::Acks;
use attempt::Runner;
use backoff::Backoff;
use buffer::Buffer;
use floor::Floor;
use handlers::Handlers;
use lease::{Lease, Leases};
use queue::{Claim, Fence, Queue};
use wakeup::Wakeup;
use witness::Witness;

/// Pause after a claim that failed although the database seemed to be up.
const AFTER_ERROR: Duration = Duration::from_millis(100);

/// A claimed task and the lease that keeps it.
struct Job {
    claim: Claim,
    lease: Lease,
}

/// Works until asked to stop.
pub async fn run(settings: Settings, shutdown: Shutdown) -> Result<(), reqwest::Error> {
    let worker = Worker::new(&settings, shutdown)?;
    tracing::info!(worker = settings.worker.name, "worker started");
    tokio::join!(worker.fetch(), worker.work());
    worker.runner.acks.finish().await;
    tracing::info!("worker stopped");
    Ok(())
}

struct Worker {
    db: Db,
    queue: Queue,
    wakeup: Wakeup,
    leases: Leases,
    buffer: Buffer,
    runner: Runner,
    batch: usize,
    /// Only with a planted bug: claims need it.
    floor: Option<Floor>,
    shutdown: Shutdown,
    grace: Duration,
}

impl Worker {
    fn new(settings: &Settings, shutdown: Shutdown) -> Result<Self, reqwest::Error> {
        let db = Db::start(settings);
        let queue = Queue::new(db.clone(), settings);
        let witness = Arc::new(Witness::new(&settings.worker)?);
        let floor = settings.has(Bug::OneWorkerHoards).then(|| Floor::new(db.clone()));
        let batch = settings.worker.batch;
        let runner = Runner {
            queue: queue.clone(),
            acks: Acks::new(queue.clone(), Arc::clone(&witness), batch > 1),
            breakers: Breakers::new(db.clone(), settings),
            handlers: Handlers::new(settings)?,
            witness,
            backoff: Backoff {
                first: settings.worker.backoff,
                max: settings.worker.backoff_max,
            },
            commits_first: settings.has(Bug::DoneBeforeWork),
        };
        Ok(Self {
            wakeup: Wakeup::start(db.clone(), &settings.worker),
            leases: Leases::start(queue.clone(), &settings.worker),
            buffer: Buffer::new(batch),
            db,
            queue,
            runner,
            batch,
            floor,
            shutdown,
            grace: settings.shutdown,
        })
    }

    /// Keeps the buffer filled. Once asked to stop it hands back what did not begin.
    async fn fetch(&self) {
        while !self.shutdown.requested() {
            tokio::select! {
                () = async { self.buffer.room().await; self.db.health().wait_up().await; } => {}
                () = self.shutdown.wait() => break,
            }
            // A claim is never cancelled half-way: its tasks would wait for their leases to end.
            match self.claim().await {
                Ok(jobs) if jobs.is_empty() => tokio::select! {
                    () = self.wakeup.wait() => {}
                    () = self.shutdown.wait() => {}
                },
                Ok(jobs) => self.buffer.put(jobs),
                Err(error) => {
                    tracing::debug!(%error, "claim failed");
                    sleep(AFTER_ERROR).await;
                }
            }
        }
        let waiting = self.buffer.close();
        let fences: Vec<Fence> = waiting.iter().map(|job| job.claim.fence()).collect();
        self.hand_back(&fences).await;
    }

    /// Claims up to a batch of tasks and starts to renew their leases.
    async fn claim(&self) -> Result<Vec<Job>, DbError> {
        if let Some(floor) = &self.floor
            && !floor.mine().await
        {
            return Ok(Vec::new());
        }
        let claims = self.queue.claim(self.batch).await?;
        let mut jobs = Vec::with_capacity(claims.len());
        for claim in claims {
            if claim.buried {
                self.runner.report_buried(&claim).await;
                continue;
            }
            let lease = self.leases.keep(&claim);
            jobs.push(Job { claim, lease });
        }
        Ok(jobs)
    }

    /// Runs tasks one after the other. Once asked to stop it finishes the running
    /// one within the grace.
    async fn work(&self) {
        while let Some(job) = self.buffer.next().await {
            let fence = job.claim.fence();
            // A worker that was frozen while tasks waited here must not run what others may have by now.
            let begins = !self.shutdown.requested() && !job.lease.over();
            let finished = begins
                && tokio::select! {
                    () = self.runner.run(job) => true,
                    () = grace_over(&self.shutdown, self.grace) => false,
                };
            if !finished {
                self.hand_back(&[fence]).await;
            }
            self.buffer.done();
        }
    }

    async fn hand_back(&self, held: &[Fence]) {
        if held.is_empty() {
            return;
        }
        // Without a database the leases end by themselves: handing back is a courtesy.
        let released = timeout(AFTER_ERROR * 20, self.queue.release(held)).await;
        for (task, _) in held {
            match released {
                Ok(Ok(())) => tracing::info!(%task, "handed back"),
                _ => tracing::warn!(%task, "left to its lease"),
            }
        }
    }
}

async fn grace_over(shutdown: &Shutdown, grace: Duration) {
    shutdown.wait().await;
    sleep(grace).await;
}
