//! A task as it is stored and shown, and the kinds of work there are.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

/// The channel on which servers tell idle workers that there is work.
pub const CHANNEL: &str = "taskhub_tasks";

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(type_name = "text", rename_all = "lowercase")]
pub enum Status {
    /// Waits for its first attempt.
    Pending,
    /// A worker holds it.
    Running,
    /// Waits for another attempt after a failure.
    Retrying,
    /// Done.
    Completed,
    /// Given up; the dead-letter queue is the list of these.
    Dead,
    /// Called off by its owner.
    Cancelled,
}

/// One row of `tasks`, as the API shows it.
#[derive(Clone, Debug, Serialize, sqlx::FromRow)]
pub struct Task {
    /// Identity, chosen by the server.
    pub id: Uuid,
    /// What to do.
    pub task_type: String,
    /// With what.
    #[sqlx(json)]
    pub payload: Value,
    /// Where it is in its life.
    pub status: Status,
    /// Number of claims so far; the last claim's number fences off older ones.
    pub attempt: i32,
    /// Attempts that ended in an error.
    pub failures: i32,
    /// Attempts that ended because the worker's lease ran out.
    pub deaths: i32,
    /// Failures after which it is dead.
    pub max_attempts: i32,
    /// The latest failure.
    pub last_error: Option<String>,
    /// Who holds it, or held it last.
    pub worker: Option<String>,
    /// What the work returned.
    #[sqlx(json(nullable))]
    pub result: Option<Value>,
    /// When it was accepted.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// When it reached its end.
    pub completed_at: Option<DateTime<Utc>>,
}

/// The kinds of work that have a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sleeps.
    Delay,
    /// Calls the partner's API.
    Webhook,
    /// Pretends to send a mail.
    Email,
    /// Fails a set number of times, then succeeds.
    Flaky,
    /// Always fails.
    Failing,
    /// Does nothing but tell when it began.
    Noop,
}

impl Kind {
    /// Every kind, with what its payload holds.
    pub const ALL: [(Self, &'static str, &'static str); 6] = [
        (Self::Delay, "delay", "{\"ms\": n}: sleeps n milliseconds"),
        (
            Self::Webhook,
            "webhook",
            "{}: calls the partner's API; {\"url\": address}: calls that, on loopback",
        ),
        (Self::Email, "email", "{\"to\": address}: pretends to send a mail"),
        (
            Self::Flaky,
            "flaky",
            "{\"fail_times\": n}: fails n times, then succeeds",
        ),
        (Self::Failing, "failing", "{}: always fails"),
        (Self::Noop, "noop", "{}: does nothing but tell when it began"),
    ];

    /// The kind of this name, if there is a handler for it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .find(|(_, known, _)| *known == name)
            .map(|(kind, _, _)| *kind)
    }
}
