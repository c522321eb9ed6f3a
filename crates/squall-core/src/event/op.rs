//! What clients ask, and what comes of it.

use serde::{Deserialize, Serialize};

use super::Touch;
use crate::time::Nanos;

/// A client's request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Op {
    /// Which request of the contract: `GET /health`, `create`.
    pub name: String,
    /// Method and path as they were sent, without the query: `POST /tasks`.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub request: String,
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
    /// For an operation on an object: what it was, and what it showed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub touch: Option<Touch>,
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
    /// Works an object, such as a counter or a lock.
    Touch,
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
