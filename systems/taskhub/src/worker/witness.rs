//! Evidence of what this worker does, posted to whoever watches.
//!
//! The ledger lies outside the system, so that it can be compared with what
//! the system says about itself.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::queue::{Claim, Setback};
use crate::settings::WorkerSettings;
use crate::task::Status;

/// Bound on one post.
const POST: Duration = Duration::from_millis(500);
/// Bound on all tries to report a commit.
const REPORT: Duration = Duration::from_secs(2);
/// Tries to report a commit.
const TRIES: u32 = 3;

/// The way to the ledger; without an address nothing is posted.
pub struct Witness {
    client: reqwest::Client,
    url: Option<String>,
    worker: String,
}

impl Witness {
    /// One client for the life of the worker, so that its connection is kept.
    pub fn new(settings: &WorkerSettings) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().timeout(POST).build()?,
            url: settings.witness_url.clone(),
            worker: settings.name.clone(),
        })
    }

    /// An attempt is about to run. Losing this report is harmless.
    pub async fn start(&self, claim: &Claim) {
        let _ = self.post(claim, "start", json!({})).await;
    }

    /// The effect of the work itself: without an answer it has not happened,
    /// so a failure here fails the attempt.
    pub async fn effect(&self, claim: &Claim) -> Result<(), String> {
        let crc = crc32fast::hash(canonical(&claim.payload).to_string().as_bytes());
        let posted = self.post(claim, "effect", json!({ "payload_crc32": crc })).await;
        posted.map_err(|error| format!("effect not acknowledged: {error}"))
    }

    /// The attempt is committed.
    pub async fn committed(&self, claim: &Claim) {
        self.insist(claim, "committed", json!({})).await;
    }

    /// A failed attempt is recorded.
    pub async fn failed(&self, claim: &Claim, setback: &Setback) {
        let dead = setback.status == Status::Dead;
        self.insist(claim, "failed", json!({ "reason": setback.reason, "dead": dead }))
            .await;
    }

    /// Tries a few times: this happened, and a lost report would look like a lost task.
    async fn insist(&self, claim: &Claim, event: &str, details: Value) {
        let deadline = Instant::now() + REPORT;
        for _ in 0..TRIES {
            let post = self.post(claim, event, details.clone());
            match tokio::time::timeout_at(deadline, post).await {
                Ok(Ok(())) => return,
                Ok(Err(_)) => sleep(POST / 10).await,
                Err(_) => break,
            }
        }
        tracing::warn!(task = %claim.id, event, "witness did not answer");
    }

    async fn post(&self, claim: &Claim, event: &str, details: Value) -> Result<(), reqwest::Error> {
        let Some(url) = &self.url else {
            return Ok(());
        };
        let mut body = json!({
            "task": claim.id,
            "attempt": claim.attempt,
            "worker": self.worker,
            "event": event,
        });
        if let (Value::Object(body), Value::Object(details)) = (&mut body, details) {
            body.extend(details);
        }
        let answer = self.client.post(url).json(&body).send().await?.error_for_status()?;
        // Reading the body to its end lets the connection be used again.
        answer.bytes().await.map(drop)
    }
}

/// The same value with the keys of every object sorted, so that equal payloads
/// have equal text.
fn canonical(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let sorted = entries.into_iter().map(|(key, value)| (key.clone(), canonical(value)));
            Value::Object(sorted.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(canonical).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_text_does_not_depend_on_key_order() {
        let payload = json!({ "b": [{ "y": 1, "x": 2 }], "a": null });
        assert_eq!(canonical(&payload).to_string(), r#"{"a":null,"b":[{"x":2,"y":1}]}"#);
    }
}
