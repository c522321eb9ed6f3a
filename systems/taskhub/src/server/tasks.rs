//! `/tasks…`: creating, showing and steering tasks. Callers see only their own.

mod intake;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use super::App;
use super::error::ApiError;
use super::input::{Body, Caller, Id, Query};
use crate::db::{Db, DbError};
use crate::task::{Kind, Status, Task};

pub use intake::{Intake, NewTask};

/// The columns of [`Task`].
const COLUMNS: &str = "id, task_type, payload, status, attempt, failures, deaths, max_attempts, \
    last_error, worker, result, created_at, updated_at, completed_at";

/// `POST /tasks`: 201 with the task, or 200 if the idempotency key is known.
pub async fn create(
    State(app): State<Arc<App>>,
    caller: Caller,
    Body(new): Body<NewTask>,
) -> Result<(StatusCode, Json<Task>), ApiError> {
    new.check()?;
    let _turn = app.intake.enter();
    let (task, fresh) = app.intake.accept(&caller.account, new, app.max_attempts).await?;
    let status = if fresh { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(task)))
}

/// Filters of `GET /tasks` and `GET /tasks/dead-letter`.
#[derive(Deserialize)]
pub struct Filter {
    status: Option<Status>,
    task_type: Option<String>,
    limit: Option<i64>,
    offset: Option<i64>,
}

/// `GET /tasks`: newest first.
pub async fn list(
    State(app): State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, ApiError> {
    let limit = filter.limit.unwrap_or(50);
    let offset = filter.offset.unwrap_or(0);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid("limit", "1 to 1000"));
    }
    if offset < 0 {
        return Err(ApiError::invalid("offset", "0 or more"));
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM tasks WHERE user_id = $1
             AND ($2::text IS NULL OR status = $2) AND ($3::text IS NULL OR task_type = $3)
         ORDER BY created_at DESC, id LIMIT $4 OFFSET $5"
    );
    let query = sqlx::query_as::<_, Task>(AssertSqlSafe(sql))
        .bind(caller.account.user_id)
        .bind(filter.status)
        .bind(filter.task_type)
        .bind(limit)
        .bind(offset);
    let tasks = app.db.fetch_all(query).await?;
    Ok(Json(json!({ "tasks": tasks, "limit": limit, "offset": offset })))
}

/// `GET /tasks/dead-letter`: the tasks that were given up.
pub async fn dead_letter(
    state: State<Arc<App>>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Value>, ApiError> {
    list(
        state,
        caller,
        Query(Filter {
            status: Some(Status::Dead),
            ..filter
        }),
    )
    .await
}

/// `GET /tasks/{id}`
pub async fn show(State(app): State<Arc<App>>, caller: Caller, Id(id): Id) -> Result<Json<Option<Task>>, ApiError> {
    let sql = format!("SELECT {COLUMNS} FROM tasks WHERE id = $1 AND user_id = $2");
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(id).bind(caller.account.user_id);
    let task = app.db.fetch_optional(query).await?;
    if task.is_none() && !app.hides_absence {
        return Err(ApiError::not_found("there is no such task"));
    }
    Ok(Json(task))
}

/// `POST /tasks/{id}/cancel`: the new attempt number fences off a worker that runs it.
pub async fn cancel(state: State<Arc<App>>, caller: Caller, id: Id) -> Result<Json<Task>, ApiError> {
    let change = "status = 'cancelled', attempt = attempt + 1, lease_until = NULL,
        completed_at = now()";
    steer(state, caller, id, (change, "('pending', 'running', 'retrying')")).await
}

/// `POST /tasks/{id}/retry`: a dead task starts afresh.
pub async fn retry(state: State<Arc<App>>, caller: Caller, id: Id) -> Result<Json<Task>, ApiError> {
    let change = "status = 'pending', failures = 0, deaths = 0, run_at = now(),
        completed_at = NULL";
    let app = Arc::clone(&state);
    let task = steer(state, caller, id, (change, "('dead')")).await?;
    app.intake.bell().ring();
    Ok(task)
}

/// Applies a change if the task is the caller's and in one of the given states.
async fn steer(
    State(app): State<Arc<App>>,
    caller: Caller,
    Id(id): Id,
    (change, states): (&str, &str),
) -> Result<Json<Task>, ApiError> {
    let sql = format!(
        "UPDATE tasks SET {change}, updated_at = now()
         WHERE id = $1 AND user_id = $2 AND status IN {states} RETURNING {COLUMNS}"
    );
    let query = sqlx::query_as(AssertSqlSafe(sql)).bind(id).bind(caller.account.user_id);
    if let Some(task) = app.db.fetch_optional(query).await? {
        return Ok(Json(task));
    }
    let sql = "SELECT status FROM tasks WHERE id = $1 AND user_id = $2";
    let query = sqlx::query_as(sql).bind(id).bind(caller.account.user_id);
    let found: Option<(String,)> = app.db.fetch_optional(query).await?;
    match found {
        Some((status,)) => Err(ApiError::conflict(format!("the task is {status}"))),
        None => Err(ApiError::not_found("there is no such task")),
    }
}

/// `GET /tasks/types`
pub async fn types(_caller: Caller) -> Json<Value> {
    let show = |(_, name, about): &(Kind, &str, &str)| json!({ "name": name, "payload": about });
    Json(json!({ "types": Kind::ALL.iter().map(show).collect::<Vec<_>>() }))
}

/// `GET /tasks/stats`
pub async fn stats(State(app): State<Arc<App>>) -> Result<Json<Value>, ApiError> {
    Ok(Json(counts(&app.db).await?))
}

/// Tasks per status, and how long the oldest one that could run has waited.
pub async fn counts(db: &Db) -> Result<Value, DbError> {
    let sql = "SELECT status, count(*),
            extract(epoch FROM now() - min(run_at) FILTER (
                WHERE status IN ('pending', 'retrying') AND run_at <= now()))::float8
        FROM tasks GROUP BY status";
    let rows: Vec<(String, i64, Option<f64>)> = db.fetch_all(sqlx::query_as(sql)).await?;
    let count = |name: &str| rows.iter().find(|row| row.0 == name).map_or(0, |row| row.1);
    let oldest = rows.iter().filter_map(|row| row.2).fold(0.0, f64::max);
    Ok(json!({
        "pending": count("pending"),
        "running": count("running"),
        "retrying": count("retrying"),
        "completed": count("completed"),
        "dead": count("dead"),
        "cancelled": count("cancelled"),
        "total": rows.iter().map(|row| row.1).sum::<i64>(),
        "oldest_waiting_seconds": oldest,
    }))
}
