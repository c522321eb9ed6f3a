//! What a scenario's `checks:` may ask for. How each is judged is in the file of the same name under `check/`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Dur, Percent, PercentRange};

/// One line of `checks:`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// Share of right answers outside outages.
    ApiSuccess(AtLeast),
    /// Share of right or honestly refused answers inside outages.
    AnsweredCorrectly(AtLeast),
    /// Every answer inside an outage comes in time.
    AnswersInTime(Within),
    /// The health endpoints tell the truth, and soon.
    HealthTruthful(Within),
    /// No acknowledged task is absent, or done without its effect.
    NoTaskLost,
    /// No task ran that was never sent, or was refused.
    NoPhantomTask,
    /// No task was committed twice.
    NoTaskCompletedTwice,
    /// After healing, nothing is stuck.
    NoneStuck,
    /// Failed and interrupted attempts have successors.
    Retried,
    /// The dead-letter queue holds exactly what belongs there.
    DlqAccounted,
    /// Share of the storm's tasks done at the deadline.
    Completion(Completion),
    /// All of the storm's tasks done at the deadline; late ones warn where the level allows.
    Deadline(Deadline),
    /// What broke came back, and soon.
    Recovery(Recovery),
    /// Acknowledged data is there and unchanged.
    DataIntact,
    /// With work waiting, every worker takes its share.
    WorkSpread,
    /// Every change of the number of copies is adapted to, and soon.
    Adaptation(Within),
    /// Failing calls are not repeated without measure.
    Amplification(AtMost),
    /// Under a flood creating a task stays quick.
    CreateLatency(CreateLatency),
    /// Under a flood the system takes what it is given.
    Throughput(AtLeast),
    /// No attempt goes on for longer than it may.
    AttemptsInTime(Within),
    /// The circuit breaker of a kind of work opens, fails fast, and closes again.
    Breaker(Breaker),
    /// What fails for one kind of work fails for no other.
    Isolated(Kinds),
    /// Recovery takes no longer from cycle to cycle.
    NoDegradation,
    /// Nothing panics.
    NoPanics,
    /// Memory, descriptors and connections do not grow without end.
    Stable,
}

/// A share that must be reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtLeast {
    /// The share.
    pub at_least: Percent,
}

/// A time that must be kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Within {
    /// The time.
    pub within: Dur,
}

/// How much of the work must be done at the deadline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Completion {
    /// The range the share must be in.
    pub share: PercentRange,
}

/// Whether late work is a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deadline {
    /// Late work only warns.
    pub late_warns: bool,
}

/// How soon what broke must be back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recovery {
    /// Later than this is worth a warning.
    pub warn: Dur,
    /// Later than this is a finding.
    pub within: Dur,
}

/// A figure that must not be exceeded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AtMost {
    /// The figure.
    pub at_most: f64,
}

/// How long a create may take under a flood.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CreateLatency {
    /// 99 of 100 take no longer.
    pub p99: Dur,
}

/// Which kinds of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Kinds {
    /// Kinds of the tasks contract.
    pub kinds: Vec<String>,
}

/// What a circuit breaker must do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Breaker {
    /// The kind of work it is for.
    pub kind: String,
    /// Whether it must close again.
    #[serde(default)]
    pub closes: bool,
    /// How soon after the last heal.
    pub within: Dur,
}

/// What `squall list checks` says of each: name, finding classes, what it demands, and its grace.
pub const CATALOGUE: &[(&str, &str, &str)] = &[
    (
        "api_success",
        "wrong-answer",
        "share of right answers outside outage windows (fault effective to heal + 2 s)",
    ),
    (
        "answered_correctly",
        "wrong-answer",
        "share of right or honestly refused (503, JSON error) answers inside outage windows",
    ),
    (
        "answers_in_time",
        "hung",
        "every answer inside an outage window comes within the bound",
    ),
    (
        "health_truthful",
        "health-lie",
        "ready turns false and true within the bound of a dependency's loss and return, never flaps, and live stays true while the process lives",
    ),
    (
        "no_task_lost",
        "lost-task, phantom-done",
        "every acknowledged task is there, and a done one had its effect",
    ),
    (
        "no_phantom_task",
        "phantom-task",
        "everything that ran was sent, and was not refused",
    ),
    (
        "no_task_completed_twice",
        "double-commit, double-effect",
        "at most one commit of each task",
    ),
    (
        "none_stuck",
        "stuck-task",
        "after heal + lease + grace nothing runs without a live lease; nothing waits longer than the longest backoff + 5 s",
    ),
    (
        "retried",
        "missing-retry",
        "a failed attempt below the maximum, or an interrupted one, has a successor in time",
    ),
    (
        "dlq_accounted",
        "dlq-leak",
        "dead exactly when attempts are used up, no handler exists or the cap on deaths is reached; sums close",
    ),
    (
        "completion",
        "incomplete",
        "share of the storm's tasks done at the deadline inside the level's range",
    ),
    (
        "deadline",
        "incomplete",
        "all of the storm's tasks done at the deadline; where the level allows lateness only warns",
    ),
    (
        "recovery",
        "no-recovery, slow-recovery",
        "serving again, and steady, within the bound: from death where it must come back by itself, from heal where squall held it",
    ),
    (
        "data_intact",
        "lost-ack, corruption",
        "every acknowledged row and session is there and unchanged at the audit",
    ),
    (
        "work_spread",
        "hoarding",
        "with work waiting, no worker is left without any",
    ),
    (
        "adaptation",
        "no-adaptation, slow-adaptation",
        "every copy that comes takes work, and every copy that goes is gone, within the bound",
    ),
    (
        "amplification",
        "retry-storm",
        "calls over a cut link for each attempt stay below the bound",
    ),
    (
        "attempts_in_time",
        "hung",
        "no attempt at work without a length of its own goes on for longer than the bound",
    ),
    (
        "breaker",
        "never-opened, no-fast-failure, never-closed",
        "the breaker of a kind of work opens when it keeps failing, fails fast meanwhile, and closes again",
    ),
    (
        "isolated",
        "not-isolated",
        "kinds of work that need nothing of what is broken go on without a failure",
    ),
    (
        "no_degradation",
        "degradation",
        "the time to serve again does not grow from cycle to cycle (claimed from 6 cycles on)",
    ),
    ("no_panics", "panic", "no line of a log speaks of a panic"),
    (
        "stable",
        "memory-growth, descriptor-growth, connection-growth",
        "memory, descriptors and database connections do not grow without end",
    ),
    (
        "create_latency",
        "slow",
        "under a flood, 99 of 100 creates take no longer than the bound from when they were due",
    ),
    (
        "throughput",
        "unserved",
        "under a flood, the share of creates acknowledged within a second of when they were due; says where it saturates",
    ),
];

impl Demand {
    /// The kinds of work it names, each with its place below the check's name.
    pub fn kinds(&self) -> Vec<(String, &str)> {
        match self {
            Demand::Breaker(wanted) => vec![("kind".to_owned(), &wanted.kind)],
            Demand::Isolated(wanted) => {
                let kinds = wanted.kinds.iter().enumerate();
                kinds
                    .map(|(index, kind)| (format!("kinds/{index}"), kind.as_str()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Its name: the key in a scenario's `checks:`.
    pub fn name(&self) -> &'static str {
        match self {
            Demand::ApiSuccess(_) => "api_success",
            Demand::AnsweredCorrectly(_) => "answered_correctly",
            Demand::AnswersInTime(_) => "answers_in_time",
            Demand::HealthTruthful(_) => "health_truthful",
            Demand::NoTaskLost => "no_task_lost",
            Demand::NoPhantomTask => "no_phantom_task",
            Demand::NoTaskCompletedTwice => "no_task_completed_twice",
            Demand::NoneStuck => "none_stuck",
            Demand::Retried => "retried",
            Demand::DlqAccounted => "dlq_accounted",
            Demand::Completion(_) => "completion",
            Demand::Deadline(_) => "deadline",
            Demand::Recovery(_) => "recovery",
            Demand::DataIntact => "data_intact",
            Demand::WorkSpread => "work_spread",
            Demand::CreateLatency(_) => "create_latency",
            Demand::Throughput(_) => "throughput",
            Demand::Adaptation(_) => "adaptation",
            Demand::Amplification(_) => "amplification",
            Demand::AttemptsInTime(_) => "attempts_in_time",
            Demand::Breaker(_) => "breaker",
            Demand::Isolated(_) => "isolated",
            Demand::NoDegradation => "no_degradation",
            Demand::NoPanics => "no_panics",
            Demand::Stable => "stable",
        }
    }
}
