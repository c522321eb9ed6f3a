//! The flood: tasks created open-loop by the load generator, each written down like any other create.

use std::time::{Duration, Instant};

use squall_core::contract::Tasks;
use squall_core::event::{Fact, NoteKind};
use squall_core::schedule::Due;
use squall_core::time::{Nanos, words};
use squall_core::workload::PlannedFlood;
use tokio::task::JoinHandle;

use super::stage::Stage;
use crate::client::{Answered, Call, Created, PATIENCE, Reply, Silence};
use crate::load::{Failed, HttpSession, Limit, Load, Outcome, Parts, Record, Requests, Running, Unknown, delivery};
use crate::world::Trouble;

/// So many connections are open at most.
const CONNECTIONS: usize = 64;
/// Of an answer so many bytes are kept: the new task's id is among them.
const KEPT: usize = 64 * 1024;
/// So many answers may wait to be written down.
const WAITING: usize = 4096;
/// Less lateness of the load's own only makes latencies look longer than they are, and nothing pass that should not.
const LATE: Nanos = 100_000_000;
/// Stands for a task's own mark until it is created; no payload has this by chance.
const MARK: &str = "squall-flood-mark-7d1f";

/// A flood under way.
pub(super) struct Flood {
    running: Running<HttpSession>,
    written: JoinHandle<()>,
}

impl Flood {
    /// Starts the plan's flood, where it has one.
    ///
    /// # Errors
    /// A request can't be made from the contract, or the machine has no thread left.
    pub(super) async fn start(stage: &Stage, begin: Instant) -> Result<Option<Self>, Trouble> {
        let (Some(plan), Some(tasks)) = (stage.plan.flood.clone(), stage.contracts.tasks.clone()) else {
            return Ok(None);
        };
        let wrong = |cause: String| Trouble::io("the flood")(std::io::Error::other(cause));
        let template = Template::of(stage, &tasks, &plan).map_err(wrong)?;
        let headers: Vec<(&str, &str)> = template
            .call
            .headers
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        let all = [&[("content-type", "application/json")], headers.as_slice()].concat();
        let reach = stage.client.reach().await.map_err(Trouble::io("the flood"))?;
        let requests = Requests::new(template.call.method.name(), &reach.host, &all);
        let requests = requests.map_err(|error| wrong(error.to_string()))?;
        let (deliver, records) = delivery(WAITING);
        let (path, pieces, seed) = (
            format!("{}{}", reach.path, template.call.path).into_bytes(),
            template.pieces.clone(),
            stage.plan.seed,
        );
        let session = HttpSession::filled(requests, move |due, parts: &mut Parts| {
            parts.path.extend_from_slice(&path);
            let mark = mark(seed, due);
            for (index, piece) in pieces.iter().enumerate() {
                if index > 0 {
                    parts.body.extend_from_slice(mark.as_bytes());
                }
                parts.body.extend_from_slice(piece.as_bytes());
            }
        });
        let load = Load {
            target: reach.addr,
            schedule: plan.schedule(seed).map_err(|error| wrong(error.to_string()))?,
            connections: CONNECTIONS,
            patience: PATIENCE,
            drain: PATIENCE + Duration::from_secs(1),
        };
        let running = load
            .start(begin, vec![session.heard(KEPT, deliver)])
            .map_err(Trouble::io("the flood"))?;
        let stage = stage.clone();
        let written = tokio::task::spawn_blocking(move || {
            for record in records {
                template.write_down(&stage, &tasks, begin, &record);
            }
        });
        Ok(Some(Self { running, written }))
    }

    /// Takes up no more requests.
    pub(super) fn stop(&self) {
        self.running.stop();
    }

    /// Whether everything was sent and answered or given up.
    pub(super) fn is_over(&self) -> bool {
        self.running.is_over()
    }

    /// Waits for its end, and says what makes its figures worthless, if anything does.
    ///
    /// # Errors
    /// The generator can't wait for its connections on this machine.
    pub(super) async fn end(self, stage: &Stage) -> Result<(), Trouble> {
        let joined = tokio::task::spawn_blocking(|| self.running.join()).await;
        let ended = joined
            .map_err(|panicked| Trouble::io("the flood")(std::io::Error::other(panicked)))?
            .map_err(Trouble::io("the flood"))?;
        let matters = |limit: &Limit| !matches!(limit, Limit::Late { lateness, .. } if *lateness < LATE);
        let limits: Vec<Limit> = ended.tally.limits().into_iter().filter(matters).collect();
        // The sessions hold the ends of the channel the writer listens on.
        drop(ended);
        self.written
            .await
            .map_err(|panicked| Trouble::io("the flood")(std::io::Error::other(panicked)))?;
        for limit in limits {
            let text = format!("the load was late: {}", reason(limit));
            let kind = NoteKind::Late;
            stage.recorder.record(Fact::Note { kind, text });
        }
        Ok(())
    }
}

fn reason(limit: Limit) -> String {
    match limit {
        Limit::Late { lateness, latency } => {
            let (lateness, latency) = (words(lateness), words(latency));
            format!("1 request in 100 was sent more than {lateness} late, where 1 in 100 took {latency}")
        }
        Limit::Busy { share } => format!("its thread was busy {:.0} % of the time", share * 100.0),
        Limit::NoSocket { requests } => format!("{requests} requests found no socket left on this machine"),
    }
}

fn mark(seed: u64, due: &Due) -> String {
    format!("f{seed:x}-{}", due.k)
}

/// A create with a gap for each mark, so that making one costs next to nothing.
struct Template {
    call: Call,
    kind: String,
    ms: u64,
    pieces: Vec<String>,
}

impl Template {
    fn of(stage: &Stage, tasks: &Tasks, plan: &PlannedFlood) -> Result<Self, String> {
        let prepared = stage.prepare(tasks, &plan.kind, plan.ms, MARK);
        let (call, _) = prepared.map_err(|name| name.to_string())?;
        let body = call.json.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok(Self {
            call,
            kind: plan.kind.clone(),
            ms: plan.ms,
            pieces: body.split(MARK).map(str::to_owned).collect(),
        })
    }

    /// One create, like any other.
    fn write_down(&self, stage: &Stage, tasks: &Tasks, begin: Instant, record: &Record) {
        let mark = mark(stage.plan.seed, &record.due);
        let (_, payload) = match stage.prepare(tasks, &self.kind, self.ms, &mark) {
            Ok(prepared) => prepared,
            Err(name) => return stage.blind(format!("a create of the flood can't be understood: {name}")),
        };
        let at = |nanos: u64| begin + Duration::from_nanos(nanos);
        let what = match record.outcome {
            Outcome::Answered(status) => Ok(Answered {
                status,
                json: serde_json::from_slice(&record.body).ok(),
            }),
            Outcome::Failed(Failed::Refused | Failed::NotConnected | Failed::NoSocket) => Err(Silence::Refused),
            Outcome::Unknown(Unknown::TimedOut) => Err(Silence::TimedOut),
            Outcome::Unknown(Unknown::CutOff | Unknown::Malformed(_)) => Err(Silence::CutOff),
        };
        let reply = Reply {
            call: at(record.sent.unwrap_or(record.ret)),
            ret: at(record.ret),
            what,
        };
        let created = Created::of(tasks, (self.call.clone(), payload), reply);
        stage.created(
            squall_core::plan::FLOOD,
            (&self.kind, &mark),
            at(record.due.at),
            created,
        );
    }
}
