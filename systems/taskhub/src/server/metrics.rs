//! `GET /metrics`: numbers in the Prometheus text format.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::Value;

use super::{App, tasks};

/// What was answered so far.
#[derive(Default)]
pub struct Metrics {
    /// By hundreds: index 2 counts 200-299.
    answers: [AtomicU64; 6],
    micros: AtomicU64,
}

impl Metrics {
    /// Counts an answer and the time it took.
    pub fn count(&self, status: StatusCode, took: Duration) {
        if let Some(class) = self.answers.get(usize::from(status.as_u16() / 100)) {
            class.fetch_add(1, Ordering::Relaxed);
        }
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }

    fn render(&self) -> String {
        let mut text = String::new();
        let mut total = 0;
        // Writing to a string can't fail, here and below.
        let _ = writeln!(text, "# TYPE taskhub_http_requests_total counter");
        for (class, count) in self.answers.iter().enumerate().skip(1) {
            let count = count.load(Ordering::Relaxed);
            total += count;
            let _ = writeln!(text, "taskhub_http_requests_total{{status=\"{class}xx\"}} {count}");
        }
        let seconds = Duration::from_micros(self.micros.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "# TYPE taskhub_http_request_seconds summary");
        let _ = writeln!(text, "taskhub_http_request_seconds_sum {seconds}");
        let _ = writeln!(text, "taskhub_http_request_seconds_count {total}");
        text
    }
}

/// `GET /metrics`; without a database the queue's numbers are left out.
pub async fn show(State(app): State<Arc<App>>) -> impl IntoResponse {
    let mut text = app.metrics.render();
    let (in_use, idle) = app.db.connections();
    let up = u8::from(app.db.health().outage().is_none());
    let _ = writeln!(text, "# TYPE taskhub_database_up gauge\ntaskhub_database_up {up}");
    let _ = writeln!(text, "# TYPE taskhub_database_connections gauge");
    let _ = writeln!(text, "taskhub_database_connections{{state=\"in_use\"}} {in_use}");
    let _ = writeln!(text, "taskhub_database_connections{{state=\"idle\"}} {idle}");
    let lost = app.access.lost();
    let _ = writeln!(text, "# TYPE taskhub_access_log_lines_lost_total counter");
    let _ = writeln!(text, "taskhub_access_log_lines_lost_total {lost}");
    if let Ok(Value::Object(counts)) = tasks::counts(&app.db).await {
        let _ = writeln!(text, "# TYPE taskhub_tasks gauge");
        let statuses = counts.iter().filter(|(_, count)| count.is_i64());
        for (status, count) in statuses.filter(|(status, _)| *status != "total") {
            let _ = writeln!(text, "taskhub_tasks{{status=\"{status}\"}} {count}");
        }
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}
