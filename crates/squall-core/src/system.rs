//! What is under test: services, the links between them, how each starts, its contracts.

mod check;
mod facts;
mod limit;

pub use facts::{Facts, LENGTHS, ObjectFacts, ServiceFacts, TaskFacts};
pub use limit::Budget;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::Dur;
use crate::contract::{Contracts, Method, Object};
use crate::diagnostic::{Mistakes, nearest};
use crate::document::Document;
use crate::time::nanos;

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
