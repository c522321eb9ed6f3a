//! What workers report of their attempts, and what the system says of its tasks.

use serde::{Deserialize, Serialize};

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

/// Work called the witness by the address its payload carries. The address is the task's own, so nobody need say whose
/// call it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The mark of the task.
    pub mark: String,
    /// `false` when it came; `true` just before it is answered: from then on the work has had its effect.
    pub answered: bool,
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
