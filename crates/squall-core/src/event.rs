//! Facts, in order: what a run observed. The journal is a list of them and the only input of judging.
//!
//! Events are owned, typed and free of display settings. Times are nanoseconds of one monotonic
//! clock since the journal was opened; durations are nanoseconds too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::place::{Condition, Instance, Place};
use crate::plan::Plan;
use crate::system::Facts;
use crate::time::Nanos;

/// The number of an event in its journal, from 1; verdicts point at these as evidence.
pub type EventId = u64;

/// One observed fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number, from 1, without gaps.
    pub id: EventId,
    /// When it was observed.
    pub at: Nanos,
    /// What was observed.
    pub fact: Fact,
}

/// What can be observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// First line: all that judging needs besides the observations.
    Opened(Box<Header>),
    /// A part of the run began.
    Phase(Phase),
    /// A process was started for an instance.
    Started {
        /// Whose.
        instance: Instance,
        /// Its process id.
        pid: u32,
        /// How many starts came before this one.
        restarts: u32,
    },
    /// An instance answered its ready condition.
    Ready {
        /// Which.
        instance: Instance,
        /// Since its start.
        took: Nanos,
    },
    /// An instance did not become ready in time after a start.
    NotReady {
        /// Which.
        instance: Instance,
        /// How long was waited.
        waited: Nanos,
    },
    /// A process ended.
    Exited {
        /// Whose.
        instance: Instance,
        /// Its process id.
        pid: u32,
        /// Exit status or signal, in words: `signal 9`, `exit code 1`.
        how: String,
        /// Whether squall meant it to end.
        wanted: bool,
    },
    /// An open choice of a step was made: how the target was found.
    Aimed {
        /// The step of the plan.
        step: usize,
        /// All that fitted at that moment, sorted.
        candidates: Vec<Place>,
        /// The one taken: `candidates[rank % candidates.len()]`.
        chosen: Place,
        /// What was seen that fitted the aim, for example the running task.
        because: Option<String>,
    },
    /// A step will not act, and why.
    Missed {
        /// The step of the plan.
        step: usize,
        /// `true` when the run had already been decided, so nothing was left to learn from it.
        decided: bool,
        /// Why.
        why: String,
    },
    /// Written, and flushed, before a fault is put in force.
    Imposing {
        /// The step of the plan.
        step: usize,
        /// Where.
        place: Place,
        /// What shall hold there.
        condition: Condition,
    },
    /// The fault is in force, as far as the world can tell.
    Imposed {
        /// The step of the plan.
        step: usize,
    },
    /// Written, and flushed, before a fault is lifted.
    Healing {
        /// The step of the plan.
        step: usize,
        /// Where.
        place: Place,
    },
    /// The fault is lifted.
    Healed {
        /// The step of the plan.
        step: usize,
    },
    /// A client's request and what came of it.
    Op(Op),
    /// A line of the witness: what a worker reported of an attempt.
    Task(TaskFact),
    /// The system's own record of a task, read back.
    Record(Record),
    /// One look of the recovery probe at the entry service.
    Pulse(Pulse),
    /// One look at an instance's use of the machine.
    Usage(Usage),
    /// One look at a database: open client connections.
    Connections {
        /// The database instance.
        instance: Instance,
        /// Client connections open.
        open: u32,
    },
    /// What a link's proxy counted while a fault held there.
    Traffic {
        /// The link.
        place: Place,
        /// The counters, over the fault's window.
        counts: LinkCounts,
    },
    /// A line an instance wrote.
    Log {
        /// Who.
        instance: Instance,
        /// The line, secrets removed, cut to 500 bytes.
        line: String,
    },
    /// Something the run has to say about itself: a late generator, lines left out.
    Note {
        /// What kind.
        kind: NoteKind,
        /// In words.
        text: String,
    },
    /// Last line: the run came to its end.
    Closed {
        /// How.
        end: End,
    },
}

/// What the journal says about the run as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// The run's id: time and seed.
    pub run: String,
    /// Squall's version.
    pub squall: String,
    /// Wall-clock time at which the journal was opened, RFC 3339 in UTC.
    pub opened: String,
    /// What is under test.
    pub system: Facts,
    /// What was planned.
    pub plan: Plan,
}

/// The parts of a run, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The system is started and waited for.
    Start,
    /// Undisturbed traffic: what normal looks like.
    Reference,
    /// Work and faults.
    Storm,
    /// All faults lifted; traffic goes on until the system is steady again.
    Calm,
    /// Waiting for the work left over.
    Drain,
    /// Reading everything back.
    Audit,
}

impl Phase {
    /// The word used for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Start => "start",
            Phase::Reference => "reference",
            Phase::Storm => "storm",
            Phase::Calm => "calm",
            Phase::Drain => "drain",
            Phase::Audit => "audit",
        }
    }
}

/// A client's request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Which request of the contract: `GET /health`, `create`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// When it should have been sent.
    pub due: Nanos,
    /// Just before its first byte was sent.
    pub call: Nanos,
    /// After its reply was parsed, or it was given up.
    pub ret: Nanos,
    /// Whether it took effect.
    pub outcome: Outcome,
    /// Whether the answer was the right one.
    pub answer: Answer,
    /// HTTP status, where one came.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub status: Option<u16>,
    /// What was wrong with it, in words.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fault: Option<String>,
    /// For a create: what was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub work: Option<Work>,
}

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Part of the rotating API traffic.
    Traffic,
    /// Part of a full check of the API, every case once.
    Survey,
    /// Creates a task.
    Create,
    /// Opens a session (register, log in).
    Session,
    /// Reads acknowledged session data back during the audit.
    Audit,
}

/// Whether a request took effect. A timeout is unknown, never failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It certainly did.
    Ok,
    /// It certainly did not.
    Failed,
    /// It may have, now or later.
    Unknown,
}

/// Whether an answer was the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// As the contract says.
    Right,
    /// An honest refusal: 503 with a JSON error. Right inside an outage, wrong outside.
    Refused,
    /// Anything else that was answered.
    Wrong,
    /// No answer within the client's patience.
    Hung,
    /// Nobody there: connection refused, or cut off before a reply.
    Down,
}

/// The work a create asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// Which kind of the contract.
    pub kind: String,
    /// The id the system acknowledged it with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub task: Option<String>,
    /// CRC-32 of the payload as compact JSON with sorted keys.
    pub payload_crc32: u32,
    /// A text unique to this create, inside the payload: finds a task whose acknowledgement was lost.
    pub mark: String,
}

/// What a worker reported to the witness.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFact {
    /// The task's id.
    pub task: String,
    /// The attempt's number.
    pub attempt: u64,
    /// The worker's name; an instance's name when the worker is one.
    pub worker: String,
    /// What happened.
    pub event: TaskEvent,
    /// For a failure: why.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// For a failure: whether it was the last one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub dead: Option<bool>,
    /// For an effect: CRC-32 of the payload the worker saw.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payload_crc32: Option<u32>,
}

/// What can happen in an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEvent {
    /// The worker began it.
    Start,
    /// The work's effect reached the outside world; before the commit.
    Effect,
    /// The commit was acknowledged by the system's own store.
    Committed,
    /// The attempt failed and that was recorded.
    Failed,
}

/// The system's own record of a task, read back through the contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The task's id.
    pub task: String,
    /// What the system says it is; `None` when it says there is no such task.
    pub state: Option<State>,
    /// Attempts so far, where the contract shows them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub attempts: Option<u64>,
    /// Failed attempts so far, where the contract shows them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failures: Option<u64>,
    /// Interrupted attempts so far, where the contract shows them.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub deaths: Option<u64>,
    /// Why it failed last, where the contract shows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// CRC-32 of the payload read back, where the contract shows it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub payload_crc32: Option<u32>,
}

/// What a task can be, in words every task system shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Queued, or waiting for its next attempt.
    Waiting,
    /// A worker has it.
    Running,
    /// Finished for good.
    Done,
    /// Given up, in the dead-letter queue.
    Dead,
    /// Taken back by a client.
    Cancelled,
    /// A word the contract does not know.
    Odd,
}

/// One look of the recovery probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pulse {
    /// Which question was asked.
    pub of: PulseOf,
    /// Just before it was sent.
    pub call: Nanos,
    /// What came back.
    pub answer: Answer,
}

/// The questions of the recovery probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PulseOf {
    /// "Do you live?"
    Live,
    /// "Can you serve?"
    Ready,
}

/// An instance's use of the machine, all its processes together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Which.
    pub instance: Instance,
    /// Processor time used since the last look, in millionths of a second.
    pub cpu_us: u64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// Open descriptors.
    pub fds: u32,
}

/// What a link's proxy counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LinkCounts {
    /// Connections the fault closed or reset. Those the kernel refused never reach the proxy.
    pub closed: u64,
    /// Bytes that vanished in a black hole.
    pub swallowed: u64,
    /// Bytes that were held back.
    pub delayed: u64,
}

/// What a note is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteKind {
    /// The run ended before its planned end because nothing was left to decide.
    Decided,
    /// The load was sent later than intended.
    Late,
    /// Something could not be observed.
    Blind,
    /// Something did not end within its bound.
    Overrun,
}

/// How a run came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All parts were run.
    Complete,
    /// Someone stopped it.
    Interrupted,
    /// The environment failed: the system never became ready, a port was taken.
    Broken {
        /// The cause.
        cause: String,
    },
}

/// A payload's digest: CRC-32 (IEEE 802.3) of its compact JSON with sorted keys, so that a store
/// which reorders keys is not accused of corruption.
pub fn payload_crc32(payload: &serde_json::Value) -> u32 {
    fn sorted(value: &serde_json::Value) -> serde_json::Value {
        match value {
            serde_json::Value::Object(map) => {
                let ordered: BTreeMap<_, _> = map.iter().map(|(k, v)| (k, sorted(v))).collect();
                serde_json::Value::Object(ordered.into_iter().map(|(k, v)| (k.clone(), v)).collect())
            }
            serde_json::Value::Array(list) => serde_json::Value::Array(list.iter().map(sorted).collect()),
            other => other.clone(),
        }
    }
    crc32fast::hash(sorted(payload).to_string().as_bytes())
}
