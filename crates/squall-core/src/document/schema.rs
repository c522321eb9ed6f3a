//! The JSON Schema of a type, and how to read it.

use std::any::TypeId;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use serde_json::{Map, Value};

use crate::amount;

/// More references in a row than any type has: a type that only refers to itself ends here.
const LONGEST_CHAIN: usize = 32;

/// A schema with its definitions.
pub(super) struct Schema {
    /// The schema of the whole document, `$defs` included.
    pub root: Value,
}

/// The schema of `T` as it is read. Unknown keys are mistakes unless the type itself wants them.
///
/// Made once for each type: it takes longer than the reading of most files.
pub(super) fn of<T: JsonSchema + 'static>() -> Arc<Schema> {
    static MADE: Mutex<BTreeMap<TypeId, Arc<Schema>>> = Mutex::new(BTreeMap::new());
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.entry(TypeId::of::<T>())
        .or_insert_with(|| Arc::new(generate::<T>()))
        .clone()
}

fn generate<T: JsonSchema>() -> Schema {
    let generator = SchemaSettings::draft2020_12()
        .for_deserialize()
        .with_transform(RecursiveTransform(close))
        .into_generator();
    Schema {
        root: generator.into_root_schema_for::<T>().to_value(),
    }
}

fn close(schema: &mut schemars::Schema) {
    if let Some(keywords) = schema.as_object_mut()
        && keywords.get("type").is_some_and(|kind| kind == "object")
    {
        keywords.entry("additionalProperties").or_insert(Value::Bool(false));
    }
}

impl Schema {
    /// The schema which `schema` stands for: the end of its `$ref`s.
    pub fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        for _ in 0..LONGEST_CHAIN {
            let Some(target) = schema.get("$ref").and_then(Value::as_str) else {
                return schema;
            };
            schema = match target.strip_prefix('#').map(|path| self.root.pointer(path)) {
                Some(Some(found)) => found,
                _ => return &Value::Bool(true),
            };
        }
        &Value::Bool(true)
    }

    /// Whether nothing at all is a value of `schema`.
    pub fn nullable(&self, schema: &Value) -> bool {
        let schema = self.resolve(schema);
        if let Some(list) = alternatives(schema) {
            return list.iter().any(|one| self.nullable(one));
        }
        if let Some(all) = list(schema, "allOf") {
            return all.iter().all(|one| self.nullable(one));
        }
        match schema.get("enum").and_then(Value::as_array) {
            Some(words) => words.contains(&Value::Null),
            None => schema != &Value::Bool(false) && allows(schema, "null"),
        }
    }

    /// The alternatives of `schema` that are something, resolved; `None` if it has no alternatives.
    pub fn choices<'s>(&'s self, schema: &'s Value) -> Option<Vec<&'s Value>> {
        let is_null = |one: &&Value| one.get("type").is_some_and(|kind| kind == "null");
        let resolved = alternatives(schema)?.iter().map(|one| self.resolve(one));
        Some(resolved.filter(|one| !is_null(one)).collect())
    }

    /// What a value of `schema` is, with its article: "a whole number", "one of `a`, `b`".
    pub fn noun(&self, schema: &Value) -> Cow<'static, str> {
        let schema = self.resolve(schema);
        if let Some(variants) = Variants::of(self, schema) {
            return format!("one of {}", listed(variants.names())).into();
        }
        if let Some(choices) = self.choices(schema) {
            let nouns: Vec<_> = choices.into_iter().map(|one| self.noun(one)).collect();
            return nouns.join(" or ").into();
        }
        if let Some(kind) = format_of(schema) {
            return kind.noun.into();
        }
        let kinds = ["integer", "number", "boolean", "string", "array", "object"];
        let kind = kinds.into_iter().find(|kind| allows(schema, kind));
        match (kind, schema.get("properties")) {
            _ if schema.get("type").is_none() => "anything",
            (Some("integer"), _) => "a whole number",
            (Some("number"), _) => "a number",
            (Some("boolean"), _) => "true or false",
            (Some("string"), _) => "text",
            (Some("array"), _) => "a list",
            (Some("object"), Some(_)) => "a map of settings",
            (Some("object"), None) => "a map",
            _ => "nothing",
        }
        .into()
    }
}

/// The kind of amount that a schema's `format` demands.
pub(super) fn format_of(schema: &Value) -> Option<&'static amount::Kind> {
    amount::Kind::of_format(schema.get("format")?.as_str()?)
}

/// Whether the `type` of a resolved schema allows `kind`.
pub(super) fn allows(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        None => true,
        Some(Value::Array(kinds)) => kinds.iter().any(|it| it == kind),
        Some(it) => it == kind,
    }
}

/// A keyword's list of schemas.
pub(super) fn list<'s>(schema: &'s Value, keyword: &str) -> Option<&'s Vec<Value>> {
    schema.get(keyword)?.as_array()
}

fn alternatives(schema: &Value) -> Option<&Vec<Value>> {
    list(schema, "oneOf").or_else(|| list(schema, "anyOf"))
}

/// The variants of an externally tagged enum: plain words, and words with settings.
pub(super) struct Variants<'s> {
    pub words: Vec<&'s str>,
    pub settings: Vec<(&'s str, &'s Value)>,
}

impl<'s> Variants<'s> {
    /// The variants of a resolved schema; `None` if it is not an enum.
    pub fn of(schemas: &'s Schema, schema: &'s Value) -> Option<Self> {
        let mut variants = Self {
            words: Vec::new(),
            settings: Vec::new(),
        };
        let all_are_variants = match (list(schema, "oneOf"), list(schema, "anyOf")) {
            (Some(_), _) => schemas.choices(schema)?.into_iter().all(|choice| variants.take(choice)),
            // `Option` of something; what is untagged has more than one.
            (None, Some(_)) => match schemas.choices(schema)?.as_slice() {
                [only] => return Self::of(schemas, only),
                _ => false,
            },
            (None, None) => variants.take_words(schema),
        };
        all_are_variants.then_some(variants)
    }

    /// All names, those without settings first.
    pub fn names(&self) -> impl Iterator<Item = &'s str> {
        let settings = self.settings.iter().map(|(name, _)| *name);
        self.words.iter().copied().chain(settings)
    }

    /// The schema of the settings of `name`.
    pub fn settings_of(&self, name: &str) -> Option<&'s Value> {
        let (_, schema) = self.settings.iter().find(|(it, _)| *it == name)?;
        Some(schema)
    }

    fn take(&mut self, choice: &'s Value) -> bool {
        if self.take_words(choice) {
            return true;
        }
        match choice.get("properties").and_then(Value::as_object) {
            Some(properties) if requires_its_only_key(choice, properties) => {
                let named = properties.iter().map(|(name, schema)| (name.as_str(), schema));
                self.settings.extend(named);
                true
            }
            _ => false,
        }
    }

    fn take_words(&mut self, choice: &'s Value) -> bool {
        let word = choice.get("const").map(std::slice::from_ref);
        let words = list(choice, "enum").map(Vec::as_slice);
        match word.or(words) {
            Some(words) if allows(choice, "string") => {
                self.words.extend(words.iter().filter_map(Value::as_str));
                true
            }
            _ => false,
        }
    }
}

fn requires_its_only_key(schema: &Value, properties: &Map<String, Value>) -> bool {
    let required = list(schema, "required").map_or(0, Vec::len);
    properties.len() == 1 && required == 1
}

/// "`a`, `b`, `c`".
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
