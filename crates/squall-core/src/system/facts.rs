//! The facts of a system: what judging knows of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Budget, Preset};
use crate::contract::{Delivery, Ends, Object};
use crate::time::Nanos;

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

    /// All services a service needs, directly or through others; itself, where it needs itself in the end.
    pub fn needs(&self, service: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut open = vec![service];
        while let Some(name) = open.pop() {
            for link in self.services.get(name).into_iter().flat_map(|facts| &facts.links) {
                if found.insert(link.as_str()) {
                    open.push(link);
                }
            }
        }
        found
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
