//! Acknowledging: work that was done is written down, one by one or in batches.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout_at};

use super::Job;
use super::queue::Queue;
use super::witness::Witness;

/// Pause before outcomes that could not be written are tried again.
pub const RETRY: Duration = Duration::from_millis(100);
/// How long the first outcome of a batch waits for others.
const LINGER: Duration = Duration::from_millis(5);
/// Most outcomes written at once.
const MOST: usize = 100;

/// The way from a finished handler to the database.
pub struct Acks {
    desk: Arc<Desk>,
    /// Only for batches.
    line: Option<Line>,
}

struct Line {
    sender: mpsc::Sender<Ack>,
    writer: JoinHandle<()>,
}

struct Ack {
    job: Job,
    result: String,
}

struct Desk {
    queue: Queue,
    witness: Arc<Witness>,
}

impl Acks {
    /// Outcomes are gathered, or written before anything else is done.
    pub fn new(queue: Queue, witness: Arc<Witness>, gathered: bool) -> Self {
        let desk = Arc::new(Desk { queue, witness });
        let line = gathered.then(|| {
            // A full line makes the handlers wait for the database.
            let (sender, receiver) = mpsc::channel(2 * MOST);
            let writer = tokio::spawn(write_batches(Arc::clone(&desk), receiver));
            Line { sender, writer }
        });
        Self { desk, line }
    }

    /// Writes the outcome, or hands it to the writer of batches, who keeps the lease until then.
    pub async fn commit(&self, job: Job, result: &Value) {
        let result = result.to_string();
        let ack = Ack { job, result };
        match &self.line {
            None => self.desk.write(vec![ack]).await,
            // The writer lives as long as the line, so an error can't happen.
            Some(line) => line.sender.send(ack).await.unwrap_or(()),
        }
    }

    /// Ends once everything that was handed over is written, or its lease is over.
    pub async fn finish(self) {
        if let Some(Line { sender, writer }) = self.line {
            drop(sender);
            let _ = writer.await;
        }
    }
}

async fn write_batches(desk: Arc<Desk>, mut line: mpsc::Receiver<Ack>) {
    while let Some(first) = line.recv().await {
        let due = Instant::now() + LINGER;
        let mut batch = vec![first];
        while batch.len() < MOST
            && let Ok(Some(ack)) = timeout_at(due, line.recv()).await
        {
            batch.push(ack);
        }
        desk.write(batch).await;
    }
}

impl Desk {
    /// Writes outcomes, through an outage if need be, until their leases are surely
    /// over: then another worker has the tasks or will have them.
    async fn write(&self, mut acks: Vec<Ack>) {
        while !acks.is_empty() {
            let done: Vec<_> = acks
                .iter()
                .map(|ack| (ack.job.claim.fence(), ack.result.as_str()))
                .collect();
            match self.queue.complete(&done).await {
                Ok(through) => {
                    let (done, fenced_off): (Vec<_>, Vec<_>) = acks
                        .into_iter()
                        .partition(|ack| through.contains(&ack.job.claim.fence()));
                    for Ack { job, .. } in fenced_off {
                        tracing::warn!(task = %job.claim.id, attempt = job.claim.attempt, "fenced off");
                    }
                    return self.report(done).await;
                }
                Err(error) => {
                    for Ack { job, .. } in acks.extract_if(.., |ack| ack.job.lease.over()) {
                        tracing::warn!(task = %job.claim.id, %error, "outcome given up");
                    }
                    if !acks.is_empty() {
                        sleep(RETRY).await;
                    }
                }
            }
        }
    }

    async fn report(&self, done: Vec<Ack>) {
        let mut reports = JoinSet::new();
        for Ack { job, .. } in done {
            let Job { claim, lease } = job;
            drop(lease);
            tracing::info!(task = %claim.id, attempt = claim.attempt, "completed");
            let witness = Arc::clone(&self.witness);
            reports.spawn(async move { witness.committed(&claim).await });
        }
        reports.join_all().await;
    }
}
