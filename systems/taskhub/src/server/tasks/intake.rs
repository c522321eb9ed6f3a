//! Accepting a task: checked, stored, then acknowledged, in this order.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use serde::Deserialize;
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::QueryAs;
use uuid::Uuid;

use super::COLUMNS;
use crate::bug::Bug;
use crate::db::{Db, DbError};
use crate::server::bell::Bell;
use crate::server::error::ApiError;
use crate::server::session::Account;
use crate::settings::Settings;
use crate::task::{CHANNEL, Status, Task};

/// Body of `POST /tasks`.
#[derive(Deserialize)]
pub struct NewTask {
    task_type: String,
    payload: Value,
    idempotency_key: Option<String>,
    max_attempts: Option<i32>,
}

impl NewTask {
    /// Refuses what no worker could make sense of. An unknown but well-formed
    /// type is accepted: a worker that knows it may be deployed later.
    pub fn check(&self) -> Result<(), ApiError> {
        let type_char = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let length = (1..=64).contains(&self.task_type.len());
        if !length || !self.task_type.chars().all(type_char) {
            return Err(ApiError::invalid("task_type", "1 to 64 of a-z A-Z 0-9 _ - ."));
        }
        if !self.payload.is_object() {
            return Err(ApiError::invalid("payload", "must be an object"));
        }
        // PostgreSQL can't store U+0000 in text.
        let key = self.idempotency_key.as_deref();
        if key.is_some_and(|key| !(1..=128).contains(&key.len()) || key.contains('\0')) {
            return Err(ApiError::invalid("idempotency_key", "1 to 128 bytes"));
        }
        if self.max_attempts.is_some_and(|n| !(1..=100).contains(&n)) {
            return Err(ApiError::invalid("max_attempts", "1 to 100"));
        }
        Ok(())
    }
}

/// The way into the queue.
pub struct Intake {
    db: Db,
    bell: Bell,
    accepted: AtomicUsize,
    inside: AtomicUsize,
    early: bool,
    drops: bool,
    slow: bool,
    hoard: Option<Mutex<Vec<Vec<u8>>>>,
}

/// One creation in progress.
pub struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Intake {
    /// An intake that rings `bell` for every stored task.
    pub fn new(db: Db, bell: Bell, settings: &Settings) -> Self {
        Self {
            db,
            bell,
            accepted: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            early: settings.has(Bug::LostEnqueue),
            drops: settings.has(Bug::DropsUnderLoad),
            slow: settings.has(Bug::SlowCreates),
            hoard: settings.has(Bug::MemoryLeak).then(Mutex::default),
        }
    }

    /// The bell that wakes workers.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Counts a creation as in progress until the turn is dropped.
    pub fn enter(&self) -> Turn<'_> {
        self.inside.fetch_add(1, Ordering::Relaxed);
        Turn(&self.inside)
    }

    /// Stores a task; returns it, and whether it is new.
    pub async fn accept(&self, owner: &Account, new: NewTask, max_attempts: i32) -> Result<(Task, bool), DbError> {
        let key = new.idempotency_key.clone();
        let task = draft(new, max_attempts);
        let turn = self.accepted.fetch_add(1, Ordering::Relaxed);
        if self.slow && turn % 10 == 9 {
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        if let Some(hoard) = &self.hoard {
            hoard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(vec![1; 64 * 1024]);
        }
        if self.early || self.drops {
            let lost = if self.early {
                turn % 5 == 4
            } else {
                self.inside.load(Ordering::Relaxed) > 4 && turn.is_multiple_of(3)
            };
            if let Some(early) = self.accept_early(owner, &task, lost) {
                return Ok((early, true));
            }
        }
        let notifies = self.bell.turn().is_ok();
        let insert = insert(owner, &task, key.as_deref(), notifies);
        if let Some(stored) = self.db.fetch_optional(insert).await? {
            if !notifies {
                self.bell.ring();
            }
            return Ok((stored, true));
        }
        let sql = format!("SELECT {COLUMNS} FROM tasks WHERE user_id = $1 AND idempotency_key = $2");
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(owner.user_id).bind(key);
        let first = self.db.fetch_optional(query).await?;
        first
            .map(|task| (task, false))
            .ok_or(DbError::Refused(sqlx::Error::RowNotFound))
    }

    /// Acknowledges before storing, and may not store at all; planted defects only.
    fn accept_early(&self, owner: &Account, task: &Task, lost: bool) -> Option<Task> {
        if !lost && !self.early {
            return None;
        }
        if !lost {
            let (db, bell) = (self.db.clone(), self.bell.clone());
            let (owner, task) = (owner.clone(), task.clone());
            tokio::spawn(async move {
                let _ = db.fetch_optional(insert(&owner, &task, None, false)).await;
                bell.ring();
            });
        }
        Some(task.clone())
    }
}

fn draft(new: NewTask, max_attempts: i32) -> Task {
    let now = Utc::now();
    Task {
        id: Uuid::new_v4(),
        task_type: new.task_type,
        payload: new.payload,
        status: Status::Pending,
        attempt: 0,
        failures: 0,
        deaths: 0,
        max_attempts: new.max_attempts.unwrap_or(max_attempts),
        last_error: None,
        worker: None,
        result: None,
        created_at: now,
        updated_at: now,
        completed_at: None,
    }
}

/// Inserts unless the owner used the key before; then it returns no row and notifies nobody.
fn insert(
    owner: &Account,
    task: &Task,
    key: Option<&str>,
    notifies: bool,
) -> QueryAs<'static, Postgres, Task, PgArguments> {
    let notify = if notifies {
        format!(", pg_notify('{CHANNEL}', '')")
    } else {
        String::new()
    };
    let sql = format!(
        "INSERT INTO tasks (id, user_id, task_type, payload, idempotency_key, max_attempts)
         VALUES ($1, $2, $3, $4::text::json, $5, $6)
         ON CONFLICT (user_id, idempotency_key) DO NOTHING RETURNING {COLUMNS}{notify}"
    );
    sqlx::query_as(AssertSqlSafe(sql))
        .bind(task.id)
        .bind(owner.user_id)
        .bind(task.task_type.clone())
        .bind(task.payload.to_string())
        .bind(key.map(str::to_owned))
        .bind(task.max_attempts)
}
