//! Facts, in order: what a run observed. The journal is a list of them and the only input of judging.
//!
//! Events are owned, typed and free of display settings. Times are nanoseconds of one monotonic
//! clock since the journal was opened; durations are nanoseconds too.

mod line;
mod look;
mod op;
mod script;
mod task;
mod touch;

pub use line::{Line, line, shortened};
pub use look::{
    AlarmState, BreakerState, DatabaseLook, LinkCounts, MachineLook, Pulse, PulseOf, Said, SaidBy, ShortageLook,
    SkewLook, Spot, Standstill, Untouched, Usage,
};
pub use op::{Answer, Op, Outcome, Role, Work};
pub use script::{ScriptEnd, ScriptOf};
pub use task::{Call, Record, State, TaskEvent, TaskFact};
pub use touch::{Act, Touch};

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
    /// Work called the witness by the address in its payload.
    Call(Call),
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
    /// One look at the whole machine.
    Machine(MachineLook),
    /// One look at what a database has done so far.
    Database(DatabaseLook),
    /// A command of the scenario's own was started.
    ScriptBegan {
        /// Which.
        of: ScriptOf,
        /// What was run.
        run: String,
    },
    /// A command of the scenario's own is over.
    ScriptEnded {
        /// Which.
        of: ScriptOf,
        /// How.
        how: ScriptEnd,
        /// How long it took.
        took: Nanos,
        /// Its last lines, of both its outputs together, secrets removed.
        output: Vec<String>,
        /// How many lines came before these.
        left_out: u64,
    },
    /// A circuit breaker was seen in another state than before.
    Breaker {
        /// The system's name for the type of task it is for.
        of: String,
        /// Its state.
        state: BreakerState,
    },
    /// An alarm of the system's own monitoring was seen in another state than before.
    Alarm {
        /// Its name in the contract.
        of: String,
        /// Its state.
        state: AlarmState,
    },
    /// What a link's proxy counted while a fault held there.
    Traffic {
        /// The step of the plan whose window it was.
        step: usize,
        /// The link.
        place: Place,
        /// The counters, over the fault's window.
        counts: LinkCounts,
    },
    /// What passed a link on which requests were looked for, and none was taken; the most frequent first.
    Untouched {
        /// The step of the plan whose window it was.
        step: usize,
        /// The link.
        place: Place,
        /// By their sort.
        requests: Vec<Untouched>,
    },
    /// One look at a frozen instance: when it was told to stand still, and before it is told to go on.
    Standstill(Standstill),
    /// One look at an instance that is short of something.
    Shortage {
        /// The step of the plan whose window it was.
        step: usize,
        /// What was seen.
        look: ShortageLook,
    },
    /// One look at an instance whose wall clock is wrong.
    Skew {
        /// The step of the plan whose window it was.
        step: usize,
        /// What was seen.
        look: SkewLook,
    },
    /// Written, and flushed, before files of an instance are changed.
    Damaged {
        /// Whose.
        instance: Instance,
        /// Where in which files; nowhere when none fitted.
        spots: Vec<Spot>,
    },
    /// Files of an instance were read back after they had been changed.
    DamageRead {
        /// Whose.
        instance: Instance,
        /// At so many spots they were as they had been changed.
        spots: usize,
    },
    /// What was changed in files of an instance was put back.
    Repaired {
        /// Whose.
        instance: Instance,
        /// Spots that are as they were.
        back: usize,
        /// Spots that had been written to since, and were left so.
        rewritten: usize,
    },
    /// An instance was asked to end, had not when its grace was over, and is killed.
    Outstayed {
        /// Which.
        instance: Instance,
        /// Its grace.
        grace: Nanos,
    },
    /// What an instance had not synced to its disk is gone.
    PowerLost {
        /// Whose.
        instance: Instance,
        /// What its disk answered to a write by then.
        says: String,
        /// How many files and folders it had at its top before; absent where nobody counted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entries: Option<u64>,
    },
    /// An instance's disk is back as it was kept.
    PowerBack {
        /// Whose.
        instance: Instance,
        /// How long that took.
        took: Nanos,
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
    /// Lines of a log are in its file only. No line of a panic is among them.
    Unlogged,
    /// Worth knowing, and nothing rests on it.
    Aside,
}

/// How a run came to its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// All parts were run.
    Complete,
    /// Someone stopped it.
    Interrupted,
    /// A condition of the scenario ended its storm, or the halt file all of it.
    Stopped {
        /// Why.
        why: String,
    },
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
