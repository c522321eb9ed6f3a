//! The queue as workers use it. Every write after a claim is fenced by the
//! claim's attempt number: a worker that lost its lease without noticing
//! changes nothing.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::QueryAs;
use tokio::time::sleep;
use uuid::Uuid;

use crate::bug::Bug;
use crate::db::{Db, DbError};
use crate::settings::Settings;
use crate::task::Status;

/// A task, and the number of the claim by which it is held: the fencing token.
pub type Fence = (Uuid, i32);

/// A statement about many tasks that answers which it touched.
type Fences = QueryAs<'static, Postgres, Fence, PgArguments>;

/// A task in the hands of this worker.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Claim {
    /// The task.
    pub id: Uuid,
    /// The fencing token of this claim.
    pub attempt: i32,
    /// What to do.
    pub task_type: String,
    /// With what.
    #[sqlx(json)]
    pub payload: Value,
    /// Failed attempts before this one.
    pub failures: i32,
    /// Failures after which it is dead.
    pub max_attempts: i32,
    /// It lost too many workers and was declared dead instead of claimed.
    pub buried: bool,
}

impl Claim {
    /// What every later write is fenced by.
    pub fn fence(&self) -> Fence {
        (self.id, self.attempt)
    }
}

/// What becomes of a task after a failed attempt.
#[derive(Clone, Debug)]
pub struct Setback {
    /// `Retrying` or `Dead`.
    pub status: Status,
    /// Why it failed.
    pub reason: String,
    /// Wait before the next attempt.
    pub wait: Duration,
}

/// The queue, on behalf of one worker.
#[derive(Clone)]
pub struct Queue {
    db: Db,
    worker: String,
    lease_seconds: f64,
    max_deaths: i32,
    fenced: bool,
    takes_over: bool,
    only_newer_tasks: bool,
    claims_without_lock: bool,
    waits_for_ever: bool,
    hides_the_dead: bool,
    drops_released: bool,
    started: chrono::DateTime<chrono::Utc>,
}

impl Queue {
    /// The queue for the worker named in the settings.
    pub fn new(db: Db, settings: &Settings) -> Self {
        Self {
            db,
            worker: settings.worker.name.clone(),
            lease_seconds: settings.worker.lease.as_secs_f64(),
            max_deaths: settings.worker.max_deaths,
            fenced: !settings.has(Bug::UnfencedCommit),
            takes_over: !settings.has(Bug::NoLease),
            only_newer_tasks: settings.has(Bug::IgnoresNewWorkers),
            claims_without_lock: settings.has(Bug::DoubleClaim),
            waits_for_ever: settings.has(Bug::NoRetry),
            hides_the_dead: settings.has(Bug::DlqLeak),
            drops_released: settings.has(Bug::DropsOnSigterm),
            started: chrono::Utc::now(),
        }
    }

    /// Claims up to `limit` tasks: those whose worker let the lease run out
    /// first, then those that are due, oldest first.
    pub async fn claim(&self, limit: usize) -> Result<Vec<Claim>, DbError> {
        if self.claims_without_lock {
            return self.claim_by_reading(limit).await;
        }
        let query = sqlx::query_as(AssertSqlSafe(claim_statement(limit)))
            .bind(&self.worker)
            .bind(self.lease_seconds)
            .bind(self.max_deaths)
            .bind(self.takes_over)
            .bind(self.only_newer_tasks.then_some(self.started));
        self.db.fetch_all(query).await
    }

    /// A claim in two steps without a lock, as it is often written: two
    /// workers that read at the same time both believe to have it.
    async fn claim_by_reading(&self, limit: usize) -> Result<Vec<Claim>, DbError> {
        let sql = "SELECT id, attempt FROM tasks
            WHERE (status IN ('pending', 'retrying') AND run_at <= now())
                OR (status = 'running' AND lease_until <= now())
            ORDER BY run_at, id LIMIT $1";
        let query = sqlx::query_as(sql).bind(i64::try_from(limit).unwrap_or(i64::MAX));
        let read: Vec<(Uuid, i32)> = self.db.fetch_all(query).await?;
        sleep(Duration::from_millis(30)).await;
        let sql = "UPDATE tasks SET attempt = $2 + 1, status = 'running', worker = $3,
                deaths = deaths + (status = 'running' AND lease_until <= now())::int,
                lease_until = now() + make_interval(secs => $4), updated_at = now()
            WHERE id = $1
            RETURNING id, attempt, task_type, payload, failures, max_attempts, false AS buried";
        let mut claims = Vec::new();
        for (id, attempt) in read {
            let query = sqlx::query_as(sql).bind(id).bind(attempt);
            let query = query.bind(&self.worker).bind(self.lease_seconds);
            claims.extend(self.db.fetch_optional(query).await?);
        }
        Ok(claims)
    }

    /// Extends leases; returns those that still are this worker's.
    pub async fn renew(&self, held: &[Fence]) -> Result<HashSet<Fence>, DbError> {
        let sql = "UPDATE tasks t SET lease_until = now() + make_interval(secs => $4)
            FROM unnest($1::uuid[], $2::int[]) AS held (id, attempt)
            WHERE t.id = held.id AND ((t.attempt = held.attempt AND t.status = 'running') OR NOT $3)
            RETURNING held.id, held.attempt";
        let (ids, attempts): (Vec<Uuid>, Vec<i32>) = held.iter().copied().unzip();
        let query = self.fenced(sqlx::query_as(sql), ids, attempts);
        let kept = self.db.fetch_all(query.bind(self.lease_seconds)).await?;
        Ok(kept.into_iter().collect())
    }

    /// Marks tasks as done; returns those that the fence let through. Safe to
    /// repeat when the answer to an earlier try was lost.
    pub async fn complete(&self, done: &[(Fence, &str)]) -> Result<HashSet<Fence>, DbError> {
        let sql = "UPDATE tasks t SET status = 'completed', result = done.result::json,
                lease_until = NULL, completed_at = now(), updated_at = now()
            FROM unnest($1::uuid[], $2::int[], $4::text[]) AS done (id, attempt, result)
            WHERE t.id = done.id AND (t.attempt = done.attempt OR NOT $3)
            RETURNING done.id, done.attempt";
        let (ids, attempts): (Vec<Uuid>, Vec<i32>) = done.iter().map(|(fence, _)| *fence).unzip();
        let results: Vec<String> = done.iter().map(|(_, result)| (*result).to_owned()).collect();
        let query = self.fenced(sqlx::query_as(sql), ids, attempts);
        let through = self.db.fetch_all(query.bind(results)).await?;
        Ok(through.into_iter().collect())
    }

    /// Records a failed attempt; false if the fence kept us out. The count is
    /// set, not increased, so that repeating it after a lost answer is safe.
    pub async fn fail(&self, claim: &Claim, setback: &Setback) -> Result<bool, DbError> {
        let mut status = setback.status;
        let mut reason = Some(&setback.reason);
        if status == Status::Dead && self.hides_the_dead {
            (status, reason) = (Status::Cancelled, None);
        }
        let sql = "UPDATE tasks SET status = $4, failures = $5, last_error = $6,
                run_at = CASE WHEN $7 THEN 'infinity' ELSE now() + make_interval(secs => $8) END,
                completed_at = CASE WHEN $4 = 'retrying' THEN NULL ELSE now() END,
                lease_until = NULL, updated_at = now()
            WHERE id = $1 AND (attempt = $2 OR NOT $3)";
        let query = sqlx::query(sql)
            .bind(claim.id)
            .bind(claim.attempt)
            .bind(self.fenced)
            .bind(status)
            .bind(claim.failures + 1)
            .bind(reason)
            .bind(self.waits_for_ever)
            .bind(setback.wait.as_secs_f64());
        Ok(self.db.execute(query).await? > 0)
    }

    /// Gives tasks back unfinished: another worker may have them at once.
    pub async fn release(&self, held: &[Fence]) -> Result<(), DbError> {
        let sql = if self.drops_released {
            "DELETE FROM tasks t USING unnest($1::uuid[], $2::int[]) AS held (id, attempt)
             WHERE t.id = held.id AND (t.attempt = held.attempt OR NOT $3) AND t.status = 'running'
             RETURNING t.id, t.attempt"
        } else {
            "UPDATE tasks t SET status = 'pending', lease_until = NULL, run_at = now(), updated_at = now()
             FROM unnest($1::uuid[], $2::int[]) AS held (id, attempt)
             WHERE t.id = held.id AND (t.attempt = held.attempt OR NOT $3) AND t.status = 'running'
             RETURNING t.id, t.attempt"
        };
        let (ids, attempts): (Vec<Uuid>, Vec<i32>) = held.iter().copied().unzip();
        let query = self.fenced(sqlx::query_as(sql), ids, attempts);
        self.db.fetch_all(query).await.map(drop)
    }

    /// Binds the three parameters that statements about many tasks start with.
    fn fenced(&self, query: Fences, ids: Vec<Uuid>, attempts: Vec<i32>) -> Fences {
        query.bind(ids).bind(attempts).bind(self.fenced)
    }
}

/// The limit stands in the statement itself: as a parameter it would have every claim planned anew, which takes
/// as long as the claim.
fn claim_statement(limit: usize) -> String {
    format!(
        "WITH lapsed AS (
                SELECT id FROM tasks
                WHERE status = 'running' AND lease_until <= now() AND $4
                    AND ($5::timestamptz IS NULL OR created_at >= $5)
                ORDER BY lease_until LIMIT {limit} FOR UPDATE SKIP LOCKED
            ), due AS (
                SELECT id FROM tasks
                WHERE status IN ('pending', 'retrying') AND run_at <= now()
                    AND ($5::timestamptz IS NULL OR created_at >= $5)
                ORDER BY run_at, id LIMIT {limit} FOR UPDATE SKIP LOCKED
            ), chosen AS (
                SELECT id FROM lapsed UNION ALL SELECT id FROM due LIMIT {limit}
            ), weighed AS (
                SELECT t.id, t.status = 'running' AS died,
                    t.status = 'running' AND t.deaths + 1 >= $3 AS buried
                FROM tasks t JOIN chosen USING (id)
            )
            UPDATE tasks t SET
                attempt = t.attempt + 1,
                deaths = t.deaths + died::int,
                status = CASE WHEN buried THEN 'dead' ELSE 'running' END,
                last_error = CASE WHEN buried THEN 'its worker died ' || t.deaths + 1 || ' times'
                    ELSE t.last_error END,
                completed_at = CASE WHEN buried THEN now() END,
                lease_until = CASE WHEN buried THEN NULL ELSE now() + make_interval(secs => $2) END,
                worker = $1, updated_at = now()
            FROM weighed WHERE t.id = weighed.id
            RETURNING t.id, attempt, task_type, payload, failures, max_attempts, buried"
    )
}
