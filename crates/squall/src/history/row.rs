//! What is kept of one scenario of a run.

use rusqlite::params;
use serde::Serialize;
use squall_core::check::Outcome;
use squall_core::compare::{Figures, figures};
use squall_core::report::{Report, Scenario};

use super::{History, Unusable};

/// One scenario of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The run's id.
    pub run: String,
    /// The scenario.
    pub scenario: String,
    /// When it began, RFC 3339 in UTC.
    pub opened: String,
    /// Squall's version.
    pub squall: String,
    /// The system's name.
    pub system: String,
    /// The level, 1 to 6.
    pub level: u8,
    /// The seed.
    pub seed: u64,
    /// The pace.
    pub pace: f64,
    /// How many scenarios ran at once.
    pub jobs: u8,
    /// What `--label` said.
    pub label: Option<String>,
    /// What came of it.
    pub outcome: Outcome,
    /// The words in the block's line.
    pub headline: String,
    /// Its figures, for comparing.
    pub figures: Figures,
}

/// Which rows.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    /// Of this scenario only.
    pub scenario: Option<&'a str>,
    /// Of runs with this label only.
    pub label: Option<&'a str>,
    /// Of this run only.
    pub run: Option<&'a str>,
    /// At most so many, the newest.
    pub limit: Option<u32>,
}

impl Row {
    /// What is kept of a scenario of a report.
    pub fn of(scenario: &Scenario, label: Option<&str>) -> Self {
        let run = &scenario.run;
        Self {
            run: run.id.clone(),
            scenario: scenario.name.clone(),
            opened: run.opened.clone(),
            squall: run.squall.clone(),
            system: run.system.clone(),
            level: run.level,
            seed: run.seed,
            pace: run.pace,
            jobs: run.jobs,
            label: label.map(str::to_owned),
            outcome: scenario.outcome,
            headline: scenario.headline.clone(),
            figures: figures(scenario),
        }
    }
}

impl History {
    /// Keeps what a report shows: all its scenarios, or none. What was kept of the same run goes.
    ///
    /// # Errors
    /// It can't be written.
    pub fn keep(&mut self, report: &Report, label: Option<&str>) -> Result<(), Unusable> {
        self.write(report, label).map_err(|cause| self.unusable(cause))
    }

    fn write(&mut self, report: &Report, label: Option<&str>) -> rusqlite::Result<()> {
        let work = self
            .connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        for scenario in &report.scenarios {
            let row = Row::of(scenario, label);
            work.execute(
                "DELETE FROM runs WHERE run = ? AND scenario = ?",
                params![row.run, row.scenario],
            )?;
            work.execute(
                "INSERT INTO runs (run, scenario, opened, at, squall, system, level, seed, pace, jobs, label, \
                 outcome, headline, figures) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    row.run,
                    row.scenario,
                    row.opened,
                    instant(&row.opened),
                    row.squall,
                    row.system,
                    row.level,
                    row.seed.to_string(),
                    row.pace,
                    row.jobs,
                    row.label,
                    word(row.outcome),
                    row.headline,
                    serde_json::to_string(&row.figures).unwrap_or_default(),
                ],
            )?;
            let id = work.last_insert_rowid();
            for verdict in &scenario.verdicts {
                let says = (verdict.outcome == Outcome::Fail).then_some(&verdict.says);
                work.execute(
                    "INSERT INTO verdicts (row, demand, outcome, class, says) VALUES (?, ?, ?, ?, ?)",
                    params![id, verdict.check, word(verdict.outcome), verdict.class, says],
                )?;
            }
        }
        work.commit()
    }

    /// The rows that `filter` names, newest first.
    ///
    /// # Errors
    /// It can't be read, or holds what squall never wrote.
    pub fn rows(&self, filter: &Filter<'_>) -> Result<Vec<Row>, Unusable> {
        let found = self.read(filter).map_err(|cause| self.unusable(cause))?;
        let read = found.into_iter().map(|(row, seed, outcome, figures)| {
            let odd = |what: &str| self.odd(format!("{what} of run {} can't be read", row.run));
            Ok(Row {
                seed: seed.parse().map_err(|_| odd("the seed"))?,
                outcome: outcome_of(&outcome).ok_or_else(|| odd("the outcome"))?,
                figures: serde_json::from_str(&figures).map_err(|_| odd("the figures"))?,
                ..row
            })
        });
        read.collect()
    }

    fn read(&self, filter: &Filter<'_>) -> rusqlite::Result<Vec<(Row, String, String, String)>> {
        let mut query = self.connection.prepare(
            "SELECT run, scenario, opened, squall, system, level, pace, label, headline, seed, outcome, figures, jobs \
             FROM runs WHERE (?1 IS NULL OR scenario = ?1) AND (?2 IS NULL OR label = ?2) AND (?3 IS NULL OR run = ?3) \
             ORDER BY at DESC, id DESC LIMIT ?4",
        )?;
        let limit = filter.limit.map_or(-1, i64::from);
        let rows = query.query_map(params![filter.scenario, filter.label, filter.run, limit], |row| {
            let kept = Row {
                run: row.get(0)?,
                scenario: row.get(1)?,
                opened: row.get(2)?,
                squall: row.get(3)?,
                system: row.get(4)?,
                level: row.get(5)?,
                seed: 0,
                pace: row.get(6)?,
                jobs: row.get(12)?,
                label: row.get(7)?,
                outcome: Outcome::Inconclusive,
                headline: row.get(8)?,
                figures: Figures::default(),
            };
            Ok((kept, row.get(9)?, row.get(10)?, row.get(11)?))
        })?;
        rows.collect()
    }

    /// The names of all scenarios, and all labels, that were kept.
    ///
    /// # Errors
    /// It can't be read.
    pub fn names(&self) -> Result<(Vec<String>, Vec<String>), Unusable> {
        let all = |sql: &str| -> rusqlite::Result<Vec<String>> {
            let mut query = self.connection.prepare(sql)?;
            query.query_map([], |row| row.get(0))?.collect()
        };
        let scenarios = all("SELECT DISTINCT scenario FROM runs ORDER BY scenario");
        let labels = all("SELECT DISTINCT label FROM runs WHERE label IS NOT NULL ORDER BY label");
        let both = scenarios.and_then(|scenarios| Ok((scenarios, labels?)));
        both.map_err(|cause| self.unusable(cause))
    }
}

/// As it is kept.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Inconclusive => "inconclusive",
        Outcome::Fail => "fail",
    }
}

pub(super) fn outcome_of(word: &str) -> Option<Outcome> {
    let all = [Outcome::Pass, Outcome::Inconclusive, Outcome::Fail];
    all.into_iter().find(|outcome| self::word(*outcome) == word)
}

/// Nanoseconds since 1970; a time that can't be read sorts first.
fn instant(opened: &str) -> i64 {
    let read = opened.parse::<jiff::Timestamp>().ok();
    read.and_then(|at| i64::try_from(at.as_nanosecond()).ok()).unwrap_or(0)
}
