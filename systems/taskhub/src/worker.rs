//! The worker: claim, run, commit, again.

mod attempt;
mod backoff;
mod floor;
mod handlers;
mod lease;
mod queue;
mod wakeup;
mod witness;

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::breaker::Breakers;
use crate::bug::Bug;
use crate::db::Db;
use crate::settings::{Settings, WorkerSettings};
use crate::shutdown::Shutdown;
use attempt::Runner;
use backoff::Backoff;
use floor::Floor;
use handlers::Handlers;
use lease::Lease;
use queue::{Claim, Queue};
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
    let db = Db::start(&settings);
    let mut wakeup = Wakeup::start(db.clone(), settings.worker.poll);
    let worker = Worker::new(db, &settings)?;
    tracing::info!(worker = settings.worker.name, "worker started");
    while !shutdown.requested() {
        tokio::select! {
            () = worker.db.health().wait_up() => {}
            () = shutdown.wait() => break,
        }
        // A claim is never cancelled half-way: its tasks would wait for their leases to end.
        match worker.claim().await {
            Ok(jobs) if jobs.is_empty() => tokio::select! {
                () = wakeup.wait() => {}
                () = shutdown.wait() => {}
            },
            Ok(jobs) => worker.work_off(jobs, &shutdown).await,
            Err(error) => {
                tracing::debug!(%error, "claim failed");
                sleep(AFTER_ERROR).await;
            }
        }
    }
    tracing::info!("worker stopped");
    Ok(())
}

struct Worker {
    db: Db,
    queue: Queue,
    runner: Runner,
    settings: WorkerSettings,
    /// Only with a planted bug: claims need it.
    floor: Option<Floor>,
    grace: Duration,
}

impl Worker {
    fn new(db: Db, settings: &Settings) -> Result<Self, reqwest::Error> {
        let queue = Queue::new(db.clone(), settings);
        let witness = Witness::new(&settings.worker)?;
        let floor = settings.has(Bug::OneWorkerHoards).then(|| Floor::new(db.clone()));
        let runner = Runner {
            queue: queue.clone(),
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
            db,
            queue,
            runner,
            settings: settings.worker.clone(),
            floor,
            grace: settings.shutdown,
        })
    }

    /// Claims up to `prefetch` tasks and starts to renew their leases.
    async fn claim(&self) -> Result<Vec<Job>, crate::db::DbError> {
        if let Some(floor) = &self.floor
            && !floor.mine().await
        {
            return Ok(Vec::new());
        }
        let claims = self.queue.claim(self.settings.prefetch).await?;
        let mut jobs = Vec::with_capacity(claims.len());
        for claim in claims {
            if claim.buried {
                self.runner.report_buried(&claim).await;
                continue;
            }
            let lease = Lease::keep(self.queue.clone(), &claim, &self.settings);
            jobs.push(Job { claim, lease });
        }
        Ok(jobs)
    }

    /// Runs jobs one after the other. Once asked to stop it finishes the
    /// running one within the grace, and hands the others back.
    async fn work_off(&self, jobs: Vec<Job>, shutdown: &Shutdown) {
        for job in jobs {
            let finished = !shutdown.requested()
                && tokio::select! {
                    () = self.runner.run(&job.claim, &job.lease) => true,
                    () = grace_over(shutdown, self.grace) => false,
                };
            if !finished {
                self.hand_back(&job.claim).await;
            }
        }
    }

    async fn hand_back(&self, claim: &Claim) {
        // Without a database the lease ends by itself: handing back is a courtesy.
        match timeout(AFTER_ERROR * 20, self.queue.release(claim)).await {
            Ok(Ok(_)) => tracing::info!(task = %claim.id, "handed back"),
            _ => tracing::warn!(task = %claim.id, "left to its lease"),
        }
    }
}

async fn grace_over(shutdown: &Shutdown, grace: Duration) {
    shutdown.wait().await;
    sleep(grace).await;
}
