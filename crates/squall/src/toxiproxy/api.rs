//! Addresses, codes and bodies, as Toxiproxy has them.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::VERSION;
use super::proxies::Proxies;
use super::spec::Refused;

type All = State<Arc<Mutex<Proxies>>>;
type Answer = Result<Response, Refused>;

pub(super) fn routes(proxies: Arc<Mutex<Proxies>>, with_metrics: bool) -> Router {
    let router = Router::new()
        .route("/version", get(version))
        .route("/reset", post(reset))
        .route("/populate", post(populate))
        .route("/proxies", get(index).post(create))
        .route("/proxies/{proxy}", get(show).post(update).patch(update).delete(remove))
        .route("/proxies/{proxy}/toxics", get(toxics).post(add_toxic))
        .route(
            "/proxies/{proxy}/toxics/{toxic}",
            get(toxic).post(update_toxic).patch(update_toxic).delete(remove_toxic),
        );
    let router = match with_metrics {
        true => router.route("/metrics", get(metrics)),
        false => router,
    };
    router.layer(from_fn(each_request)).with_state(proxies)
}

/// Keeps browsers out, so that no page can change what happens here, and numbers requests.
async fn each_request(request: Request, next: Next) -> Response {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let agent = request.headers().get(header::USER_AGENT);
    let mut response = match agent.is_some_and(|agent| agent.as_bytes().starts_with(b"Mozilla/")) {
        true => (StatusCode::FORBIDDEN, "User agent not allowed\n").into_response(),
        false => next.run(request).await,
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let name = "x-toxiproxy-request-id";
    response.headers_mut().insert(name, HeaderValue::from(number));
    response
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = format!("{}\n", json!({ "error": self.error, "status": self.status }));
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain; charset=utf-8"),
        );
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        (status(self.status), headers, body).into_response()
    }
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn read(body: &Bytes) -> Result<Value, Refused> {
    serde_json::from_slice(body).map_err(|error| Refused::body(&error.to_string()))
}

fn answer(code: StatusCode, body: &Value) -> Response {
    let json = [(header::CONTENT_TYPE, "application/json")];
    (code, json, body.to_string()).into_response()
}

async fn version() -> Response {
    let json = [(header::CONTENT_TYPE, "application/json;charset=utf-8")];
    (json, format!("{{\"version\": \"{VERSION}\"}}\n")).into_response()
}

async fn reset(State(all): All) -> Answer {
    all.lock().await.reset().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn populate(State(all): All, body: Bytes) -> Answer {
    let body = match read(&body) {
        Ok(body) => body,
        Err(refused) => return Ok(populated(&[], Some(&refused))),
    };
    let (proxies, refused) = all.lock().await.populate(&body).await;
    Ok(populated(&proxies, refused.as_ref()))
}

fn populated(proxies: &[Value], refused: Option<&Refused>) -> Response {
    match refused {
        None => answer(StatusCode::CREATED, &json!({ "proxies": proxies })),
        Some(refused) => {
            let body = json!({ "error": refused.error, "status": refused.status, "proxies": proxies });
            answer(status(refused.status), &body)
        }
    }
}

async fn index(State(all): All) -> Response {
    answer(StatusCode::OK, &all.lock().await.json())
}

async fn create(State(all): All, body: Bytes) -> Answer {
    let made = all.lock().await.create(&read(&body)?).await?;
    Ok(answer(StatusCode::CREATED, &made))
}

async fn show(State(all): All, Path(proxy): Path<String>) -> Answer {
    Ok(answer(StatusCode::OK, &all.lock().await.show(&proxy)?))
}

async fn update(State(all): All, Path(proxy): Path<String>, body: Bytes) -> Answer {
    let mut all = all.lock().await;
    all.show(&proxy)?;
    Ok(answer(StatusCode::OK, &all.update(&proxy, &read(&body)?).await?))
}

async fn remove(State(all): All, Path(proxy): Path<String>) -> Answer {
    all.lock().await.remove(&proxy).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn toxics(State(all): All, Path(proxy): Path<String>) -> Answer {
    Ok(answer(StatusCode::OK, &all.lock().await.toxics(&proxy)?))
}

async fn add_toxic(State(all): All, Path(proxy): Path<String>, body: Bytes) -> Answer {
    let mut all = all.lock().await;
    all.show(&proxy)?;
    Ok(answer(StatusCode::OK, &all.add_toxic(&proxy, &read(&body)?).await?))
}

async fn toxic(State(all): All, Path((proxy, toxic)): Path<(String, String)>) -> Answer {
    Ok(answer(StatusCode::OK, &all.lock().await.toxic(&proxy, &toxic)?))
}

async fn update_toxic(State(all): All, Path((proxy, toxic)): Path<(String, String)>, body: Bytes) -> Answer {
    let mut all = all.lock().await;
    all.toxic(&proxy, &toxic)?;
    Ok(answer(
        StatusCode::OK,
        &all.update_toxic(&proxy, &toxic, &read(&body)?).await?,
    ))
}

async fn remove_toxic(State(all): All, Path((proxy, toxic)): Path<(String, String)>) -> Answer {
    all.lock().await.remove_toxic(&proxy, &toxic).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Bytes that were received and sent, in the text format of Prometheus.
async fn metrics(State(all): All) -> Response {
    let mut text = String::new();
    for what in ["received", "sent"] {
        let name = format!("toxiproxy_proxy_{what}_bytes_total");
        _ = writeln!(text, "# TYPE {name} counter");
        for (proxy, listener, upstream, stats) in all.lock().await.stats() {
            for (direction, bytes) in [("upstream", stats.bytes_up), ("downstream", stats.bytes_down)] {
                let labels =
                    format!("direction={direction:?},proxy={proxy:?},listener={listener:?},upstream={upstream:?}");
                _ = writeln!(text, "{name}{{{labels}}} {bytes}");
            }
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
