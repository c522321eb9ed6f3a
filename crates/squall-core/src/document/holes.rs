//! The `${name}` an expansion left for later.

use super::Document;
use super::expand::Sight;
use super::node::{Content, Node, Span};
use crate::diagnostic::Mistake;
use crate::expr::template::{Piece, pieces};

/// A `${name}` that stands for something known only later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// The value it is in: the keys and indexes that lead to it.
    pub path: Vec<String>,
    /// What is between its braces.
    pub name: String,
    span: Span,
}

impl Document {
    /// Every `${name}` left in the document's values.
    pub fn holes(&self) -> Vec<Hole> {
        let mut found = Vec::new();
        self.collect(&self.root, &mut Vec::new(), &mut found);
        found
    }

    // As deep as the document, which is bounded.
    fn collect(&self, node: &Node, path: &mut Vec<String>, found: &mut Vec<Hole>) {
        let mut inside = |step: String, node: &Node| {
            path.push(step);
            self.collect(node, path, found);
            path.pop();
        };
        match &node.content {
            Content::Map(entries) => entries.iter().for_each(|entry| inside(entry.key.clone(), &entry.node)),
            Content::Seq(items) => (items.iter().enumerate()).for_each(|(index, item)| inside(index.to_string(), item)),
            Content::Str(text) => {
                let mut sight = Sight::new(&self.text, node.span);
                for piece in pieces(text) {
                    let Piece::Hole { inner, raw } = piece else { continue };
                    found.push(Hole {
                        path: path.clone(),
                        name: inner.trim().to_owned(),
                        span: sight.find(raw).unwrap_or(node.span),
                    });
                }
            }
            _ => {}
        }
    }

    /// A mistake at a hole.
    pub fn hole_mistake(&self, hole: &Hole, message: impl Into<String>, help: Option<String>) -> Mistake {
        self.at(hole.span, message, "", help)
    }
}
