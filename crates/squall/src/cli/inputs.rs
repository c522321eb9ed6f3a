//! Inputs: the files a command works on, read completely before anything is touched.

use std::fs;
use std::path::{Path, PathBuf};

use squall_core::diagnostic::{Mistakes, nearest};
use squall_core::document::Document;
use squall_core::level::{Level, LevelScope, levels};
use squall_core::mechanism::{Machine, handles, refusal, refusals};
use squall_core::plan::{Plan, Request, needs, plan};
use squall_core::report::LeftOut;
use squall_core::scenario::Scenario;
use squall_core::system::{Budget, Facts, System};

use super::again::again;
use super::{Choice, programs, say};
use crate::client::Address;
use crate::survey::Survey;

/// How the name of a file ends that comes with squall.
pub(super) const FROM_SQUALL: &str = " (bundled)";

/// The scenarios that come with squall: name and text.
pub(super) const BUNDLED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/scenarios.rs"));

/// Where a project keeps its own.
const OWN: &str = "scenarios";

/// How a scenario's file may end.
const ENDINGS: [&str; 2] = ["yaml", "yml"];

/// Everything a run needs.
pub(super) struct Inputs {
    pub(super) system: System,
    pub(super) level: Level,
    pub(super) plans: Vec<Plan>,
    /// The scenarios among those chosen together that can't be run on this system.
    pub(super) left_out: Vec<LeftOut>,
}

/// Why the inputs can't be used. Nothing was touched.
pub(super) enum Bad {
    /// Mistakes in files.
    Mistakes(Vec<Mistakes>),
    /// Anything else: what, and what to do.
    Plain(String, String),
}

impl Bad {
    /// Says it.
    pub(super) fn say(&self) {
        match self {
            Bad::Mistakes(files) => files.iter().for_each(say::mistakes),
            Bad::Plain(what, remedy) => say::problem(what, remedy),
        }
    }
}

impl From<Mistakes> for Bad {
    fn from(mistakes: Mistakes) -> Self {
        Bad::Mistakes(vec![mistakes])
    }
}

fn level(number: u8) -> Result<Level, Bad> {
    let found = levels()?.into_iter().find(|level| level.level == number);
    found.ok_or_else(|| Bad::Plain(format!("there is no level {number}"), "levels are 1 to 6".to_owned()))
}

/// Reads the system alone, as it is at a level and a pace; and where it was read from.
pub(super) fn system(named: Option<&Path>, difficulty: u8, pace: f64) -> Result<(System, PathBuf), Bad> {
    let scope = LevelScope::new(&level(difficulty)?, &[], pace);
    let (name, text) = system_text(named)?;
    let system = System::read(&Document::parse(&name, &text)?.expand_for::<System>(&scope)?)?;
    Ok((system, PathBuf::from(name)))
}

/// Reads the system and every scenario chosen, and plans them; for the system at an address, where one is attached to.
pub(super) fn inputs(choice: &Choice, attach: Option<&Address>, seed: u64) -> Result<Inputs, Bad> {
    let level = level(choice.difficulty)?;
    known_settings(&level, &choice.sets)?;
    let scope = LevelScope::new(&level, &choice.sets, choice.pace);
    let names = chosen(&choice.scenarios)?;
    let together = |name: &str| choice.together || !choice.scenarios.split(',').any(|asked| asked.trim() == name);
    let mut wrong = Vec::new();
    let (name, text) = system_text(choice.system.as_deref())?;
    let expanded = Document::parse(&name, &text).and_then(|doc| doc.expand_for::<System>(&scope));
    let system = expanded.and_then(|doc| System::read(&doc));
    let system = system.map_err(|mistakes| wrong.push(mistakes)).ok();
    let (mut plans, mut left_out, mut refused) = (Vec::new(), Vec::new(), None);
    let survey = Survey::default();
    let scope = scope.for_scenario(system.as_ref().map(System::facts).as_ref());
    for name in names {
        let (file, text) = scenario_text(&name)?;
        let request = Request {
            level: level.level,
            level_name: &level.name,
            seed,
            pace: choice.pace,
            jobs: choice.jobs,
            repeat: &again(choice, attach, &name, seed),
        };
        let read = Document::parse(&file, &text)
            .and_then(|doc| doc.expand_for::<Scenario>(&scope))
            .and_then(|doc| programs::scenario(&doc).map(|(scenario, found)| (doc, scenario, found)));
        let planned = read.and_then(|(doc, scenario, found)| match &system {
            Some(system) => {
                let machine = survey.machine(&scenario.storm);
                let facts = system.with_replicas(&scenario.replicas).facts();
                let asked = (name.as_str(), together(&name));
                let planned = programs::also(&doc, found, plan(&doc, &scenario, &facts, request));
                let beyond = |mistakes| beyond_budget(asked, (&doc, &scenario, &facts), request, mistakes);
                let left = lacking(asked, &scenario, (&facts, attach, machine));
                if let Some(why) = left.or_else(|| planned.as_ref().err().and_then(beyond)) {
                    left_out.push(LeftOut { scenario: name, why });
                    return Ok(None);
                }
                let (planned, at) = (planned?, (attach, machine));
                let Some((to, why)) = attach.and_then(|to| Some((to, impossible(&scenario, to, machine)?))) else {
                    return possible(&doc, &scenario, at).map(|()| Some(planned));
                };
                match together(&name) {
                    true => left_out.push(LeftOut { scenario: name, why }),
                    false => refused = refused.take().or_else(|| Some(cannot(&name, to, &why))),
                }
                Ok(None)
            }
            None => programs::also(&doc, found, Ok(None)),
        });
        match planned {
            Ok(plan) => plans.extend(plan),
            Err(mistakes) => wrong.push(mistakes),
        }
    }
    let Some(system) = system.filter(|_| wrong.is_empty()) else {
        return Err(Bad::Mistakes(wrong));
    };
    match refused {
        Some(refused) => Err(refused),
        None if plans.is_empty() => Err(nothing_fits(&system.system, attach, &left_out)),
        None => Ok(Inputs {
            system,
            level,
            plans,
            left_out,
        }),
    }
}

/// Whether every fault can be put in force on this machine, where squall starts the system.
fn possible(
    doc: &Document,
    scenario: &Scenario,
    (attach, machine): (Option<&Address>, &Machine),
) -> Result<(), Mistakes> {
    let refusals = match attach {
        None => refusals(doc, scenario, machine),
        Some(_) => Vec::new(),
    };
    match refusals.is_empty() {
        true => Ok(()),
        false => Err(doc.mistakes(refusals)),
    }
}

/// Why a scenario can't be run on a system that is attached to, if so.
fn impossible(scenario: &Scenario, to: &Address, machine: &Machine) -> Option<String> {
    let handles: Vec<String> = handles(scenario, machine).into_iter().collect();
    if !handles.is_empty() {
        return Some(format!("no handle on {}", handles.join(", ")));
    }
    let plain = scenario.workload.flood.is_some() || scenario.workload.bulky.is_some();
    (plain && to.is_secure()).then(|| "floods and far too large creates are sent by http:// only".to_owned())
}

fn cannot(what: &str, to: &Address, why: &str) -> Bad {
    Bad::Plain(
        format!("{what} can't be run on the system at {}: {why}", to.base()),
        "without --base-url (and BASE_URL) squall starts a system of its own; with -s all it leaves out what can't be run"
            .to_owned(),
    )
}

/// Every scenario chosen needs what the system does not have, or what squall has no handle on.
fn nothing_fits(system: &str, attach: Option<&Address>, left_out: &[LeftOut]) -> Bad {
    if let Some(to) = attach {
        let why: Vec<&str> = left_out.iter().map(|left| left.why.as_str()).collect();
        return cannot("none of the scenarios", to, &why.join("; "));
    }
    let each = left_out.iter().map(|left| format!("{}: {}", left.scenario, left.why));
    Bad::Plain(
        format!("none of the scenarios can be run on {system}"),
        format!(
            "{}\nname the services of the system file as these do, or write scenarios into ./{OWN}",
            each.collect::<Vec<_>>().join("\n")
        ),
    )
}

/// Why a bundled scenario among those chosen together can't be run on a system of this shape, if so.
fn lacking(
    (name, together): (&str, bool),
    scenario: &Scenario,
    (facts, attach, machine): (&Facts, Option<&Address>, &Machine),
) -> Option<String> {
    if !together || !is_bundled(name) {
        return None;
    }
    let lacks = needs(scenario, facts);
    if lacks.is_empty() {
        // What it can't do to a system that is attached to is found after planning.
        return refusal(scenario, machine).filter(|_| attach.is_none());
    }
    let needed = format!("needs {}", lacks.join(", "));
    Some(
        attach
            .and_then(|to| impossible(scenario, to, machine))
            .unwrap_or(needed),
    )
}

/// What a bundled scenario among those chosen together needs more of than the system's budget allows, if nothing else is wrong.
fn beyond_budget(
    (name, together): (&str, bool),
    (doc, scenario, facts): (&Document, &Scenario, &Facts),
    request: Request<'_>,
    mistakes: &Mistakes,
) -> Option<String> {
    let unbounded = Facts {
        budget: Budget::default(),
        ..facts.clone()
    };
    if !together || !is_bundled(name) || plan(doc, scenario, &unbounded, request).is_err() {
        return None;
    }
    let first = mistakes.list().first()?;
    Some(format!("needs a wider budget: {}", first.message))
}

/// Whether a scenario comes with squall, for systems of any shape. The project's own are for its system; in squall's
/// own folder they are the same.
fn is_bundled(name: &str) -> bool {
    let bundled = BUNDLED.iter().find(|(known, _)| *known == name);
    bundled.is_some_and(|(_, text)| scenario_text(name).is_ok_and(|(_, used)| used == *text))
}

fn known_settings(level: &Level, sets: &[(String, String)]) -> Result<(), Bad> {
    for (name, value) in sets {
        if let Some(kind) = level.refuses(name, value) {
            let help = format!("the level's own is {}", level.text(name).unwrap_or_default());
            return Err(Bad::Plain(format!("--set {name}={value}: {kind} is expected"), help));
        }
        if !level.values.contains_key(name) {
            let names: Vec<&str> = level.values.keys().map(String::as_str).collect();
            let help = nearest(name, names.iter().copied()).map_or_else(
                || format!("the values are {}", names.join(", ")),
                |close| format!("did you mean `{close}`?"),
            );
            return Err(Bad::Plain(format!("--set {name}: a level has no such value"), help));
        }
    }
    Ok(())
}

/// All scenarios there are: the project's own first, then the bundled ones.
pub(super) fn all_scenarios() -> Vec<String> {
    let own = fs::read_dir(OWN).map(|entries| entries.flatten().map(|entry| entry.path()).collect::<Vec<_>>());
    let mut names: Vec<String> = BUNDLED.iter().map(|(name, _)| (*name).to_owned()).collect();
    for file in own.unwrap_or_default() {
        if file
            .extension()
            .is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known))
            && let Some(stem) = file.file_stem()
        {
            names.push(stem.to_string_lossy().into_owned());
        }
    }
    names.sort();
    names.dedup();
    names
}

fn chosen(list: &str) -> Result<Vec<String>, Bad> {
    let all = all_scenarios();
    let mut names = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name == "all" {
            names.extend(all.iter().cloned());
        } else if is_file_name(name) || all.iter().any(|known| known == name) {
            names.push(name.to_owned());
        } else {
            let help = nearest(name, all.iter().map(String::as_str)).map_or_else(
                || format!("the scenarios are {}", all.join(", ")),
                |close| format!("did you mean `{close}`?"),
            );
            return Err(Bad::Plain(format!("there is no scenario `{name}`"), help));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    if names.is_empty() {
        return Err(Bad::Plain(
            "no scenario is named".to_owned(),
            format!("the scenarios are {}", all.join(", ")),
        ));
    }
    Ok(names)
}

/// Whether a scenario is named by its file.
fn is_file_name(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending);
    ending.is_some_and(|ending| ENDINGS.contains(&ending))
}

/// Whether a scenario's text is one that comes with squall, wherever it was read.
pub(super) fn bundled(text: &str) -> bool {
    BUNDLED.iter().any(|(_, known)| *known == text)
}

/// A scenario's text: a file that is named, the project's own, or a bundled one.
pub(super) fn scenario_text(name: &str) -> Result<(String, String), Bad> {
    if is_file_name(name) {
        return read(Path::new(name));
    }
    let own = ENDINGS.map(|ending| Path::new(OWN).join(format!("{name}.{ending}")));
    if let Some(own) = own.iter().find(|own| own.is_file()) {
        return read(own);
    }
    match BUNDLED.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => Ok((format!("{name}.yaml{FROM_SQUALL}"), (*text).to_owned())),
        None => Err(Bad::Plain(
            format!("there is no scenario `{name}`"),
            "`squall list scenarios` names them".to_owned(),
        )),
    }
}

/// The system file that is named, or the one a project plainly means.
pub(super) fn system_text(named: Option<&Path>) -> Result<(String, String), Bad> {
    if let Some(named) = named {
        return read(named);
    }
    for usual in ["squall.yaml", "system.yaml"] {
        if Path::new(usual).is_file() {
            return read(Path::new(usual));
        }
    }
    let found: Vec<PathBuf> = fs::read_dir("systems")
        .map(|entries| {
            entries
                .flatten()
                .map(|entry| entry.path().join("system.yaml"))
                .filter(|file| file.is_file())
                .collect()
        })
        .unwrap_or_default();
    match found.as_slice() {
        [one] => read(one),
        [] => Err(Bad::Plain(
            "there is no system file here".to_owned(),
            "looked for ./squall.yaml, ./system.yaml and ./systems/*/system.yaml; name one with --system FILE"
                .to_owned(),
        )),
        several => {
            let names: Vec<String> = several.iter().map(|file| file.display().to_string()).collect();
            Err(Bad::Plain(
                "there are several system files".to_owned(),
                format!("name one with --system: {}", names.join(", ")),
            ))
        }
    }
}

pub(super) fn read(path: &Path) -> Result<(String, String), Bad> {
    let name = path.display().to_string();
    match fs::read_to_string(path) {
        Ok(text) => Ok((name, text)),
        Err(error) => {
            let remedy = match error.kind() {
                std::io::ErrorKind::NotFound => "is the path right? it is taken from the folder squall was started in",
                std::io::ErrorKind::PermissionDenied => "this user may not read it",
                std::io::ErrorKind::IsADirectory => "it is a folder, and a YAML file is expected",
                std::io::ErrorKind::InvalidData => "it is not UTF-8 text",
                _ => "a YAML file is expected",
            };
            Err(Bad::Plain(format!("{name} can't be read: {error}"), remedy.to_owned()))
        }
    }
}
