//! A YAML file whose every value knows where it stands.
//!
//! ```text
//! text --parse--> Document --expand--> Document --read--> T
//!                    |                    |                 |
//!                    +---- every mistake of the step at once, each at its place
//! ```
//!
//! The JSON Schema of `T` is the validator: the same schema that editors complete from is walked
//! beside the file ([`Document::read`]), so the two cannot disagree, and one pass finds everything.
//! Only a file without mistakes is given to serde.
//!
//! The YAML is plain: one document, the core schema of YAML 1.2, no anchors, aliases or tags, no key
//! twice, at most [`LARGEST`] bytes and [`DEEPEST`] levels.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::diagnostic::{Mistake, Mistakes};
use crate::expr::Scope;

mod check;
mod expand;
mod holes;
mod load;
mod node;
mod pointer;
mod publish;
mod read;
mod scalar;
mod schema;

use node::{Node, Span};

pub use holes::Hole;
pub use publish::published_schema;

/// The most bytes a file may have.
pub const LARGEST: usize = 1 << 20;

/// The most lists and maps inside each other.
pub const DEEPEST: usize = 64;

/// A YAML file, with the place of everything in it.
#[derive(Debug, Clone)]
pub struct Document {
    name: Arc<str>,
    text: Arc<str>,
    root: Node,
}

impl Document {
    /// Reads `text` as YAML; `name` is what diagnostics call the file.
    ///
    /// # Errors
    /// Everything that is not the plain YAML described above. After a break of syntax nothing more
    /// can be found, so there is at most one of those, and it comes last.
    pub fn parse(name: &str, text: &str) -> Result<Document, Mistakes> {
        Self::load(name, text, false)
    }

    /// Reads a file that others wrote for other tools (a Compose file, an API's description): aliases stand for what
    /// they name, and tags for nothing.
    ///
    /// # Errors
    /// It is no YAML (JSON is), has a key twice, or is too large.
    pub fn foreign(name: &str, text: &str) -> Result<Document, Mistakes> {
        Self::load(name, text, true)
    }

    fn load(name: &str, text: &str, foreign: bool) -> Result<Document, Mistakes> {
        let refuse = |list| Err(Mistakes::new(name, text.into(), list));
        if text.len() > LARGEST {
            return refuse(vec![Mistake {
                message: format!("the file has more than {LARGEST} bytes"),
                label: String::new(),
                help: None,
                span: (0, 0),
            }]);
        }
        match load::load(text, foreign) {
            Ok(root) => Ok(Document {
                name: name.into(),
                text: text.into(),
                root,
            }),
            Err(list) => refuse(list),
        }
    }

    /// Replaces each `${…}` in a value by what it stands for. A value that is one `${…}` and nothing
    /// else takes the type of what it stands for; inside other text it becomes text. Deferred names
    /// and the escape `$${` stay for [`crate::expr::fill`]. Keys are never expanded.
    ///
    /// # Errors
    /// Every unknown name and every expression that cannot be worked out.
    pub fn expand(&self, scope: &dyn Scope) -> Result<Document, Mistakes> {
        let expanded = expand::expand(self, scope);
        match expanded.mistakes.is_empty() {
            true => Ok(self.with(expanded.root)),
            false => Err(self.mistakes(expanded.mistakes)),
        }
    }

    /// The same for what will be read as a `T`: where a name is unknown, the rest is held against the schema of `T` all the
    /// same, so that what is wrong there is said beside it.
    ///
    /// # Errors
    /// Every unknown name and every expression that cannot be worked out; then also everything in which the other values
    /// differ from the JSON Schema of `T`.
    pub fn expand_for<T: JsonSchema + 'static>(&self, scope: &dyn Scope) -> Result<Document, Mistakes> {
        let expanded = expand::expand(self, scope);
        let filled = self.with(expanded.root);
        if expanded.mistakes.is_empty() {
            return Ok(filled);
        }
        let known = |mistake: &Mistake| {
            let at = mistake.span.0;
            let inside = |(start, length): &Span| (*start..start + length).contains(&at);
            !expanded.unknown.iter().any(inside)
        };
        let rest = check::check(&filled, &schema::of::<T>());
        Err(self.mistakes(
            expanded
                .mistakes
                .into_iter()
                .chain(rest.into_iter().filter(known))
                .collect(),
        ))
    }

    fn with(&self, root: Node) -> Document {
        Document { root, ..self.clone() }
    }

    /// The document as a `T`.
    ///
    /// # Errors
    /// Everything in which the document differs from the JSON Schema of `T`; if nothing does, the
    /// first thing that `T` itself refuses.
    pub fn read<T: DeserializeOwned + JsonSchema + 'static>(&self) -> Result<T, Mistakes> {
        let schema = schema::of::<T>();
        let list = check::check(self, &schema);
        if !list.is_empty() {
            return Err(self.mistakes(list));
        }
        read::read(&self.root).map_err(|refused| {
            let span = refused.span.unwrap_or(self.root.span);
            self.mistakes(vec![self.at(span, refused.message, "", None)])
        })
    }

    /// Whether there is a value which `pointer` names (RFC 6901).
    pub fn has(&self, pointer: &str) -> bool {
        pointer::find(&self.root, pointer).exact
    }

    /// A mistake at the value which `pointer` names (RFC 6901: `/services/worker/links/0`), or at the
    /// nearest value around it that exists.
    pub fn mistake(&self, pointer: &str, message: impl Into<String>, help: Option<String>) -> Mistake {
        let found = pointer::find(&self.root, pointer);
        self.at(found.value, message, "", help)
    }

    /// A mistake at the key of the value which `pointer` names; at an item of a list, which has no
    /// key, the item.
    pub fn key_mistake(&self, pointer: &str, message: impl Into<String>, help: Option<String>) -> Mistake {
        let found = pointer::find(&self.root, pointer);
        self.at(found.key.unwrap_or(found.value), message, "", help)
    }

    /// Of what was found later, only what is about other parts of the file than what was found before: in a part that is
    /// wrong, the one may follow from the other. A part is an item of one of the file's lists, or a key of one of its maps.
    pub fn elsewhere(&self, before: &[Mistake], mut later: Vec<Mistake>) -> Vec<Mistake> {
        let part = |mistake: &Mistake| pointer::part(&self.root, mistake.span.0);
        later.retain(|later| !before.iter().any(|before| part(before) == part(later)));
        later
    }

    /// `list` as an error about this file.
    pub fn mistakes(&self, list: Vec<Mistake>) -> Mistakes {
        Mistakes::new(&*self.name, self.text.clone(), list)
    }

    /// A mistake at `span`, or at the first line of it: a caret under a whole block points at nothing.
    fn at(
        &self,
        (start, length): Span,
        message: impl Into<String>,
        label: impl Into<String>,
        help: Option<String>,
    ) -> Mistake {
        let covered = &self.text[start..start + length];
        let first_line = covered.lines().next().unwrap_or_default().trim_end();
        Mistake {
            message: message.into(),
            label: label.into(),
            help,
            span: (start, first_line.len()),
        }
    }
}
