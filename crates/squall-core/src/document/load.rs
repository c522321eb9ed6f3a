//! From the events of the YAML parser to a tree.

use std::borrow::Cow;
use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::DEEPEST;
use super::node::{Content, Entry, Node, Span};
use super::scalar;
use crate::diagnostic::Mistake;

/// So many values may be written by way of aliases: ten lines of them can stand for billions.
const MOST_COPIED: usize = 100_000;

/// The tree of `text`; an empty file is null. In a `foreign` file aliases stand for what they name, and tags for nothing.
pub(super) fn load(text: &str, foreign: bool) -> Result<Node, Vec<Mistake>> {
    let mut loader = Loader {
        parser: Parser::new_from_str(text),
        anchors: foreign.then(HashMap::new),
        copied: 0,
        text,
        offsets: Offsets::of(text),
        mistakes: Vec::new(),
    };
    match loader.document() {
        Ok(root) if loader.mistakes.is_empty() => Ok(root),
        _ => Err(loader.mistakes),
    }
}

/// Nothing more can be read; why is already among the mistakes.
struct Stop;

struct Loader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// What each anchor names, where they are allowed.
    anchors: Option<HashMap<usize, Node>>,
    copied: usize,
    text: &'t str,
    offsets: Offsets,
    mistakes: Vec<Mistake>,
}

impl<'t> Loader<'t> {
    fn document(&mut self) -> Result<Node, Stop> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    self.wrong(span, "a file holds one YAML document", "a second one starts here");
                    return Err(Stop);
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node {
            content: Content::Null,
            span: (0, 0),
        }))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Stop> {
        let nested = matches!(event, Event::SequenceStart(..) | Event::MappingStart(..));
        if nested && depth == DEEPEST {
            let message = format!("lists and maps are nested more than {DEEPEST} deep");
            self.wrong(span, &message, "");
            return Err(Stop);
        }
        self.refuse_extras(&event, span);
        let anchor = match event {
            Event::Scalar(_, _, anchor, _) | Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _) => anchor,
            _ => 0,
        };
        let node = match event {
            Event::Scalar(text, style, ..) => self.scalar(&text, style, span),
            Event::SequenceStart(..) => self.sequence(span, depth)?,
            Event::MappingStart(..) => self.mapping(span, depth)?,
            Event::Alias(anchor) => self.alias(anchor, span)?,
            // Events that cannot stand here.
            _ => Node {
                content: Content::Null,
                span,
            },
        };
        if let Some(anchors) = self.anchors.as_mut().filter(|_| anchor > 0) {
            anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    /// What an anchor names; nothing where they are refused, or inside the very value that is named.
    fn alias(&mut self, anchor: usize, span: Span) -> Result<Node, Stop> {
        let found = self.anchors.as_ref().and_then(|anchors| anchors.get(&anchor)).cloned();
        self.copied += found.as_ref().map_or(0, |node| node.content.size());
        if self.copied > MOST_COPIED {
            self.wrong(
                span,
                &format!("its aliases stand for more than {MOST_COPIED} values"),
                "",
            );
            return Err(Stop);
        }
        let content = found.map_or(Content::Null, |node| node.content);
        Ok(Node { content, span })
    }

    fn refuse_extras(&mut self, event: &Event<'_>, span: Span) {
        if self.anchors.is_some() {
            return;
        }
        let (anchor, tag) = match event {
            Event::Alias(_) => {
                self.wrong(span, "YAML aliases are not supported", "write the value out");
                return;
            }
            Event::Scalar(_, _, anchor, tag) => (*anchor, tag),
            Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => (*anchor, tag),
            _ => return,
        };
        if anchor > 0 {
            self.wrong(span, "YAML anchors are not supported", "this has one");
        }
        if let Some(tag) = tag {
            let name = match tag.is_yaml_core_schema() {
                true => format!("!!{}", tag.suffix),
                false => tag.to_string(),
            };
            let message = format!("YAML tags such as `{name}` are not supported");
            self.wrong(span, &message, "this has one");
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, span: Span) -> Node {
        let content = match style {
            ScalarStyle::Plain => scalar::plain(text),
            _ => Content::Str(text.to_owned()),
        };
        if let Content::Float(number) = content
            && !number.is_finite()
        {
            self.wrong(span, "numbers must be finite", "");
        }
        Node { content, span }
    }

    fn sequence(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let last = items.last().map(|item| item.span);
                return Ok(Node {
                    span: around(start, last, span),
                    content: Content::Seq(items),
                });
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: HashMap<String, Span> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let last = entries.last().map(|entry| entry.node.span);
                return Ok(Node {
                    span: around(start, last, span),
                    content: Content::Map(entries),
                });
            }
            let key = self.key(event, span, depth)?;
            let (event, value_span) = self.next()?;
            let mut node = self.node(event, value_span, depth + 1)?;
            if node.span.1 == 0 {
                // A value that was left out is best seen at its key.
                node.span = span;
            }
            let Some(key) = key else { continue };
            if let Some(first) = seen.insert(key.clone(), span) {
                let line = self.offsets.line(first.0);
                let label = format!("the first is on line {line}");
                self.wrong(span, &format!("the key `{key}` is there twice"), &label);
            }
            entries.push(Entry {
                key,
                key_span: span,
                node,
            });
        }
    }

    /// The text of a key; `None` if it was refused.
    fn key(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Option<String>, Stop> {
        self.refuse_extras(&event, span);
        match event {
            Event::Scalar(text, style, ..) => {
                if text.is_empty() && style == ScalarStyle::Plain {
                    self.wrong(span, "a key is missing", "before this colon");
                    return Ok(None);
                }
                Ok(Some(Cow::into_owned(text)))
            }
            Event::Alias(_) => Ok(None),
            event => {
                self.wrong(span, "a key must be one word or a quoted text", "");
                self.node(event, span, depth + 1)?;
                Ok(None)
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Stop> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let start = self.offsets.byte(span.start);
                let end = self.offsets.byte(span.end).max(start);
                Ok((event, (start, end - start)))
            }
            Some(Err(error)) => {
                self.not_yaml(&error);
                Err(Stop)
            }
            None => Err(Stop),
        }
    }

    fn not_yaml(&mut self, error: &ScanError) {
        let mut at = self.offsets.byte(*error.marker());
        if self.text[at..].trim().is_empty() {
            // Something is open at the end of the file: show the last line that says anything.
            at = self.text[..at].trim_end().len();
        }
        let before = &self.text[..at];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or_default();
        let help = if line.contains("${") {
            Some("inside { } and [ ], a value with ${…} needs quotes around it")
        } else if line.trim_start_matches(' ').starts_with('\t') {
            Some("indent with spaces, not with tabs")
        } else {
            None
        };
        let rest = self.text[at..].lines().next().unwrap_or_default();
        let length = rest.chars().next().map_or(0, char::len_utf8);
        self.mistakes.push(Mistake {
            message: format!("this is not YAML: {}", error.info()),
            label: "it stops making sense here".to_owned(),
            help: help.map(str::to_owned),
            span: (at, length),
        });
    }

    fn wrong(&mut self, span: Span, message: &str, label: &str) {
        self.mistakes.push(Mistake {
            message: message.to_owned(),
            label: label.to_owned(),
            help: None,
            span,
        });
    }
}

/// From the start of a list or map to its closing bracket, or if it has none to the end of its last
/// value.
fn around(start: Span, last: Option<Span>, close: Span) -> Span {
    let end = match (close.1, last) {
        (0, Some((at, length))) => at + length,
        (0, None) => start.0 + start.1,
        (length, _) => close.0 + length,
    };
    (start.0, end.saturating_sub(start.0))
}

/// From the parser's character counts to bytes, and from bytes to lines.
struct Offsets {
    /// Where each character starts; empty if all are one byte.
    starts: Vec<usize>,
    newlines: Vec<usize>,
    length: usize,
}

impl Offsets {
    fn of(text: &str) -> Self {
        let starts = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self {
            starts,
            newlines: text.match_indices('\n').map(|(at, _)| at).collect(),
            length: text.len(),
        }
    }

    /// The line of a byte, from 1.
    fn line(&self, byte: usize) -> usize {
        self.newlines.partition_point(|newline| *newline < byte) + 1
    }

    fn byte(&self, marker: Marker) -> usize {
        let index = marker.index();
        match self.starts.as_slice() {
            [] => index.min(self.length),
            starts => starts.get(index).copied().unwrap_or(self.length),
        }
    }
}
