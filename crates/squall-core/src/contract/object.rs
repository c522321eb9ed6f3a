//! Objects: what clients work by operations of its own, such as a counter or a lock. Each operation is one request.
//!
//! To add a kind: its struct here, with a row for each operation in [`Contracts::verbs`], a variant of [`Object`], what
//! its operations show in `event/touch.rs`, and what its clients do. Reading files, sending, keeping and reading back are the
//! same for all.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Contracts, Method};
use crate::amount::Dur;

/// The kinds of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Object {
    /// It is added to.
    Counter,
    /// It is held, and guards a list that is appended to.
    Lock,
}

impl Object {
    /// Its key in `contracts:` and in a scenario's `workload:`.
    pub fn word(self) -> &'static str {
        match self {
            Object::Counter => "counters",
            Object::Lock => "locks",
        }
    }
}

/// Counters that clients add to.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Counters {
    /// Headers of all requests, for example the session's token.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Adds one. It may show the value after it.
    pub add: Verb,
    /// Shows the value. A counter there is not (404) is one of 0.
    pub read: Verb,
}

/// Locks that clients hold for a while, and the list each guards: what is appended to it stays in its order.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Locks {
    /// Headers of all requests, for example the session's token.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// How long a lock stays with who acquired it, if it is not released before.
    pub lease: Dur,
    /// Takes the lock for `${owner}`. It may show the fencing token, which the others then know as `${fence}`.
    pub acquire: Verb,
    /// Gives it back.
    pub release: Verb,
    /// Appends `${mark}` to what the lock guards.
    pub append: Verb,
    /// Shows all marks appended, in their order.
    pub ledger: Verb,
}

/// One operation on an object: `${name}` is which.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
pub struct Verb {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub path: String,
    /// The JSON body.
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    /// The status that says that it was done; any 2xx when absent.
    #[serde(default)]
    pub expect: Option<u16>,
    /// The statuses that say, rightly, that nothing was done: the lock is somebody else's.
    #[serde(default)]
    pub refuses: Vec<u16>,
    /// Where what it shows is in the answer, by JSONPath.
    #[serde(default)]
    pub shows: Option<String>,
}

/// An operation of a system's contract, with what is to be known of it wherever it is used.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Of which kind of object.
    pub of: Object,
    /// Its key.
    pub key: &'static str,
    /// The operation.
    pub verb: &'a Verb,
    /// What `${…}` may stand for in it, besides what is known in every session.
    pub names: &'static [&'static str],
    /// An example of what it must show; `None` where it need not.
    pub shows: Option<&'static str>,
}

impl Known<'_> {
    /// Its place in a system file.
    pub fn pointer(&self) -> String {
        format!("/contracts/{}/{}", self.of.word(), self.key)
    }

    /// Which of its names must be in it: without them all objects would be one, or all that is appended the same.
    pub fn needs(&self) -> &'static [&'static str] {
        match self.names {
            [.., "mark"] => &["name", "mark"],
            _ => &["name"],
        }
    }
}

impl Contracts {
    /// Every operation on objects that the contracts tell of.
    pub fn verbs(&self) -> Vec<Known<'_>> {
        let row = |of, (key, verb), names, shows| Known {
            of,
            key,
            verb,
            names,
            shows,
        };
        let mut all = Vec::new();
        if let Some(Counters { add, read, .. }) = &self.counters {
            all.push(row(Object::Counter, ("add", add), &["name"], None));
            all.push(row(Object::Counter, ("read", read), &["name"], Some("$.value")));
        }
        if let Some(locks) = &self.locks {
            let (held, appended): (&[_], &[_]) = match locks.acquire.shows {
                Some(_) => (&["name", "owner", "fence"], &["name", "owner", "fence", "mark"]),
                None => (&["name", "owner"], &["name", "owner", "mark"]),
            };
            all.push(row(Object::Lock, ("acquire", &locks.acquire), &["name", "owner"], None));
            all.push(row(Object::Lock, ("release", &locks.release), held, None));
            all.push(row(Object::Lock, ("append", &locks.append), appended, None));
            let marks = Some("$.entries[*].mark");
            all.push(row(Object::Lock, ("ledger", &locks.ledger), &["name"], marks));
        }
        all
    }

    /// The headers that requests carry, by the part of the contracts they belong to.
    pub fn headers(&self) -> Vec<(&'static str, &BTreeMap<String, String>)> {
        let tasks = self.tasks.iter().map(|tasks| ("tasks", &tasks.headers));
        let counters = self
            .counters
            .iter()
            .map(|counters| (Object::Counter.word(), &counters.headers));
        let locks = self.locks.iter().map(|locks| (Object::Lock.word(), &locks.headers));
        tasks.chain(counters).chain(locks).collect()
    }
}
