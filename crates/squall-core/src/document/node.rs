//! The tree of a file.

/// Offset and length in bytes of the file's text; always on character boundaries inside it.
pub(super) type Span = (usize, usize);

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub content: Content,
    pub span: Span,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    Null,
    Bool(bool),
    /// Wide enough for every `i64` and `u64`.
    Int(i128),
    /// Finite.
    Float(f64),
    Str(String),
    Seq(Vec<Node>),
    /// In the order of the file; no key twice.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub node: Node,
}

impl Content {
    /// How many values it is, with all that is in it.
    pub fn size(&self) -> usize {
        1 + match self {
            Content::Seq(items) => items.iter().map(|item| item.content.size()).sum(),
            Content::Map(entries) => entries.iter().map(|entry| entry.node.content.size()).sum(),
            _ => 0,
        }
    }

    /// What a reader would call it.
    pub fn noun(&self) -> &'static str {
        match self {
            Content::Null => "nothing",
            Content::Bool(_) => "true or false",
            Content::Int(_) | Content::Float(_) => "a number",
            Content::Str(_) => "text",
            Content::Seq(_) => "a list",
            Content::Map(_) => "a map",
        }
    }
}
