//! Walking a document beside a JSON Schema, and noting everything in which they differ.

use serde_json::Value;

use super::Document;
use super::node::{Content, Node, Span};
use super::schema::{self, Schema, Variants, allows};
use crate::diagnostic::Mistake;

mod map;
mod scalar;
mod variant;

/// Every mistake in `document` that `schema` can tell.
pub(super) fn check(document: &Document, schema: &Schema) -> Vec<Mistake> {
    let mut checker = Checker {
        document,
        schema,
        mistakes: Vec::new(),
    };
    let root = Spot {
        node: &document.root,
        name: Name::File,
        key: None,
    };
    checker.value(&schema.root, &root);
    checker.mistakes
}

struct Checker<'a> {
    document: &'a Document,
    schema: &'a Schema,
    mistakes: Vec<Mistake>,
}

/// A value, and what to call it.
#[derive(Clone, Copy)]
struct Spot<'a> {
    node: &'a Node,
    name: Name<'a>,
    key: Option<Span>,
}

#[derive(Clone, Copy)]
enum Name<'a> {
    File,
    Key(&'a str),
    Item(&'a str),
}

impl<'a> Spot<'a> {
    /// "`tasks`".
    fn title(&self) -> String {
        match self.name {
            Name::File => "the file".to_owned(),
            Name::Key(key) => format!("`{key}`"),
            Name::Item("") => "an item of the list".to_owned(),
            Name::Item(list) => format!("an item of `{list}`"),
        }
    }

    /// The key, or else the value: where to say what the value as a whole lacks.
    fn caret(&self) -> Span {
        self.key.unwrap_or(self.node.span)
    }

    fn item(&self, node: &'a Node) -> Spot<'a> {
        let name = match self.name {
            Name::File => Name::Item(""),
            Name::Key(key) => Name::Item(key),
            inside_a_list => inside_a_list,
        };
        let key = None;
        Spot { node, name, key }
    }
}

/// What to say about a place.
struct Remark {
    message: String,
    label: String,
    help: Option<String>,
}

impl Checker<'_> {
    // As deep as the document, which is bounded: each step down in the schema that is not a step
    // down in the document follows a finite type.
    fn value(&mut self, schema: &Value, spot: &Spot<'_>) {
        let schemas = self.schema;
        let schema = schemas.resolve(schema);
        if spot.node.content == Content::Null {
            if !schemas.nullable(schema) {
                self.missing_value(schema, spot);
            }
            return;
        }
        if let Some(variants) = Variants::of(schemas, schema) {
            return self.variant(&variants, spot);
        }
        if let Some(choices) = schemas.choices(schema) {
            return match choices.as_slice() {
                [only] => self.value(only, spot),
                several => self.either(several, schema, spot),
            };
        }
        for part in schema::list(schema, "allOf").into_iter().flatten() {
            self.value(part, spot);
        }
        if schema == &Value::Bool(false) {
            return self.remark(
                spot.caret(),
                Remark {
                    message: format!("{} is not allowed here", spot.title()),
                    label: String::new(),
                    help: None,
                },
            );
        }
        if !kinds_of(&spot.node.content).iter().any(|kind| allows(schema, kind)) {
            return self.wrong_type(schema, spot);
        }
        match &spot.node.content {
            Content::Null | Content::Bool(_) => {}
            Content::Int(number) => self.int(schema, *number, spot),
            Content::Float(number) => self.float(schema, *number, spot),
            Content::Str(text) => self.text(schema, text, spot),
            Content::Seq(items) => self.list(schema, items, spot),
            Content::Map(entries) => self.map(schema, entries, spot),
        }
    }

    fn list(&mut self, schema: &Value, items: &[Node], spot: &Spot<'_>) {
        let firsts = schema::list(schema, "prefixItems").map_or(&[][..], Vec::as_slice);
        let rest = schema.get("items").unwrap_or(&Value::Bool(true));
        for (index, item) in items.iter().enumerate() {
            self.value(firsts.get(index).unwrap_or(rest), &spot.item(item));
        }
        let count = items.len() as u64;
        let bound = |keyword| schema.get(keyword).and_then(Value::as_u64);
        let wrong = match (bound("minItems"), bound("maxItems")) {
            (Some(least), _) if count < least => format!("at least {least}"),
            (_, Some(most)) if count > most => format!("at most {most}"),
            _ => return,
        };
        self.remark(
            spot.caret(),
            Remark {
                message: format!("{} should have {wrong} items, not {count}", spot.title()),
                label: String::new(),
                help: None,
            },
        );
    }

    /// Alternatives that only their content tells apart.
    fn either(&mut self, choices: &[&Value], schema: &Value, spot: &Spot<'_>) {
        let kinds = kinds_of(&spot.node.content);
        let fitting = choices
            .iter()
            .filter(|choice| kinds.iter().any(|kind| allows(choice, kind)));
        let found = fitting.map(|choice| {
            let mut trial = Checker {
                mistakes: Vec::new(),
                ..*self
            };
            trial.value(choice, spot);
            trial.mistakes
        });
        match found.min_by_key(Vec::len) {
            Some(fewest) => self.mistakes.extend(fewest),
            None => self.wrong_type(schema, spot),
        }
    }

    fn missing_value(&mut self, schema: &Value, spot: &Spot<'_>) {
        let noun = self.schema.noun(schema);
        let message = match spot.name {
            Name::File => "the file is empty".to_owned(),
            _ => format!("{} has no value", spot.title()),
        };
        self.remark(
            spot.caret(),
            Remark {
                message,
                label: format!("expected {noun}"),
                help: such_as(schema),
            },
        );
    }

    fn wrong_type(&mut self, schema: &Value, spot: &Spot<'_>) {
        let content = &spot.node.content;
        let (expected, found) = (self.schema.noun(schema), content.noun());
        let help = match content {
            Content::Str(text) if is_template(text) => {
                Some("a name that is known at run time only cannot stand here".to_owned())
            }
            Content::Str(text) if expected == "a list" && is_word(text) => Some(format!("write [{text}]")),
            Content::Str(text) => {
                let unquoted = super::scalar::plain(text);
                let fits = kinds_of(&unquoted).iter().any(|kind| allows(schema, kind));
                fits.then(|| "write it without quotes".to_owned())
            }
            Content::Int(_) | Content::Float(_) | Content::Bool(_) if expected == "text" => {
                Some("put quotes around it".to_owned())
            }
            _ => such_as(schema),
        };
        let whole = "`squall init` writes a first system file, `squall schema scenario` says what a scenario may hold";
        let help = match spot.name {
            Name::File => Some(whole.to_owned()),
            _ => help,
        };
        self.remark(
            spot.node.span,
            Remark {
                message: format!("{} should be {expected}, not {found}", spot.title()),
                label: format!("this is {found}"),
                help,
            },
        );
    }

    fn remark(&mut self, span: Span, remark: Remark) {
        let Remark { message, label, help } = remark;
        self.mistakes.push(self.document.at(span, message, label, help));
    }
}

/// The JSON Schema types which a value is of.
fn kinds_of(content: &Content) -> &'static [&'static str] {
    match content {
        Content::Null => &["null"],
        Content::Bool(_) => &["boolean"],
        Content::Int(_) => &["integer", "number"],
        Content::Float(_) => &["number"],
        Content::Str(_) => &["string"],
        Content::Seq(_) => &["array"],
        Content::Map(_) => &["object"],
    }
}

fn such_as(schema: &Value) -> Option<String> {
    schema::format_of(schema).map(|kind| format!("write one {}", kind.such_as()))
}

fn is_template(text: &str) -> bool {
    text.contains("${")
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "-_.".contains(c))
}
