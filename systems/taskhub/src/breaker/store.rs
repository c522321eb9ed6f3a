//! Breakers in the database, shared by all workers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::{Admission, Breaker, State};
use crate::bug::Bug;
use crate::db::{Db, DbError};
use crate::settings::Settings;

/// How long a worker with tasks in batches believes that a breaker is as it should be.
/// Asking for each task would cost more than the tasks.
const TRUSTED: Duration = Duration::from_millis(100);
/// Lost races after which a write is given up; the next attempt writes again.
const TRIES: usize = 5;

/// One row of `breakers`.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Row {
    /// The task type it guards.
    pub task_type: String,
    /// Whether attempts are let through.
    pub state: State,
    /// Failures since the last success.
    pub failures: i32,
    /// End of the time to stay open, or to wait for the probe.
    pub open_until: Option<DateTime<Utc>>,
    rested: bool,
    version: i64,
}

/// All breakers.
#[derive(Clone)]
pub struct Breakers {
    db: Db,
    threshold: i32,
    open_seconds: f64,
    shared: bool,
    never_rests: bool,
    /// When each breaker was last seen closed and without failures; only for batches.
    unharmed: Option<Arc<Mutex<HashMap<String, Instant>>>>,
}

impl Breakers {
    /// Breakers with the configured threshold and rest.
    pub fn new(db: Db, settings: &Settings) -> Self {
        let never_opens = settings.has(Bug::NeverOpens);
        Self {
            db,
            threshold: if never_opens {
                i32::MAX
            } else {
                settings.breaker.threshold
            },
            open_seconds: settings.breaker.open.as_secs_f64(),
            shared: settings.has(Bug::SharedBreaker),
            never_rests: settings.has(Bug::NeverCloses),
            unharmed: (settings.worker.batch > 1).then(Arc::default),
        }
    }

    /// Decides about an attempt of this type, and claims the probe if it is one.
    pub async fn admit(&self, task_type: &str) -> Result<Admission, DbError> {
        if self.trusts(task_type) {
            return Ok(Admission::Run);
        }
        let (breaker, version) = self.read(task_type).await?;
        let admission = breaker.admit();
        if admission == Admission::Probe {
            let next = (State::HalfOpen, breaker.failures);
            // Whoever loses the race for the probe is refused like the rest.
            if !self.write(task_type, next, version).await? {
                return Ok(Admission::Refuse);
            }
            tracing::info!(task_type, "breaker is half-open");
        }
        Ok(admission)
    }

    /// Records the outcome of an attempt that was let through.
    pub async fn record(&self, task_type: &str, success: bool) -> Result<(), DbError> {
        if success && self.trusts(task_type) {
            return Ok(());
        }
        for _ in 0..TRIES {
            let (breaker, version) = self.read(task_type).await?;
            let Some(next) = breaker.after(success, self.threshold) else {
                return Ok(());
            };
            if self.write(task_type, next, version).await? {
                if next.0 != breaker.state {
                    tracing::info!(task_type, state = ?next.0, "breaker changed");
                }
                return Ok(());
            }
        }
        Ok(())
    }

    /// Every breaker that ever saw a failure.
    pub async fn all(db: &Db) -> Result<Vec<Row>, DbError> {
        let sql = "SELECT task_type, state, failures, open_until, version,
                   coalesce(open_until <= now(), true) AS rested
                   FROM breakers ORDER BY task_type LIMIT 100";
        db.fetch_all(sqlx::query_as(sql)).await
    }

    async fn read(&self, task_type: &str) -> Result<(Breaker, i64), DbError> {
        let sql = "SELECT task_type, state, failures, open_until, version,
                   coalesce(open_until <= now(), true) AS rested
                   FROM breakers WHERE task_type = $1";
        let query = sqlx::query_as::<_, Row>(sql).bind(self.key(task_type));
        let seen = match self.db.fetch_optional(query).await? {
            None => (Breaker::NEW, 0),
            Some(row) => {
                let rested = row.rested && !self.never_rests;
                let breaker = Breaker {
                    state: row.state,
                    failures: row.failures,
                    rested,
                };
                (breaker, row.version)
            }
        };
        self.note(task_type, (seen.0.state, seen.0.failures));
        Ok(seen)
    }

    /// Writes if nobody else did since `version` was read; says whether it did.
    async fn write(&self, task_type: &str, (state, failures): (State, i32), version: i64) -> Result<bool, DbError> {
        let sql = "INSERT INTO breakers AS b (task_type, state, failures, open_until, version)
             VALUES ($1, $2, $3,
                 CASE WHEN $2 = 'closed' THEN NULL ELSE now() + make_interval(secs => $4) END,
                 $5 + 1)
             ON CONFLICT (task_type) DO UPDATE SET state = excluded.state,
                 failures = excluded.failures, open_until = excluded.open_until,
                 version = excluded.version, updated_at = now()
             WHERE b.version = $5";
        let query = sqlx::query(sql)
            .bind(self.key(task_type).to_owned())
            .bind(state)
            .bind(failures)
            .bind(self.open_seconds)
            .bind(version);
        let written = self.db.execute(query).await? == 1;
        if written {
            self.note(task_type, (state, failures));
        }
        Ok(written)
    }

    /// Remembers when a breaker was last seen as it should be.
    fn note(&self, task_type: &str, seen: (State, i32)) {
        let Some(unharmed) = &self.unharmed else {
            return;
        };
        let mut unharmed = unharmed.lock().unwrap_or_else(PoisonError::into_inner);
        if seen == (State::Closed, 0) {
            unharmed.insert(self.key(task_type).to_owned(), Instant::now());
        } else {
            unharmed.remove(self.key(task_type));
        }
    }

    /// Whether the breaker was as it should be a moment ago.
    fn trusts(&self, task_type: &str) -> bool {
        let Some(unharmed) = &self.unharmed else {
            return false;
        };
        let unharmed = unharmed.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = unharmed.get(self.key(task_type));
        seen.is_some_and(|seen| seen.elapsed() < TRUSTED)
    }

    fn key<'a>(&self, task_type: &'a str) -> &'a str {
        if self.shared { "*" } else { task_type }
    }
}
