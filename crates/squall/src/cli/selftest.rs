//! `squall selftest`: every planted bug against the scenario that must catch it, and the sound
//! system beside it, so that a user sees on their own machine that a green run means something.

mod bugs;
mod rows;

use std::path::{Path, PathBuf};
use std::pin::pin;

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream;
use squall_core::journal::Journal;
use squall_core::judgement::{Judgement, judgement};
use squall_core::plan::Plan;
use squall_core::system::System;

use self::bugs::{BUGS, Bug, SWITCH};
use self::rows::{Row, bug_row, catches, line, matrix, sound_row, unplanned};
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
    #[arg(long, value_name = "N", value_parser = super::seed)]
    pub(super) seed: Option<u64>,
    /// Only these bugs, separated by commas; none with an empty list
    #[arg(long, value_name = "A,B")]
    pub(super) bugs: Option<String>,
    /// Sound repetitions of every scenario
    #[arg(long, default_value = "1", value_name = "N")]
    pub(super) sound: u32,
    /// Run so many at once, each on a system of its own: sooner done, but they share the machine
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = super::whole::<u8, 1, 16>)]
    pub(super) jobs: u8,
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
                &format!("the bugs are {}", names.join(", ")),
            );
            return exit::BAD_INPUT;
        }
    };
    if bugs.is_empty() && args.sound == 0 {
        say::problem(
            "a selftest of no bug and no sound run shows nothing",
            "name bugs with --bugs, or have sound runs with --sound 1",
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
        jobs: args.jobs,
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
                say::problem(
                    &format!("selftest.md: {error}"),
                    "the table above is all that would stand there; is the disk full, or the folder gone?",
                );
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

/// One run of the matrix: the sound system, or one bug in it.
struct Trial {
    /// What its folder is called: a number, not the bug's name. Nothing a run leaves may give it away.
    name: String,
    system: System,
    plan: Plan,
    bug: Option<&'static Bug>,
}

/// What is to be run, in the order of the matrix, and the rows of what can't be.
fn trials(args: &SelftestArgs, choice: &Choice, seed: u64, bugs: &[&'static Bug]) -> (Vec<Trial>, Vec<Row>) {
    let (mut trials, mut rows) = (Vec::new(), Vec::new());
    for number in 0..args.sound {
        // Another seed each time, and so another plan: ten times the same would show one.
        let planned = planned(choice, seed.wrapping_add(u64::from(number)));
        for (system, plan) in planned {
            trials.push(Trial {
                name: format!("sound-{:02}-{}", number + 1, plan.scenario),
                system,
                plan,
                bug: None,
            });
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
        let Some((system, plan)) = planned(&own, seed).into_iter().next() else {
            rows.push(unplanned(bug));
            continue;
        };
        if !bug.sets.is_empty() {
            // Its own harder plan must be passed by the sound system, too.
            trials.push(Trial {
                name: format!("sound-for-{:02}", number + 1),
                system: system.clone(),
                plan: plan.clone(),
                bug: None,
            });
        }
        trials.push(Trial {
            name: format!("planted-{:02}", number + 1),
            system: planted(&system, bug),
            plan,
            bug: Some(bug),
        });
    }
    (trials, rows)
}

async fn rows(
    args: &SelftestArgs,
    (choice, seed): (&Choice, u64),
    workshop: &Workshop,
    bugs: &[&'static Bug],
) -> Result<Vec<Row>, Trouble> {
    let (trials, mut rows) = trials(args, choice, seed, bugs);
    let cluster = match trials.first() {
        Some(trial) => workshop.prepare(&trial.system).await?,
        None => return Ok(rows),
    };
    let at_once = usize::from(args.jobs);
    let waiting = View::waiting(&format!("{} runs", trials.len()));
    let one = async |trial: &Trial| {
        waiting.tell(&format!("{}: {}", trial.name, trial.plan.scenario));
        one(workshop, trial, cluster.as_ref(), at_once == 1).await
    };
    // In the matrix's order: what the sound system was accused of is known before its bugs are looked for.
    let mut journals = pin!(stream::iter(trials.iter().map(one)).buffered(at_once));
    let mut sound = Vec::new();
    for trial in &trials {
        let Some(journal) = journals.next().await else { break };
        let journal = journal?;
        let row = match trial.bug {
            Some(bug) => accused(bug, &journal, &sound, &workshop.folder.path().join(&trial.name)),
            None => {
                let judged = judgement(&journal.history());
                let row = sound_row(&trial.plan, &judged);
                sound.push((trial.plan.scenario.as_str(), judged));
                row
            }
        };
        waiting.say(&line(&row, trial.plan.seed));
        rows.push(row);
    }
    waiting.close();
    Ok(rows)
}

/// The row of a bug, with what else speaks against its being found.
fn accused(bug: &Bug, journal: &Journal, sound: &[(&str, Judgement)], folder: &Path) -> Row {
    let mut row = bug_row(bug, journal);
    let mut beside = sound.iter().filter(|(scenario, _)| *scenario == bug.scenario);
    if beside.any(|(_, judged)| catches(bug, judged)) {
        row.right = false;
        row.found += "; the sound system was accused of the same";
    }
    if gives_away(folder, bug.name) {
        row.right = false;
        row.found += "; the run's folder names the bug";
    }
    row
}

/// The plans at a seed, each with the system. They were made before, so mistakes in them were said and ended the command.
fn planned(choice: &Choice, seed: u64) -> Vec<(System, Plan)> {
    let Ok(Inputs { system, plans, .. }) = inputs(choice, None, seed) else {
        return Vec::new();
    };
    plans.into_iter().map(|plan| (system.clone(), plan)).collect()
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

async fn one(workshop: &Workshop, trial: &Trial, cluster: Option<&Cluster>, alone: bool) -> Result<Journal, Trouble> {
    let Trial { name, system, plan, .. } = trial;
    let work = Work {
        attach: None,
        system,
        plan,
        name,
        cluster,
        port: None,
        alone,
    };
    let result = workshop.run(work, None).await;
    if *workshop.stop.borrow() {
        return Err(Trouble::Interrupted);
    }
    if let Err(trouble) = result {
        say::problem(&format!("{name}: {trouble}"), &trouble.remedy());
    }
    let folder = workshop.folder.path().join(name);
    let mut read = journals(&folder).map_err(|error| Trouble::io(name)(std::io::Error::other(error.to_string())))?;
    Ok(read.remove(0))
}
