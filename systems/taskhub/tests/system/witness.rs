//! A ledger outside the system, as a test tool would keep one.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{Duration, Instant, sleep};

use crate::process::PATIENCE;

type Events = Arc<Mutex<Vec<Value>>>;

/// Collects what workers post.
pub struct Witness {
    /// The address for `WITNESS_URL`.
    pub url: String,
    events: Events,
}

impl Witness {
    /// Starts to collect; ends with the test's runtime.
    pub async fn start() -> Self {
        let events = Events::default();
        let router = Router::new()
            .route("/events", post(note))
            .with_state(Arc::clone(&events));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, events }
    }

    /// `event/attempt/worker` of everything posted about a task, in order.
    pub fn about(&self, task: &str) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let line = |event: &Value| {
            let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
            format!("{}/{}/{}", text("event"), event["attempt"], text("worker"))
        };
        events.iter().filter(|event| event["task"] == task).map(line).collect()
    }

    /// The whole event, if it was posted.
    pub fn find(&self, task: &str, name: &str) -> Option<Value> {
        let events = self.events.lock().unwrap();
        events
            .iter()
            .find(|event| event["task"] == task && event["event"] == name)
            .cloned()
    }

    /// Waits until this line was posted about the task.
    pub async fn wait_for(&self, task: &str, line: &str) {
        let begun = Instant::now();
        while !self.about(task).iter().any(|seen| seen == line) {
            assert!(begun.elapsed() < PATIENCE, "no {line} in {:?}", self.about(task));
            sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn note(State(events): State<Events>, Json(event): Json<Value>) -> StatusCode {
    events.lock().unwrap().push(event);
    StatusCode::OK
}
