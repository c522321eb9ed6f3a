//! `squall flood`: many tasks, one after another at a fixed distance.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use squall_core::contract::{Ends, Kind, Tasks};
use squall_core::event::Answer;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::attend::seconds;
use super::inputs::Bad;
use super::say;
use super::target::{Target, TargetArgs, block_on};
use crate::client::{Created, Names};
use crate::exit;

/// So many requests may be open: a system that hangs must not be buried.
const OPEN: usize = 64;

/// What `flood` takes.
#[derive(Debug, Clone, Args)]
pub(super) struct FloodArgs {
    /// How many tasks
    #[arg(long, value_name = "N", value_parser = super::whole::<u32, 1, 1_000_000>)]
    count: u32,
    /// Seconds between the creation of one and of the next; with 0 as fast as 64 at a time are answered
    #[arg(long, value_name = "SECS", default_value = "0.1", value_parser = seconds, allow_negative_numbers = true)]
    delay: f64,
    /// The token of a session [default: a session of its own]
    #[arg(long, value_name = "TOKEN")]
    auth: Option<String>,
    /// A kind of the contract or a type of task, known or not [default: a kind that takes --task-time]
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Tasks that fail, and end in the dead-letter queue
    #[arg(long, conflicts_with = "kind")]
    fail: bool,
    /// How many seconds the work of a task takes
    #[arg(long, value_name = "SECS", default_value = "0.1", value_parser = seconds, allow_negative_numbers = true)]
    task_time: f64,
    #[command(flatten)]
    target: TargetArgs,
}

/// The contract of tasks; the type, and the payload with its `${…}`.
type Work = (Arc<Tasks>, Arc<(String, Value)>);

/// What came of all of them.
#[derive(Default)]
struct Tally {
    created: usize,
    /// Answered otherwise: how often, by status.
    refused: BTreeMap<u16, usize>,
    /// Not answered: how often, by why.
    failed: BTreeMap<String, usize>,
    /// From when a request was due to its answer, in ms.
    took: Vec<f64>,
}

/// Creates them all. Answers the exit code.
pub(super) fn flood(args: &FloodArgs) -> u8 {
    let target = match args.target.find() {
        Ok(target) => target,
        Err(code) => return code,
    };
    let (tasks, work) = match work(args, target.contracts.tasks.as_ref()) {
        Ok(work) => work,
        Err(bad) => {
            bad.say();
            return exit::BAD_INPUT;
        }
    };
    block_on(async {
        let names = match &args.auth {
            Some(token) => {
                let mut names = Names::stranger("flood_");
                names.set("token", token.as_str());
                names
            }
            None => match target.session("flood_", |_, _| ()).await {
                Ok(names) => names,
                Err((step, cause)) => {
                    say::problem(
                        &format!("{step} at {}: {cause}", target.base),
                        "give a token with --auth",
                    );
                    return exit::ENVIRONMENT;
                }
            },
        };
        let names = names.with("ms", (args.task_time * 1e3) as u64);
        let begun = Instant::now();
        match send_all(args, &target, (tasks, work), names).await {
            Ok(tally) => tally.say(begun.elapsed()),
            Err(name) => {
                say::problem(
                    &format!("tasks of this system need more than a token: {name}"),
                    "name a kind of the contract that needs no more with --type",
                );
                exit::BAD_INPUT
            }
        }
    })
}

/// The contract of tasks, and the type and payload that are asked for.
fn work(args: &FloodArgs, tasks: Option<&Tasks>) -> Result<Work, Bad> {
    let bad = |what: &str, remedy: &str| Bad::Plain(what.to_owned(), remedy.to_owned());
    let Some(tasks) = tasks else {
        let remedy = "its system file has no `contracts.tasks`; add how a task is created";
        return Err(bad("nothing says how this system is given tasks", remedy));
    };
    let of = |kind: &Kind| (kind.type_name.clone(), kind.payload.clone());
    let find = |fits: &dyn Fn(&Kind) -> bool| tasks.kinds.values().find(|kind| fits(kind)).map(of);
    let timed = |kind: &Kind| kind.ends == Ends::Done && kind.payload.to_string().contains("${ms}");
    let found = match &args.kind {
        Some(name) => {
            let kind = tasks.kinds.get(name).map(of);
            let known = kind.or_else(|| find(&|kind| kind.type_name == *name));
            // Whether there is such a type is for the system to say.
            known.or_else(|| Some((name.clone(), json!({ "ms": "${ms}", "mark": "${mark}" }))))
        }
        None if args.fail => find(&|kind| kind.ends == Ends::Dead),
        None => find(&timed).or_else(|| find(&|kind| kind.ends == Ends::Done)),
    };
    let work = found.ok_or_else(|| bad("the contract has no such kind of task", "name a type with --type"))?;
    Ok((Arc::new(tasks.clone()), Arc::new(work)))
}

async fn send_all(
    args: &FloodArgs,
    target: &Target,
    (tasks, work): Work,
    names: Names,
) -> Result<Tally, squall_core::expr::UnknownName> {
    let open = Arc::new(Semaphore::new(OPEN));
    let mut all = JoinSet::new();
    let begin = Instant::now();
    let delay = Duration::from_secs_f64(args.delay);
    let flood = rand::random::<u32>();
    for number in 0..args.count {
        let due = begin + delay.saturating_mul(number);
        sleep_until(due.into()).await;
        let Ok(permit) = open.clone().acquire_owned().await else {
            break;
        };
        // Without a distance there is no moment it was due but this one.
        let due = if delay.is_zero() { Instant::now() } else { due };
        let (client, tasks, work) = (target.client.clone(), tasks.clone(), work.clone());
        let names = names.with("mark", format!("flood-{flood:08x}-{number}"));
        all.spawn(async move {
            let created = client.create(&tasks, (&work.0, &work.1), &names).await;
            drop(permit);
            created.map(|created| (due, created))
        });
    }
    let mut tally = Tally::default();
    while let Some(joined) = all.join_next().await {
        match joined {
            Ok(result) => {
                let (due, created) = result?;
                tally.count(due, &created);
            }
            Err(broken) => *tally.failed.entry(broken.to_string()).or_default() += 1,
        }
    }
    Ok(tally)
}

impl Tally {
    fn count(&mut self, due: Instant, created: &Created) {
        let asked = &created.asked;
        let Some(status) = asked.judged.status else {
            let why = asked.judged.fault.clone().unwrap_or_default();
            *self.failed.entry(why).or_default() += 1;
            return;
        };
        self.took
            .push(asked.reply.ret.saturating_duration_since(due).as_secs_f64() * 1e3);
        match asked.judged.answer {
            Answer::Right => self.created += 1,
            _ => *self.refused.entry(status).or_default() += 1,
        }
    }

    /// Says it. Answers the exit code: all is well when all were answered, whatever the answer was.
    fn say(mut self, took: Duration) -> u8 {
        self.took.sort_by(f64::total_cmp);
        let refused: usize = self.refused.values().sum();
        let failed: usize = self.failed.values().sum();
        let all = (self.created + refused + failed) as f64;
        say::out(&format!("Created: {}", self.created));
        say::out(&format!("Refused: {refused}{}", parts(&self.refused)));
        say::out(&format!("Failed: {failed}{}", parts(&self.failed)));
        say::out(&format!("Rate: {:.1}/s", all / took.as_secs_f64().max(1e-3)));
        match (self.share(0.5), self.share(0.99)) {
            (Some(half), Some(most)) => say::out(&format!("Latency: p50 {half:.1} ms, p99 {most:.1} ms")),
            _ => say::out("Latency: none was answered"),
        }
        if failed == 0 { exit::PASS } else { exit::FINDING }
    }

    /// What this share of the answers did not take longer than, in ms.
    fn share(&self, share: f64) -> Option<f64> {
        let rank = (share * self.took.len() as f64).ceil() as usize;
        self.took.get(rank.saturating_sub(1)).copied()
    }
}

fn parts<K: std::fmt::Display>(counts: &BTreeMap<K, usize>) -> String {
    if counts.is_empty() {
        return String::new();
    }
    let parts = counts.iter().map(|(what, count)| format!("{what}: {count}"));
    format!(" ({})", parts.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_the_answers_took_no_longer_than_said() {
        let took = |count: u32| Tally {
            took: (1..=count).map(f64::from).collect(),
            ..Tally::default()
        };
        assert_eq!((took(100).share(0.5), took(100).share(0.99)), (Some(50.0), Some(99.0)));
        assert_eq!((took(1).share(0.5), took(1).share(0.99)), (Some(1.0), Some(1.0)));
        assert_eq!(took(0).share(0.5), None);
    }

    #[test]
    fn what_was_refused_was_answered_and_what_was_not_answered_is_a_finding() {
        let tally = |refused, failed| Tally {
            refused: BTreeMap::from([(503, refused)]),
            failed: BTreeMap::from([("no answer in time".to_owned(), failed)]),
            ..Tally::default()
        };
        assert_eq!(tally(3, 0).say(Duration::from_secs(1)), exit::PASS);
        assert_eq!(tally(0, 1).say(Duration::from_secs(1)), exit::FINDING);
    }
}
