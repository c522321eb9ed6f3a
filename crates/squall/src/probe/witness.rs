//! The witness: work reports here what it does, outside the system's own tables, so that a
//! duplicate is seen even when the system denies it.
//!
//! Workers that know of it report each attempt. Work that carries its address in the payload calls it, whoever does
//! that work: there every task has an address of its own, and its call is its effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{any, post};
use axum::{Json, Router};
use serde::Deserialize;
use squall_core::event::{Call, Fact, TaskEvent, TaskFact};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::store::Recorder;
use crate::world::Trouble;

/// A call is answered after this long, whether or not its task was read back by then: work must not fail for it.
const LOOKED: Duration = Duration::from_millis(500);

/// The witness's endpoint, open until dropped.
#[derive(Debug)]
pub struct Witness {
    url: String,
    calls: String,
    live: Live,
    visits: Arc<OnceLock<mpsc::UnboundedSender<Visit>>>,
    server: JoinHandle<()>,
}

/// A call that waits for its answer. It is answered when this is dropped.
#[derive(Debug)]
pub struct Visit {
    /// The mark of the task whose work calls.
    pub mark: String,
    _answer: oneshot::Sender<()>,
}

/// What is known of the work at this moment. Cheap to clone; all clones see the same.
#[derive(Debug, Clone)]
pub struct Live {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Inner {
    running: BTreeMap<String, Vec<Running>>,
    finished: BTreeSet<String>,
    last_start: Option<Instant>,
}

/// An attempt that began and has not been heard to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// The task.
    pub task: String,
    /// The attempt's number.
    pub attempt: u64,
    /// When its start was heard.
    pub since: Instant,
}

impl Witness {
    /// Opens the endpoint on loopback, with a token in its path.
    ///
    /// # Errors
    /// When nothing can be listened on.
    pub async fn open(recorder: Recorder) -> Result<Self, Trouble> {
        let token: u128 = rand::random();
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .map_err(Trouble::io("the witness"))?;
        let addr = listener.local_addr().map_err(Trouble::io("the witness"))?;
        let live = Live {
            inner: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
        };
        let state = Desk {
            token: format!("{token:032x}"),
            recorder,
            live: live.clone(),
            visits: Arc::default(),
        };
        let url = format!("http://{addr}/witness/{}", state.token);
        let calls = format!("http://{addr}/call/{}", state.token);
        state.recorder.secrets().add(&state.token);
        let visits = state.visits.clone();
        let router = Router::new()
            .route("/witness/{token}", post(take))
            .route("/call/{token}/{mark}", any(call))
            .with_state(state);
        let server = tokio::spawn(async move {
            // It ends with the run; an error here shows as work that nobody witnessed.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            url,
            calls,
            live,
            visits,
            server,
        })
    }

    /// Where work reports to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What work calls; a `/` and the task's mark follow it.
    pub fn calls(&self) -> &str {
        &self.calls
    }

    /// Every call from now on, before it is answered. Asked for once.
    pub fn visits(&self) -> mpsc::UnboundedReceiver<Visit> {
        let (send, visits) = mpsc::unbounded_channel();
        // A second listener would hear nothing: its channel is closed at once.
        let _ = self.visits.set(send);
        visits
    }

    /// What is known of the work.
    pub fn live(&self) -> &Live {
        &self.live
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug, Clone)]
struct Desk {
    token: String,
    recorder: Recorder,
    live: Live,
    visits: Arc<OnceLock<mpsc::UnboundedSender<Visit>>>,
}

/// What a worker posts.
#[derive(Debug, Deserialize)]
struct Line {
    task: serde_json::Value,
    attempt: u64,
    worker: String,
    event: TaskEvent,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    dead: Option<bool>,
    #[serde(default)]
    payload_crc32: Option<u32>,
}

async fn take(State(desk): State<Desk>, Path(token): Path<String>, Json(line): Json<Line>) -> StatusCode {
    if token != desk.token {
        return StatusCode::FORBIDDEN;
    }
    let task = match line.task {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    };
    let secrets = desk.recorder.secrets();
    let fact = TaskFact {
        task,
        attempt: line.attempt,
        worker: line.worker,
        event: line.event,
        reason: line.reason.map(|reason| secrets.mask(&reason)),
        dead: line.dead,
        payload_crc32: line.payload_crc32,
    };
    // Known first, then answered: an effect is in the journal before the worker can commit.
    desk.recorder.record(Fact::Task(fact.clone()));
    desk.live.heard(&fact);
    StatusCode::NO_CONTENT
}

async fn call(State(desk): State<Desk>, Path((token, mark)): Path<(String, String)>) -> StatusCode {
    if token != desk.token {
        return StatusCode::FORBIDDEN;
    }
    let came = Call { mark, answered: false };
    desk.recorder.record(Fact::Call(came.clone()));
    let (answer, answered) = oneshot::channel();
    let visit = Visit {
        mark: came.mark.clone(),
        _answer: answer,
    };
    if desk.visits.get().is_some_and(|visits| visits.send(visit).is_ok()) {
        let _ = timeout(LOOKED, answered).await;
    }
    // Known first, then answered: what sees the answer can't be in the journal before it.
    desk.recorder.record(Fact::Call(Call { answered: true, ..came }));
    StatusCode::NO_CONTENT
}

impl Live {
    fn heard(&self, fact: &TaskFact) {
        let now = Instant::now();
        let mut inner = self.lock();
        let running = inner.running.entry(fact.worker.clone()).or_default();
        let this = |one: &Running| one.task == fact.task && one.attempt == fact.attempt;
        match fact.event {
            TaskEvent::Start => {
                running.push(Running {
                    task: fact.task.clone(),
                    attempt: fact.attempt,
                    since: now,
                });
                inner.last_start = Some(now);
            }
            // From its effect on an attempt is about to end: too late to interrupt it for certain.
            TaskEvent::Effect => running.retain(|one| !this(one)),
            TaskEvent::Committed => {
                running.retain(|one| !this(one));
                inner.finished.insert(fact.task.clone());
            }
            TaskEvent::Failed => {
                running.retain(|one| !this(one));
                if fact.dead == Some(true) {
                    inner.finished.insert(fact.task.clone());
                }
            }
        }
        drop(inner);
        self.changed.send_modify(|count| *count += 1);
    }

    /// What `worker` runs now.
    pub fn running(&self, worker: &str) -> Vec<Running> {
        self.lock().running.get(worker).cloned().unwrap_or_default()
    }

    /// A worker died: what it ran has no end.
    pub fn died(&self, worker: &str) {
        if let Some(running) = self.lock().running.get_mut(worker) {
            running.clear();
        }
    }

    /// How many workers were heard of so far.
    pub fn workers(&self) -> usize {
        self.lock().running.len()
    }

    /// Whether a task is known to have ended for good.
    pub fn finished(&self, task: &str) -> bool {
        self.lock().finished.contains(task)
    }

    /// The system's own record said so.
    pub fn finish(&self, task: &str) {
        self.lock().finished.insert(task.to_owned());
        self.changed.send_modify(|count| *count += 1);
    }

    /// When an attempt began last.
    pub fn last_start(&self) -> Option<Instant> {
        self.lock().last_start
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
