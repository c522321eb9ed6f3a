//! The queue: one table, and all that is asked of it.

use std::time::Duration;

use serde_json::Value;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::store::Store;
use crate::values::checksum;
use crate::{Claim, Done, Lease};

/// No question takes longer.
pub(crate) const BOUND: Duration = Duration::from_millis(1500);

/// What it needs.
pub(crate) const TABLES: &str = "CREATE TABLE IF NOT EXISTS jobs (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payload TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'ready',
    attempts INT NOT NULL DEFAULT 0,
    leased_until TIMESTAMPTZ,
    key TEXT UNIQUE,
    sum TEXT CHECK (sum = encode(sha256(convert_to(key || payload, 'UTF8')), 'hex'))
);";

/// What may be taken. Without a lease `leased_until` is NULL, and a running job is never taken over.
const FREE: &str = "SELECT id FROM jobs WHERE state = 'ready' OR (state = 'running' AND leased_until < now())
    ORDER BY id LIMIT 1";
/// What taking does.
const TAKEN: &str = "UPDATE jobs SET state = 'running', attempts = attempts + 1,
    leased_until = now() + make_interval(secs => $1)";

/// A job's state, attempts and payload.
pub(crate) type Shown = (String, i32, Value);

/// A job in a worker's hands.
pub(crate) struct Job {
    pub(crate) id: i64,
    /// Counted from 1. Nobody else's is the same, so it shows whose the job is.
    pub(crate) attempt: i32,
    pub(crate) payload: Value,
}

/// The queue.
#[derive(Clone)]
pub(crate) struct Queue(pub(crate) Store);

impl Queue {
    async fn ask(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, String> {
        self.0.ask(sql, values).await
    }

    /// Whether it can be asked.
    pub(crate) async fn there(&self) -> Result<(), String> {
        self.ask("SELECT 1 FROM jobs LIMIT 1", &[]).await.map(drop)
    }

    /// Stores a job: its id.
    pub(crate) async fn add(&self, payload: &Value) -> Result<i64, String> {
        let sql = "INSERT INTO jobs (payload) VALUES ($1) RETURNING id";
        let rows = self.ask(sql, &[&payload.to_string()]).await?;
        rows.first().map(|row| row.get(0)).ok_or_else(|| "no id".to_owned())
    }

    /// The same, where what arrives is what was sent, and so is the answer.
    pub(crate) async fn add_checked(&self, payload: &Value, key: &str) -> Result<i64, String> {
        let sql = "INSERT INTO jobs (payload, key, sum) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET key = $2
            RETURNING id, encode(sha256(convert_to(id || key, 'UTF8')), 'hex')";
        let payload = payload.to_string();
        let sum = checksum(&format!("{key}{payload}"));
        let rows = self.ask(sql, &[&payload, &key, &sum]).await?;
        let row = rows.first().ok_or("no id")?;
        let id: i64 = row.try_get(0).map_err(|error| error.to_string())?;
        trusted(row, 1, &format!("{id}{key}")).map(|()| id)
    }

    /// A job's state, attempts and payload.
    pub(crate) async fn show(&self, id: i64) -> Result<Option<Shown>, String> {
        let sql = "SELECT state, attempts, payload FROM jobs WHERE id = $1";
        let rows = self.ask(sql, &[&id]).await?;
        Ok(rows.first().map(|row| (row.get(0), row.get(1), parsed(row, 2))))
    }

    /// The same, where the answer is about that job, and what arrives is what was sent.
    pub(crate) async fn show_checked(&self, id: i64) -> Result<Option<Shown>, String> {
        let sql = "SELECT state, attempts, payload, key, sum,
            encode(sha256(convert_to(id || state || attempts || payload, 'UTF8')), 'hex') FROM jobs WHERE id = $1
            UNION ALL SELECT '', 0, '', '', '', encode(sha256(convert_to('none ' || $1::bigint, 'UTF8')), 'hex')
            WHERE NOT EXISTS (SELECT FROM jobs WHERE id = $1)";
        let rows = self.ask(sql, &[&id]).await?;
        let row = rows.first().ok_or("no answer")?;
        let text = |column: usize| row.try_get::<_, &str>(column).map_err(|error| error.to_string());
        let (state, payload) = (text(0)?, text(2)?);
        let attempts: i32 = row.try_get(1).map_err(|error| error.to_string())?;
        if state.is_empty() {
            return trusted(row, 5, &format!("none {id}")).map(|()| None);
        }
        trusted(row, 5, &format!("{id}{state}{attempts}{payload}"))?;
        trusted(row, 4, &format!("{}{payload}", text(3)?))?;
        Ok(Some((state.to_owned(), attempts, parsed(row, 2))))
    }

    /// Takes the oldest job there is to take.
    pub(crate) async fn claim(&self, how: Claim, lease: Lease) -> Result<Option<Job>, String> {
        let lease = lease.0.map(|lease| lease.as_secs_f64());
        let rows = match how {
            Claim::Locked => {
                let sql = format!("{TAKEN} WHERE id = ({FREE} FOR UPDATE SKIP LOCKED) RETURNING id, attempts, payload");
                self.ask(&sql, &[&lease]).await?
            }
            Claim::ReadThenUpdate => {
                let Some(id) = self.ask(FREE, &[]).await?.first().map(|row| row.get::<_, i64>(0)) else {
                    return Ok(None);
                };
                let sql = format!("{TAKEN} WHERE id = $2 RETURNING id, attempts, payload");
                self.ask(&sql, &[&lease, &id]).await?
            }
        };
        Ok(rows.first().map(|row| Job {
            id: row.get(0),
            attempt: row.get(1),
            payload: parsed(row, 2),
        }))
    }

    /// A sign of life: the job stays for another lease, where it is still this attempt's.
    pub(crate) async fn renew(&self, job: &Job, lease: Duration) -> Result<(), String> {
        let sql = "UPDATE jobs SET leased_until = now() + make_interval(secs => $3)
            WHERE id = $1 AND attempts = $2 AND state = 'running'";
        let values: [&(dyn ToSql + Sync); 3] = [&job.id, &job.attempt, &lease.as_secs_f64()];
        self.ask(sql, &values).await.map(drop)
    }

    /// Ends an attempt in `state`; whether that was granted. May be asked again: an answer can be lost.
    pub(crate) async fn end(&self, job: &Job, state: &str, how: Done) -> Result<bool, String> {
        let unchecked = how == Done::Unchecked;
        let sql = "UPDATE jobs SET state = $2, leased_until = NULL
            WHERE id = $1 AND ($4 OR (attempts = $3 AND state IN ('running', $2))) RETURNING id";
        let values: [&(dyn ToSql + Sync); 4] = [&job.id, &state, &job.attempt, &unchecked];
        Ok(!self.ask(sql, &values).await?.is_empty())
    }
}

/// Whether a column holds the checksum of a text.
fn trusted(row: &Row, column: usize, text: &str) -> Result<(), String> {
    match row.try_get::<_, &str>(column) {
        Ok(sum) if sum == checksum(text) => Ok(()),
        Ok(_) | Err(_) => Err("the answer has not its checksum".to_owned()),
    }
}

fn parsed(row: &Row, column: usize) -> Value {
    serde_json::from_str(row.get(column)).unwrap_or_default()
}
