//! JSON Schemas as OpenAPI documents hold them: references followed, parts put together, envelopes seen through.

use serde_json::Value;

/// A chain of references longer than this is a circle.
const HOPS: usize = 16;
/// A value deeper inside an answer than this is nobody's id.
const DEEP: usize = 3;
/// More properties than this are not looked at: a schema may refer to itself.
const WIDE: usize = 2000;

/// A property of an object.
#[derive(Debug, Clone, Copy)]
pub(super) struct Property<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    pub(super) required: bool,
}

/// Where references lead.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schemas<'a>(pub(super) &'a Value);

impl<'a> Schemas<'a> {
    /// What a value stands for: references followed, and of a choice with null the other side.
    pub(super) fn of(self, value: &'a Value) -> &'a Value {
        let mut value = value;
        for _ in 0..HOPS {
            if let Some(reference) = value["$ref"].as_str() {
                let Some(target) = reference.strip_prefix('#').and_then(|path| self.0.pointer(path)) else {
                    return &Value::Null;
                };
                value = target;
                continue;
            }
            let choice = ["anyOf", "oneOf"].iter().find_map(|word| value[*word].as_array());
            let real = choice.and_then(|all| all.iter().find(|one| one["type"] != "null"));
            let only = value["allOf"]
                .as_array()
                .filter(|all| all.len() == 1)
                .and_then(|all| all.first());
            match real.or(only) {
                Some(inner) if value.get("properties").is_none() => value = inner,
                _ => return value,
            }
        }
        &Value::Null
    }

    /// Whether it is of a type; 3.1 may list several.
    pub(super) fn is(self, schema: &'a Value, kind: &str) -> bool {
        let schema = self.of(schema);
        match &schema["type"] {
            Value::String(word) => word == kind,
            Value::Array(words) => words.iter().any(|word| word == kind),
            _ => kind == "object" && (schema.get("properties").is_some() || schema.get("allOf").is_some()),
        }
    }

    /// The words a value may be.
    pub(super) fn words(self, schema: &'a Value) -> Vec<&'a str> {
        let words = self.of(schema)["enum"].as_array();
        words.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The same, or else the words given as examples.
    pub(super) fn known_words(self, schema: &'a Value) -> Vec<&'a str> {
        let words = self.words(schema);
        if !words.is_empty() {
            return words;
        }
        let examples = self.of(schema)["examples"].as_array();
        examples.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// An object's properties, those of its `allOf` too.
    pub(super) fn properties(self, schema: &'a Value) -> Vec<Property<'a>> {
        let mut found = Vec::new();
        self.collect(schema, 0, &mut found);
        found
    }

    fn collect(self, schema: &'a Value, depth: usize, found: &mut Vec<Property<'a>>) {
        let schema = self.of(schema);
        if depth > DEEP {
            return;
        }
        let required = |name: &str| {
            let names = schema["required"].as_array();
            names.is_some_and(|names| names.iter().any(|one| one == name))
        };
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            found.push(Property {
                name,
                schema: inner,
                required: required(name),
            });
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.collect(part, depth + 1, found);
        }
    }

    /// The outermost property that fits, and the JSONPath to it: envelopes are seen through, lists are not.
    pub(super) fn find(
        self,
        schema: &'a Value,
        fits: impl Fn(&str, &Property<'a>) -> bool,
    ) -> Option<(String, Property<'a>)> {
        let mut level = vec![("$".to_owned(), schema)];
        let mut seen = 0;
        for _ in 0..DEEP {
            let mut next = Vec::new();
            for (path, schema) in level {
                for property in self.properties(schema) {
                    seen += 1;
                    if seen > WIDE {
                        return None;
                    }
                    let path = step(&path, property.name);
                    if fits(&path, &property) {
                        return Some((path, property));
                    }
                    next.push((path, property.schema));
                }
            }
            level = next;
        }
        None
    }

    /// Something a schema allows, for a place nothing better is known for.
    pub(super) fn example(self, schema: &'a Value) -> Value {
        let schema = self.of(schema);
        for word in ["example", "default", "const"] {
            if let Some(value) = schema.get(word) {
                return value.clone();
            }
        }
        if let Some(first) = ["examples", "enum"].iter().find_map(|word| schema[*word].get(0)) {
            return first.clone();
        }
        let least = schema["minimum"].as_i64();
        if self.is(schema, "integer") || self.is(schema, "number") {
            Value::from(least.unwrap_or(1))
        } else if self.is(schema, "boolean") {
            Value::from(false)
        } else if self.is(schema, "array") {
            Value::Array(Vec::new())
        } else if self.is(schema, "object") {
            Value::Object(serde_json::Map::new())
        } else {
            Value::from("squall")
        }
    }
}

/// A JSONPath one name further.
pub(super) fn step(path: &str, name: &str) -> String {
    let plain = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match plain {
        true => format!("{path}.{name}"),
        false => format!("{path}['{}']", name.replace('\\', "\\\\").replace('\'', "\\'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn references_choices_and_envelopes_are_seen_through_and_circles_end() {
        let root = json!({
            "Item": { "allOf": [{ "properties": { "id": { "type": "integer" } } }, { "$ref": "#/More" }] },
            "More": { "properties": { "state": { "anyOf": [{ "type": "null" }, { "enum": ["a", "b"] }] } } },
            "Loop": { "$ref": "#/Loop" },
            "Self": { "properties": { "next": { "$ref": "#/Self" }, "other": { "$ref": "#/Self" } } },
        });
        let schemas = Schemas(&root);
        let envelope = json!({ "properties": { "data": { "$ref": "#/Item" } } });
        let found = schemas.find(&envelope, |_, property| !schemas.words(property.schema).is_empty());
        let (path, property) = found.unwrap();
        assert_eq!(
            (path.as_str(), schemas.words(property.schema)),
            ("$.data.state", vec!["a", "b"])
        );
        assert!(schemas.find(&root["Loop"], |_, _| true).is_none());
        assert!(
            schemas
                .find(&root["Self"], |_, property| property.name == "state")
                .is_none()
        );
    }

    #[test]
    fn names_that_are_no_words_are_quoted_in_a_path() {
        assert_eq!(step("$.data", "job-id"), "$.data['job-id']");
        assert_eq!(step("$", "id"), "$.id");
    }
}
