//! `squall down`, `status` and `service`: a system that is up, seen and handled from outside.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::signal::Signal;

use super::inputs::Bad;
use super::{say, up};
use crate::control::{Act, Ask, Found, Order, Reply, Status, Unheard, ask, found};
use crate::store::{Folder, RunId};
use crate::{exit, guard, processes};

/// Both of squall's processes are gone within this after they were asked to end: what the guard
/// grants its child, and a sweep.
const GONE: Duration = Duration::from_secs(45);
/// How often is looked whether they are.
const LOOK: Duration = Duration::from_millis(50);
/// What is killed comes back after so many seconds, when nothing else is said.
const DELAY: f64 = 5.0;

/// Which system.
#[derive(Debug, Clone, Args)]
pub(super) struct Which {
    /// Which one, when several are up: its name, or its run's id or the beginning of it
    #[arg(long, value_name = "NAME")]
    pub(super) system: Option<String>,
    /// The folder `up` was given
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    pub(super) output: PathBuf,
}

/// What `service` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct ServiceArgs {
    /// What to do to it
    #[arg(value_enum)]
    act: Act,
    /// Which service, or which copy of it (`worker-2`); with db-… the database when not said
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Start it again after so many seconds
    #[arg(long, value_name = "SECS", value_parser = seconds, allow_negative_numbers = true)]
    delay: Option<f64>,
    #[command(flatten)]
    which: Which,
}

/// A number of seconds: none, or up to a day.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("a number of seconds is expected, from 0 to 86400, for example 0.1".to_owned()),
    }
}

impl Which {
    fn means(&self, found: &Found) -> bool {
        let named = |name: &String| found.sign.system == *name || found.sign.run.starts_with(name.as_str());
        self.system.as_ref().is_none_or(named)
    }

    /// What is up and meant, and what was when both of squall's processes died.
    fn find(&self) -> (Vec<Found>, Vec<Found>) {
        let meant = found(&self.output).into_iter().filter(|found| self.means(found));
        meant.partition(|found| found.worker.is_some())
    }

    /// The runs that are no system kept up, and ended without being cleared up; as `heal` finds them.
    fn left_behind(&self) -> Vec<RunId> {
        let kept_up: Vec<PathBuf> = found(&self.output).into_iter().map(|found| found.folder).collect();
        let dead = Folder::unhealed(&self.output).unwrap_or_default().into_iter();
        let mut runs: Vec<RunId> = dead
            .filter(|(folder, _)| !kept_up.iter().any(|path| path == folder.path()))
            .map(|(_, id)| id)
            .filter(|id| self.system.as_ref().is_none_or(|name| id.to_string().starts_with(name)))
            .collect();
        runs.sort_by_key(RunId::to_string);
        runs
    }

    /// The one system that is meant.
    pub(super) fn one(&self) -> Result<Found, Bad> {
        let (mut up, stale) = self.find();
        match (up.len(), stale.first()) {
            (1, _) => Ok(up.remove(0)),
            (0, None) => {
                let what = match &self.system {
                    Some(name) => format!("no system called `{name}` is up"),
                    None => "no system is up".to_owned(),
                };
                let remedy = format!(
                    "looked in {}; start one with `squall up --detach`, or name its folder with --output",
                    self.output.display()
                );
                Err(Bad::Plain(what, remedy))
            }
            (0, Some(stale)) => Err(Bad::Plain(died(stale), self.heal())),
            _ => {
                let names = up
                    .iter()
                    .map(|found| format!("{} ({})", found.sign.system, found.sign.run));
                let names = names.collect::<Vec<_>>().join(", ");
                let remedy = format!("name one with --system: {names}");
                Err(Bad::Plain("several systems are up".to_owned(), remedy))
            }
        }
    }

    /// Says it where there is nothing to look at: what is up may be elsewhere.
    fn nowhere(&self) {
        let usual = up::option(&self.output).is_empty();
        if !usual && !self.output.is_dir() {
            let here = self.output.display();
            say::err(&format!(
                "there is no folder {here}: name the one `up` was given with --output"
            ));
        }
    }

    fn heal(&self) -> String {
        format!("`squall heal{}` removes what they left", up::option(&self.output))
    }
}

fn died(stale: &Found) -> String {
    let sign = &stale.sign;
    format!("{} ({}): both of squall's processes died", sign.system, sign.run)
}

/// How a system that is up is.
pub(super) fn look(found: &Found) -> Result<Status, Unheard> {
    match ask(&found.folder, &Ask::Status, |_| ())? {
        Reply::Status(status) => Ok(*status),
        other => Err(Unheard::Gone {
            path: found.folder.clone(),
            cause: io::Error::other(format!("{other:?}")),
        }),
    }
}

/// Says that a system gives no answer, and what to do. Answers the exit code.
pub(super) fn mute(found: &Found, why: &str) -> u8 {
    let pid = found.worker.map_or(String::new(), |pid| pid.to_string());
    let remedy = format!(
        "it may still be starting, or just end: try again\n\
         if it hangs: `kill -9 {pid}` ends squall's working process, and its guard clears up"
    );
    say::problem(&format!("{} does not answer: {why}", found.sign.system), &remedy);
    exit::ENVIRONMENT
}

pub(super) fn bad(bad: &Bad) -> u8 {
    bad.say();
    exit::BAD_INPUT
}

/// `squall status`.
pub(super) fn status(which: &Which, json: bool) -> u8 {
    let (up, stale) = which.find();
    let mut all = Vec::new();
    for found in &up {
        match look(found) {
            Ok(status) if json => all.push(status),
            Ok(status) => {
                let file = up::near(&status.file);
                say::out(&format!(
                    "{} at {}, up for {} s, from {file}\n  run {}, squall's own processes {} and {}\n{}",
                    status.system,
                    status.url,
                    status.seconds,
                    status.run,
                    status.squall[0],
                    status.squall[1],
                    up::table(&status)
                ));
            }
            // Looking is no failure, whatever is seen.
            Err(error) => drop(mute(found, &error.to_string())),
        }
    }
    for stale in &stale {
        say::err(&format!("{}; {}", died(stale), which.heal()));
    }
    for run in which.left_behind() {
        say::err(&format!("run {run}: both of squall's processes died; {}", which.heal()));
    }
    if json {
        say::out(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else if up.is_empty() {
        say::out("no system is up");
        which.nowhere();
    }
    exit::PASS
}

/// `squall down`.
pub(super) fn down(which: &Which) -> u8 {
    if let (up, stale) = which.find()
        && up.is_empty()
    {
        for stale in &stale {
            say::problem(&died(stale), &which.heal());
        }
        if stale.is_empty() {
            say::out("no system is up");
            which.nowhere();
            return exit::PASS;
        }
        return exit::NOT_HEALED;
    }
    let found = match which.one() {
        Ok(found) => found,
        Err(error) => return bad(&error),
    };
    let name = &found.sign.system;
    // Before it is asked to: afterwards nobody knows who they were.
    let worker = found.worker.unwrap_or_default();
    let lives: Vec<_> = guard_of(worker)
        .into_iter()
        .chain([worker])
        .map(|pid| (pid, life(pid)))
        .collect();
    ask_to_end(&found, worker);
    let until = Instant::now() + GONE;
    while lives
        .iter()
        .any(|(pid, began)| processes::runs(*pid) && life(*pid) == *began)
    {
        if Instant::now() > until {
            let pids: Vec<String> = lives.iter().map(|(pid, _)| pid.to_string()).collect();
            let pids = pids.join(" and ");
            let what = format!("{name}: squall's processes {pids} still run {GONE:?} after they were to end");
            say::problem(&what, "are they stopped, or does the kernel still work for them?");
            return exit::NOT_HEALED;
        }
        std::thread::sleep(LOOK);
    }
    if Folder::open(&found.folder).worker().is_some() {
        say::problem(&format!("{name}: not everything could be removed"), &which.heal());
        return exit::NOT_HEALED;
    }
    say::out(&format!(
        "{name} is down; its logs are in {}",
        up::near(&found.folder.join("logs"))
    ));
    exit::PASS
}

/// Asks a system to end: through its socket; where there is none yet, by a signal; and where nothing
/// is heard, by one that can't be ignored, after which its guard clears up.
fn ask_to_end(found: &Found, worker: u32) {
    let signal = match ask(&found.folder, &Ask::Down, |_| ()) {
        Ok(Reply::Done(_)) => return,
        Ok(_) | Err(Unheard::Gone { .. }) => Signal::SIGTERM,
        Err(error @ Unheard::Silent { .. }) => {
            say::err(&format!("squall: {error}; its working process is killed"));
            Signal::SIGKILL
        }
    };
    // Its number alone may be another's by now.
    let tag = format!("{}={}", guard::CHILD, found.sign.run);
    let environ = fs::read(format!("/proc/{worker}/environ")).unwrap_or_default();
    if environ.split(|byte| *byte == 0).any(|entry| entry == tag.as_bytes()) {
        processes::signal(&[worker], signal);
    }
}

/// The guard of a working process, unless it died: then somebody else is its parent.
fn guard_of(worker: u32) -> Option<u32> {
    let program = |pid: u32| fs::read_link(format!("/proc/{pid}/exe")).ok();
    let parent = processes::stat(worker)?.parent;
    (program(parent)? == program(worker)?).then_some(parent)
}

fn life(pid: u32) -> Option<u64> {
    processes::stat(pid).map(|stat| stat.started)
}

/// `squall service`.
pub(super) fn service(args: &ServiceArgs) -> u8 {
    let found = match args.which.one() {
        Ok(found) => found,
        Err(error) => return bad(&error),
    };
    let usual = matches!(args.act, Act::Restart | Act::DbRestart).then_some(DELAY);
    let order = Order {
        act: args.act,
        service: args.service.clone(),
        delay: args.delay.or(usual).map(|seconds| (seconds * 1e3) as u64),
    };
    let reply = ask(&found.folder, &Ask::Order(order), say::out);
    answered(&found, reply)
}

/// Says what a system answered to an order. Answers the exit code.
pub(super) fn answered(found: &Found, reply: Result<Reply, Unheard>) -> u8 {
    match reply {
        Ok(Reply::Done(text)) => {
            say::out(&text);
            exit::PASS
        }
        Ok(Reply::Refused { what, remedy }) => {
            say::problem(&what, &remedy);
            exit::BAD_INPUT
        }
        Ok(Reply::Unproven(text)) => {
            say::problem(&format!("no effect was seen: {text}"), "is anything at work there?");
            exit::ENVIRONMENT
        }
        Ok(Reply::Unhealed(what)) => {
            say::problem(&what, "`squall down` ends the whole system and leaves nothing");
            exit::NOT_HEALED
        }
        Ok(Reply::Failed(what)) => {
            say::problem(&what, "`squall status` and `squall logs` show more");
            exit::ENVIRONMENT
        }
        Ok(other) => mute(found, &format!("{other:?}")),
        Err(error) => mute(found, &error.to_string()),
    }
}
