//! The HTTP API.

mod access;
mod accounts;
mod bell;
mod error;
mod health;
mod input;
mod metrics;
mod openapi;
mod password;
mod session;
mod tasks;

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use crate::bug::Bug;
use crate::db::Db;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use access::AccessLog;
use bell::Bell;
use error::ApiError;
use health::Report;
use metrics::Metrics;
use session::Sessions;
use tasks::Intake;

/// Largest request body.
const BODY: usize = 64 * 1024;

/// What the handlers share.
struct App {
    db: Db,
    sessions: Sessions,
    report: Report,
    intake: Intake,
    metrics: Metrics,
    access: AccessLog,
    request_limit: Duration,
    max_attempts: i32,
    hides_absence: bool,
}

/// Serves until asked to stop, then lets open requests finish within the grace.
///
/// It listens before the database answers: a server that can say "not ready"
/// is easier to operate than one that isn't there.
pub async fn run(settings: Settings, listen: SocketAddr, shutdown: Shutdown) -> std::io::Result<()> {
    let db = Db::start(&settings);
    dawdle(&db, &settings).await;
    tokio::spawn(note_start(db.clone()));
    let app = Arc::new(App {
        sessions: Sessions::new(db.clone(), &settings),
        report: Report::new(db.clone(), &settings),
        intake: Intake::new(db.clone(), Bell::start(db.clone()), &settings),
        metrics: Metrics::default(),
        access: AccessLog::start(&settings)?,
        request_limit: settings.database.request,
        max_attempts: settings.server.max_attempts,
        hides_absence: settings.has(Bug::WrongStatus),
        db,
    });
    let limit = if settings.has(Bug::UnboundedMemory) {
        DefaultBodyLimit::disable()
    } else {
        DefaultBodyLimit::max(BODY)
    };
    let listener = TcpListener::bind(listen).await?;
    tracing::info!(address = %listener.local_addr()?, "server listens");
    // Small answers must not wait for the acknowledgement of earlier ones.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stop = shutdown.clone();
    let serve =
        axum::serve(listener, router(app).layer(limit)).with_graceful_shutdown(async move { stop.wait().await });
    tokio::select! {
        outcome = serve.into_future() => outcome,
        () = async { shutdown.wait().await; sleep(settings.shutdown).await } => Ok(()),
    }
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/health", get(health::overall))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
        .route("/health/detailed", get(health::detailed))
        .route("/auth/register", post(accounts::register))
        .route("/auth/login", post(accounts::login))
        .route("/auth/me", get(accounts::me))
        .route("/auth/refresh", post(accounts::refresh))
        .route("/auth/logout", post(accounts::logout))
        .route("/tasks", post(tasks::create).get(tasks::list))
        .route("/tasks/stats", get(tasks::stats))
        .route("/tasks/dead-letter", get(tasks::dead_letter))
        .route("/tasks/types", get(tasks::types))
        .route("/tasks/{id}", get(tasks::show))
        .route("/tasks/{id}/cancel", post(tasks::cancel))
        .route("/tasks/{id}/retry", post(tasks::retry))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
        .fallback(async || ApiError::not_found("there is no such path"))
        .method_not_allowed_fallback(async || ApiError::method_not_allowed())
        .layer(from_fn_with_state(Arc::clone(&app), bounded))
        .with_state(app)
}

/// Answers within the request limit, whatever the handler waits for. A dropped
/// handler closes the connection it was using, see `db/pool.rs`.
async fn bounded(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = match timeout(app.request_limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::unavailable("the request took too long").into_response(),
    };
    let took = begun.elapsed();
    app.metrics.count(response.status(), took);
    app.access.note(&method, &path, response.status(), took);
    response
}

/// Notes in the database that a server started.
async fn note_start(db: Db) {
    db.health().wait_up().await;
    // The note is for people; a failure to leave it is not worth a retry.
    let _ = db.execute(sqlx::query("INSERT INTO starts DEFAULT VALUES")).await;
}

/// Waits before listening as planted defects demand; a sound server does not.
async fn dawdle(db: &Db, settings: &Settings) {
    let (sql, most) = match settings.bug {
        Some(Bug::SlowStart) => (
            "SELECT 40000 * count(*) FROM (SELECT 1 FROM tasks LIMIT 1) AS any_task",
            40,
        ),
        Some(Bug::SlowerEveryRestart) => ("SELECT 700 * count(*) FROM starts", 30),
        _ => return,
    };
    db.health().wait_up().await;
    let answer: Result<Option<(i64,)>, _> = db.fetch_optional(sqlx::query_as(sql)).await;
    let millis = answer.ok().flatten().map_or(0, |(millis,)| millis.unsigned_abs());
    sleep(Duration::from_millis(millis).min(Duration::from_secs(most))).await;
}
