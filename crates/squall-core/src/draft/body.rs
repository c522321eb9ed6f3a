//! The body of a request that creates a task, and the kinds of work it can ask for.

use serde_json::{Map, Value, json};

use super::api::{Api, Operation};
use super::page::{Note, Page, flow, scalar};
use super::schema::Property;
use super::words::{folded, named};

const TYPE: &str = "type tasktype jobtype kind jobkind taskkind name action operation queue task job command";
const PAYLOAD: &str = "payload input data args arguments params parameters body content options";
const MARK: &str = "mark idempotencykey requestid clientid externalid externalref reference ref dedupekey uniquekey requestkey clientref correlationid";
const MS: &str = "ms millis milliseconds durationms delayms sleepms waitms takesms";
const WORK: &str = "sleep delay wait work simulate";
const QUICK: &str = "quick email noop echo ping note print";

/// The body that creates a task.
pub(super) struct Body<'a> {
    pub(super) json: Value,
    kind: Option<Property<'a>>,
    pub(super) payload: Option<Property<'a>>,
    /// Whether `${mark}` is in it.
    pub(super) marked: bool,
    /// Whether `${ms}` is in it.
    timed: bool,
}

impl<'a> Body<'a> {
    pub(super) fn of(api: &Api<'a>, create: &Operation<'a>) -> Self {
        let mut body = Self {
            json: json!({}),
            kind: None,
            payload: None,
            marked: false,
            timed: false,
        };
        let schemas = api.schemas;
        let properties = api
            .body(create)
            .map(|schema| schemas.properties(schema))
            .unwrap_or_default();
        if properties.is_empty() {
            body.json = json!({ "type": "${type}", "payload": "${payload}" });
            body.marked = true;
            return body;
        }
        // The name nearest to the beginning of the list of usual ones is the type's.
        let usual = |property: &Property<'a>| {
            let name = folded(property.name);
            let text = schemas.is(property.schema, "string") || !schemas.words(property.schema).is_empty();
            TYPE.split(' ').position(|word| word == name).filter(|_| text)
        };
        body.kind = properties
            .iter()
            .filter(|one| usual(one).is_some())
            .min_by_key(|one| usual(one))
            .copied();
        let mut json = Map::new();
        let mut texts = Vec::new();
        for property in &properties {
            let (name, schema) = (property.name, property.schema);
            let structured = !["string", "integer", "number", "boolean"]
                .iter()
                .any(|kind| schemas.is(schema, kind));
            let value = if body.kind.is_some_and(|kind| kind.name == name) {
                "${type}".into()
            } else if body.payload.is_none() && named(name, PAYLOAD) && structured {
                body.payload = Some(*property);
                "${payload}".into()
            } else if named(name, MARK) {
                body.marked = true;
                "${mark}".into()
            } else if named(name, MS) {
                body.timed = true;
                "${ms}".into()
            } else if property.required {
                if schemas.is(schema, "string") && schemas.words(schema).is_empty() {
                    texts.push(name.to_owned());
                }
                schemas.example(schema)
            } else {
                continue;
            };
            json.insert(name.to_owned(), value);
        }
        // A payload carries it; without one any text will do.
        if let (false, None, Some(first)) = (body.marked, body.payload, texts.first()) {
            json.insert(first.clone(), "${mark}".into());
            body.marked = true;
        }
        body.marked |= body.payload.is_some();
        body.json = json.into();
        body
    }

    pub(super) fn write_kinds(&self, page: &mut Page, api: &Api<'a>) {
        let words = self
            .kind
            .map(|kind| api.schemas.known_words(kind.schema))
            .unwrap_or_default();
        let pick = |usual: &str| {
            words
                .iter()
                .copied()
                .find(|word| usual.split(' ').any(|one| folded(word).contains(one)))
        };
        page.say(4, "kinds:");
        let work = pick(WORK).or(words.first().copied());
        let (payload, sure) = self.payload(api, "${ms}".into());
        let line = |name: &str, kind: &str, payload: &Value, more: &str| {
            format!("{name}: {{ type: {}, payload: {}{more} }}", scalar(kind), flow(payload))
        };
        let text = line("work", work.unwrap_or("work"), &payload, "");
        match (work, self.timed || sure) {
            (Some(_), true) => page.guess(6, text, "the first of its types, or one that sounds of waiting"),
            (Some(_), false) => {
                let what = "a type of task that takes `${ms}` milliseconds, and the field that says so".to_owned();
                page.note(6, text, Note::Todo(what));
            }
            (None, _) => {
                let what =
                    "the name of a type of task that takes `${ms}` milliseconds, and the field that says so".to_owned();
                page.note(6, text, Note::Todo(what));
            }
        }
        let (short, _) = self.payload(api, 1.into());
        let quick = pick(QUICK).or(work).unwrap_or("work");
        page.guess(6, line("quick", quick, &short, ""), "work that is over at once");
        if let Some(flaky) = pick("flaky clumsy") {
            page.guess(
                6,
                line("flaky", flaky, &short, ""),
                "by its name: it fails first, and then succeeds",
            );
        }
        if let Some(failing) = pick("failing alwaysfail hopeless") {
            page.guess(
                6,
                line("failing", failing, &short, ", ends: dead"),
                "by its name: it always fails",
            );
        }
    }

    /// The payload of a kind, and whether its schema says where the time goes.
    fn payload(&self, api: &Api<'a>, ms: Value) -> (Value, bool) {
        let mut json = Map::new();
        let Some(payload) = self.payload else {
            return (json.into(), false);
        };
        let mut sure = false;
        for property in api.schemas.properties(payload.schema) {
            let value = if named(property.name, MS) {
                sure = true;
                ms.clone()
            } else if named(property.name, MARK) {
                "${mark}".into()
            } else if property.required {
                api.schemas.example(property.schema)
            } else {
                continue;
            };
            json.insert(property.name.to_owned(), value);
        }
        if !sure && !self.timed {
            json.insert("ms".to_owned(), ms);
        }
        let marked = json.values().any(|value| value == "${mark}");
        if !marked && api.schemas.of(payload.schema)["additionalProperties"] != false {
            json.insert("mark".to_owned(), "${mark}".into());
        }
        (json.into(), sure)
    }
}
