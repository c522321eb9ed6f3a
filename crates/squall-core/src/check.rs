//! Checks: what a journal says about each demand of the scenario. Pure functions of the history.
//!
//! To add one: a file beside `check/api_success.rs`, a `mod` line, a variant and a catalogue row in
//! [`crate::demand`], and its arm in [`judge`]. `requests`, `finish`, `sentence` and `unseen` are no checks: what several
//! of them read, how they all speak, and which can't be judged.

mod ack_gap;
mod adaptation;
mod alarmed;
mod amplification;
mod answered_correctly;
mod answers_in_time;
mod api_success;
mod attempts_in_time;
mod breaker;
mod completion;
mod counted;
mod create_latency;
mod data_intact;
mod deadline;
mod dlq_accounted;
mod error_budget;
mod fenced;
mod health_truthful;
mod isolated;
mod log_errors;
mod no_degradation;
mod no_panics;
mod no_phantom_task;
mod no_task_completed_twice;
mod no_task_lost;
mod mutual_exclusion;
mod none_stuck;
mod recovery;
mod retried;
mod script;
mod stable;
mod stays_up;
mod throughput;
mod work_spread;

mod finish;
mod requests;
mod sentence;
mod unseen;

use serde::{Deserialize, Serialize};

use crate::demand::{Demand, TIMED};
use crate::event::EventId;
use crate::journal::History;

pub(crate) use unseen::unseen;

/// What came of a check. Failing outweighs not knowing, which outweighs passing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Shown to hold.
    Pass,
    /// Not enough was seen to tell.
    Inconclusive,
    /// Shown not to hold.
    Fail,
}

/// A check's answer, with its evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The check's name.
    pub check: String,
    /// What came of it.
    pub outcome: Outcome,
    /// For a failure: which of the check's classes.
    pub class: Option<String>,
    /// One sentence with its figures: what was shown, what was found, or why nothing can be said.
    pub says: String,
    /// The events that show it, at most [`EVIDENCE`] of them.
    pub evidence: Vec<EventId>,
    /// How many findings there are in all.
    pub found: usize,
    /// How many things were looked at.
    pub checked: usize,
    /// For a failure: what is likely to be behind it, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Signs that change no verdict: late, weak, slow.
    pub warnings: Vec<String>,
}

/// At most so many events are given as evidence.
pub const EVIDENCE: usize = 10;

impl Verdict {
    /// It holds for all `checked` things looked at.
    pub fn pass(demand: &Demand, checked: usize, says: impl Into<String>) -> Self {
        Self::new(demand, Outcome::Pass, checked, says.into())
    }

    /// Not enough was seen.
    pub fn inconclusive(demand: &Demand, says: impl Into<String>) -> Self {
        Self::new(demand, Outcome::Inconclusive, 0, says.into())
    }

    /// It does not hold: `evidence` has the events of every finding.
    pub fn fail(demand: &Demand, class: &str, evidence: Vec<EventId>, says: impl Into<String>) -> Self {
        debug_assert!(
            demand.classes().any(|known| known == class),
            "{class} is not in the catalogue"
        );
        let mut verdict = Self::new(demand, Outcome::Fail, evidence.len(), says.into());
        verdict.class = Some(class.to_owned());
        verdict.found = evidence.len();
        verdict.evidence = evidence;
        verdict.evidence.truncate(EVIDENCE);
        verdict
    }

    fn new(demand: &Demand, outcome: Outcome, checked: usize, says: String) -> Self {
        let check = demand.name().to_owned();
        Self {
            check,
            outcome,
            class: None,
            says,
            evidence: Vec::new(),
            found: 0,
            checked,
            advice: None,
            warnings: Vec::new(),
        }
    }

    /// A finding that something took too long is none where squall's own load was late.
    pub(crate) fn excuse(&mut self, late: &str) {
        if self.class.as_deref().is_some_and(|class| TIMED.contains(&class)) {
            self.outcome = Outcome::Inconclusive;
            self.class = None;
            self.says = format!("{}; but {late}, so it may be the machine that was slow", self.says);
        }
    }

    /// With events that bear the findings out and are none themselves.
    #[must_use]
    fn also(mut self, events: Vec<EventId>) -> Self {
        let more = events.into_iter().filter(|event| !self.evidence.contains(event));
        let more: Vec<EventId> = more.take(EVIDENCE / 2).collect();
        self.evidence.truncate(EVIDENCE - more.len());
        self.evidence.extend(more);
        self
    }

    /// With a sign that changes no verdict.
    #[must_use]
    pub fn warn(mut self, warning: Option<String>) -> Self {
        self.warnings.extend(warning);
        self
    }
}

/// Judges one demand.
pub fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    match demand {
        Demand::ApiSuccess(wanted) => api_success::judge(demand, wanted, history),
        Demand::AnsweredCorrectly(wanted) => answered_correctly::judge(demand, wanted, history),
        Demand::AnswersInTime(wanted) => answers_in_time::judge(demand, wanted, history),
        Demand::HealthTruthful(wanted) => health_truthful::judge(demand, wanted, history),
        Demand::NoTaskLost => no_task_lost::judge(demand, history),
        Demand::NoPhantomTask => no_phantom_task::judge(demand, history),
        Demand::NoTaskCompletedTwice => no_task_completed_twice::judge(demand, history),
        Demand::Counted => counted::judge(demand, history),
        Demand::MutualExclusion => mutual_exclusion::judge(demand, history),
        Demand::Fenced => fenced::judge(demand, history),
        Demand::NoneStuck => none_stuck::judge(demand, history),
        Demand::Retried => retried::judge(demand, history),
        Demand::DlqAccounted => dlq_accounted::judge(demand, history),
        Demand::Completion(wanted) => completion::judge(demand, wanted, history),
        Demand::Deadline(wanted) => deadline::judge(demand, wanted, history),
        Demand::Recovery(wanted) => recovery::judge(demand, wanted, history),
        Demand::DataIntact => data_intact::judge(demand, history),
        Demand::WorkSpread => work_spread::judge(demand, history),
        Demand::CreateLatency(wanted) => create_latency::judge(demand, wanted, history),
        Demand::Throughput(wanted) => throughput::judge(demand, wanted, history),
        Demand::Adaptation(wanted) => adaptation::judge(demand, wanted, history),
        Demand::Amplification(wanted) => amplification::judge(demand, wanted, history),
        Demand::AttemptsInTime(wanted) => attempts_in_time::judge(demand, wanted, history),
        Demand::Breaker(wanted) => breaker::judge(demand, wanted, history),
        Demand::Isolated(wanted) => isolated::judge(demand, wanted, history),
        Demand::NoDegradation => no_degradation::judge(demand, history),
        Demand::Alarmed(wanted) => alarmed::judge(demand, wanted, history),
        Demand::NoPanics => no_panics::judge(demand, history),
        Demand::LogErrors(wanted) => log_errors::judge(demand, wanted, history),
        Demand::AckGap(wanted) => ack_gap::judge(demand, wanted, history),
        Demand::ErrorBudget(wanted) => error_budget::judge(demand, wanted, history),
        Demand::Script(wanted) => script::judge(demand, wanted, history),
        Demand::Stable => stable::judge(demand, history),
        Demand::StaysUp => stays_up::judge(demand, history),
    }
}
