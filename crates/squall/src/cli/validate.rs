//! `squall validate`: reads files as a run would, at every level, and touches nothing.

use std::path::{Path, PathBuf};

use squall_core::diagnostic::{Mistake, Mistakes};
use squall_core::document::Document;
use squall_core::level::{Level, LevelScope, levels};
use squall_core::plan::{Request, needs, plan};
use squall_core::scenario::Scenario;
use squall_core::system::System;

use super::inputs::{Bad, FROM_SQUALL, all_scenarios, bundled, read, scenario_text, system_text};
use super::{programs, say};
use crate::exit;

/// A file's name and text.
type Text = (String, String);

/// Validates the files, or all that a run would use. Answers the exit code.
pub(super) fn validate(files: &[PathBuf], named: Option<&Path>) -> u8 {
    let texts: Vec<Result<Text, Bad>> = if files.is_empty() {
        let scenarios = all_scenarios();
        let scenarios = scenarios.iter().map(|name| scenario_text(name));
        [system_text(named)].into_iter().chain(scenarios).collect()
    } else {
        files.iter().map(|file| read(file)).collect()
    };
    // Scenarios are planned on the system among them, or else on the one a run would use, where that is sound.
    let sound = |text: &Text| check(text, None).is_ok_and(|what| what.starts_with("a system"));
    let among = texts.iter().flatten().find(|text| sound(text)).cloned();
    let system = among.or_else(|| system_text(named).ok().filter(sound));
    // Which one a run would use may be open, but not where the one that is named is.
    let beside = (named.is_some() && !files.is_empty()).then(|| system_text(named));
    let mut wrong = 0;
    for text in beside.into_iter().chain(texts) {
        let result = text.and_then(|text| {
            let what = check(&text, system.as_ref()).map_err(Bad::from)?;
            Ok((text.0, what))
        });
        match result {
            Ok((name, what)) => say::out(&format!("{name}: {what}")),
            Err(bad) => {
                bad.say();
                wrong += 1;
            }
        }
    }
    if wrong == 0 { exit::PASS } else { exit::BAD_INPUT }
}

/// Reads a file at every level, so that a mistake at level 6 is not found by a run at level 6. One that is there at
/// several levels is said once.
fn check(text: &Text, system: Option<&Text>) -> Result<String, Mistakes> {
    let doc = Document::parse(&text.0, &text.1)?;
    let (mut what, mut found) = (String::new(), Vec::<Mistake>::new());
    for level in levels()? {
        match at_level(&level, (&doc, text), system) {
            Ok(read) => what = read,
            Err(mistakes) if mistakes.file() != text.0 => return Err(mistakes),
            Err(mistakes) => {
                for mut mistake in mistakes.list().iter().cloned() {
                    // What is said of it may hold figures of the level.
                    if found.iter().any(|known| known.span == mistake.span) {
                        continue;
                    }
                    if level.level > 1 {
                        mistake.message += &format!(" (at level {})", level.level);
                    }
                    found.push(mistake);
                }
            }
        }
    }
    match found.is_empty() {
        true => Ok(what),
        false => Err(doc.mistakes(found)),
    }
}

/// What a file is at one level.
fn at_level(level: &Level, (doc, text): (&Document, &Text), system: Option<&Text>) -> Result<String, Mistakes> {
    let scope = LevelScope::new(level, &[], 1.0);
    if !doc.has("/scenario") {
        System::read(&doc.expand_for::<System>(&scope)?)?;
        return Ok("a system, at every level".to_owned());
    }
    let system = match system {
        Some((file, text)) => Some(System::read(&Document::parse(file, text)?.expand(&scope)?)?),
        None => None,
    };
    let facts = system.as_ref().map(System::facts);
    let doc = doc.expand_for::<Scenario>(&scope.for_scenario(facts.as_ref()))?;
    let (scenario, mut found) = programs::scenario(&doc)?;
    found.extend(named(&doc, &text.0, &scenario));
    let Some(system) = system else {
        let what = "a scenario, at every level; planned on no system, for there is no valid one here";
        return programs::also(&doc, found, Ok(what.to_owned()));
    };
    let facts = system.with_replicas(&scenario.replicas).facts();
    let lacks = needs(&scenario, &facts);
    if bundled(&text.1) && !lacks.is_empty() {
        let lacks = lacks.join(", ");
        let what = format!(
            "a scenario that {} is not of the shape for: needs {lacks}",
            system.system
        );
        return programs::also(&doc, found, Ok(what));
    }
    let request = Request {
        level: level.level,
        level_name: &level.name,
        repeat: "",
        seed: 1,
        pace: 1.0,
        jobs: 1,
    };
    let plan = programs::also(&doc, found, plan(&doc, &scenario, &facts, request))?;
    let notes: String = plan.notes().iter().map(|note| format!("\n  note: {note}")).collect();
    Ok(format!(
        "a scenario, planned at every level on {}{notes}",
        system.system
    ))
}

/// A scenario is found by its file's name.
fn named(doc: &Document, name: &str, scenario: &Scenario) -> Option<Mistake> {
    let path = name.trim_end_matches(FROM_SQUALL);
    let stem = Path::new(path)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    if stem.as_deref() == Some(scenario.scenario.as_str()) {
        return None;
    }
    let message = format!("the file is called `{}`", stem.unwrap_or_default());
    let help = Some("a scenario and its file have the same name".to_owned());
    Some(doc.mistake("/scenario", message, help))
}
