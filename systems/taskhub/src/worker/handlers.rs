//! What the kinds of work do.

use std::net::IpAddr;
use std::time::Duration;

use chrono::Utc;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::queue::Claim;
use crate::bug::Bug;
use crate::settings::Settings;
use crate::task::Kind;

/// Bound on a call to the partner.
const PARTNER: Duration = Duration::from_secs(1);

/// Why an attempt failed.
#[derive(Debug)]
pub struct Failure {
    /// In words, for `last_error`.
    pub reason: String,
    /// Whether another attempt could succeed.
    pub retry: bool,
}

impl Failure {
    /// A failure that may pass.
    pub fn passing(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry: true,
        }
    }
}

/// The handlers and what they need.
pub struct Handlers {
    client: reqwest::Client,
    partner_url: Option<String>,
    hook_hosts: Vec<String>,
    calls: u32,
}

impl Handlers {
    /// Prepares the client for the partner's API.
    pub fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let bound = if settings.has(Bug::NoTimeout) {
            PARTNER * 3600
        } else {
            PARTNER
        };
        Ok(Self {
            client: reqwest::Client::builder().no_proxy().timeout(bound).build()?,
            partner_url: settings.worker.partner_url.clone(),
            hook_hosts: settings.worker.hook_hosts.clone(),
            calls: if settings.has(Bug::RetryStorm) { 50 } else { 1 },
        })
    }

    /// Does the work of one attempt.
    pub async fn perform(&self, claim: &Claim) -> Result<Value, Failure> {
        let Some(kind) = Kind::named(&claim.task_type) else {
            let reason = format!("no handler for type '{}'", claim.task_type);
            return Err(Failure { reason, retry: false });
        };
        match kind {
            Kind::Delay => delay(&claim.payload).await,
            Kind::Webhook => self.webhook(claim).await,
            Kind::Email => email(&claim.payload).await,
            Kind::Flaky => flaky(claim),
            Kind::Failing => Err(Failure::passing("fails by design")),
            Kind::Noop => Ok(json!({ "began_us": Utc::now().timestamp_micros() })),
        }
    }

    async fn webhook(&self, claim: &Claim) -> Result<Value, Failure> {
        let url = match claim.payload.get("url") {
            Some(url) => self.own_url(url)?,
            None => match &self.partner_url {
                Some(base) => format!("{base}/hook"),
                None => return Err(Failure::passing("PARTNER_URL is not set")),
            },
        };
        let mut outcome = self.call(&url, claim).await;
        for _ in 1..self.calls {
            if outcome.is_err() {
                outcome = self.call(&url, claim).await;
            }
        }
        let status = outcome.map_err(|error| Failure::passing(format!("partner: {error}")))?;
        Ok(json!({ "partner_status": status }))
    }

    /// The address a task brings along. Whoever may create tasks must not reach through this service
    /// whatever its machine can: only loopback, and the hosts it was told of.
    fn own_url(&self, url: &Value) -> Result<String, Failure> {
        let refused = |why: &str| Failure {
            reason: format!("payload \"url\": {why}"),
            retry: false,
        };
        let text = url.as_str().ok_or_else(|| refused("a text is needed"))?;
        let url = reqwest::Url::parse(text).map_err(|error| refused(&error.to_string()))?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let loopback = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        match url.scheme() {
            "http" if loopback || self.hook_hosts.iter().any(|known| known == host) => Ok(text.to_owned()),
            "http" => Err(refused("its host is not on loopback nor in TASKHUB_HOOK_HOSTS")),
            _ => Err(refused("only http:// is spoken")),
        }
    }

    async fn call(&self, url: &str, claim: &Claim) -> Result<u16, reqwest::Error> {
        let body = json!({ "task": claim.id, "payload": claim.payload });
        let answer = self.client.post(url).json(&body).send().await?.error_for_status()?;
        let status = answer.status().as_u16();
        answer.bytes().await.map(|_| status)
    }
}

async fn delay(payload: &Value) -> Result<Value, Failure> {
    let ms = payload.get("ms").and_then(Value::as_u64);
    let Some(ms) = ms else {
        return Err(Failure::passing("payload needs a number \"ms\""));
    };
    sleep(Duration::from_millis(ms)).await;
    Ok(json!({ "slept_ms": ms }))
}

async fn email(payload: &Value) -> Result<Value, Failure> {
    sleep(Duration::from_millis(5)).await;
    Ok(json!({ "sent_to": payload.get("to") }))
}

fn flaky(claim: &Claim) -> Result<Value, Failure> {
    let times = claim.payload.get("fail_times").and_then(Value::as_i64).unwrap_or(1);
    if i64::from(claim.failures) < times {
        let reason = format!("flaky: failure {} of {times}", claim.failures + 1);
        return Err(Failure::passing(reason));
    }
    Ok(json!({ "failed_before": claim.failures }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Role;

    #[test]
    fn a_task_reaches_loopback_and_the_hosts_it_was_allowed_and_nothing_else() {
        let settings = Settings::read(Role::Worker, |name| match name {
            "DATABASE_URL" => Some("postgres://u@localhost/db".to_owned()),
            "TASKHUB_HOOK_HOSTS" => Some("hooks.test, other.test".to_owned()),
            _ => None,
        });
        let handlers = Handlers::new(&settings.unwrap()).unwrap();
        let own = |url: &str| handlers.own_url(&json!(url)).map_err(|failure| failure.retry);
        for url in [
            "http://127.0.0.1:1/x",
            "http://[::1]:1/x",
            "http://localhost:1",
            "http://hooks.test/x",
        ] {
            assert_eq!(own(url), Ok(url.to_owned()));
        }
        for url in [
            "http://10.0.0.1/",
            "http://localhost.test/",
            "https://127.0.0.1/",
            "file:///x",
            "x",
        ] {
            assert_eq!(own(url), Err(false), "{url}");
        }
        assert!(handlers.own_url(&json!(7)).is_err());
    }
}
