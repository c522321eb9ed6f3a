//! What a scenario's `checks:` may ask for. How each is judged is in the file of the same name under `check/`.

mod catalogue;

pub use catalogue::{CATALOGUE, TIMED};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Dur, Percent, PercentRange};
use crate::script::Script;

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
    /// Every increment of a counter is in it, once.
    Counted,
    /// No lock has two holders at a time.
    MutualExclusion,
    /// Who lost a lock can't change what it guards.
    Fenced,
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
    Amplification(Amplification),
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
    /// The system's own monitoring says so when something is gone.
    Alarmed(Alarmed),
    /// Nothing panics.
    NoPanics,
    /// Logs speak of few errors where nothing is broken.
    LogErrors(LogErrors),
    /// Writes are never left without an acknowledgement for long.
    AckGap(Within),
    /// The run spends little of the error budget.
    ErrorBudget(ErrorBudget),
    /// A command of one's own says that all is well.
    Script(Script),
    /// Memory, descriptors and connections do not grow without end.
    Stable,
    /// Nothing ends that nobody ended.
    StaysUp,
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

/// How often a failing call may be repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Amplification {
    /// So many calls for each attempt.
    pub at_most: f64,
    /// The kinds of the tasks contract that call over the links in question: only their attempts count. All kinds,
    /// when absent; those that never call then make the figure smaller than it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
}

/// Which alarm shall ring when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alarmed {
    /// The alarm, by its name in `contracts.alarms`.
    pub by: String,
    /// The service whose loss it tells of.
    pub of: String,
    /// How soon it rings after the loss, and is silent after the return.
    pub within: Dur,
}

/// How many lines of the logs may speak of an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogErrors {
    /// So many, outside outage windows.
    pub at_most: u64,
}

/// How much of an error budget a run may spend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorBudget {
    /// The share of answers that is promised to be right.
    pub slo: Percent,
    /// Over this long.
    #[serde(default = "thirty_days")]
    pub window: Dur,
    /// The run may spend this share of what the promise leaves.
    pub at_most: Percent,
}

fn thirty_days() -> Dur {
    Dur::secs(30 * 24 * 3600)
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

impl Demand {
    /// The kinds of work it names, each with its place below the check's name.
    pub fn kinds(&self) -> Vec<(String, &str)> {
        match self {
            Demand::Breaker(wanted) => vec![("kind".to_owned(), &wanted.kind)],
            Demand::Isolated(Kinds { kinds }) | Demand::Amplification(Amplification { kinds, .. }) => {
                let kinds = kinds.iter().enumerate();
                kinds
                    .map(|(index, kind)| (format!("kinds/{index}"), kind.as_str()))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// The classes of its findings.
    pub fn classes(&self) -> impl Iterator<Item = &'static str> {
        let own = CATALOGUE.iter().filter(|(name, ..)| *name == self.name());
        own.flat_map(|(_, classes, _)| classes.split(", "))
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
            Demand::Counted => "counted",
            Demand::MutualExclusion => "mutual_exclusion",
            Demand::Fenced => "fenced",
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
            Demand::Alarmed(_) => "alarmed",
            Demand::NoPanics => "no_panics",
            Demand::LogErrors(_) => "log_errors",
            Demand::AckGap(_) => "ack_gap",
            Demand::ErrorBudget(_) => "error_budget",
            Demand::Script(_) => "script",
            Demand::Stable => "stable",
            Demand::StaysUp => "stays_up",
        }
    }
}
