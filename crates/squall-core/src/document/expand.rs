//! Putting what a scope knows into a document.

use super::Document;
use super::node::{Content, Entry, Node, Span};
use crate::diagnostic::Mistake;
use crate::expr::template::{Piece, pieces};
use crate::expr::{Outcome, Scope, Trouble, Value, eval};

/// The largest whole number up to which every whole number is exact in an `f64`.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A tree with what could be replaced.
pub(super) struct Expanded {
    /// The document's tree with every known `${…}` replaced.
    pub root: Node,
    /// The others.
    pub mistakes: Vec<Mistake>,
    /// The values these are in, and their keys: what will stand there is not known.
    pub unknown: Vec<Span>,
}

/// Replaces every known `${…}`.
pub(super) fn expand(document: &Document, scope: &dyn Scope) -> Expanded {
    let mut expander = Expander {
        document,
        scope,
        mistakes: Vec::new(),
        unknown: Vec::new(),
    };
    let root = expander.node(&document.root);
    Expanded {
        root,
        mistakes: expander.mistakes,
        unknown: expander.unknown,
    }
}

struct Expander<'a> {
    document: &'a Document,
    scope: &'a dyn Scope,
    mistakes: Vec<Mistake>,
    unknown: Vec<Span>,
}

impl Expander<'_> {
    // As deep as the document, which is bounded.
    fn node(&mut self, node: &Node) -> Node {
        let content = match &node.content {
            Content::Str(text) if text.contains("${") => {
                let before = self.mistakes.len();
                let content = self.text(text, node.span);
                if self.mistakes.len() > before {
                    self.unknown.push(node.span);
                }
                content
            }
            Content::Seq(items) => Content::Seq(items.iter().map(|item| self.node(item)).collect()),
            Content::Map(entries) => {
                let entry = |entry: &Entry| {
                    let node = self.node(&entry.node);
                    if self.unknown.last() == Some(&node.span) {
                        self.unknown.push(entry.key_span);
                    }
                    Entry {
                        key: entry.key.clone(),
                        key_span: entry.key_span,
                        node,
                    }
                };
                Content::Map(entries.iter().map(entry).collect())
            }
            other => other.clone(),
        };
        Node {
            content,
            span: node.span,
        }
    }

    fn text(&mut self, text: &str, span: Span) -> Content {
        let mut sight = Sight::new(&self.document.text, span);
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Escape => out.push_str("$${"),
                Piece::Hole { inner, raw } => {
                    let place = sight.find(raw);
                    match eval(inner, self.scope) {
                        Ok(Outcome::Deferred) => out.push_str(raw),
                        Ok(Outcome::Value(value)) if raw == text => return typed(value),
                        Ok(Outcome::Value(value)) => out.push_str(&escaped(&value.to_string())),
                        Err(troubles) => self.report(troubles, place, span),
                    }
                }
                Piece::Unclosed { raw, .. } => {
                    let span = sight.find(raw).unwrap_or(span);
                    let help = "for a plain `${` write `$${`".to_owned();
                    let message = "this `${` has no `}`";
                    let mistake = self.document.at(span, message, "", Some(help));
                    self.mistakes.push(mistake);
                }
            }
        }
        Content::Str(out)
    }
    /// At their places inside the `${…}` if that was found, else at the whole value.
    fn report(&mut self, troubles: Vec<Trouble>, hole: Option<Span>, value: Span) {
        for Trouble { message, help, at } in troubles {
            let span = match hole {
                Some((start, _)) => (start + "${".len() + at.start, at.len()),
                None => value,
            };
            let mistake = self.document.at(span, message, "", help);
            self.mistakes.push(mistake);
        }
    }
}

/// The source of a value, read from left to right beside its pieces.
pub(super) struct Sight<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Sight<'a> {
    pub(super) fn new(text: &'a str, (start, length): Span) -> Self {
        Self {
            rest: &text[start..start + length],
            at: start,
        }
    }

    /// Where `raw` comes next. `None` if the file spells it differently, with an escape or a folded line.
    pub(super) fn find(&mut self, raw: &str) -> Option<Span> {
        let start = self.rest.find(raw)?;
        let found = (self.at + start, raw.len());
        self.rest = &self.rest[start + raw.len()..];
        self.at = found.0 + found.1;
        Some(found)
    }
}

/// A value in its own type, for a place that holds nothing else.
fn typed(value: Value) -> Content {
    match value {
        Value::Num(number) if number.fract() == 0.0 && number.abs() <= EXACT => Content::Int(number as i128),
        Value::Num(number) => Content::Float(number),
        Value::Bool(truth) => Content::Bool(truth),
        other => Content::Str(escaped(&other.to_string())),
    }
}

/// Values are not expanded again, neither here nor when the rest is filled in.
fn escaped(value: &str) -> String {
    value.replace("${", "$${")
}
