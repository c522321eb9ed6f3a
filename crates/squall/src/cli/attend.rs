//! `squall down`, `status`, `logs` and `service`: a system that is up, seen and handled from outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use squall_core::diagnostic::nearest;

use super::inputs::Bad;
use super::{say, up};
use crate::control::{Act, Ask, Found, Order, Reply, Service, Status, ask, found};
use crate::store::Folder;
use crate::{exit, processes};

/// Both of squall's processes are gone within this after they were asked to end: what the guard
/// grants its child, and a sweep.
const GONE: Duration = Duration::from_secs(45);
/// How often is looked whether they are, and whether there is more to show.
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

/// What `logs` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct LogsArgs {
    /// Only this service, or this copy of it (`worker-2`)
    service: Option<String>,
    /// Go on until the system ends
    #[arg(short, long)]
    follow: bool,
    #[command(flatten)]
    which: Which,
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

    fn heal(&self) -> String {
        format!("`squall heal{}` removes what they left", up::option(&self.output))
    }
}

fn died(stale: &Found) -> String {
    let sign = &stale.sign;
    format!("{} ({}): both of squall's processes died", sign.system, sign.run)
}

/// How a system that is up is.
pub(super) fn look(found: &Found) -> Result<Status, String> {
    match ask(&found.folder, &Ask::Status, |_| ()) {
        Ok(Reply::Status(status)) => Ok(*status),
        Ok(other) => Err(format!("{}: {other:?}", found.sign.system)),
        Err(error) => Err(error.to_string()),
    }
}

/// Says that a system gives no answer, and what to do. Answers the exit code.
fn mute(found: &Found, why: &str) -> u8 {
    let pid = found.worker.map_or(String::new(), |pid| pid.to_string());
    let remedy = format!(
        "it may still be starting, or just end: try again\n\
         if it hangs: `kill -9 {pid}` ends squall's working process, and its guard clears up"
    );
    say::problem(&format!("{} does not answer: {why}", found.sign.system), Some(&remedy));
    exit::ENVIRONMENT
}

fn bad(bad: &Bad) -> u8 {
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
            Err(why) => drop(mute(found, &why)),
        }
    }
    for stale in &stale {
        say::err(&format!("{}; {}", died(stale), which.heal()));
    }
    if json {
        say::out(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else if up.is_empty() {
        say::out("no system is up");
    }
    exit::PASS
}

/// `squall down`.
pub(super) fn down(which: &Which) -> u8 {
    if let (up, stale) = which.find()
        && up.is_empty()
    {
        for stale in &stale {
            say::problem(&died(stale), Some(&which.heal()));
        }
        if stale.is_empty() {
            say::out("no system is up");
            return exit::PASS;
        }
        return exit::NOT_HEALED;
    }
    let found = match which.one() {
        Ok(found) => found,
        Err(error) => return bad(&error),
    };
    let status = match look(&found) {
        Ok(status) => status,
        Err(why) => return mute(&found, &why),
    };
    let lives: Vec<_> = status.squall.iter().map(|pid| (*pid, life(*pid))).collect();
    // Its own end may come before its answer's.
    let _ = ask(&found.folder, &Ask::Down, |_| ());
    let until = Instant::now() + GONE;
    while lives
        .iter()
        .any(|(pid, began)| processes::runs(*pid) && life(*pid) == *began)
    {
        if Instant::now() > until {
            let what = format!(
                "{}: squall's processes still run {GONE:?} after they were asked to end",
                status.system
            );
            let [guard, worker] = status.squall;
            say::problem(
                &what,
                Some(&format!("`kill -9 {worker}`, and its guard ({guard}) clears up")),
            );
            return exit::NOT_HEALED;
        }
        std::thread::sleep(LOOK);
    }
    if Folder::open(&found.folder).worker().is_some() {
        say::problem(
            &format!("{}: not everything could be removed", status.system),
            Some(&which.heal()),
        );
        return exit::NOT_HEALED;
    }
    say::out(&format!(
        "{} is down; its logs are in {}",
        status.system,
        up::near(&status.folder.join("logs"))
    ));
    exit::PASS
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
    match ask(&found.folder, &Ask::Order(order), say::out) {
        Ok(Reply::Done(text)) => {
            say::out(&text);
            exit::PASS
        }
        Ok(Reply::Refused { what, remedy }) => {
            say::problem(&what, Some(&remedy));
            exit::BAD_INPUT
        }
        Ok(Reply::Failed(what)) => {
            say::problem(&what, Some("`squall status` and `squall logs` show more"));
            exit::ENVIRONMENT
        }
        Ok(other) => mute(&found, &format!("{other:?}")),
        Err(error) => mute(&found, &error.to_string()),
    }
}

/// `squall logs`.
pub(super) fn logs(args: &LogsArgs) -> u8 {
    let found = match args.which.one() {
        Ok(found) => found,
        Err(error) => return bad(&error),
    };
    let status = match look(&found) {
        Ok(status) => status,
        Err(why) => return mute(&found, &why),
    };
    let meant = |service: &&Service| {
        let instance = &service.instance;
        args.service
            .as_ref()
            .is_none_or(|name| instance.service == *name || instance.to_string() == *name)
    };
    let chosen: Vec<&Service> = status.services.iter().filter(meant).collect();
    if let (true, Some(name)) = (chosen.is_empty(), &args.service) {
        let names: Vec<&str> = status
            .services
            .iter()
            .map(|service| service.instance.service.as_str())
            .collect();
        let remedy = nearest(name, names.iter().copied()).map_or_else(
            || format!("the services are {}", names.join(", ")),
            |close| format!("did you mean `{close}`?"),
        );
        return bad(&Bad::Plain(format!("there is no service `{name}`"), remedy));
    }
    let mut tails = BTreeMap::new();
    for service in chosen {
        match Tail::open(&service.log) {
            Ok(tail) => drop(tails.insert(service.instance.to_string(), tail)),
            Err(error) => {
                say::problem(&format!("{}: {error}", service.log.display()), None);
                return exit::ENVIRONMENT;
            }
        }
    }
    loop {
        let ended = !processes::runs(status.squall[1]);
        show(&mut tails);
        if !args.follow || ended {
            return exit::PASS;
        }
        std::thread::sleep(LOOK);
    }
}

/// Shows the new lines of all of them, in the order they were written.
fn show(tails: &mut BTreeMap<String, Tail>) {
    let mut lines: Vec<(f64, String)> = Vec::new();
    let several = tails.len() > 1;
    for (name, tail) in tails {
        lines.extend(tail.fresh().into_iter().map(|line| {
            // Each line begins with its time, in seconds.
            let at = line
                .split_whitespace()
                .next()
                .and_then(|at| at.parse().ok())
                .unwrap_or(0.0);
            match several {
                true => (at, format!("{name:<12} {line}")),
                false => (at, line),
            }
        }));
    }
    lines.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    lines.iter().for_each(|(_, line)| say::out(line));
}

/// A file that is being written.
struct Tail {
    file: BufReader<File>,
    /// A line whose end has not been written.
    begun: String,
}

impl Tail {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: BufReader::new(File::open(path)?),
            begun: String::new(),
        })
    }

    /// The whole lines written since the last look.
    fn fresh(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        while self.file.read_line(&mut self.begun).is_ok_and(|read| read > 0) && self.begun.ends_with('\n') {
            lines.push(self.begun.trim_end().to_owned());
            self.begun.clear();
        }
        lines
    }
}
