//! One attempt at one task, from the claim to its outcome.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::Job;
use super::acks::{Acks, RETRY};
use super::backoff::Backoff;
use super::handlers::{Failure, Handlers};
use super::lease::Lease;
use super::queue::{Claim, Queue, Setback};
use super::witness::Witness;
use crate::breaker::{Admission, Breakers};
use crate::task::Status;

/// Everything an attempt needs.
pub struct Runner {
    /// Where failures are written.
    pub queue: Queue,
    /// Where work that was done is acknowledged.
    pub acks: Acks,
    /// Which types are let through.
    pub breakers: Breakers,
    /// What the types do.
    pub handlers: Handlers,
    /// Who watches.
    pub witness: Arc<Witness>,
    /// How long failures wait.
    pub backoff: Backoff,
    /// Commit before the work instead of after it.
    pub commits_first: bool,
}

impl Runner {
    /// Runs an attempt to its end, or until the lease is lost.
    pub async fn run(&self, job: Job) {
        let Job { claim, lease } = &job;
        self.witness.start(claim).await;
        if self.commits_first {
            let claim = claim.clone();
            self.acks.commit(job, &Value::Null).await;
            if self.work(&claim).await.is_ok() {
                let _ = self.witness.effect(&claim).await;
            }
            return;
        }
        let outcome = tokio::select! {
            outcome = self.attempt(claim) => outcome,
            () = lease.lost() => {
                tracing::warn!(task = %claim.id, attempt = claim.attempt, "lease lost, abandoned");
                return;
            }
        };
        match outcome {
            Ok(result) => self.acks.commit(job, &result).await,
            Err(failure) => self.set_back(claim, lease, failure).await,
        }
    }

    /// Reports a task that was declared dead because too many workers died on it.
    pub async fn report_buried(&self, claim: &Claim) {
        tracing::error!(task = %claim.id, "dead: too many workers died on it");
        let reason = "too many workers died on it".to_owned();
        let setback = Setback {
            status: Status::Dead,
            reason,
            wait: Duration::ZERO,
        };
        self.witness.failed(claim, &setback).await;
    }

    /// The work and its effect, if the breaker of its type lets it through.
    async fn attempt(&self, claim: &Claim) -> Result<Value, Failure> {
        let admission = self.breakers.admit(&claim.task_type).await;
        // A breaker that can't be read doesn't stop work that may well succeed.
        if matches!(admission, Ok(Admission::Refuse)) {
            return Err(Failure::passing("circuit open"));
        }
        let result = self.work(claim).await?;
        self.witness.effect(claim).await.map_err(Failure::passing)?;
        Ok(result)
    }

    /// The handler, with its outcome told to the breaker.
    async fn work(&self, claim: &Claim) -> Result<Value, Failure> {
        let outcome = self.handlers.perform(claim).await;
        if let Err(error) = self.breakers.record(&claim.task_type, outcome.is_ok()).await {
            tracing::debug!(%error, "breaker not updated");
        }
        outcome
    }

    async fn set_back(&self, claim: &Claim, lease: &Lease, failure: Failure) {
        let failures = claim.failures + 1;
        let again = failure.retry && failures < claim.max_attempts;
        let setback = Setback {
            status: if again { Status::Retrying } else { Status::Dead },
            reason: failure.reason,
            wait: self.backoff.after(failures, rand::random()),
        };
        if self.insist(claim, lease, &setback).await {
            let reason = setback.reason.as_str();
            tracing::warn!(task = %claim.id, attempt = claim.attempt, again, reason, "failed");
            self.witness.failed(claim, &setback).await;
        }
    }

    /// Writes a failure, through an outage if need be, until the lease is surely
    /// over: then another worker has the task or will have it. True if written.
    async fn insist(&self, claim: &Claim, lease: &Lease, setback: &Setback) -> bool {
        loop {
            match self.queue.fail(claim, setback).await {
                Ok(true) => return true,
                Ok(false) => {
                    tracing::warn!(task = %claim.id, attempt = claim.attempt, "fenced off");
                    return false;
                }
                Err(error) if lease.over() => {
                    tracing::warn!(task = %claim.id, %error, "outcome given up");
                    return false;
                }
                Err(_) => sleep(RETRY).await,
            }
        }
    }
}
