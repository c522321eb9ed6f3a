//! `squall logs`: what the services of a system that is up write.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::Duration;

use clap::Args;
use squall_core::diagnostic::nearest;

use super::attend::{Which, bad, look, mute};
use super::inputs::Bad;
use super::say;
use crate::control::Service;
use crate::{exit, processes};

/// How often is looked whether there is more.
const LOOK: Duration = Duration::from_millis(50);

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

/// `squall logs`.
pub(super) fn logs(args: &LogsArgs) -> u8 {
    let found = match args.which.one() {
        Ok(found) => found,
        Err(error) => return bad(&error),
    };
    let status = match look(&found) {
        Ok(status) => status,
        Err(error) => return mute(&found, &error.to_string()),
    };
    let meant = |service: &&Service| {
        let instance = &service.instance;
        args.service
            .as_ref()
            .is_none_or(|name| instance.service == *name || instance.to_string() == *name)
    };
    let chosen: Vec<&Service> = status.services.iter().filter(meant).collect();
    if let (true, Some(name)) = (chosen.is_empty(), &args.service) {
        let names = status.services.iter().map(|service| service.instance.service.as_str());
        let names: Vec<&str> = names.collect::<BTreeSet<_>>().into_iter().collect();
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
                say::problem(
                    &format!("{}: {error}", service.log.display()),
                    "was it removed? `squall status` names the files services write to",
                );
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
