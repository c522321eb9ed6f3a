//! What is under test: services, the links between them, how each starts, its contracts.

mod check;
mod limit;

pub use limit::Budget;

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Dur;
use crate::contract::{Contracts, Delivery, Ends, Method, Object};
use crate::diagnostic::{Mistakes, nearest};
use crate::document::Document;
use crate::time::{Nanos, nanos};

/// A system file.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct System {
    /// Its name.
    pub system: String,
    /// A command that builds it before it is started, split into arguments; never given to a shell.
    #[serde(default)]
    pub build: Option<String>,
    /// Its parts.
    pub services: BTreeMap<String, Service>,
    /// The service clients talk to.
    pub entry: String,
    /// How to speak to it.
    #[serde(default)]
    pub contracts: Contracts,
    /// What no fault may touch: services with their links, or single links as `from->to`.
    #[serde(default)]
    pub protect: Vec<String>,
    /// How much faults may hold at once.
    #[serde(default)]
    pub budget: Budget,
}

/// One part of a system.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Service {
    /// A part squall knows how to make a throw-away copy of.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// The command that starts one copy, split into arguments; never given to a shell.
    #[serde(default)]
    pub run: Option<String>,
    /// Settings of a preset, beside those squall gives it.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// Its environment, besides what squall itself was started with.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The services it opens connections to; each goes through a proxy of its own.
    #[serde(default)]
    pub links: Vec<String>,
    /// When a started copy counts as ready; at once when absent.
    #[serde(default)]
    pub ready: Option<Ready>,
    /// How a copy that ended is started again; never when absent.
    #[serde(default)]
    pub restart: Option<Restart>,
    /// How many copies run.
    #[serde(default = "one")]
    pub replicas: u32,
    /// A folder of its own for what each copy writes, `${self.disk}`; with a small disk of its own where a scenario
    /// fills it.
    #[serde(default)]
    pub disk: Option<Disk>,
}

fn one() -> u32 {
    1
}

/// What a copy writes to.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub struct Disk {
    /// How much there is room for, in megabytes (of 1000000 bytes), where it is a disk of its own.
    pub megabytes: std::num::NonZeroU32,
}

/// The parts squall knows how to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// A throw-away PostgreSQL cluster from the machine's own binaries.
    Postgres,
}

/// When a started copy counts as ready.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Ready {
    /// A path that answers 200; a copy without one is ready when its port accepts.
    #[serde(default)]
    pub path: Option<String>,
    /// How long it may take.
    #[serde(default = "fifteen")]
    pub within: Dur,
}

fn fifteen() -> Dur {
    Dur::secs(15)
}

/// How a copy that ended is started again.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub struct Restart {
    /// How long after its end.
    pub after: Dur,
}

/// What judging needs to know of a system: facts only, no commands, no environment, no secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub name: String,
    /// The service clients talk to.
    pub entry: String,
    /// Its parts.
    pub services: BTreeMap<String, ServiceFacts>,
    /// Whether it tells how it is.
    pub health: bool,
    /// What it promises about tasks.
    pub tasks: Option<TaskFacts>,
    /// The kinds of objects clients can work, and what it promises about them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<Object, ObjectFacts>,
    /// Whether it shows its circuit breakers.
    #[serde(default)]
    pub breakers: bool,
    /// The names of its alarms.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// Its base address, when it ran already and squall has a handle on none of its parts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached: Option<String>,
    /// What no fault may touch.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub protect: BTreeSet<String>,
    /// How much faults may hold at once.
    #[serde(default, skip_serializing_if = "Budget::is_unbounded")]
    pub budget: Budget,
}

/// What judging needs to know of a service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceFacts {
    /// Copies at the start.
    pub replicas: u32,
    /// The services it connects to.
    pub links: Vec<String>,
    /// The preset it is made from.
    pub preset: Option<Preset>,
    /// How long a start may take.
    pub ready_within: Nanos,
    /// How long after its end a copy is started again by itself.
    pub restart_after: Option<Nanos>,
    /// Whether it has a disk that can be filled.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disk: bool,
}

/// What a system promises about tasks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskFacts {
    /// How long a worker may keep a task without a sign of life.
    pub lease: Nanos,
    /// The longest pause before a failed task's next attempt.
    pub backoff: Nanos,
    /// How many failed attempts end a task.
    pub max_failures: u64,
    /// How many interrupted attempts end a task.
    pub max_deaths: Option<u64>,
    /// What it promises about effects.
    pub effects: Delivery,
    /// How each kind of work must end.
    pub kinds: BTreeMap<String, Ends>,
    /// The system's own name for each kind of work.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    /// Whether a worker's own word (the witness) can be expected.
    pub witnessed: bool,
    /// The kinds of work that call the witness by the address in their payload.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub called: BTreeSet<String>,
    /// Method and path that create a task, without the query, holes and all: `POST /tasks`.
    #[serde(default)]
    pub create: String,
}

/// What a system promises about objects of a kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectFacts {
    /// For locks: how long one stays with who acquired it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Nanos>,
}

/// Every length a system may promise, as [`Facts::lengths`] calls it.
pub const LENGTHS: [&str; 3] = ["tasks.lease", "tasks.backoff", "locks.lease"];

impl Facts {
    /// The lengths of time it promises, by where its contracts say them.
    pub fn lengths(&self) -> BTreeMap<&'static str, Nanos> {
        let tasks = self.tasks.as_ref();
        let locks = self.objects.get(&Object::Lock).and_then(|locks| locks.lease);
        let all = [tasks.map(|tasks| tasks.lease), tasks.map(|tasks| tasks.backoff), locks];
        let named = LENGTHS.into_iter().zip(all);
        named.filter_map(|(name, length)| Some((name, length?))).collect()
    }

    /// The same for one that ran already: of its parts nothing is known, and none of them reports to squall.
    #[must_use]
    pub fn attached(mut self, to: String) -> Self {
        self.services.clear();
        self.tasks.iter_mut().for_each(|tasks| tasks.witnessed = false);
        self.attached = Some(to);
        self
    }
}

/// A request as events and [`TaskFacts::create`] name it: method and path, without the query.
pub fn request_line(method: Method, path: &str) -> String {
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    format!("{} {path}", method.name())
}

impl System {
    /// Reads a system file whose `${…}` are already filled in.
    ///
    /// # Errors
    /// Every mistake in the file, each at its place.
    pub fn read(doc: &Document) -> Result<Self, Mistakes> {
        let system: System = doc.read()?;
        let mut found = Vec::new();
        let names: Vec<&str> = system.services.keys().map(String::as_str).collect();
        let unknown = |pointer: String, name: &str, found: &mut Vec<_>| {
            let help = match nearest(name, names.iter().copied()) {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("the services are {}", names.join(", ")),
            };
            found.push(doc.mistake(&pointer, format!("there is no service `{name}`"), Some(help)));
        };
        if !system.services.contains_key(&system.entry) {
            unknown("/entry".into(), &system.entry, &mut found);
        }
        for (name, service) in &system.services {
            let at = format!("/services/{name}");
            for (index, link) in service.links.iter().enumerate() {
                if !system.services.contains_key(link) {
                    unknown(format!("{at}/links/{index}"), link, &mut found);
                }
            }
            match (&service.preset, &service.run) {
                (None, None) => found.push(doc.key_mistake(
                    &at,
                    format!("service `{name}` says neither how it is run nor which preset it is"),
                    Some("add `run: COMMAND` or `preset: postgres`".into()),
                )),
                (Some(_), Some(_)) => found.push(doc.mistake(
                    &format!("{at}/run"),
                    "a preset knows its own command".to_owned(),
                    Some("remove `run` or `preset`".into()),
                )),
                _ => {}
            }
        }
        found.extend(system.cycle(doc));
        found.extend(check::all(doc, &system));
        found.extend(limit::unknown(doc, &system));
        if found.is_empty() {
            Ok(system)
        } else {
            Err(doc.mistakes(found))
        }
    }

    /// A circle of links leaves nothing to start first.
    fn cycle(&self, doc: &Document) -> Option<crate::diagnostic::Mistake> {
        if self.start_order().len() == self.services.len() {
            return None;
        }
        Some(doc.key_mistake(
            "/services",
            "the services' links form a circle, so none can be started first".to_owned(),
            Some("remove one link of the circle".into()),
        ))
    }

    /// The services in an order in which each comes after those it links to.
    pub fn start_order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = Vec::new();
        while let Some((name, _)) = self.services.iter().find(|(name, service)| {
            !order.contains(&name.as_str())
                && service
                    .links
                    .iter()
                    .all(|to| order.contains(&to.as_str()) || !self.services.contains_key(to))
        }) {
            order.push(name);
        }
        order
    }

    /// The same system with other numbers of copies.
    #[must_use]
    pub fn with_replicas(&self, replicas: &BTreeMap<String, u32>) -> Self {
        let mut changed = self.clone();
        for (name, copies) in replicas {
            if let Some(service) = changed.services.get_mut(name) {
                service.replicas = *copies;
            }
        }
        changed
    }

    fn objects(&self) -> BTreeMap<Object, ObjectFacts> {
        let lease = self.contracts.locks.as_ref().map(|locks| nanos(locks.lease.get()));
        let facts = |object| match object {
            Object::Counter => ObjectFacts::default(),
            Object::Lock => ObjectFacts { lease },
        };
        let told = self.contracts.verbs().into_iter().map(|known| known.of);
        told.map(|object| (object, facts(object))).collect()
    }

    /// What judging needs to know of it.
    pub fn facts(&self) -> Facts {
        let services = self.services.iter().map(|(name, service)| {
            let within = service.ready.as_ref().map_or_else(fifteen, |ready| ready.within);
            let facts = ServiceFacts {
                replicas: service.replicas,
                links: service.links.clone(),
                preset: service.preset,
                ready_within: nanos(within.get()),
                restart_after: service.restart.as_ref().map(|restart| nanos(restart.after.get())),
                disk: service.disk.is_some(),
            };
            (name.clone(), facts)
        });
        let witnessed = self
            .services
            .values()
            .any(|service| service.env.values().any(|value| value.contains("${witness")));
        Facts {
            name: self.system.clone(),
            entry: self.entry.clone(),
            services: services.collect(),
            health: self.contracts.health.is_some(),
            objects: self.objects(),
            breakers: self.contracts.breakers.is_some(),
            alarms: self.contracts.alarms.iter().map(|alarm| alarm.name.clone()).collect(),
            attached: None,
            protect: self.protect.iter().cloned().collect(),
            budget: self.budget.clone(),
            tasks: self.contracts.tasks.as_ref().map(|tasks| TaskFacts {
                lease: nanos(tasks.lease.get()),
                backoff: nanos(tasks.backoff.get()),
                max_failures: tasks.max_failures,
                max_deaths: tasks.max_deaths,
                effects: tasks.effects,
                kinds: tasks
                    .kinds
                    .iter()
                    .map(|(name, kind)| (name.clone(), kind.ends))
                    .collect(),
                types: tasks
                    .kinds
                    .iter()
                    .map(|(name, kind)| (name.clone(), kind.type_name.clone()))
                    .collect(),
                witnessed,
                called: tasks
                    .kinds
                    .iter()
                    .filter(|(_, kind)| kind.calls_witness())
                    .map(|(name, _)| name.clone())
                    .collect(),
                create: request_line(tasks.create.method, &tasks.create.path),
            }),
        }
    }
}
