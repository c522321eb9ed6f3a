//! Maps: keys that are unknown, keys that are missing.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::{Checker, Name, Remark, Spot};
use crate::diagnostic::nearest;
use crate::document::node::{Content, Entry, Node};
use crate::document::schema::{self, listed};

impl Checker<'_> {
    pub(super) fn map(&mut self, schema: &Value, entries: &[Entry], spot: &Spot<'_>) {
        let no_properties = Map::new();
        let properties = schema
            .get("properties")
            .and_then(Value::as_object)
            .unwrap_or(&no_properties);
        let others = schema.get("additionalProperties").unwrap_or(&Value::Bool(true));
        let present: HashSet<&str> = entries.iter().map(|entry| entry.key.as_str()).collect();
        let absent = |key: &&str| !present.contains(key);
        let allowed: Vec<&str> = properties.keys().map(String::as_str).collect();
        let mut keys = Keys {
            free: allowed.iter().copied().filter(absent).collect(),
            missing: required(schema).into_iter().filter(absent).collect(),
            allowed,
        };
        for entry in entries {
            let below = below(entry);
            match (properties.get(&entry.key), others) {
                (Some(property), _) => self.value(property, &below),
                (None, Value::Bool(false)) => self.unknown_key(entry, &mut keys),
                (None, others) => {
                    self.free_key(schema, entry);
                    self.value(others, &below);
                }
            }
        }
        if !keys.missing.is_empty() {
            self.missing_keys(&keys, spot);
        }
    }

    fn unknown_key(&mut self, entry: &Entry, keys: &mut Keys<'_>) {
        let near = nearest(&entry.key, keys.free.iter().copied());
        if let Some(near) = near {
            // One slip of the finger, one mistake: the key is not missing as well.
            keys.missing.retain(|key| *key != near);
        }
        let help = help_with(near, "keys here", &keys.allowed);
        self.remark(
            entry.key_span,
            Remark {
                message: format!("unknown key `{}`", entry.key),
                label: "not a key here".to_owned(),
                help,
            },
        );
    }

    fn missing_keys(&mut self, keys: &Keys<'_>, spot: &Spot<'_>) {
        let missing = listed(keys.missing.iter().copied());
        let word = match keys.missing.as_slice() {
            [_] => "key",
            _ => "keys",
        };
        let title = spot.title();
        self.remark(
            spot.caret(),
            Remark {
                message: format!("{title} lacks the {word} {missing}"),
                label: format!("{missing} missing"),
                help: None,
            },
        );
    }

    /// A key of a map that takes any: the type may still restrict what keys look like.
    fn free_key(&mut self, schema: &Value, entry: &Entry) {
        let Some(names) = schema.get("propertyNames") else {
            return;
        };
        let key = Node {
            content: Content::Str(entry.key.clone()),
            span: entry.key_span,
        };
        self.value(
            names,
            &Spot {
                node: &key,
                name: Name::Key(&entry.key),
                key: Some(entry.key_span),
            },
        );
    }
}

/// The keys a map may have.
struct Keys<'s> {
    allowed: Vec<&'s str>,
    /// Those it does not have: what an unknown key may be a slip of.
    free: Vec<&'s str>,
    /// Those it must have and does not.
    missing: Vec<&'s str>,
}

/// The value of an entry.
pub(super) fn below(entry: &Entry) -> Spot<'_> {
    Spot {
        node: &entry.node,
        name: Name::Key(&entry.key),
        key: Some(entry.key_span),
    }
}

/// "did you mean `a`? keys here: `a`, `b`".
pub(super) fn help_with(near: Option<&str>, all: &str, names: &[&str]) -> Option<String> {
    let names = match names {
        [] => return None,
        names => format!("{all}: {}", listed(names.iter().copied())),
    };
    Some(match near {
        Some(near) => format!("did you mean `{near}`? {names}"),
        None => names,
    })
}

/// The keys a map must have.
pub(super) fn required(schema: &Value) -> Vec<&str> {
    let keys = schema::list(schema, "required").into_iter().flatten();
    keys.filter_map(Value::as_str).collect()
}
