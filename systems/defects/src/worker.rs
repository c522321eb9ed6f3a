//! A worker: claims a job, works, has its effect, marks it done; and tells the witness each.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use crate::queue::{Job, Queue};
use crate::{Settings, say};

/// Bound on one report.
const REPORT: Duration = Duration::from_millis(800);
/// A report of what is stored already is worth so many tries.
const TRIES: usize = 3;

struct Worker {
    settings: Settings,
    queue: Queue,
    http: reqwest::Client,
}

/// Works until it is ended. What it holds then stays with it until the lease has run out.
pub(crate) async fn work(settings: Settings, queue: Queue) -> Result<(), String> {
    let http = reqwest::Client::builder().no_proxy().timeout(REPORT).build();
    let http = http.map_err(|error| error.to_string())?;
    let worker = Worker { settings, queue, http };
    say(&format!("{} looks for work", worker.settings.name));
    loop {
        match worker.queue.claim(worker.settings.claim, worker.settings.lease).await {
            Ok(Some(job)) => worker.attempt(&job).await,
            Ok(None) | Err(_) => sleep(worker.settings.poll).await,
        }
    }
}

impl Worker {
    async fn attempt(&self, job: &Job) {
        tokio::select! {
            () = self.through(job) => {}
            () = self.renewing(job) => {}
        }
    }

    /// From start to end. The effect is the report of it; one that nobody heard has failed.
    async fn through(&self, job: &Job) {
        self.tell(job, "start").await;
        sleep(Duration::from_millis(job.payload["ms"].as_u64().unwrap_or(0))).await;
        let (state, event) = match self.tell(job, "effect").await {
            true => ("done", "committed"),
            false => ("ready", "failed"),
        };
        // While the database is away there is nothing else to do.
        let granted = loop {
            match self.queue.end(job, state, self.settings.done).await {
                Ok(granted) => break granted,
                Err(_) => sleep(self.settings.poll).await,
            }
        };
        if !granted {
            return say(&format!("job {} is no longer attempt {}'s", job.id, job.attempt));
        }
        for _ in 0..TRIES {
            if self.tell(job, event).await {
                return;
            }
        }
        say(&format!("the witness did not hear that job {} is {event}", job.id));
    }

    /// Signs of life, for as long as the attempt goes on.
    async fn renewing(&self, job: &Job) {
        let Some(lease) = self.settings.lease.0 else {
            return std::future::pending().await;
        };
        loop {
            sleep(lease / 3).await;
            if let Err(why) = self.queue.renew(job, lease).await {
                say(&format!("the lease of job {} was not renewed: {why}", job.id));
            }
        }
    }

    /// Reports to the witness; whether it heard.
    async fn tell(&self, job: &Job, event: &str) -> bool {
        let (id, attempt, name) = (job.id, job.attempt, &self.settings.name);
        let report = json!({ "task": id, "attempt": attempt, "worker": name, "event": event, "reason": "no effect" });
        let sent = self.http.post(&self.settings.witness_url).json(&report).send().await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }
}
