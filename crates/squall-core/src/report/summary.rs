//! The report as a value: every figure a reader gets, before any format.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measure::{Counts, Latency, LogCounts, StartUp, Use, counts, creates, latency, logs, starts, uses};
use super::parts::{PartFigures, parts};
use super::sentence::{analysis, headline};
use crate::check::{Outcome, Verdict};
use crate::clock::Clock;
use crate::event::{Event, EventId, Fact, Phase, ScriptOf};
use crate::gauge::{Bottleneck, ack_gap, bottleneck};
use crate::journal::{History, Journal};
use crate::judgement::{Judgement, Unjudged, judgement};
use crate::place::{Instance, Place};
use crate::time::Nanos;

/// What one command's runs showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The worst of its scenarios.
    pub outcome: Outcome,
    /// From the first journal's opening to the last one's end, by the wall clock.
    pub duration: Nanos,
    /// One for each journal, in the order they were given.
    pub scenarios: Vec<Scenario>,
    /// The scenarios that were to be run and never were: about these nothing was shown.
    #[serde(default)]
    pub not_run: Vec<String>,
    /// The scenarios that can't be run on this system; they count neither as passed nor as failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
}

/// A scenario that can't be run on a system, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its name.
    pub scenario: String,
    /// Why: `no handle on worker`.
    pub why: String,
}

impl Report {
    /// The same report, where `planned` scenarios were to be run: one that was not keeps it from passing.
    #[must_use]
    pub fn of_planned(mut self, planned: &[String]) -> Self {
        let run = |name: &&String| self.scenarios.iter().any(|scenario| scenario.name == **name);
        self.not_run = planned.iter().filter(|name| !run(name)).cloned().collect();
        if !self.not_run.is_empty() {
            self.outcome = self.outcome.max(Outcome::Inconclusive);
        }
        self
    }

    /// The same report, where some scenarios were asked for and can't be run.
    #[must_use]
    pub fn without(mut self, left_out: Vec<LeftOut>) -> Self {
        self.left_out = left_out;
        self
    }

    /// How many scenarios there were, or should have been.
    pub fn total(&self) -> usize {
        self.scenarios.len() + self.not_run.len()
    }

    /// How many scenarios came out so.
    pub fn number(&self, outcome: Outcome) -> usize {
        let run = self
            .scenarios
            .iter()
            .filter(|scenario| scenario.outcome == outcome)
            .count();
        if outcome == Outcome::Inconclusive {
            run + self.not_run.len()
        } else {
            run
        }
    }

    /// Whole hundredths of the scenarios that passed, rounded down: only a full house is 100.
    pub fn success_rate(&self) -> usize {
        100 * self.number(Outcome::Pass) / self.total().max(1)
    }
}

/// What was run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// Squall's version.
    pub squall: String,
    /// When it began, RFC 3339 in UTC.
    pub opened: String,
    /// The system's name.
    pub system: String,
    /// Its base address, where squall attached to it instead of starting one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<String>,
    /// Its services, and how many copies of each ran at the start; none where it was attached to.
    pub services: BTreeMap<String, u32>,
    /// The level, 1 to 6.
    pub level: u8,
    /// The level's name.
    pub level_name: String,
    /// The seed.
    pub seed: u64,
    /// The pace.
    pub pace: f64,
    /// How many scenarios ran at once.
    pub jobs: u8,
    /// The command that runs the same again.
    pub repeat: String,
}

/// What one scenario showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// What was run.
    pub run: Run,
    /// The scenario's name.
    pub name: String,
    /// What was believed.
    pub hypothesis: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The words in the block's line: `100.0%, 2 retries`; or what failed, and how many.
    pub headline: String,
    /// One sentence: what was shown, with its figures.
    pub analysis: String,
    /// One for each demand.
    pub verdicts: Vec<Verdict>,
    /// What could not be judged, and why: it counts for nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Unjudged>,
    /// Whether all parts of it were run.
    pub complete: bool,
    /// Why it is inconclusive.
    pub doubts: Vec<String>,
    /// Signs that change no verdict.
    pub warnings: Vec<String>,
    /// What was put in force.
    pub faults: Vec<Fault>,
    /// How many strikes of the plan never began: the run ended before.
    #[serde(default)]
    pub unbegun: usize,
    /// How many commands of one's own the storm ran.
    #[serde(default)]
    pub scripts: usize,
    /// How what broke came back.
    pub clocks: Vec<Clock>,
    /// The figures of requests and tasks.
    pub counts: Counts,
    /// How long requests took.
    pub latency: Option<Latency>,
    /// How long creating a task took; nothing where none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub creates: Option<Latency>,
    /// What each instance used of the machine.
    pub uses: BTreeMap<Instance, Use>,
    /// How long each start took.
    pub starts: Vec<StartUp>,
    /// Error and warning lines, by part of the run.
    pub logs: Vec<(Phase, LogCounts)>,
    /// What was answered, and what databases did, before, during and after the faults.
    #[serde(default)]
    pub parts: Vec<PartFigures>,
    /// The longest time without an acknowledged write while one was asked for, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ack_gap: Option<Nanos>,
    /// What limited the flood; nothing where there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bottleneck: Option<Bottleneck>,
    /// How long it took, in nanoseconds.
    pub duration: Nanos,
}

/// A fault that was put in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Its index in the plan.
    pub step: usize,
    /// The entry of the scenario's storm it comes from; strikes of one entry prove each other.
    pub entry: usize,
    /// Its word.
    pub fault: String,
    /// Where.
    pub place: Place,
    /// What held there, in a word: `killed`.
    pub state: String,
    /// From, since the journal was opened.
    pub from: Nanos,
    /// To; `None` when it was never healed.
    pub to: Option<Nanos>,
    /// Whether its effect was seen.
    pub seen: bool,
    /// By what.
    pub proof: String,
    /// The events that show it.
    pub evidence: Vec<EventId>,
}

/// Judges the journals of one command and puts the figures together.
pub fn report(journals: &[Journal]) -> Report {
    let judged: Vec<_> = journals
        .iter()
        .map(|journal| (journal, judgement(&journal.history())))
        .collect();
    report_of(&judged)
}

/// The figures of runs that were judged before.
pub fn report_of(judged: &[(&Journal, Judgement)]) -> Report {
    let scenarios: Vec<_> = judged
        .iter()
        .map(|(journal, judgement)| scenario(&journal.history(), judgement))
        .collect();
    let worst = scenarios.iter().map(|scenario| scenario.outcome).max();
    Report {
        // Nothing was run, so nothing was shown.
        outcome: worst.unwrap_or(Outcome::Inconclusive),
        duration: duration(&scenarios),
        scenarios,
        not_run: Vec::new(),
        left_out: Vec::new(),
    }
}

/// From the first opening to the last end; where a wall clock can't be read, the sum of what was run.
fn duration(scenarios: &[Scenario]) -> Nanos {
    let spans: Option<Vec<(i128, i128)>> = scenarios
        .iter()
        .map(|scenario| {
            let opened = scenario.run.opened.parse::<jiff::Timestamp>().ok()?.as_nanosecond();
            Some((opened, opened + i128::from(scenario.duration)))
        })
        .collect();
    let sum = scenarios.iter().map(|scenario| scenario.duration).sum();
    let Some(spans) = spans else { return sum };
    let first = spans.iter().map(|span| span.0).min().unwrap_or(0);
    let last = spans.iter().map(|span| span.1).max().unwrap_or(0);
    Nanos::try_from(last - first).unwrap_or(sum)
}

fn scripts(history: &History<'_>) -> usize {
    let began = |event: &&Event| {
        matches!(
            &event.fact,
            Fact::ScriptBegan {
                of: ScriptOf::Storm(_),
                ..
            }
        )
    };
    history.events.iter().filter(began).count()
}

fn scenario(history: &History<'_>, judgement: &Judgement) -> Scenario {
    let plan = &history.header.plan;
    let mut scenario = Scenario {
        run: run(history),
        name: plan.scenario.clone(),
        hypothesis: plan.hypothesis.clone(),
        outcome: judgement.outcome,
        headline: String::new(),
        analysis: String::new(),
        verdicts: judgement.verdicts.clone(),
        unjudged: judgement.unjudged.clone(),
        complete: history.complete(),
        doubts: judgement.doubts.clone(),
        warnings: judgement.signs.clone(),
        faults: faults(history, judgement),
        unbegun: plan
            .steps
            .len()
            .saturating_sub(history.strikes.len() + history.missed.len()),
        scripts: scripts(history),
        clocks: judgement.clocks.clone(),
        counts: counts(history),
        latency: latency(history),
        creates: creates(history),
        uses: uses(history),
        starts: starts(history),
        logs: logs(history),
        parts: parts(history),
        ack_gap: ack_gap(history).map(|gap| gap.length()),
        bottleneck: bottleneck(history),
        duration: history.until,
    };
    for verdict in &judgement.verdicts {
        scenario.warnings.extend(verdict.warnings.iter().cloned());
    }
    scenario.headline = headline(&scenario, plan);
    scenario.analysis = analysis(&scenario);
    scenario
}

fn run(history: &History<'_>) -> Run {
    let header = history.header;
    let plan = &header.plan;
    let services = header.system.services.iter();
    Run {
        id: header.run.clone(),
        squall: header.squall.clone(),
        opened: header.opened.clone(),
        system: header.system.name.clone(),
        attached: header.system.attached.clone(),
        services: services.map(|(name, facts)| (name.clone(), facts.replicas)).collect(),
        level: plan.level,
        level_name: plan.level_name.clone(),
        seed: plan.seed,
        pace: plan.pace,
        jobs: plan.jobs,
        repeat: plan.repeat.clone(),
    }
}

fn faults(history: &History<'_>, judgement: &Judgement) -> Vec<Fault> {
    let strikes = history.strikes.iter().enumerate();
    strikes
        .map(|(index, strike)| {
            // A judgement has one proof for each strike; without one nothing was seen.
            let proof = judgement.proofs.get(index);
            Fault {
                step: strike.index,
                entry: strike.step.entry,
                fault: strike.step.fault.clone(),
                place: strike.place.clone(),
                state: strike.condition.word().to_owned(),
                from: strike.imposing.1,
                to: strike.healed,
                seen: proof.is_some_and(|proof| proof.seen),
                proof: proof.map(|proof| proof.says.clone()).unwrap_or_default(),
                evidence: proof.map(|proof| proof.evidence.clone()).unwrap_or_default(),
            }
        })
        .collect()
}
