//! `squall selftest`: every planted bug against the scenario that must catch it, and the sound
//! system beside it, so that a user sees on their own machine that a green run means something.

mod bugs;
mod rows;

use std::path::{Path, PathBuf};

use clap::Args;
use squall_core::journal::Journal;
use squall_core::judgement::judgement;
use squall_core::plan::Plan;
use squall_core::system::System;

use self::bugs::{BUGS, Bug, SWITCH};
use self::rows::{Row, bug_row, catches, matrix, sign, sound_row, unplanned};
use super::inputs::{BUNDLED, Inputs, inputs};
use super::view::View;
use super::workshop::{Work, Workshop, environment};
use super::{Choice, say};
use crate::exit;
use crate::store::{RunId, journals};
use crate::world::Trouble;
use crate::world::process::Cluster;

/// What `selftest` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct SelftestArgs {
    /// Divide every planned duration by this
    #[arg(long, default_value = "10", value_name = "N", value_parser = super::pace)]
    pub(super) pace: f64,
    /// Difficulty level, 1 to 6
    #[arg(short, long, default_value = "2", value_name = "N", value_parser = super::level)]
    pub(super) difficulty: u8,
    /// What all randomness is drawn from
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Only these bugs, separated by commas; none with an empty list
    #[arg(long, value_name = "A,B")]
    pub(super) bugs: Option<String>,
    /// Sound repetitions of every scenario
    #[arg(long, default_value = "1", value_name = "N")]
    pub(super) sound: u32,
    /// The system file of taskhub
    #[arg(long, env = "SQUALL_SYSTEM", value_name = "FILE")]
    pub(super) system: Option<PathBuf>,
    /// Where the run's folder goes
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    pub(super) output: PathBuf,
    #[command(flatten)]
    pub(super) halt: super::halt::Halt,
}

/// Runs them all. Answers the exit code.
pub(super) fn selftest(args: &SelftestArgs, id: &RunId) -> u8 {
    let bugs = match chosen(args.bugs.as_deref()) {
        Ok(bugs) => bugs,
        Err(unknown) => {
            let names: Vec<&str> = BUGS.iter().map(|bug| bug.name).collect();
            say::problem(
                &format!("there is no bug `{unknown}`"),
                Some(&format!("the bugs are {}", names.join(", "))),
            );
            return exit::BAD_INPUT;
        }
    };
    if bugs.is_empty() && args.sound == 0 {
        say::problem(
            "a selftest of no bug and no sound run shows nothing",
            Some("name bugs with --bugs, or have sound runs with --sound 1"),
        );
        return exit::BAD_INPUT;
    }
    let seed = args.seed.unwrap_or_else(|| id.seed());
    let scenarios: Vec<&str> = BUNDLED.iter().map(|(name, _)| *name).collect();
    let choice = Choice {
        together: true,
        scenarios: scenarios.join(","),
        difficulty: args.difficulty,
        system: args.system.clone(),
        seed: Some(seed),
        pace: args.pace,
        jobs: 1,
        sets: Vec::new(),
    };
    if let Err(bad) = args.halt.refuse().and_then(|()| inputs(&choice, None, seed)) {
        bad.say();
        return exit::BAD_INPUT;
    }
    let workshop = match Workshop::open(id, &args.output, (true, &args.halt)) {
        Ok(workshop) => workshop,
        Err(trouble) => return environment(&trouble),
    };
    say::err(&format!(
        "squall: selftest at level {}, pace {}, seed {seed}",
        args.difficulty, args.pace
    ));
    let rows = workshop.block_on(rows(args, (&choice, seed), &workshop, &bugs));
    let code = match rows {
        Ok(rows) => {
            let table = matrix(&rows);
            say::out(&table);
            if let Err(error) = workshop.folder.write("selftest.md", &table) {
                say::problem(&format!("selftest.md: {error}"), None);
            }
            if !rows.is_empty() && rows.iter().all(|row| row.right) {
                exit::PASS
            } else {
                exit::FINDING
            }
        }
        Err(trouble) => environment(&trouble),
    };
    workshop.close();
    say::err(&format!("The same again: the same command with --seed {seed}"));
    code
}

fn chosen(list: Option<&str>) -> Result<Vec<&'static Bug>, String> {
    let Some(list) = list else {
        return Ok(BUGS.iter().collect());
    };
    let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| BUGS.iter().find(|bug| bug.name == name).ok_or_else(|| name.to_owned()))
        .collect()
}

async fn rows(
    args: &SelftestArgs,
    (choice, seed): (&Choice, u64),
    workshop: &Workshop,
    bugs: &[&Bug],
) -> Result<Vec<Row>, Trouble> {
    let Some(inputs) = planned(choice, seed) else {
        return Err(Trouble::Interrupted);
    };
    let cluster = workshop.prepare(&inputs.system).await?;
    let mut sound = Vec::new();
    let mut rows = Vec::new();
    for number in 0..args.sound {
        // Another seed each time, and so another plan: ten times the same would show one.
        let Some(inputs) = planned(choice, seed.wrapping_add(u64::from(number))) else {
            continue;
        };
        for plan in &inputs.plans {
            let name = format!("sound-{:02}-{}", number + 1, plan.scenario);
            let journal = one(workshop, (&inputs.system, plan), &name, cluster.as_ref()).await?;
            let judged = judgement(&journal.history());
            let row = sound_row(plan, &judged);
            say::err(&format!(
                "{} {:<20} {} (seed {}) {}",
                sign(row.right),
                row.bug,
                row.scenario,
                plan.seed,
                row.found
            ));
            rows.push(row);
            sound.push((plan.scenario.clone(), judged));
        }
    }
    for (number, bug) in bugs.iter().enumerate() {
        let sets = bug
            .sets
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let own = Choice {
            scenarios: bug.scenario.to_owned(),
            sets: sets.collect(),
            ..choice.clone()
        };
        let planned = planned(&own, seed);
        let Some((inputs, plan)) = planned
            .as_ref()
            .and_then(|inputs| Some((inputs, inputs.plans.first()?)))
        else {
            rows.push(unplanned(bug));
            continue;
        };
        if !bug.sets.is_empty() {
            // Its own harder plan must be passed by the sound system, too.
            let name = format!("sound-for-{:02}", number + 1);
            let journal = one(workshop, (&inputs.system, plan), &name, cluster.as_ref()).await?;
            let judged = judgement(&journal.history());
            rows.push(sound_row(plan, &judged));
        }
        let system = planted(&inputs.system, bug);
        // The folder has a number, not a name: nothing a run leaves may give the bug away.
        let name = format!("planted-{:02}", number + 1);
        let journal = one(workshop, (&system, plan), &name, cluster.as_ref()).await?;
        let mut row = bug_row(bug, &journal);
        let beside = sound.iter().filter(|(scenario, _)| scenario == bug.scenario);
        if beside.clone().any(|(_, judged)| catches(bug, judged)) {
            row.right = false;
            row.found += "; the sound system was accused of the same";
        }
        if gives_away(&workshop.folder.path().join(&name), bug.name) {
            row.right = false;
            row.found += "; the run's folder names the bug";
        }
        say::err(&format!("{} {:<20} {}", sign(row.right), row.bug, row.found));
        rows.push(row);
    }
    Ok(rows)
}

/// The inputs at a seed. They were read before, so mistakes in them were said and ended the command.
fn planned(choice: &Choice, seed: u64) -> Option<Inputs> {
    inputs(choice, None, seed).ok()
}

/// Whether any file below `folder` has `word` in it: then a verdict could have been read off, not found.
fn gives_away(folder: &Path, word: &str) -> bool {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return false;
    };
    entries
        .flatten()
        .map(|entry| entry.path())
        .any(|path| match path.is_dir() {
            true => gives_away(&path, word),
            false => std::fs::read_to_string(&path).is_ok_and(|text| text.contains(word)),
        })
}

/// The system with a bug in every part that is its own.
fn planted(system: &System, bug: &Bug) -> System {
    let mut system = system.clone();
    for service in system.services.values_mut().filter(|service| service.preset.is_none()) {
        service.env.insert(SWITCH.to_owned(), bug.name.to_owned());
    }
    system
}

async fn one(
    workshop: &Workshop,
    (system, plan): (&System, &Plan),
    name: &str,
    cluster: Option<&Cluster>,
) -> Result<Journal, Trouble> {
    let waiting = View::waiting(&format!("{name}: {}", plan.scenario));
    let result = workshop
        .run(
            Work {
                attach: None,
                system,
                plan,
                name,
                cluster,
                port: None,
                alone: true,
            },
            None,
        )
        .await;
    waiting.close();
    if *workshop.stop.borrow() {
        return Err(Trouble::Interrupted);
    }
    if let Err(trouble) = result {
        say::problem(&format!("{name}: {trouble}"), trouble.remedy().as_deref());
    }
    let folder = workshop.folder.path().join(name);
    let mut read = journals(&folder).map_err(|error| Trouble::io(name)(std::io::Error::other(error.to_string())))?;
    Ok(read.remove(0))
}
