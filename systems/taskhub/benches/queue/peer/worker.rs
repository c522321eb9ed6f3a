//! A worker by the crate `graphile_worker` with a job that does nothing: batch and pause of acknowledgements as taskhub's.

use std::time::Duration;

use graphile_worker::{IntoTaskHandlerResult, LocalQueueConfig, TaskHandler, WorkerContext, WorkerOptions};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Noop {}

impl TaskHandler for Noop {
    const IDENTIFIER: &'static str = "noop";

    async fn run(self, _context: WorkerContext) -> impl IntoTaskHandlerResult {
        Ok::<(), String>(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let url = words.next().ok_or("the first word is the database's address")?;
    let batch: usize = words.next().ok_or("the second word is the batch")?.parse()?;
    let worker = WorkerOptions::default()
        .database_url(&url)
        .max_pg_conn(10)
        .concurrency(batch)
        .local_queue(LocalQueueConfig::default().with_size(batch))
        .complete_job_batch_delay(Duration::from_millis(5))
        .define_job::<Noop>()
        .init()
        .await?;
    Ok(worker.run().await?)
}
