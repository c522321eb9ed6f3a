//! Figures before, during and after the faults.

use serde::{Deserialize, Serialize};

use super::Scenario;
use super::words::{length, number};
use crate::demand::Demand;
use crate::gauge::{DatabaseTime, Spell, database_time, spells};
use crate::journal::History;
use crate::time::nanos;

/// What was answered in a part of the run, and what databases did in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartFigures {
    /// The part, and its answers.
    #[serde(flatten)]
    pub spell: Spell,
    /// What databases did; nothing where none was looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<DatabaseTime>,
    /// The share of the error budget it spent, where the scenario states one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
}

/// The figures of each part the run came to.
pub(super) fn parts(history: &History<'_>) -> Vec<PartFigures> {
    let spells = spells(history);
    let mut databases = database_time(history, &spells);
    let budget = history.header.plan.checks.iter().find_map(|check| match check {
        Demand::ErrorBudget(wanted) => Some((wanted.slo.fraction(), nanos(wanted.window.get()))),
        _ => None,
    });
    let figures = spells.into_iter().map(|spell| PartFigures {
        database: databases.remove(&spell.part),
        budget: budget.map(|(promised, window)| spell.spent(promised, window)),
        spell,
    });
    figures.collect()
}

/// What every format calls the part figures' columns.
pub(super) const HEAD: [&str; 6] = [
    "Part",
    "Lasted",
    "Requests",
    "Not answered right",
    "Database time a transaction",
    "Error budget spent",
];

/// Their cells, a row for each part.
pub(super) fn rows(scenario: &Scenario) -> impl Iterator<Item = Vec<String>> {
    let none = || "–".to_owned();
    scenario.parts.iter().map(move |figures| {
        let Spell {
            part,
            from,
            to,
            requests,
            bad,
        } = &figures.spell;
        let database = figures.database.and_then(|time| {
            let each = time.each()?;
            Some(format!(
                "{} ({})",
                length(each),
                number(time.commits as usize, "transaction", "transactions")
            ))
        });
        vec![
            part.word().to_owned(),
            length(to.saturating_sub(*from)),
            requests.to_string(),
            bad.to_string(),
            database.unwrap_or_else(none),
            figures
                .budget
                .map_or_else(none, |spent| format!("{:.4}%", 100.0 * spent)),
        ]
    })
}
