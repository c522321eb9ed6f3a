//! The server: `POST /jobs`, `GET /jobs/{id}`, `GET /health`.

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::queue::Queue;
use crate::say;
use crate::values::Values;

/// What requests need.
type Means = State<(Queue, Values)>;

pub(crate) type Answer = (StatusCode, Json<Value>);

/// Takes jobs until it is ended.
pub(crate) async fn open(listen: &str, queue: Queue, values: Values) -> Result<(), String> {
    let router = Router::new()
        .route("/jobs", post(add))
        .route("/jobs/{id}", get(show))
        .route("/health", get(health))
        .with_state((queue, values));
    serve(listen, router).await
}

/// Serves until it is ended.
pub(crate) async fn serve(listen: &str, router: Router) -> Result<(), String> {
    let listener = tokio::net::TcpListener::bind(listen).await;
    let listener = listener.map_err(|error| format!("can't listen on {listen}: {error}"))?;
    say(&format!("listening on {listen}"));
    axum::serve(listener, router).await.map_err(|error| error.to_string())
}

pub(crate) fn refused(status: StatusCode, why: &str) -> Answer {
    (status, Json(json!({ "error": why })))
}

/// `then`, where the database answered.
pub(crate) fn answered<T>(answer: Result<T, String>, then: impl FnOnce(T) -> Answer) -> Answer {
    match answer {
        Ok(answer) => then(answer),
        Err(away) => refused(StatusCode::SERVICE_UNAVAILABLE, &away),
    }
}

async fn add(State((queue, values)): Means, body: Result<Json<Value>, JsonRejection>) -> Answer {
    match body {
        Ok(Json(payload)) if payload.is_object() => answered(values.add(&queue, &payload).await, |id| {
            (StatusCode::CREATED, Json(json!({ "id": id })))
        }),
        _ => refused(StatusCode::BAD_REQUEST, "a job is a JSON object"),
    }
}

async fn show(State((queue, values)): Means, Path(id): Path<i64>) -> Answer {
    answered(values.show(&queue, id).await, |job| match job {
        Some((state, attempts, payload)) => {
            let job = json!({ "id": id, "state": state, "attempts": attempts, "payload": payload });
            (StatusCode::OK, Json(job))
        }
        None => refused(StatusCode::NOT_FOUND, "there is no such job"),
    })
}

async fn health(State((queue, _)): Means) -> Answer {
    answered(queue.there().await, |()| {
        (StatusCode::OK, Json(json!({ "ready": true })))
    })
}
