//! Requests as templates: `${…}` filled in, values taken out of answers.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json_path::JsonPath;
use squall_core::expr::{UnknownName, fill};

/// What `${…}` stands for in a request.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeMap<String, Value>);

impl Names {
    /// From now on `${name}` stands for `value`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// With one more name.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<Value>) -> Self {
        let mut more = self.clone();
        more.set(name, value);
        more
    }

    /// What `name` stands for.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Fills in a text.
    ///
    /// # Errors
    /// A name that stands for nothing.
    pub fn text(&self, text: &str) -> Result<String, UnknownName> {
        fill(text, &|name| {
            self.0.get(name).map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
        })
    }

    /// Fills in every value of a map.
    ///
    /// # Errors
    /// A name that stands for nothing.
    pub fn map(&self, map: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, UnknownName> {
        map.iter()
            .map(|(key, value)| Ok((key.clone(), self.text(value)?)))
            .collect()
    }
}

/// Fills in a JSON value: a string that is one `${name}` and nothing else becomes the value itself.
///
/// # Errors
/// A name that stands for nothing.
pub fn fill_json(json: &Value, names: &Names) -> Result<Value, UnknownName> {
    Ok(match json {
        Value::String(text) => {
            let whole = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
            match whole.and_then(|name| names.get(name.trim())) {
                Some(value) => value.clone(),
                None => Value::String(names.text(text)?),
            }
        }
        Value::Array(list) => Value::Array(
            list.iter()
                .map(|item| fill_json(item, names))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(key, value)| Ok((key.clone(), fill_json(value, names)?)))
                .collect::<Result<_, UnknownName>>()?,
        ),
        other => other.clone(),
    })
}

/// The one value at `path` in `json`; `None` when there is none, or several.
pub fn take(json: &Value, path: &str) -> Option<Value> {
    JsonPath::parse(path).ok()?.query(json).exactly_one().ok().cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_whole_placeholder_keeps_the_values_type_and_a_part_becomes_text() {
        let mut names = Names::default();
        names.set("ms", 20);
        names.set("payload", json!({"a": 1}));
        let filled = fill_json(&json!({"p": "${payload}", "n": "${ms}", "t": "x${ms}"}), &names).unwrap();
        assert_eq!(filled, json!({"p": {"a": 1}, "n": 20, "t": "x20"}));
    }

    #[test]
    fn a_value_is_taken_by_its_path_and_only_if_it_is_one() {
        let json = json!({"id": 7, "list": [1, 2]});
        assert_eq!(take(&json, "$.id"), Some(json!(7)));
        assert_eq!(take(&json, "$.list[*]"), None);
        assert_eq!(take(&json, "$.none"), None);
    }
}
