//! Difficulty levels: rows of parameters a scenario reads, as data (`level/levels.yaml`).

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Dur, DurRange, Percent, Rate};
use crate::diagnostic::Mistakes;
use crate::document::Document;
use crate::expr::{Lookup, Scope, Value};
use crate::system::{Facts, LENGTHS};
use crate::time::{Nanos, SECOND};

/// The rows, as bundled.
const LEVELS: &str = include_str!("level/levels.yaml");

/// One row of the table of levels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Level {
    /// 1 to 6.
    pub level: u8,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: String,
    /// Where it is used.
    pub use_cases: Vec<String>,
    /// Said before a run begins, where the level is not meant to be fully met.
    #[serde(default)]
    pub warning: Option<String>,
    /// The guide's total time for it.
    pub total_time: String,
    /// What `${level.…}` gives.
    pub values: BTreeMap<String, serde_json::Value>,
}

/// All levels, in order.
///
/// # Errors
/// A mistake in the bundled rows; a test sees to it that there is none.
pub fn levels() -> Result<Vec<Level>, Mistakes> {
    Document::parse("levels.yaml", LEVELS)?.read()
}

impl Level {
    /// A value as text.
    pub fn text(&self, name: &str) -> Option<String> {
        let value = self.values.get(name)?;
        Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// What is expected for the value `name`, where `text` is something else.
    pub fn refuses(&self, name: &str, text: &str) -> Option<&'static str> {
        let time = |value: &Value| matches!(value, Value::Dur(_) | Value::DurRange(_));
        let (own, new) = (value_of(&self.text(name)?), value_of(text));
        match (own, new) {
            (Value::Num(_), new) if !matches!(new, Value::Num(_)) => Some("a number"),
            (own, new) if time(&own) && !time(&new) => Some("a duration"),
            _ => None,
        }
    }
}

/// What `${…}` stands for while planning: a level's values, changed by `--set`, the pace, and what the system promises.
#[derive(Debug, Clone)]
pub struct LevelScope {
    values: BTreeMap<String, String>,
    pace: f64,
    /// Lengths of time from the system file, as they are at pace 1: planning divides them like any other of a scenario.
    promised: BTreeMap<String, Dur>,
    /// Whether names may be left for later.
    later: bool,
}

/// What names begin with that are known only when an instance is started. A name without a dot is
/// one of a request; whether there is such a one is the system file's own affair.
const LATER: [&str; 4] = ["self", "links", "witness", "run"];

impl LevelScope {
    /// The scope of a level at a pace, with `set` values instead of the level's own.
    pub fn new(level: &Level, set: &[(String, String)], pace: f64) -> Self {
        let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut values: BTreeMap<String, String> = level
            .values
            .iter()
            .map(|(name, value)| (name.clone(), text(value)))
            .collect();
        values.insert("level".to_owned(), level.level.to_string());
        values.extend(set.iter().cloned());
        Self {
            values,
            pace,
            promised: BTreeMap::new(),
            later: true,
        }
    }

    /// The same for a scenario, in which everything is known when it is planned. Where no system is known, any stands for it.
    #[must_use]
    pub fn for_scenario(&self, system: Option<&Facts>) -> Self {
        let at_pace_1 = |length: Nanos| {
            let length = Duration::from_nanos((length as f64 * self.pace).round() as u64);
            Dur::try_from(length).unwrap_or(Dur::LONGEST)
        };
        let lengths = match system {
            Some(facts) => facts.lengths(),
            None => LENGTHS.map(|name| (name, SECOND)).into(),
        };
        let named = |(name, length): (&str, Nanos)| (format!("contracts.{name}"), at_pace_1(length));
        let promised = lengths.into_iter().map(named).collect();
        Self {
            promised,
            later: false,
            ..self.clone()
        }
    }
}

impl Scope for LevelScope {
    fn lookup(&self, name: &str) -> Lookup {
        if let Some(value) = name.strip_prefix("level.") {
            return self
                .values
                .get(value)
                .map_or(Lookup::Unknown, |text| Lookup::Known(value_of(text)));
        }
        if let Some(length) = self.promised.get(name) {
            return Lookup::Known(Value::Dur(*length));
        }
        let known_later = match name.split_once('.') {
            Some((root, _)) => LATER.contains(&root),
            None => true,
        };
        match self.later && known_later {
            true => Lookup::Deferred,
            false => Lookup::Unknown,
        }
    }

    fn names(&self) -> Vec<String> {
        let later = ["self.addr", "self.port", "self.name", "witness.url"].map(str::to_owned);
        let levels = self.values.keys().map(|name| format!("level.{name}"));
        match self.later {
            true => levels.chain(later).collect(),
            false => levels.chain(self.promised.keys().cloned()).collect(),
        }
    }

    fn pace(&self) -> f64 {
        self.pace
    }
}

/// What a text means as a value: the first unit it has.
fn value_of(text: &str) -> Value {
    if let Ok(number) = text.parse::<f64>() {
        return Value::Num(number);
    }
    let truth = text.parse::<bool>().ok().map(Value::Bool);
    let dur = text.parse::<Dur>().ok().map(Value::Dur);
    let range = text.parse::<DurRange>().ok().map(Value::DurRange);
    let rate = text.parse::<Rate>().ok().map(Value::Rate);
    let percent = text.parse::<Percent>().ok().map(Value::Percent);
    truth
        .or(dur)
        .or(range)
        .or(rate)
        .or(percent)
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::System;

    #[test]
    fn there_are_six_levels_that_all_have_the_same_values() {
        let levels = levels().unwrap();
        assert_eq!(
            levels.iter().map(|level| level.level).collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6]
        );
        let names: Vec<_> = levels[0].values.keys().collect();
        assert!(
            levels
                .iter()
                .all(|level| level.values.keys().collect::<Vec<_>>() == names)
        );
    }

    #[test]
    fn set_changes_a_value_and_what_it_means() {
        let level = &levels().unwrap()[0];
        let scope = LevelScope::new(level, &[("task_time".to_owned(), "7s".to_owned())], 1.0);
        assert_eq!(scope.lookup("level.task_time"), Lookup::Known(Value::Dur(Dur::secs(7))));
        assert_eq!(scope.lookup("level.nothing"), Lookup::Unknown);
        assert_eq!(scope.lookup("links.db.url"), Lookup::Deferred);
        assert_eq!(scope.lookup("token"), Lookup::Deferred);
        assert_eq!(scope.lookup("lnks.db.url"), Lookup::Unknown);
        assert_eq!(scope.for_scenario(None).lookup("token"), Lookup::Unknown);
    }

    #[test]
    fn a_scenario_reads_what_the_system_promises_as_it_is_at_pace_1() {
        let system = "{ system: x, entry: a, services: { a: { run: x } }, contracts: { tasks: {
            create: { method: POST, path: /t, json: {}, id: $.id }, show: { method: GET, path: /t, state: $.s },
            states: { waiting: [w], running: [r], done: [d] }, kinds: { work: { type: w } },
            lease: \"${paced(3s)}\", backoff: 1s, max_failures: 3 } } }";
        let level = &levels().unwrap()[0];
        let scope = LevelScope::new(level, &[], 10.0);
        let doc = Document::parse("system.yaml", system).unwrap().expand(&scope).unwrap();
        let facts = System::read(&doc).unwrap().facts();
        let known = |system, name: &str| scope.for_scenario(system).lookup(name);
        let lease = known(Some(&facts), "contracts.tasks.lease");
        assert_eq!(lease, Lookup::Known(Value::Dur(Dur::secs(3))));
        assert_eq!(known(Some(&facts), "contracts.locks.lease"), Lookup::Unknown);
        assert!(matches!(known(None, "contracts.locks.lease"), Lookup::Known(_)));
        // Not its own.
        assert_eq!(scope.lookup("contracts.tasks.lease"), Lookup::Unknown);
    }
}
