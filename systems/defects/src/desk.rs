//! The desk: counters, locks and what each guards, over HTTP. `POST` and `GET /counters/{name}`; `POST` and
//! `DELETE /locks/{name}`; `POST` and `GET /ledgers/{name}`; `GET /health`.

use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::server::{Answer, answered, refused, serve};
use crate::store::Store;
use crate::{Add, Append};

/// No question takes longer: a desk that stood still for a while does not think that it was the database.
pub(crate) const BOUND: Duration = Duration::from_secs(10);

/// `fences` has the greatest token that appended to each ledger.
pub(crate) const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value BIGINT NOT NULL);
    CREATE TABLE IF NOT EXISTS locks (
        name TEXT PRIMARY KEY, token BIGINT NOT NULL, held_until TIMESTAMPTZ NOT NULL);
    CREATE TABLE IF NOT EXISTS fences (name TEXT PRIMARY KEY, token BIGINT NOT NULL);
    CREATE TABLE IF NOT EXISTS ledgers (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name TEXT NOT NULL, mark TEXT NOT NULL, token BIGINT NOT NULL);";

/// How a desk works.
#[derive(Clone, clap::Args)]
pub(crate) struct Settings {
    /// Where to listen.
    #[arg(long)]
    listen: String,
    /// How one is added to a counter.
    #[arg(long)]
    add: Add,
    /// How long a lock stays with who acquired it: `1s`, `150ms`.
    #[arg(long, value_parser = crate::length)]
    lease: Duration,
    /// How something is appended to what a lock guards.
    #[arg(long)]
    append: Append,
}

#[derive(Clone)]
struct Desk {
    settings: Settings,
    store: Store,
}

/// Serves until it is ended.
pub(crate) async fn open(settings: Settings, store: Store) -> Result<(), String> {
    let listen = settings.listen.clone();
    let router = Router::new()
        .route("/counters/{name}", post(add).get(value))
        .route("/locks/{name}", post(acquire).delete(release))
        .route("/ledgers/{name}", post(append).get(ledger))
        .route("/health", get(health))
        .with_state(Desk { settings, store });
    serve(&listen, router).await
}

async fn add(State(desk): State<Desk>, Path(name): Path<String>) -> Answer {
    answered(desk.add(&name).await, |value| {
        (StatusCode::OK, Json(json!({ "value": value })))
    })
}

async fn value(State(desk): State<Desk>, Path(name): Path<String>) -> Answer {
    answered(desk.value(&name).await, |value| {
        (StatusCode::OK, Json(json!({ "value": value.unwrap_or(0) })))
    })
}

async fn acquire(State(desk): State<Desk>, Path(name): Path<String>) -> Answer {
    answered(desk.acquire(&name).await, |token| match token {
        Some(token) => (StatusCode::CREATED, Json(json!({ "token": token }))),
        None => refused(StatusCode::CONFLICT, "the lock is held"),
    })
}

async fn release(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Answer {
    let Some(token) = body.ok().and_then(|Json(body)| body["token"].as_i64()) else {
        return refused(StatusCode::BAD_REQUEST, "whoever gives a lock back says its token");
    };
    answered(desk.release(&name, token).await, |released| match released {
        true => (StatusCode::OK, Json(json!({ "released": true }))),
        false => refused(StatusCode::CONFLICT, "the lock is another's"),
    })
}

async fn append(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    body: Result<Json<Value>, JsonRejection>,
) -> Answer {
    let body = body.map(|Json(body)| body).unwrap_or_default();
    let (Some(token), Some(mark)) = (body["token"].as_i64(), body["mark"].as_str()) else {
        return refused(StatusCode::BAD_REQUEST, "whoever appends says a token and a mark");
    };
    answered(desk.append(&name, token, mark).await, |appended| match appended {
        true => (StatusCode::CREATED, Json(json!({ "mark": mark }))),
        false => refused(StatusCode::CONFLICT, "a later holder has appended"),
    })
}

async fn ledger(State(desk): State<Desk>, Path(name): Path<String>) -> Answer {
    answered(desk.ledger(&name).await, |entries| {
        (StatusCode::OK, Json(json!({ "entries": entries })))
    })
}

async fn health(State(desk): State<Desk>) -> Answer {
    answered(desk.store.ask("SELECT 1 FROM counters LIMIT 1", &[]).await, |_| {
        (StatusCode::OK, Json(json!({ "ready": true })))
    })
}

impl Desk {
    async fn value(&self, name: &str) -> Result<Option<i64>, String> {
        let rows = self
            .store
            .ask("SELECT value FROM counters WHERE name = $1", &[&name])
            .await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Adds one: the value after it.
    async fn add(&self, name: &str) -> Result<i64, String> {
        let rows = match self.settings.add {
            Add::InPlace => {
                let sql = "INSERT INTO counters VALUES ($1, 1)
                    ON CONFLICT (name) DO UPDATE SET value = counters.value + 1 RETURNING value";
                self.store.ask(sql, &[&name]).await?
            }
            Add::ReadThenWrite => {
                let next = self.value(name).await?.unwrap_or(0) + 1;
                let sql = "INSERT INTO counters VALUES ($1, $2)
                    ON CONFLICT (name) DO UPDATE SET value = $2 RETURNING value";
                self.store.ask(sql, &[&name, &next]).await?
            }
        };
        rows.first().map(|row| row.get(0)).ok_or_else(|| "no value".to_owned())
    }

    /// Takes a lock that is free, or whose lease is over: its token. Tokens grow.
    async fn acquire(&self, name: &str) -> Result<Option<i64>, String> {
        let lease = self.settings.lease.as_secs_f64();
        let sql = "INSERT INTO locks VALUES ($1, 1, now() + make_interval(secs => $2))
            ON CONFLICT (name) DO UPDATE SET token = locks.token + 1, held_until = now() + make_interval(secs => $2)
            WHERE locks.held_until < now() RETURNING token";
        let rows = self.store.ask(sql, &[&name, &lease]).await?;
        Ok(rows.first().map(|row| row.get(0)))
    }

    /// Gives a lock back, where it is still of this token; whether it was.
    async fn release(&self, name: &str, token: i64) -> Result<bool, String> {
        let sql = "UPDATE locks SET held_until = '-infinity' WHERE name = $1 AND token = $2 RETURNING token";
        Ok(!self.store.ask(sql, &[&name, &token]).await?.is_empty())
    }

    /// Appends to what a lock guards; whether it was granted.
    async fn append(&self, name: &str, token: i64, mark: &str) -> Result<bool, String> {
        let sql = match self.settings.append {
            Append::Fenced => {
                "WITH fence AS (
                    INSERT INTO fences VALUES ($1, $2)
                    ON CONFLICT (name) DO UPDATE SET token = $2 WHERE fences.token <= $2 RETURNING name)
                INSERT INTO ledgers (name, mark, token) SELECT name, $3, $2 FROM fence RETURNING id"
            }
            Append::Unfenced => "INSERT INTO ledgers (name, mark, token) VALUES ($1, $3, $2) RETURNING id",
        };
        Ok(!self.store.ask(sql, &[&name, &token, &mark]).await?.is_empty())
    }

    /// What was appended, in its order.
    async fn ledger(&self, name: &str) -> Result<Vec<Value>, String> {
        let sql = "SELECT mark, token FROM ledgers WHERE name = $1 ORDER BY id";
        let rows = self.store.ask(sql, &[&name]).await?;
        let entry = |row: &tokio_postgres::Row| {
            let (mark, token): (&str, i64) = (row.get(0), row.get(1));
            json!({ "mark": mark, "token": token })
        };
        Ok(rows.iter().map(entry).collect())
    }
}
