//! A Compose file: its services, as far as they say how a process is started.

use serde_json::{Map, Value};

use super::fill::variables;
use super::words::folded;
use crate::command;

/// Maps are put into maps at most so often: a merge may name itself.
const DEEP: usize = 64;

/// The file.
#[derive(Debug)]
pub(super) struct Compose<'a> {
    name: Option<&'a str>,
    pub(super) parts: Vec<Part>,
}

/// A service.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    spec: Value,
}

/// What a service becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A part squall makes itself.
    Postgres,
    /// A server program that is usually installed; its command.
    Known(&'static str),
    /// It ends by itself, or is started only when asked for.
    Passing,
    /// The project's own.
    Own,
}

/// Programs whose images need no command, and how they are started to listen where squall says.
const KNOWN: [(&str, &str); 4] = [
    ("redis", "redis-server --bind ${self.host} --port ${self.port}"),
    ("valkey", "valkey-server --bind ${self.host} --port ${self.port}"),
    ("memcached", "memcached -l ${self.host} -p ${self.port}"),
    ("nats", "nats-server -a ${self.host} -p ${self.port}"),
];

impl<'a> Compose<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        let services = root["services"].as_object();
        let part = |(name, spec): (&String, &Value)| Part {
            name: name.clone(),
            spec: merged(spec, 0),
        };
        Self {
            name: root["name"].as_str(),
            parts: services.into_iter().flatten().map(part).collect(),
        }
    }

    pub(super) fn name(&self) -> Option<&'a str> {
        self.name
    }

    /// The first environment variable of a name that fits: service, name, value.
    pub(super) fn setting(&self, fits: impl Fn(&str) -> bool) -> Option<(String, String, String)> {
        self.parts.iter().find_map(|part| {
            let (name, value) = part
                .env()
                .into_iter()
                .find(|(name, value)| fits(name) && value.is_some())?;
            Some((part.name.clone(), name, variables(&value?).ok()?))
        })
    }

    /// Whether there is such a service, and it goes on running.
    pub(super) fn stays(&self, name: &str) -> bool {
        self.parts
            .iter()
            .any(|part| part.name == name && self.role(part) != Role::Passing)
    }

    /// What a service becomes.
    pub(super) fn role(&self, part: &Part) -> Role {
        let waited_for = self.parts.iter().flat_map(Part::depends);
        let mut waited_for = waited_for.filter(|(name, _)| *name == part.name);
        if part
            .spec
            .get("profiles")
            .is_some_and(|all| *all != Value::Array(Vec::new()))
            || waited_for.any(|(_, condition)| condition == Some("service_completed_successfully"))
        {
            return Role::Passing;
        }
        let image = part.image();
        if part.spec.get("build").is_some() {
            return Role::Own;
        }
        if ["postgres", "postgresql", "postgis", "timescaledb", "pgvector"].contains(&image.as_str()) {
            return Role::Postgres;
        }
        let known = KNOWN.iter().find(|(name, _)| *name == image);
        known.map_or(Role::Own, |(_, command)| Role::Known(command))
    }
}

impl Part {
    /// Its image's last name, without registry and tag.
    pub(super) fn image(&self) -> String {
        let image = self.spec["image"]
            .as_str()
            .map(|text| variables(text).unwrap_or_default());
        let image = image.unwrap_or_default();
        let name = image.rsplit('/').next().unwrap_or_default();
        name.split([':', '@']).next().unwrap_or_default().to_owned()
    }

    /// Its command's words; why there are none.
    pub(super) fn command(&self) -> Result<Vec<String>, String> {
        let mut words = Vec::new();
        for key in ["entrypoint", "command"] {
            match &self.spec[key] {
                Value::Null => {}
                Value::String(text) => words.extend(command::words(text).map_err(|why| format!("its command {why}"))?),
                Value::Array(items) => words.extend(items.iter().map(text)),
                _ => return Err(format!("its `{key}` is neither a text nor a list")),
            }
        }
        let words: Vec<String> = words
            .iter()
            .map(|word| variables(word).map_err(|name| format!("its command needs the variable {name}")))
            .collect::<Result<_, _>>()?;
        if words.is_empty() {
            return Err("the Compose file leaves the command to the image".to_owned());
        }
        Ok(words)
    }

    /// Its environment; a name without a value is taken from outside.
    pub(super) fn env(&self) -> Vec<(String, Option<String>)> {
        let value = |value: &Value| Some(value).filter(|value| !value.is_null()).map(text);
        match &self.spec["environment"] {
            Value::Object(map) => map.iter().map(|(name, one)| (name.clone(), value(one))).collect(),
            Value::Array(items) => items
                .iter()
                .map(|item| {
                    let item = text(item);
                    match item.split_once('=') {
                        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                        None => (item, None),
                    }
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether more of its environment is in files.
    pub(super) fn has_env_file(&self) -> bool {
        self.spec.get("env_file").is_some()
    }

    /// The services it waits for, and for what.
    pub(super) fn depends(&self) -> Vec<(&str, Option<&str>)> {
        match &self.spec["depends_on"] {
            Value::Object(map) => map
                .iter()
                .map(|(name, how)| (name.as_str(), how["condition"].as_str()))
                .collect(),
            // `links: [db:database]` is an older way to say it.
            Value::Null => strings(&self.spec["links"])
                .map(|link| (link.split(':').next().unwrap_or(link), None))
                .collect(),
            list => strings(list).map(|name| (name, None)).collect(),
        }
    }

    /// Whether it shows a port to the outside.
    pub(super) fn publishes(&self) -> bool {
        self.spec["ports"].as_array().is_some_and(|ports| !ports.is_empty())
    }

    /// The ports it listens on inside.
    pub(super) fn ports(&self) -> Vec<u16> {
        let lists = [&self.spec["ports"], &self.spec["expose"]];
        let target = |entry: &Value| {
            let text = match &entry["target"] {
                Value::Null => text(entry),
                target => text(target),
            };
            let text = variables(&text).ok()?;
            let inside = text.split('/').next()?.rsplit(':').next()?;
            inside.parse().ok()
        };
        let mut ports: Vec<u16> = lists
            .into_iter()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(target)
            .collect();
        ports.dedup();
        ports
    }

    /// The path its health check asks for.
    pub(super) fn checked_path(&self) -> Option<String> {
        let test = match &self.spec["healthcheck"]["test"] {
            Value::String(text) => text.clone(),
            Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
            _ => return None,
        };
        let (_, rest) = test.split_once("http://")?;
        let url = rest.split([' ', '"', '\'', ')']).next()?;
        let path = url.find('/').map_or("/", |at| &url[at..]);
        Some(path.to_owned())
    }

    /// Whether somebody starts it again, as the file puts it.
    pub(super) fn restarts(&self) -> Option<&str> {
        let policy = self.spec["restart"]
            .as_str()
            .or(self.spec["deploy"]["restart_policy"]["condition"].as_str())?;
        (!["no", "none", ""].contains(&policy)).then_some(policy)
    }

    /// How many copies, if it says.
    pub(super) fn replicas(&self) -> Option<u64> {
        self.spec["deploy"]["replicas"].as_u64().or(self.spec["scale"].as_u64())
    }

    /// Whether part of it is in another file.
    pub(super) fn extends(&self) -> bool {
        self.spec.get("extends").is_some()
    }

    /// Whether the name is a host that means this service.
    pub(super) fn is_called(&self, host: &str) -> bool {
        self.name == host || self.spec["container_name"] == host || self.spec["hostname"] == host
    }
}

fn strings(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value with `<<` put into its maps; what a map says itself wins.
fn merged(value: &Value, depth: usize) -> Value {
    if depth > DEEP {
        return Value::Null;
    }
    match value {
        Value::Object(map) => {
            let mut whole = Map::new();
            let merge = match map.get("<<") {
                Some(Value::Array(many)) => many.iter().collect(),
                Some(one) => vec![one],
                None => Vec::new(),
            };
            for one in merge.into_iter().rev() {
                if let Value::Object(more) = merged(one, depth + 1) {
                    whole.extend(more);
                }
            }
            let own = map.iter().filter(|(key, _)| *key != "<<");
            whole.extend(own.map(|(key, value)| (key.clone(), merged(value, depth + 1))));
            whole.into()
        }
        Value::Array(items) => items.iter().map(|item| merged(item, depth + 1)).collect(),
        other => other.clone(),
    }
}

/// Whether a setting's name speaks of a part of an address.
pub(super) fn speaks_of(name: &str, words: &[&str]) -> bool {
    let name = folded(name);
    words.iter().any(|word| name.ends_with(word))
}
