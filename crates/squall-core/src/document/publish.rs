//! The schema for editors.

use schemars::JsonSchema;
use serde_json::{Value, json};

use super::schema::{self, allows, format_of, list};

/// The JSON Schema of `T` for editors (draft 2020-12), under `title`. It is the schema that
/// [`super::Document::read`] checks against, except that a place for a number, an amount or a word
/// also takes a text with `${` in it: an editor sees the file before it is expanded.
pub fn published_schema<T: JsonSchema + 'static>(title: &str) -> Value {
    let mut root = schema::of::<T>().root.clone();
    open(&mut root);
    if let Some(keywords) = root.as_object_mut() {
        keywords.insert("title".to_owned(), title.into());
    }
    root
}

/// Keywords whose value is a schema, or a list or map of them.
const BELOW: [&str; 10] = [
    "$defs",
    "properties",
    "additionalProperties",
    "patternProperties",
    "items",
    "prefixItems",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
];

fn open(schema: &mut Value) {
    if let Some(choices) = schema.get_mut("oneOf").and_then(Value::as_array_mut)
        && choices.iter().any(is_restricted)
    {
        // One more choice beside the words, which exclude it; opening each of them would make
        // several fit, which `oneOf` forbids.
        choices.iter_mut().filter(|it| !is_restricted(it)).for_each(open);
        choices.push(template());
        return;
    }
    if is_restricted(schema) {
        let restricted = schema.take();
        *schema = opened(restricted);
        return;
    }
    for keyword in BELOW {
        match schema.get_mut(keyword) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(open),
            Some(Value::Object(schemas)) if is_map_of_schemas(keyword) => {
                schemas.values_mut().for_each(open);
            }
            Some(one) => open(one),
            None => {}
        }
    }
}

fn is_map_of_schemas(keyword: &str) -> bool {
    matches!(keyword, "$defs" | "properties" | "patternProperties")
}

/// Whether it is a scalar that refuses some text.
fn is_restricted(schema: &Value) -> bool {
    let typed = schema.get("type").is_some();
    let scalar = ["integer", "number", "boolean"];
    let form = ["enum", "const", "format", "pattern", "minLength", "maxLength"];
    let is_scalar = scalar.iter().any(|kind| allows(schema, kind));
    let is_formed = allows(schema, "string") && form.iter().any(|it| schema.get(it).is_some());
    typed && list(schema, "anyOf").is_none() && (is_scalar || is_formed)
}

/// `schema` or a template; what describes it stays outside, where editors look for it.
fn opened(mut schema: Value) -> Value {
    let mut outside = json!({});
    for keyword in ["$schema", "title", "description", "default", "examples", "$defs"] {
        let moved = schema.as_object_mut().and_then(|it| it.shift_remove(keyword));
        if let Some(value) = moved {
            outside[keyword] = value;
        }
    }
    if let (Some(kind), Some(keywords)) = (format_of(&schema), schema.as_object_mut()) {
        // Other validators know other formats, and `duration` to them is ISO 8601.
        keywords.shift_remove("format");
        keywords.insert("pattern".to_owned(), kind.pattern.into());
    }
    outside["anyOf"] = json!([schema, template()]);
    outside
}

fn template() -> Value {
    json!({ "type": "string", "pattern": "\\$\\{" })
}
