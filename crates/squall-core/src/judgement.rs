//! The judgement of one run: every verdict, every doubt, one outcome. A pure function of the journal.

use serde::{Deserialize, Serialize};

use crate::advice::advice;
use crate::check::{Outcome, Verdict, judge, unseen};
use crate::clock::{Clock, clocks};
use crate::event::{End, Fact, NoteKind, ScriptOf};
use crate::fault::Aim;
use crate::journal::History;
use crate::proof::{Proof, proof};
use crate::sign::signs;

/// What a run showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The worst of verdicts and doubts.
    pub outcome: Outcome,
    /// One for each demand of the scenario that can be judged, in its order.
    pub verdicts: Vec<Verdict>,
    /// The demands that can't be: squall only attached to the system, and has no handle on what would show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Unjudged>,
    /// One for each strike, in order.
    pub proofs: Vec<Proof>,
    /// One for each strike whose way back can be told.
    pub clocks: Vec<Clock>,
    /// Why the run as a whole proves less than it should: each makes it inconclusive.
    pub doubts: Vec<String>,
    /// Signs that change no verdict, besides the verdicts' own.
    #[serde(default)]
    pub signs: Vec<String>,
}

/// A check about which nothing can be known in such a run. It counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// Its name.
    pub check: String,
    /// Why.
    pub why: String,
}

/// Judges a run.
pub fn judgement(history: &History<'_>) -> Judgement {
    let (mut verdicts, mut unjudged): (Vec<Verdict>, _) = Default::default();
    let late = noted(history, |kind| kind == NoteKind::Late).next();
    for demand in &history.header.plan.checks {
        match unseen(demand, history.header) {
            None => {
                let mut verdict = judge(demand, history);
                if let Some(late) = &late {
                    verdict.excuse(late);
                }
                verdict.advice = advice(&verdict, history);
                verdicts.push(verdict);
            }
            Some(why) => Vec::push(
                &mut unjudged,
                Unjudged {
                    check: demand.name().to_owned(),
                    why: why.to_owned(),
                },
            ),
        }
    }
    let proofs: Vec<Proof> = history.strikes.iter().map(|strike| proof(strike, history)).collect();
    let doubts = doubts(history, &proofs);
    let worst = verdicts
        .iter()
        .map(|verdict| verdict.outcome)
        .max()
        .unwrap_or(Outcome::Inconclusive);
    let outcome = if doubts.is_empty() {
        worst
    } else {
        worst.max(Outcome::Inconclusive)
    };
    Judgement {
        outcome,
        verdicts,
        unjudged,
        proofs,
        clocks: clocks(history),
        doubts,
        signs: signs(history),
    }
}

/// What squall noted of such kinds.
fn noted<'a>(history: &History<'a>, wanted: fn(NoteKind) -> bool) -> impl Iterator<Item = &'a String> {
    history.events.iter().filter_map(move |event| match &event.fact {
        Fact::Note { kind, text } if wanted(*kind) => Some(text),
        _ => None,
    })
}

/// Why nobody should believe a green run: a part that did not happen, a fault nobody felt.
fn doubts(history: &History<'_>, proofs: &[Proof]) -> Vec<String> {
    let mut doubts = Vec::new();
    match history.end {
        Some(End::Complete) => {}
        Some(End::Interrupted) => doubts.push("the run was interrupted".to_owned()),
        Some(End::Stopped { why }) => doubts.push(format!("the run was stopped: {why}")),
        Some(End::Broken { cause }) => doubts.push(format!("the run broke off: {cause}")),
        None => doubts.push("the journal has no end: the run was cut off".to_owned()),
    }
    let noted = noted(history, |kind| {
        matches!(kind, NoteKind::Overrun | NoteKind::Late | NoteKind::Blind)
    });
    doubts.extend(noted.cloned());
    doubts.extend(scripts(history));
    doubts.extend(never_struck(history, proofs));
    doubts.extend(unfelt(history, proofs));
    doubts.extend(never_back(history));
    doubts
}

/// The entry service was struck and nobody saw it serve again: what came of all requests since is known to nobody.
fn never_back(history: &History<'_>) -> Option<String> {
    let strikes = history.strikes.iter();
    let mut entry = strikes.filter(|strike| history.strikes_entry(strike) == Some(true));
    let lost = entry.find(|strike| {
        let healed = strike.healed.unwrap_or(history.until);
        history.serving_since(healed).is_none()
    })?;
    let (place, word) = (lost.place, lost.condition.word());
    Some(format!("{place} was {word} and not seen to serve again"))
}

/// The storm's own commands that did not do what they were there for.
fn scripts(history: &History<'_>) -> Vec<String> {
    let scripts = history.header.plan.scripts.iter().enumerate();
    let doubts = scripts.filter_map(|(index, planned)| {
        let how = history.events.iter().find_map(|event| match &event.fact {
            Fact::ScriptEnded { of, how, output, .. } if *of == ScriptOf::Storm(index) => Some((how, output)),
            _ => None,
        });
        let run = &planned.script.run;
        match how {
            Some((how, _)) if how.well() => None,
            Some((how, output)) => {
                let last = output.last().map_or(String::new(), |line| format!(": {line}"));
                Some(format!("the storm's `{run}` {}{last}", how.words()))
            }
            None => Some(format!("the storm's `{run}` was not run to its end")),
        }
    });
    doubts.collect()
}

/// The strikes that were planned and not made. One felt strike of an entry says nothing of the others, except
/// where each waited for running work: the work may have run out.
fn never_struck(history: &History<'_>, proofs: &[Proof]) -> Vec<String> {
    let steps = &history.header.plan.steps;
    let missed = history.missed.iter().filter(|(_, _, decided, _)| !decided);
    let doubts = missed.filter_map(|(_, index, _, why)| {
        let Some(step) = steps.get(*index) else {
            return Some(format!("step {index} never struck: {why}"));
        };
        let at_work = matches!(step.aim, Some((Aim::TaskRunning, _)));
        let mut struck = history.strikes.iter().zip(proofs);
        let felt = struck.any(|(strike, proof)| strike.step.entry == step.entry && proof.seen);
        if at_work && felt {
            return None;
        }
        let on = match &step.link_to {
            Some(to) => format!("{}->{to}", step.service),
            None => step.service.clone(),
        };
        Some(format!("step {index} (`{}` on {on}) never struck: {why}", step.fault))
    });
    doubts.collect()
}

/// The entries of which no strike was felt.
fn unfelt(history: &History<'_>, proofs: &[Proof]) -> Vec<String> {
    let mut doubts = Vec::new();
    let steps = &history.header.plan.steps;
    let entries = steps
        .iter()
        .map(|step| step.entry)
        .collect::<std::collections::BTreeSet<_>>();
    for entry in entries {
        let struck: Vec<_> = history
            .strikes
            .iter()
            .zip(proofs)
            .filter(|(strike, _)| strike.step.entry == entry)
            .collect();
        if struck.iter().any(|(_, proof)| proof.seen) {
            continue;
        }
        let fault = steps
            .iter()
            .find(|step| step.entry == entry)
            .map_or("fault", |step| step.fault.as_str());
        let mut missed = history
            .missed
            .iter()
            .filter(|(_, step, ..)| steps.get(*step).is_some_and(|step| step.entry == entry));
        let why = match (struck.first(), missed.next()) {
            (Some((_, proof)), _) => proof.says.clone(),
            // Said already.
            (None, Some((_, _, false, _))) => continue,
            (None, _) if matches!(history.end, Some(End::Stopped { .. })) => continue,
            (None, Some((_, _, true, why))) => (*why).to_owned(),
            (None, None) => "it was never put in force".to_owned(),
        };
        doubts.push(format!("no effect of `{fault}` was seen: {why}"));
    }
    doubts
}
