//! Contracts: how to speak to a system, so that any system can be attached without code.

mod alarm;
mod object;

pub use alarm::{Alarm, Figure, Rings, Series};
pub use object::{Counters, Known, Locks, Object, Verb};

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Dur;

/// All that a system file says about speaking to the system.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub struct Contracts {
    /// Where the entry service tells how it is.
    #[serde(default)]
    pub health: Option<Health>,
    /// How to open a session; its values are available to all later requests.
    #[serde(default)]
    pub session: Vec<Request>,
    /// A request that shows, at the end of a run, that the session still holds.
    #[serde(default)]
    pub session_check: Option<Request>,
    /// How to create tasks and read them back.
    #[serde(default)]
    pub tasks: Option<Tasks>,
    /// Counters clients add to.
    #[serde(default)]
    pub counters: Option<Counters>,
    /// Locks clients hold, and what they guard.
    #[serde(default)]
    pub locks: Option<Locks>,
    /// Where the entry service shows its circuit breakers.
    #[serde(default)]
    pub breakers: Option<Breakers>,
    /// What of the system's own monitoring says that something is wrong.
    #[serde(default)]
    pub alarms: Vec<Alarm>,
    /// The API's promises, positive and negative, one case each.
    #[serde(default)]
    pub api: Vec<ApiCase>,
}

/// Where the entry service tells how it is.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Health {
    /// Answers 200 while the process lives, whatever else is gone; not asked when absent.
    #[serde(default)]
    pub live: Option<String>,
    /// Answers 200 while it can serve and 503 while it can't.
    pub ready: String,
}

/// Where the entry service shows its circuit breakers, one for each type of task. All but `path` are JSONPaths, the
/// last two into an item of the list.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Breakers {
    /// Asked with GET, without a session.
    pub path: String,
    /// The list of breakers.
    pub list: String,
    /// Which type of task a breaker is for.
    pub of: String,
    /// Its state.
    pub state: String,
    /// The system's words for the states.
    pub words: BreakerWords,
}

/// The system's words for the states of a breaker.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct BreakerWords {
    /// Everything is let through.
    pub closed: Vec<String>,
    /// Nothing is.
    pub open: Vec<String>,
    /// A trial is.
    #[serde(default)]
    pub half_open: Vec<String>,
}

/// The methods a request may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "they are HTTP's own names")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As HTTP spells it.
    pub fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

/// A request as a template: `${…}` is filled in when it is sent.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub path: String,
    /// Headers of this request.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// The status it must answer; any 2xx when absent.
    #[serde(default)]
    pub expect: Option<u16>,
    /// Values to take out of the answer, by JSONPath.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
}

/// One promise of the API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct ApiCase {
    /// What it shows; method and path when absent.
    #[serde(default)]
    pub name: Option<String>,
    /// The method.
    pub method: Method,
    /// The path and query; `${task}` is the id of a task acknowledged before.
    pub path: String,
    /// Headers besides the session's.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// Whether the session's headers are sent.
    #[serde(default)]
    pub auth: bool,
    /// The status it must answer.
    pub expect: u16,
    /// What the JSON answer must contain, at least; `{}` asks for JSON, an empty list for a list.
    #[serde(default)]
    pub has: Option<serde_json::Value>,
    /// Values to take out of the answer, by JSONPath, for the cases after it.
    #[serde(default)]
    pub take: BTreeMap<String, String>,
    /// Only in full checks, not in the rotating traffic: it is costly or changes something.
    #[serde(default)]
    pub once: bool,
}

impl ApiCase {
    /// What reports call it.
    pub fn title(&self) -> String {
        self.name
            .clone()
            .unwrap_or_else(|| format!("{} {}", self.method.name(), self.path))
    }
}

/// How to create tasks and read them back.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Tasks {
    /// Headers of both requests, for example the session's token.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How a task is created.
    pub create: Create,
    /// How a task is read back.
    pub show: Show,
    /// The system's words for what a task can be.
    pub states: States,
    /// The kinds of work squall sends.
    pub kinds: BTreeMap<String, Kind>,
    /// How long a worker may keep a task without a sign of life.
    pub lease: Dur,
    /// The longest pause before a failed task's next attempt.
    pub backoff: Dur,
    /// How many failed attempts end a task.
    pub max_failures: u64,
    /// How many interrupted attempts end a task; no such end when absent.
    #[serde(default)]
    pub max_deaths: Option<u64>,
    /// What the system promises about effects.
    #[serde(default)]
    pub effects: Delivery,
}

/// What a system promises about the effect of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// An effect may happen again after a death or a lost lease; it is committed once.
    #[default]
    AtLeastOnce,
    /// Every effect happens exactly once, whatever dies.
    EffectivelyOnce,
}

/// How a task is created: `${type}`, `${payload}` and `${mark}` are filled in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Create {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The JSON body.
    pub json: serde_json::Value,
    /// Where the new task's id is in the answer, by JSONPath.
    pub id: String,
    /// The status that acknowledges it.
    #[serde(default = "created")]
    pub expect: u16,
}

fn created() -> u16 {
    201
}

/// How a task is read back: `${id}` is filled in; the rest are JSONPaths into the answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Show {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The state's word.
    pub state: String,
    /// Attempts so far.
    #[serde(default)]
    pub attempts: Option<String>,
    /// Failed attempts so far.
    #[serde(default)]
    pub failures: Option<String>,
    /// Interrupted attempts so far.
    #[serde(default)]
    pub deaths: Option<String>,
    /// Why it failed last.
    #[serde(default)]
    pub reason: Option<String>,
    /// What it was created with.
    #[serde(default)]
    pub payload: Option<String>,
}

/// The system's words for what a task can be.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct States {
    /// Queued, or waiting for its next attempt.
    pub waiting: Vec<String>,
    /// A worker has it.
    pub running: Vec<String>,
    /// Finished for good.
    pub done: Vec<String>,
    /// Given up.
    #[serde(default)]
    pub dead: Vec<String>,
    /// Taken back by a client.
    #[serde(default)]
    pub cancelled: Vec<String>,
}

/// A kind of work: `${ms}`, `${mark}` and `${witness.url}`, an address for this task alone, are filled in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Kind {
    /// The system's name for the type of task.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The payload.
    #[serde(default)]
    pub payload: serde_json::Value,
    /// How it must end when all goes well.
    #[serde(default)]
    pub ends: Ends,
}

impl Kind {
    /// Whether its payload carries the witness's address, so that the work itself calls it.
    pub fn calls_witness(&self) -> bool {
        self.payload.to_string().contains("${witness.url}")
    }
}

/// How a kind of work must end when all goes well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ends {
    /// Finished.
    #[default]
    Done,
    /// In the dead-letter queue, its attempts used up.
    Dead,
}
