//! The desk: takes jobs over HTTP and shows them. Every answer is in an envelope: `{"data": …}` or `{"error": …}`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use crate::runner::KINDS;
use crate::store::{Away, Filed, Store};
use crate::{Bug, log};

const DOCUMENT: &str = include_str!("../openapi.json");

struct Desk {
    store: Store,
    key: String,
    bug: Option<Bug>,
    filed: AtomicU64,
}

/// A refusal: status, and why.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": { "message": self.1 } }))).into_response()
    }
}

impl From<Away> for Refusal {
    fn from(away: Away) -> Self {
        Self(
            StatusCode::SERVICE_UNAVAILABLE,
            format!("the database is away: {}", away.0),
        )
    }
}

type Answer = Result<Response, Refusal>;

/// Serves until it is ended.
pub(crate) async fn serve(address: &str, store: Store, key: String, bug: Option<Bug>) -> Result<(), String> {
    let desk = Arc::new(Desk {
        store,
        key,
        bug,
        filed: AtomicU64::new(0),
    });
    let jobs = Router::new()
        .route("/v1/jobs", get(list).post(file))
        .route("/v1/jobs/{number}", get(show))
        .route("/v1/kinds", get(kinds))
        .route_layer(from_fn_with_state(desk.clone(), keyed));
    let router = jobs
        .route("/livez", get(async || data(StatusCode::OK, json!("alive"))))
        .route("/readyz", get(ready))
        .route(
            "/openapi.json",
            get(async || ([(CONTENT_TYPE, "application/json")], DOCUMENT)),
        )
        .with_state(desk);
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|error| format!("can't listen on {address}: {error}"))?;
    log::line(&format!("the desk is open on {address}"));
    axum::serve(listener, router).await.map_err(|error| error.to_string())
}

fn data(status: StatusCode, data: impl Into<Value>) -> Response {
    (status, Json(json!({ "data": data.into() }))).into_response()
}

async fn keyed(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Answer {
    let key = request.headers().get("x-desk-key").map(|key| key.as_bytes());
    match key == Some(desk.key.as_bytes()) {
        true => Ok(next.run(request).await),
        false => Err(Refusal(
            StatusCode::UNAUTHORIZED,
            "x-desk-key is missing or wrong".to_owned(),
        )),
    }
}

async fn ready(State(desk): State<Arc<Desk>>) -> Answer {
    desk.store.there().await?;
    Ok(data(StatusCode::OK, "ready"))
}

async fn kinds() -> Response {
    data(StatusCode::OK, KINDS.to_vec())
}

async fn list(State(desk): State<Arc<Desk>>) -> Answer {
    Ok(data(StatusCode::OK, desk.store.list().await?))
}

async fn show(State(desk): State<Arc<Desk>>, Path(number): Path<String>) -> Answer {
    let wrong = |_| Refusal(StatusCode::BAD_REQUEST, format!("`{number}` is no number"));
    match desk.store.show(number.parse().map_err(wrong)?).await? {
        Some(job) => Ok(data(StatusCode::OK, job)),
        None => Err(Refusal(StatusCode::NOT_FOUND, format!("there is no job {number}"))),
    }
}

async fn file(State(desk): State<Arc<Desk>>, body: Result<Json<Value>, JsonRejection>) -> Answer {
    let wrong = |why: &str| Refusal(StatusCode::BAD_REQUEST, why.to_owned());
    let Json(body) = body.map_err(|error| wrong(&error.body_text()))?;
    let kind = body["kind"].as_str().filter(|kind| KINDS.contains(kind));
    let kind = kind.ok_or_else(|| wrong("`kind` must be one of /v1/kinds"))?;
    let args = Some(&body["args"]).filter(|args| args.is_object());
    let args = args.ok_or_else(|| wrong("`args` must be an object"))?;
    let count = desk.filed.fetch_add(1, Ordering::Relaxed);
    let lost = desk.bug == Some(Bug::Loses) && count % 5 == 4;
    match desk.store.file(kind, args, body["reference"].as_str(), lost).await? {
        Filed::New(job) => Ok(data(StatusCode::CREATED, job)),
        Filed::Known(job) => Ok(data(StatusCode::OK, job)),
    }
}
