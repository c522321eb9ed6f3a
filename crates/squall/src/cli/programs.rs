//! Scenarios' own commands: that their programs are there is known before anything is started.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use squall_core::command;
use squall_core::demand::Demand;
use squall_core::diagnostic::{Mistake, Mistakes};
use squall_core::document::Document;
use squall_core::fault::Fault;
use squall_core::scenario::Scenario;
use squall_core::script::Script;

/// Reads a scenario whose `${…}` are filled in, and looks for the programs it names. What is wrong with it is answered
/// beside it, to be said [together with](also) what is found when it is planned.
pub(super) fn scenario(doc: &Document) -> Result<(Scenario, Vec<Mistake>), Mistakes> {
    let (scenario, found) = Scenario::read_on(doc)?;
    let checks = scenario.checks.iter().enumerate();
    let checks = checks.filter_map(|(index, check)| match check {
        Demand::Script(script) => Some((format!("/checks/{index}/script"), script)),
        _ => None,
    });
    let storm = scenario.storm.iter().enumerate();
    let storm = storm.filter_map(|(index, fault)| match fault {
        Fault::Script(run) => Some((format!("/storm/{index}/script"), &run.script)),
        _ => None,
    });
    let missing = checks.chain(storm).filter_map(|(at, script)| {
        let (message, help) = trouble(script)?;
        // Where it is a map, at its command.
        let own = format!("{at}/run");
        Some(doc.mistake(if doc.has(&own) { &own } else { &at }, message, Some(help)))
    });
    let missing: Vec<_> = missing.collect();
    let missing = doc.elsewhere(&found, missing);
    Ok((scenario, [found, missing].concat()))
}

/// What was `planned`, unless something was `found` before: then that, and what planning found in other parts.
pub(super) fn also<T>(doc: &Document, found: Vec<Mistake>, planned: Result<T, Mistakes>) -> Result<T, Mistakes> {
    if found.is_empty() {
        return planned;
    }
    let later = planned.err().map_or(Vec::new(), |mistakes| mistakes.list().to_vec());
    let later = doc.elsewhere(&found, later);
    Err(doc.mistakes([found, later].concat()))
}

/// Why a command can't be started, and what to do.
fn trouble(script: &Script) -> Option<(String, String)> {
    let words = match script.words() {
        Ok(words) => words,
        Err(why) => return Some((format!("the command {why}"), command::REMEDY.to_owned())),
    };
    let program = words.first()?;
    let executable = |path: &Path| fs::metadata(path).map(|it| (it.is_file(), it.permissions().mode() & 0o111 != 0));
    if !program.contains('/') {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let found =
            std::env::split_paths(&path).any(|folder| matches!(executable(&folder.join(program)), Ok((true, true))));
        let help = format!("for one in this folder write `./{program}`; else install it, or name its whole path");
        return (!found).then(|| (format!("there is no program `{program}` in PATH"), help));
    }
    match executable(Path::new(program)) {
        Ok((true, true)) => None,
        Ok((true, false)) => Some((format!("`{program}` is not executable"), format!("chmod +x {program}"))),
        Ok((false, _)) => Some((format!("`{program}` is no file"), "name a program".to_owned())),
        Err(error) => Some((
            format!("`{program}` can't be run: {error}"),
            "is the path right? it is taken from the folder squall was started in".to_owned(),
        )),
    }
}
