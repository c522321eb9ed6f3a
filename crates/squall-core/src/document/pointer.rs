//! JSON Pointers (RFC 6901) into a tree.

use super::node::{Content, Node, Span};

/// The places of a value.
pub(super) struct Found {
    /// Of the value itself.
    pub value: Span,
    /// Of its key, if it has one.
    pub key: Option<Span>,
    /// Whether it is the value itself, not one around it.
    pub exact: bool,
}

/// The value which `pointer` names, or the nearest around it that exists.
pub(super) fn find(root: &Node, pointer: &str) -> Found {
    let mut node = root;
    let mut key = None;
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        (node, key) = match child(node, &name) {
            Some(found) => found,
            None => {
                return Found {
                    value: node.span,
                    key,
                    exact: false,
                };
            }
        };
    }
    Found {
        value: node.span,
        key,
        exact: true,
    }
}

fn child<'a>(node: &'a Node, name: &str) -> Option<(&'a Node, Option<Span>)> {
    match &node.content {
        Content::Map(entries) => {
            let entry = entries.iter().find(|entry| entry.key == name)?;
            Some((&entry.node, Some(entry.key_span)))
        }
        Content::Seq(items) => Some((items.get(name.parse::<usize>().ok()?)?, None)),
        _ => None,
    }
}

/// The part of the file which the place `at` is in: the item or entry two steps below the root, or else one step.
pub(super) fn part(root: &Node, at: usize) -> Option<Span> {
    let outer = inside(root, at)?;
    Some(inside(outer.0, at).map_or(outer.1, |inner| inner.1))
}

/// The child which the place `at` is in, and where it stands, with its key.
fn inside(node: &Node, at: usize) -> Option<(&Node, Span)> {
    let covers = |(start, length): Span| (start..=start + length).contains(&at);
    match &node.content {
        Content::Map(entries) => entries.iter().rev().find_map(|entry| {
            let start = entry.key_span.0;
            let span = (start, entry.node.span.0 + entry.node.span.1 - start);
            covers(span).then_some((&entry.node, span))
        }),
        Content::Seq(items) => items
            .iter()
            .rev()
            .find_map(|item| covers(item.span).then_some((item, item.span))),
        _ => None,
    }
}
