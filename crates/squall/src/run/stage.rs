//! The stage: what every part of a run shares.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use squall_core::clock::Sample;
use squall_core::contract::{Contracts, Show, Tasks};
use squall_core::event::{Answer, Fact, NoteKind, Op, Record, Role, State, Touch, Work, payload_crc32};
use squall_core::expr::UnknownName;
use squall_core::plan::Plan;
use squall_core::stop::Answers;
use squall_core::system::{Facts, request_line};
use squall_core::time::{Nanos, nanos};
use tokio::sync::watch;

use super::Order;
use super::objects::Holds;
use super::recent::Recent;
use crate::client::{Call, Client, Created, Judged, Names, Reply, take, tasks_create};
use crate::probe::{Live, Witness};
use crate::store::{Recorder, RunId};
use crate::world::{Trouble, World};

/// What every part of a run shares. Cheap to clone.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) plan: Arc<Plan>,
    pub(super) contracts: Arc<Contracts>,
    /// What faults must respect.
    pub(super) facts: Arc<Facts>,
    pub(super) recorder: Recorder,
    pub(super) world: Arc<World>,
    pub(super) client: Client,
    /// The run's id.
    pub(super) run: RunId,
    /// The scenario's folder.
    pub(super) folder: Arc<Path>,
    pub(super) live: Live,
    /// The locks clients hold.
    pub(super) holds: Holds,
    calls: Arc<str>,
    names: Arc<Mutex<Names>>,
    ledger: Arc<Mutex<Vec<Acknowledged>>>,
    acks: Arc<watch::Sender<usize>>,
    recent: Arc<Mutex<Recent>>,
    stopped: Arc<watch::Sender<bool>>,
}

/// A task the system took responsibility for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) task: String,
    pub(super) kind: String,
    mark: String,
}

impl Stage {
    pub(super) fn new(
        order: &Order<'_>,
        recorder: Recorder,
        world: Arc<World>,
        client: Client,
        witness: &Witness,
    ) -> Self {
        Self {
            plan: Arc::new(order.plan.clone()),
            contracts: Arc::new(order.system.contracts.clone()),
            facts: Arc::new(order.facts()),
            recorder,
            world,
            client,
            run: order.run.clone(),
            folder: order.folder.as_path().into(),
            live: witness.live().clone(),
            holds: Holds::default(),
            calls: witness.calls().into(),
            names: Arc::default(),
            ledger: Arc::default(),
            acks: Arc::new(watch::Sender::new(0)),
            recent: Arc::new(Mutex::new(Recent::of(order.plan))),
            stopped: Arc::new(watch::Sender::new(false)),
        }
    }

    /// From now on the storm is over: every fault is healed, none begins.
    pub(super) fn stop_storm(&self) {
        self.stopped.send_replace(true);
    }

    /// Waits until the storm is stopped.
    pub(super) async fn stopped(&self) {
        // Its sender lives as long as this: waiting can only end with the stop.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }

    /// What `${…}` stands for in this session's requests.
    pub(super) fn names(&self) -> Names {
        lock(&self.names).clone()
    }

    /// Everything acknowledged so far.
    pub(super) fn acknowledged(&self) -> Vec<Acknowledged> {
        lock(&self.ledger).clone()
    }

    /// Counts acknowledgements; each change is one.
    pub(super) fn acks(&self) -> watch::Receiver<usize> {
        self.acks.subscribe()
    }

    /// Which share of the planned main tasks is known to be done.
    pub(super) fn done_share(&self) -> f64 {
        let Some(main) = &self.plan.main_kind else { return 1.0 };
        let planned = self.plan.tasks.iter().filter(|task| task.kind == *main).count();
        let known = lock(&self.ledger);
        let main = known.iter().filter(|known| known.kind == *main);
        let done = main.filter(|known| self.live.finished(&known.task)).count();
        done as f64 / planned.max(1) as f64
    }

    /// Which kind of work a task is and how long it takes, where it was acknowledged already.
    pub(super) fn work(&self, task: &str) -> Option<(String, Duration)> {
        let ledger = lock(&self.ledger);
        let known = ledger.iter().find(|known| known.task == task)?;
        let planned = self.plan.tasks.iter().find(|planned| planned.mark == known.mark);
        let takes = Duration::from_millis(planned.map_or(0, |planned| planned.ms));
        Some((known.kind.clone(), takes))
    }

    /// The task that was sent with a mark, once it is acknowledged.
    pub(super) fn marked(&self, mark: &str) -> Option<String> {
        let ledger = lock(&self.ledger);
        let known = ledger.iter().rev().find(|known| known.mark == mark);
        known.map(|known| known.task.clone())
    }

    /// Opens the session all later requests use.
    ///
    /// # Errors
    /// A request of the contract can't be made, or is not answered as it must be: without a
    /// session nothing can be shown.
    pub(super) async fn open_session(&self) -> Result<(), Trouble> {
        let stranger = Names::stranger("squall");
        if let Some(password) = stranger.get("password").and_then(serde_json::Value::as_str) {
            self.recorder.secrets().add(password);
        }
        *lock(&self.names) = stranger;
        // A key that is written into the file opens the system as a token would.
        for (name, value) in self.contracts.headers().into_iter().flat_map(|(_, headers)| headers) {
            self.recorder.secrets().add_variable(name, value);
        }
        for request in &self.contracts.session {
            let title = format!("{} {}", request.method.name(), request.path);
            let asked =
                self.client.open(request, &self.names()).await.map_err(|cause| {
                    Trouble::io(format!("opening a session: {title}"))(std::io::Error::other(cause))
                })?;
            for (name, value) in &asked.taken {
                // Whatever a session hands out may open it again.
                if let Some(text) = value.as_str() {
                    self.recorder.secrets().add(text);
                }
                lock(&self.names).set(name, value.clone());
            }
            let due = asked.reply.call;
            self.op(
                (&title, &asked.call),
                Role::Session,
                due,
                (&asked.reply, asked.judged, None),
            );
        }
        Ok(())
    }

    /// The traffic's answers that were due at `from` or later, as far back as anybody asks for.
    pub(super) fn samples_since(&self, from: Nanos) -> Vec<Sample> {
        lock(&self.recent).since(from)
    }

    /// Looks at the traffic's answers by when they were due.
    pub(super) fn answers<T>(&self, look: impl FnOnce(&Answers) -> T) -> T {
        look(lock(&self.recent).answers())
    }

    /// Writes a request down, under its name.
    pub(super) fn op(
        &self,
        of: (&str, &Call),
        role: Role,
        due: Instant,
        (reply, judged, work): (&Reply, Judged, Option<Work>),
    ) {
        let op = self.done(of, role, due, (reply, judged));
        self.recorder.record(Fact::Op(Op { work, ..op }));
    }

    /// Writes down what was done with an object, under the operation's name.
    pub(super) fn touched(&self, of: (&str, &Call), due: Instant, (reply, judged, touch): (&Reply, Judged, Touch)) {
        let op = self.done(of, Role::Touch, due, (reply, judged));
        let touch = Some(touch);
        self.recorder.record(Fact::Op(Op { touch, ..op }));
    }

    fn done(&self, (name, call): (&str, &Call), role: Role, due: Instant, (reply, judged): (&Reply, Judged)) -> Op {
        if role == Role::Traffic {
            lock(&self.recent).add(Sample {
                due: self.recorder.at(due),
                took: nanos(reply.ret.saturating_duration_since(due)),
                right: judged.answer == Answer::Right,
            });
        }
        Op {
            name: name.to_owned(),
            request: request_line(call.method, &call.path),
            role,
            due: self.recorder.at(due),
            call: self.recorder.at(reply.call),
            ret: self.recorder.at(reply.ret),
            outcome: judged.outcome,
            answer: judged.answer,
            status: judged.status,
            fault: judged.fault.map(|fault| self.recorder.secrets().mask(&fault)),
            work: None,
            touch: None,
        }
    }

    /// Creates a task, due at `due`, and writes down what came of it.
    pub(super) async fn create(&self, kind: &str, ms: u64, mark: &str, due: Instant) {
        let Some(tasks) = &self.contracts.tasks else { return };
        match self.prepare(tasks, kind, ms, mark) {
            Ok((call, payload)) => {
                let reply = self.client.send(&call).await;
                let created = Created::of(tasks, (call, payload), reply);
                self.created("create", (kind, mark), due, created);
            }
            Err(name) => self.blind(format!("tasks of kind {kind} can't be created: {name}")),
        }
    }

    /// The request that creates a task, and its payload.
    pub(super) fn prepare(
        &self,
        tasks: &Tasks,
        kind: &str,
        ms: u64,
        mark: &str,
    ) -> Result<(Call, serde_json::Value), UnknownName> {
        let kind = tasks.kinds.get(kind).ok_or_else(|| UnknownName(kind.to_owned()))?;
        let call = format!("{}/{mark}", self.calls);
        let names = self.names().with("ms", ms).with("mark", mark).with("witness.url", call);
        tasks_create(tasks, (&kind.type_name, &kind.payload), &names)
    }

    /// Writes down what came of a create, and remembers what was acknowledged.
    pub(super) fn created(&self, name: &str, (kind, mark): (&str, &str), due: Instant, created: Created) {
        let Created {
            asked,
            payload,
            task,
            id,
        } = created;
        let work = Work {
            kind: kind.to_owned(),
            task: task.clone(),
            payload_crc32: payload_crc32(&payload),
            mark: mark.to_owned(),
        };
        self.op(
            (name, &asked.call),
            Role::Create,
            due,
            (&asked.reply, asked.judged, Some(work)),
        );
        if let Some(task) = task {
            let mut ledger = lock(&self.ledger);
            ledger.push(Acknowledged {
                task: task.clone(),
                kind: kind.to_owned(),
                mark: mark.to_owned(),
            });
            lock(&self.names).set("task", id.unwrap_or_else(|| task.into()));
            self.acks.send_replace(ledger.len());
        }
    }

    /// Reads a task back and writes down what the system says of it; `None` when it gave no answer.
    pub(super) async fn show(&self, task: &str) -> Option<State> {
        let record = self.ask(task).await?;
        let state = record.state;
        self.recorder.record(Fact::Record(record));
        Some(state.unwrap_or(State::Odd))
    }

    /// Reads a task back whose end nobody reports, and writes it down only when it has ended.
    pub(super) async fn follow(&self, task: &str) {
        let Some(record) = self.ask(task).await else { return };
        if !matches!(record.state, Some(State::Waiting | State::Running)) {
            self.recorder.record(Fact::Record(record));
            self.live.finish(task);
        }
    }

    /// What the system says of a task; `None` when it gave no answer.
    async fn ask(&self, task: &str) -> Option<Record> {
        let tasks = self.contracts.tasks.as_ref()?;
        let names = self.names().with("id", task);
        let call = Call {
            method: tasks.show.method,
            path: names.text(&tasks.show.path).ok()?,
            headers: names.map(&tasks.headers).ok()?,
            json: None,
        };
        let reply = self.client.send(&call).await;
        let answered = reply.what.ok()?;
        let record = match (answered.status, &answered.json) {
            (404 | 410, _) => Record {
                task: task.to_owned(),
                ..gone()
            },
            (200..300, Some(json)) if take(json, &tasks.show.state).is_some() => {
                self.read(tasks, &tasks.show, task, json)
            }
            // An answer that is no task: the system says there is none.
            (200..300, Some(_)) => Record {
                task: task.to_owned(),
                ..gone()
            },
            _ => return None,
        };
        Some(record)
    }

    fn read(&self, tasks: &Tasks, show: &Show, task: &str, json: &serde_json::Value) -> Record {
        let number = |path: &Option<String>| take(json, path.as_deref()?)?.as_u64();
        let word = take(json, &show.state).map(|word| word.as_str().map_or_else(|| word.to_string(), str::to_owned));
        let states = &tasks.states;
        let known = [
            (&states.waiting, State::Waiting),
            (&states.running, State::Running),
            (&states.done, State::Done),
            (&states.dead, State::Dead),
            (&states.cancelled, State::Cancelled),
        ];
        let state = word.map(|word| {
            known
                .iter()
                .find(|(words, _)| words.contains(&word))
                .map_or(State::Odd, |(_, state)| *state)
        });
        let text = |path: &Option<String>| take(json, path.as_deref()?)?.as_str().map(str::to_owned);
        // A payload that is to be shown and is not counts as changed: nothing it could have been is like nothing.
        let shown = show.payload.as_ref().filter(|_| state.is_some());
        let payload = shown.map(|path| take(json, path).unwrap_or_default());
        Record {
            task: task.to_owned(),
            state,
            attempts: number(&show.attempts),
            failures: number(&show.failures),
            deaths: number(&show.deaths),
            reason: text(&show.reason).map(|reason| self.recorder.secrets().mask(&reason)),
            payload_crc32: payload.as_ref().map(payload_crc32),
        }
    }

    /// Says in the journal that something could not be observed.
    pub(super) fn blind(&self, text: String) {
        self.recorder.record(Fact::Note {
            kind: NoteKind::Blind,
            text,
        });
    }
}

fn gone() -> Record {
    Record {
        task: String::new(),
        state: None,
        attempts: None,
        failures: None,
        deaths: None,
        reason: None,
        payload_crc32: None,
    }
}

/// Nothing here holds a lock across an await, and a panic leaves whole values.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
