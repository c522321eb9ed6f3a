//! Enums, tagged externally: a word (`none_stuck`) or a word with settings (`kill: {…}`).

use serde_json::Value;

use super::map::{below, help_with};
use super::{Checker, Remark, Spot};
use crate::diagnostic::nearest;
use crate::document::node::{Content, Entry, Span};
use crate::document::schema::{Variants, format_of, listed};

impl Checker<'_> {
    pub(super) fn variant(&mut self, variants: &Variants<'_>, spot: &Spot<'_>) {
        match &spot.node.content {
            Content::Str(word) if variants.words.contains(&word.as_str()) => {}
            Content::Str(word) => match variants.settings_of(word) {
                Some(settings) => self.lacks_settings(word, settings, spot.node.span),
                None => self.unknown_variant(word, spot.node.span, variants, spot),
            },
            Content::Map(entries) => self.tagged(variants, entries, spot),
            other => {
                let names: Vec<_> = variants.names().collect();
                let found = other.noun();
                self.remark(
                    spot.node.span,
                    Remark {
                        message: format!("{} should be one of {}", spot.title(), listed(names)),
                        label: format!("this is {found}"),
                        help: None,
                    },
                );
            }
        }
    }

    fn tagged(&mut self, variants: &Variants<'_>, entries: &[Entry], spot: &Spot<'_>) {
        let names: Vec<_> = variants.names().collect();
        let Some((first, more)) = entries.split_first() else {
            return self.remark(
                spot.node.span,
                Remark {
                    message: format!("{} says nothing", spot.title()),
                    label: "this is empty".to_owned(),
                    help: help_with(None, "one of", &names),
                },
            );
        };
        if let Some(second) = more.first() {
            return self.two_variants(variants, (first, second), spot);
        }
        match variants.settings_of(&first.key) {
            Some(settings) => self.value(settings, &below(first)),
            None if names.contains(&first.key.as_str()) => {
                let word = &first.key;
                self.remark(
                    first.key_span,
                    Remark {
                        message: format!("`{word}` takes no settings"),
                        label: String::new(),
                        help: Some(format!("write `{word}` alone, without the colon")),
                    },
                );
            }
            None => self.unknown_variant(&first.key, first.key_span, variants, spot),
        }
    }

    /// More keys than one: mostly settings that are not indented below their word.
    fn two_variants(&mut self, variants: &Variants<'_>, (first, second): (&Entry, &Entry), spot: &Spot<'_>) {
        let word = &first.key;
        if variants.names().all(|name| name != word) {
            return self.unknown_variant(word, first.key_span, variants, spot);
        }
        let unindented = first.node.content == Content::Null;
        let help = match unindented {
            true => format!("indent its settings below `{word}:`"),
            false => format!("give `{}` an item of its own", second.key),
        };
        self.remark(
            second.key_span,
            Remark {
                message: format!("`{word}` cannot stand together with `{}`", second.key),
                label: format!("not part of `{word}`"),
                help: Some(help),
            },
        );
    }

    fn lacks_settings(&mut self, word: &str, settings: &Value, span: Span) {
        let kind = format_of(self.schema.resolve(settings));
        let example = kind.and_then(|kind| kind.examples.first()).copied().unwrap_or("{ … }");
        self.remark(
            span,
            Remark {
                message: format!("`{word}` needs settings"),
                label: String::new(),
                help: Some(format!("write `{word}: {example}`")),
            },
        );
    }

    fn unknown_variant(&mut self, word: &str, span: Span, variants: &Variants<'_>, spot: &Spot<'_>) {
        let names: Vec<_> = variants.names().collect();
        let near = nearest(word, names.iter().copied());
        self.remark(
            span,
            Remark {
                message: format!("{} cannot be `{word}`", spot.title()),
                label: "unknown".to_owned(),
                help: help_with(near, "one of", &names),
            },
        );
    }
}
