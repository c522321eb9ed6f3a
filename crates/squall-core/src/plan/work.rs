//! The work of a plan: which tasks, in which order, at which rates.

use std::time::Duration;

use rand::RngExt;

use super::draw::Drawer;
use crate::amount::{Dur, Rate};
use crate::contract::Object;
use crate::diagnostic::nearest;
use crate::scenario::Scenario;
use crate::time::{Nanos, nanos};
use crate::workload::{Bulky, Flood, PlannedBulky, PlannedClients, PlannedFlood, PlannedTask, PlannedWrites, Workload};

/// A shorter flood gives too few samples for a trend.
const SHORTEST_FLOOD: Duration = Duration::from_secs(11);
/// More tasks than this are a slip, and would fill the memory.
const MOST_TASKS: u64 = 1_000_000;
/// The same for clients of objects, and for objects.
const MOST_CLIENTS: u32 = 1000;
/// However fast the pace, a client pauses so long: one that never does would measure itself.
const SHORTEST_PAUSE: Nanos = 1_000_000;

impl Drawer<'_> {
    /// Between two requests. More of them in less time: the number of samples stays what it is at pace 1.
    pub(super) fn spacing(&self, rate: &Rate) -> Nanos {
        (rate.interval().get().as_nanos() as f64 / self.request.pace) as Nanos
    }

    /// Copies can only be had of a service there is.
    pub(super) fn replicas(&mut self, scenario: &Scenario) {
        let names: Vec<String> = self.facts.services.keys().cloned().collect();
        for name in scenario.replicas.keys().filter(|name| !names.contains(name)) {
            let help = nearest(name, names.iter().map(String::as_str)).map(|close| format!("did you mean `{close}`?"));
            self.wrong(
                &format!("/replicas/{name}"),
                format!("the system has no service `{name}`"),
                help,
            );
        }
    }

    pub(super) fn writes(&self, scenario: &Scenario) -> Vec<PlannedWrites> {
        let planned = scenario.workload.writes.iter().map(|writes| PlannedWrites {
            every: self
                .spacing(&writes.rate)
                .saturating_mul(u64::from(writes.burst.max(1))),
            burst: writes.burst.max(1),
            kind: writes.kind.clone(),
        });
        planned.collect()
    }

    fn sends_tasks(&self, scenario: &Scenario) -> bool {
        let load = &scenario.workload;
        load.tasks.is_some()
            || load.flood.is_some()
            || load.bulky.is_some()
            || !load.writes.is_empty()
            || load.others > 0
    }

    /// At its own rate whatever the pace: more of them in less time would be another load.
    pub(super) fn bulky(bulky: &Bulky) -> PlannedBulky {
        PlannedBulky {
            every: nanos(bulky.rate.interval().get()).max(1),
            bytes: u64::from(bulky.megabytes.get()) * 1_000_000,
        }
    }

    pub(super) fn flood(&self, flood: &Flood) -> PlannedFlood {
        let second = |rate: &Rate| 1e9 / nanos(rate.interval().get()).max(1) as f64;
        let lasts = self
            .nanos(&flood.lasts)
            .max(nanos(SHORTEST_FLOOD.min(flood.lasts.get())));
        PlannedFlood {
            kind: flood.kind.clone(),
            ms: flood.takes.map_or(0, |takes| nanos(takes.get()) / 1_000_000),
            rate: second(&flood.rate),
            lasts,
            up_to: flood.up_to.as_ref().map(|rate| (second(rate), lasts / 4)),
        }
    }

    /// Clients that work objects: the object's kind must be one the system tells of.
    pub(super) fn clients(&mut self, load: &Workload) -> Vec<PlannedClients> {
        let counters = load.counters.as_ref().map(|load| {
            let hold = Dur::secs(0);
            (Object::Counter, load.count, load.clients, &load.pause, hold)
        });
        let locks = load
            .locks
            .as_ref()
            .map(|load| (Object::Lock, load.count, load.clients, &load.pause, load.hold));
        let mut planned = Vec::new();
        for (of, count, clients, pause, hold) in counters.into_iter().chain(locks) {
            let (at, word) = (format!("/workload/{}", of.word()), of.word());
            if !self.facts.objects.contains_key(&of) {
                let message = format!("this workload works {word}, but the system has no `{word}` contract");
                let help = format!("add `contracts.{word}` to the system file");
                self.wrong(&at, message, Some(help));
                continue;
            }
            for (key, number) in [("count", count.get()), ("clients", clients.get())] {
                if number > MOST_CLIENTS {
                    let message = format!("{number} are too many: at most {MOST_CLIENTS}");
                    let help = format!("write {MOST_CLIENTS} or less");
                    self.wrong(&format!("{at}/{key}"), message, Some(help));
                }
            }
            let seed = self.request.seed;
            planned.push(PlannedClients {
                of,
                names: (1..=count.get().min(MOST_CLIENTS))
                    .map(|number| format!("{word}-{seed:x}-{number}"))
                    .collect(),
                clients: clients.get(),
                pause: self.nanos(pause).max(SHORTEST_PAUSE),
                hold: self.nanos(&hold),
            });
        }
        planned
    }

    pub(super) fn tasks(&mut self, scenario: &Scenario) -> Vec<PlannedTask> {
        let Some(promised) = &self.facts.tasks else {
            if self.sends_tasks(scenario) {
                self.wrong(
                    "/workload",
                    "this workload sends tasks, but the system has no `tasks` contract".to_owned(),
                    Some("add `contracts.tasks` to the system file".to_owned()),
                );
            }
            return Vec::new();
        };
        let names: Vec<&str> = promised.kinds.keys().map(String::as_str).collect();
        let mut kinds = Vec::new();
        let main = scenario.workload.tasks.iter();
        let main = main.map(|load| ("/workload/tasks/kind".to_owned(), load.kind.as_str()));
        let writes = scenario.workload.writes.iter().enumerate();
        let writes = writes.map(|(index, writes)| (format!("/workload/writes/{index}/kind"), writes.kind.as_str()));
        let flood = scenario.workload.flood.iter();
        let flood = flood.map(|flood| ("/workload/flood/kind".to_owned(), flood.kind.as_str()));
        let checks = scenario.checks.iter().enumerate();
        let checks = checks.flat_map(|(index, check)| {
            let kinds = check.kinds().into_iter();
            kinds.map(move |(key, kind)| (format!("/checks/{index}/{}/{key}", check.name()), kind))
        });
        for (pointer, kind) in main.chain(writes).chain(flood).chain(checks) {
            if !promised.kinds.contains_key(kind) {
                let help = nearest(kind, names.iter().copied()).map(|close| format!("did you mean `{close}`?"));
                self.wrong(&pointer, format!("the tasks contract has no kind `{kind}`"), help);
            }
        }
        let main = scenario.workload.tasks.as_ref();
        let counts = [
            ("/workload/tasks/count", main.map_or(0, |load| load.count)),
            ("/workload/others", scenario.workload.others),
        ];
        for (pointer, count) in counts {
            if u64::from(count) > MOST_TASKS {
                self.wrong(
                    pointer,
                    format!("{count} tasks are too many: at most {MOST_TASKS}"),
                    None,
                );
                return Vec::new();
            }
        }
        if let Some(load) = main {
            let ms = self.nanos(&load.takes) / 1_000_000;
            kinds.extend((0..load.count).map(|_| (load.kind.clone(), ms)));
        }
        for kind in promised
            .kinds
            .keys()
            .filter(|kind| main.is_none_or(|load| load.kind != **kind))
        {
            for _ in 0..scenario.workload.others {
                // Spread among the others, so that retries and the dead-letter queue are busy throughout.
                let place = self.rng.random_range(0..=kinds.len());
                kinds.insert(place, (kind.clone(), 0));
            }
        }
        let seed = self.request.seed;
        kinds
            .into_iter()
            .enumerate()
            .map(|(number, (kind, ms))| PlannedTask {
                kind,
                ms,
                mark: format!("t{seed:x}-{number}"),
            })
            .collect()
    }
}
