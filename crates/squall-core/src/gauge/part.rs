//! A run in four parts, by what held: before, during and after the faults, and the recovering between.

use serde::{Deserialize, Serialize};

use crate::event::{Answer, Phase, Role};
use crate::journal::History;
use crate::time::Nanos;

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// From the reference to the first fault; without faults to the storm's end.
    Before,
    /// From the first fault to the last heal.
    During,
    /// From the last heal to the calm's end.
    Recover,
    /// Drain and audit.
    After,
}

impl Part {
    /// The word used for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Part::Before => "before",
            Part::During => "during",
            Part::Recover => "recovering",
            Part::After => "after",
        }
    }
}

/// A part of this run, and what clients were answered in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spell {
    /// Which.
    pub part: Part,
    /// Its beginning, since the journal was opened.
    pub from: Nanos,
    /// Its end.
    pub to: Nanos,
    /// Requests that were due in it, the audit's left out.
    pub requests: usize,
    /// Of these: not answered right. An honest refusal is no right answer to who needs one.
    pub bad: usize,
}

impl Spell {
    /// Which share of an error budget it spent: the time that was lost at its share of bad answers, over the time the
    /// promise leaves.
    pub fn spent(&self, promised: f64, window: Nanos) -> f64 {
        let share = self.bad as f64 / self.requests.max(1) as f64;
        let lost = share * self.to.saturating_sub(self.from) as f64;
        lost / ((1.0 - promised) * window as f64)
    }
}

/// The parts the run came to, in order; empty ones are left out.
pub fn spells(history: &History<'_>) -> Vec<Spell> {
    let Some(begin) = history.began(Phase::Reference) else {
        return Vec::new();
    };
    let storm = history.ended(Phase::Storm).unwrap_or(history.until);
    let calm = history.ended(Phase::Calm).unwrap_or(history.until);
    let first = history.strikes.iter().map(|strike| strike.imposing.1).min();
    let healed = history
        .strikes
        .iter()
        .map(|strike| strike.healed.unwrap_or(storm))
        .max();
    let first = first.unwrap_or(storm).max(begin);
    let healed = healed.unwrap_or(first).max(first);
    let calm = calm.max(healed);
    let spans = [
        (Part::Before, begin, first),
        (Part::During, first, healed),
        (Part::Recover, healed, calm),
        (Part::After, calm, history.until),
    ];
    let counted = spans
        .into_iter()
        .filter(|(_, from, to)| from < to)
        .map(|(part, from, to)| {
            let mut spell = Spell {
                part,
                from,
                to,
                requests: 0,
                bad: 0,
            };
            let asked = history.ops.iter().map(|(_, op)| op);
            for op in asked.filter(|op| op.role != Role::Audit && (from..to).contains(&op.due)) {
                spell.requests += 1;
                spell.bad += usize::from(op.answer != Answer::Right);
            }
            spell
        });
    counted.collect()
}
