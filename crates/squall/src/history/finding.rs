//! Findings over many runs: first seen, last seen, gone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::row::outcome_of;
use super::{History, Unusable};
use squall_core::check::Outcome;

/// A run in which something was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// The run's id.
    pub run: String,
    /// When it began, RFC 3339 in UTC.
    pub opened: String,
}

/// What failed in one run or several: the same check of the same scenario and system, in the same way.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The system.
    pub system: String,
    /// The scenario.
    pub scenario: String,
    /// The check that failed.
    pub check: String,
    /// In which of its ways.
    pub class: Option<String>,
    /// What it said when it was seen last.
    pub says: String,
    /// In how many runs.
    pub seen: usize,
    /// The first of them.
    pub first: Sighting,
    /// The last.
    pub last: Sighting,
    /// The level of the last.
    pub level: u8,
    /// The pace of the last.
    pub pace: f64,
    /// The first run after the last sighting, at its level and pace, that this check passed. An easier run, or one that
    /// could not tell, does not make a finding go away.
    pub gone: Option<Sighting>,
    /// In how many such runs it passed since.
    pub passed: usize,
}

struct Told {
    run: Sighting,
    system: String,
    scenario: String,
    level: u8,
    pace: f64,
    check: String,
    outcome: Option<Outcome>,
    class: Option<String>,
    says: Option<String>,
}

impl History {
    /// Every finding, of one scenario or of all: those still there first, and of each the last seen first.
    ///
    /// # Errors
    /// It can't be read.
    pub fn findings(&self, scenario: Option<&str>) -> Result<Vec<Finding>, Unusable> {
        let told = self.told(scenario).map_err(|cause| self.unusable(cause))?;
        let mut found: BTreeMap<_, (usize, Finding)> = BTreeMap::new();
        for (index, told) in told.into_iter().enumerate() {
            let subject = (told.system.clone(), told.scenario.clone(), told.check.clone());
            match told.outcome {
                Some(Outcome::Fail) => {
                    let class = told.class.clone();
                    let (place, finding) = found
                        .entry((subject, class))
                        .or_insert_with(|| (index, first_seen(&told)));
                    *place = index;
                    finding.seen_again(told);
                }
                Some(Outcome::Pass) => {
                    let of_subject = found.iter_mut().filter(|((of, _), _)| *of == subject);
                    of_subject.for_each(|(_, (_, finding))| finding.passed(&told));
                }
                Some(Outcome::Inconclusive) | None => {}
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|(index, finding)| (finding.gone.is_some(), std::cmp::Reverse(*index)));
        Ok(found.into_iter().map(|(_, finding)| finding).collect())
    }

    /// Every verdict, in order of time.
    fn told(&self, scenario: Option<&str>) -> rusqlite::Result<Vec<Told>> {
        let mut query = self.connection.prepare(
            "SELECT run, opened, system, scenario, level, pace, demand, verdicts.outcome, class, says \
             FROM verdicts JOIN runs ON runs.id = verdicts.row \
             WHERE ?1 IS NULL OR scenario = ?1 ORDER BY at, runs.id, verdicts.rowid",
        )?;
        let rows = query.query_map([scenario], |row| {
            Ok(Told {
                run: Sighting {
                    run: row.get(0)?,
                    opened: row.get(1)?,
                },
                system: row.get(2)?,
                scenario: row.get(3)?,
                level: row.get(4)?,
                pace: row.get(5)?,
                check: row.get(6)?,
                outcome: outcome_of(&row.get::<_, String>(7)?),
                class: row.get(8)?,
                says: row.get(9)?,
            })
        })?;
        rows.collect()
    }
}

fn first_seen(told: &Told) -> Finding {
    Finding {
        system: told.system.clone(),
        scenario: told.scenario.clone(),
        check: told.check.clone(),
        class: told.class.clone(),
        says: String::new(),
        seen: 0,
        first: told.run.clone(),
        last: told.run.clone(),
        level: told.level,
        pace: told.pace,
        gone: None,
        passed: 0,
    }
}

impl Finding {
    fn seen_again(&mut self, told: Told) {
        self.seen += 1;
        self.last = told.run;
        self.says = told.says.unwrap_or_default();
        (self.level, self.pace) = (told.level, told.pace);
        (self.gone, self.passed) = (None, 0);
    }

    fn passed(&mut self, told: &Told) {
        if (self.level, self.pace) == (told.level, told.pace) {
            self.gone.get_or_insert_with(|| told.run.clone());
            self.passed += 1;
        }
    }
}
