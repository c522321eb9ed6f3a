//! How much time databases spent on each transaction.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::part::{Part, Spell};
use crate::event::{DatabaseLook, Fact};
use crate::journal::History;
use crate::place::Instance;
use crate::time::Nanos;

/// What databases did in a part of the run, squall's own looks among it (two transactions a second).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatabaseTime {
    /// Transactions that were committed.
    pub commits: u64,
    /// Time sessions spent executing, in nanoseconds, all together.
    pub active: Nanos,
}

impl DatabaseTime {
    /// Time for each transaction; `None` where there was none.
    pub fn each(&self) -> Option<Nanos> {
        self.active.checked_div(self.commits)
    }
}

/// Each part's, from what was counted between two looks. A database that crashed counts from nothing again: what came
/// between is left out.
pub fn database_time(history: &History<'_>, spells: &[Spell]) -> BTreeMap<Part, DatabaseTime> {
    let mut before: BTreeMap<&Instance, &DatabaseLook> = BTreeMap::new();
    let mut times: BTreeMap<Part, DatabaseTime> = BTreeMap::new();
    for event in history.events {
        let Fact::Database(look) = &event.fact else { continue };
        let Some(last) = before.insert(&look.instance, look) else {
            continue;
        };
        let spell = spells.iter().find(|spell| (spell.from..spell.to).contains(&event.at));
        let commits = look.commits.checked_sub(last.commits);
        let active = look
            .active_us
            .zip(last.active_us)
            .and_then(|(now, then)| now.checked_sub(then));
        if let (Some(spell), Some(commits), Some(active)) = (spell, commits, active) {
            let time = times.entry(spell.part).or_default();
            time.commits += commits;
            time.active += active.saturating_mul(1_000);
        }
    }
    times
}
