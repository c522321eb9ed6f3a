//! Traffic: the contract's API cases in turn, each at its due time whether or not the last was answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use squall_core::contract::ApiCase;
use squall_core::event::{Fact, NoteKind, Role};
use squall_core::expr::UnknownName;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{sleep, sleep_until};

use super::stage::Stage;
use crate::client::{Asked, Call, Names, PATIENCE};

/// A request sent later than this is late.
const LATE: Duration = Duration::from_millis(100);
/// More late ones than this share make a run's figures worthless.
const TOO_MANY: f64 = 0.1;
/// What a create that is far too large must be answered with.
const TOO_LARGE: u16 = 413;
/// So many requests may be open.
const OPEN: usize = 1000;

/// Requests at a fixed distance, until stopped.
#[derive(Debug)]
pub(super) struct Schedule {
    task: JoinHandle<()>,
    counts: Arc<Counts>,
    open: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Counts {
    sent: AtomicUsize,
    late: AtomicUsize,
}

impl Schedule {
    /// Calls `send(number, due)` at each due time.
    pub(super) fn start<F>(every: Duration, send: impl Fn(usize, Instant) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let counts = Arc::new(Counts::default());
        let open = Arc::new(Semaphore::new(OPEN));
        let (counted, permits) = (counts.clone(), open.clone());
        let task = tokio::spawn(async move {
            let begin = Instant::now();
            for number in 0.. {
                // From the beginning, not from the last one: being late once must not shift the rest.
                let due = begin + every.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX));
                sleep_until(due.into()).await;
                counted.sent.fetch_add(1, Ordering::Relaxed);
                let permit = permits.clone().try_acquire_owned();
                if due.elapsed() > LATE || permit.is_err() {
                    counted.late.fetch_add(1, Ordering::Relaxed);
                }
                if let Ok(permit) = permit {
                    let request = send(number, due);
                    tokio::spawn(async move {
                        request.await;
                        drop(permit);
                    });
                }
            }
        });
        Self { task, counts, open }
    }

    /// Sends no more, and waits for the answers that are due.
    pub(super) async fn stop(self, stage: &Stage, what: &str) {
        self.task.abort();
        let until = Instant::now() + PATIENCE + Duration::from_secs(1);
        while self.open.available_permits() < OPEN && Instant::now() < until {
            sleep(Duration::from_millis(5)).await;
        }
        let (sent, late) = (
            self.counts.sent.load(Ordering::Relaxed),
            self.counts.late.load(Ordering::Relaxed),
        );
        if late as f64 > TOO_MANY * sent as f64 && late > 2 {
            let text = format!("the load was late: {late} of {sent} {what} were sent over {LATE:?} after their time");
            stage.recorder.record(Fact::Note {
                kind: NoteKind::Late,
                text,
            });
        }
    }
}

/// However the run ends, the traffic ends with it.
impl Drop for Schedule {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The rotating API traffic, where the plan has any.
#[derive(Debug)]
pub(super) struct Traffic(Option<Schedule>);

impl Traffic {
    pub(super) fn start(stage: &Stage) -> Self {
        let Some(every) = stage.plan.api_every else {
            return Self(None);
        };
        let cases: Vec<usize> = stage
            .contracts
            .api
            .iter()
            .enumerate()
            .filter(|(_, case)| !case.once)
            .map(|(index, _)| index)
            .collect();
        if cases.is_empty() {
            return Self(None);
        }
        let sender = stage.clone();
        Self(Some(Schedule::start(
            Duration::from_nanos(every),
            move |number, due| {
                let (stage, index) = (sender.clone(), cases[number % cases.len()]);
                async move {
                    let names = stage.names();
                    stage.try_case(&stage.contracts.api[index], &names, due).await;
                }
            },
        )))
    }

    pub(super) async fn stop(self, stage: &Stage) {
        if let Some(schedule) = self.0 {
            schedule.stop(stage, "API requests").await;
        }
    }
}

impl Stage {
    /// Sends one case, unless it names something not known yet.
    async fn try_case(&self, case: &ApiCase, names: &Names, due: Instant) {
        if let Ok(asked) = self.client.try_case(&self.contracts, case, names).await {
            self.case_op(case, Role::Traffic, due, asked);
        }
    }

    fn case_op(&self, case: &ApiCase, role: Role, due: Instant, asked: Asked) {
        self.op(
            (&case.title(), &asked.call),
            role,
            due,
            (&asked.reply, asked.judged, None),
        );
    }

    /// Sends a create with a body of so many bytes, which must be refused with 413, and writes down what came of it.
    pub(super) async fn create_bulky(&self, bytes: u64, due: Instant) {
        let Some(tasks) = &self.contracts.tasks else { return };
        let names = self.names();
        let (Ok(path), Ok(headers)) = (names.text(&tasks.create.path), names.map(&tasks.headers)) else {
            return self.blind("far too large creates can't be made: a name in them is not known".to_owned());
        };
        let call = Call {
            method: tasks.create.method,
            path,
            headers,
            json: None,
        };
        let reply = self.client.send_bulky(&call, bytes).await;
        let judged = reply.judge(Some(TOO_LARGE), None);
        let name = format!("create of {} MB", bytes / 1_000_000);
        self.op((&name, &call), Role::Survey, due, (&reply, judged, None));
    }

    /// One request of each rotating case, unrecorded: the first of everything is slower than normal.
    pub(super) async fn warm_up(&self) {
        for case in self.contracts.api.iter().filter(|case| !case.once) {
            let names = self.names();
            let (Ok(path), Ok(headers)) = (names.text(&case.path), names.map(&case.headers)) else {
                continue;
            };
            let call = Call {
                method: case.method,
                path,
                headers,
                json: None,
            };
            if case.json.is_none() && !case.auth {
                self.client.send(&call).await;
            }
        }
    }

    /// Every case of the contract once, in its order; what a case gives, later ones may use.
    pub(super) async fn survey(&self) {
        if !self.plan.survey {
            return;
        }
        let mut names = self.names();
        // Cases create users and tasks of their own; both surveys of a run must be able to.
        names.set("nonce", format!("{:x}", self.recorder.now()));
        let tasks = names.get("task").is_some();
        let each = |case: &ApiCase, asked: Result<Asked, UnknownName>| {
            let Ok(asked) = asked else {
                // Before the first task there is none to ask for; anything else was promised and never asked.
                if tasks {
                    self.blind(format!(
                        "`{}` was not asked: a case before it did not give what it needs",
                        case.title()
                    ));
                }
                return;
            };
            for (name, value) in &asked.taken {
                if name.contains("token")
                    && let Some(text) = value.as_str()
                {
                    self.recorder.secrets().add(text);
                }
            }
            let due = asked.reply.call;
            self.case_op(case, Role::Survey, due, asked);
        };
        self.client.survey(&self.contracts, names, each).await;
    }
}
