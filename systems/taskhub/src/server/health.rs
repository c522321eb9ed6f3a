//! `/health…`: what can be relied on right now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{App, tasks};
use crate::breaker::Breakers;
use crate::bug::Bug;
use crate::db::Db;
use crate::settings::Settings;

/// What the health endpoints say about the database.
pub struct Report {
    db: Db,
    asks: bool,
}

impl Report {
    /// Reports what the health check of `db` last saw.
    pub fn new(db: Db, settings: &Settings) -> Self {
        Self {
            db,
            asks: !settings.has(Bug::HealthLies),
        }
    }

    /// Why requests can't be served, or `None` if they can.
    fn trouble(&self) -> Option<String> {
        if self.asks { self.db.health().outage() } else { None }
    }
}

/// `GET /health`
pub async fn overall(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let version = env!("CARGO_PKG_VERSION");
    match app.report.trouble() {
        None => (StatusCode::OK, Json(json!({ "status": "healthy", "version": version }))),
        Some(reason) => {
            let body = json!({ "status": "unhealthy", "version": version, "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}

/// `GET /health/live`
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "alive" }))
}

/// `GET /health/ready`
pub async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    match app.report.trouble() {
        None => (StatusCode::OK, Json(json!({ "status": "ready" }))),
        Some(reason) => {
            let body = json!({ "status": "not_ready", "reason": reason });
            (StatusCode::SERVICE_UNAVAILABLE, Json(body))
        }
    }
}

/// `GET /health/detailed`: as much as can be found out.
pub async fn detailed(State(app): State<Arc<App>>) -> (StatusCode, Json<Value>) {
    let trouble = app.report.trouble();
    let (queue, breakers) = tokio::join!(tasks::counts(&app.db), Breakers::all(&app.db));
    let breakers = breakers.map(|rows| {
        let show = |row: &crate::breaker::Row| {
            json!({
                "task_type": row.task_type,
                "state": row.state.name(),
                "failures": row.failures,
                "open_until": row.open_until,
            })
        };
        rows.iter().map(show).collect::<Vec<_>>()
    });
    let (in_use, idle) = app.db.connections();
    let body = json!({
        "status": if trouble.is_none() { "healthy" } else { "unhealthy" },
        "version": env!("CARGO_PKG_VERSION"),
        "database": {
            "status": if trouble.is_none() { "up" } else { "down" },
            "reason": trouble,
            "connections": { "in_use": in_use, "idle": idle },
        },
        "queue": queue.ok(),
        "breakers": breakers.ok(),
    });
    let code = if trouble.is_none() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (code, Json(body))
}
