//! Amounts with a unit, as people write them in a file: `2s`, `20s-30s`, `10/s`, `95%`, `20%..50%`.
//!
//! Each is a small type whose text form parses back to the same value, and which carries its own
//! JSON Schema, so that an editor, a diagnostic and the parser agree on what is allowed.
//! [`KINDS`] lists them all.

use std::fmt;

mod decimal;
mod dur;
mod offset;
mod percent;
mod rate;

pub use dur::{Dur, DurRange};
pub use offset::Offset;
pub use percent::{Percent, PercentRange};
pub use rate::Rate;

/// What sets one kind of amount apart from the others.
#[derive(Debug)]
pub struct Kind {
    /// The `format` keyword of its JSON Schema.
    pub format: &'static str,
    /// A regular expression (ECMA-262) that every text of this kind fits, for editors. Some others fit
    /// it as well.
    pub pattern: &'static str,
    /// With its article, for sentences: "a duration".
    pub noun: &'static str,
    /// Texts that parse.
    pub examples: &'static [&'static str],
    check: fn(&str) -> Result<(), BadAmount>,
}

/// Every kind of amount: the catalogue behind schemas and diagnostics.
pub const KINDS: [&Kind; 6] = [
    Dur::KIND,
    DurRange::KIND,
    Offset::KIND,
    Rate::KIND,
    Percent::KIND,
    PercentRange::KIND,
];

impl Kind {
    /// The kind whose JSON Schema says `format`.
    pub fn of_format(format: &str) -> Option<&'static Kind> {
        KINDS.into_iter().find(|kind| kind.format == format)
    }

    /// Whether `text` is an amount of this kind.
    ///
    /// # Errors
    /// Says what is wrong with it.
    pub fn check(&self, text: &str) -> Result<(), BadAmount> {
        (self.check)(text)
    }

    /// What to write, for a hint: "such as 2s, 150ms or 1m30s".
    pub fn such_as(&self) -> String {
        match self.examples {
            [] => String::new(),
            [only] => format!("such as {only}"),
            [some @ .., last] => format!("such as {} or {last}", some.join(", ")),
        }
    }

    fn refuse(&'static self, text: impl Into<String>, why: &'static str) -> BadAmount {
        BadAmount {
            text: text.into(),
            kind: self,
            why,
        }
    }
}

/// A text or a quantity that is no amount of the kind it should be.
#[derive(Debug, Clone)]
pub struct BadAmount {
    /// What was given.
    pub text: String,
    /// What it should have been.
    pub kind: &'static Kind,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for BadAmount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, kind, why } = self;
        let (noun, such_as) = (kind.noun, kind.such_as());
        write!(f, "`{text}` is not {noun}: {why}; write one {such_as}")
    }
}

impl std::error::Error for BadAmount {}

/// Serde and JSON Schema for a kind of amount; editors show the description.
macro_rules! as_text {
    ($name:ident, $description:literal) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "format": Self::KIND.format,
                    "description": $description,
                    "examples": Self::KIND.examples,
                })
            }
        }
    };
}
use as_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_of_every_kind_parses() {
        for kind in KINDS {
            for example in kind.examples {
                kind.check(example).unwrap();
            }
        }
    }

    #[test]
    fn the_patterns_fit_what_parses_and_little_else() {
        let texts = [
            "2s",
            "150ms",
            "1m30s",
            "4h0.5s",
            "7µs",
            "20s-30s",
            "20s - 1m",
            "10/s",
            "1.5 / m",
            "95%",
            "0.5%",
            "20%..50%",
            "20% .. 50%",
            "90%..",
            "",
            "5",
            "s",
            "10/d",
            "1e3s",
            "..",
            "-1s",
            "+1.5s",
            "--1s",
            "x",
        ];
        for kind in KINDS {
            let pattern = regex::Regex::new(kind.pattern).unwrap();
            for text in texts {
                assert_eq!(pattern.is_match(text), kind.check(text).is_ok(), "{text}");
            }
        }
    }

    #[test]
    fn an_error_names_what_was_given_what_is_wanted_and_examples() {
        insta::assert_snapshot!("5".parse::<Dur>().unwrap_err());
        insta::assert_snapshot!("30s-20s".parse::<DurRange>().unwrap_err());
        insta::assert_snapshot!("10".parse::<Rate>().unwrap_err());
        insta::assert_snapshot!("101%".parse::<Percent>().unwrap_err());
        insta::assert_snapshot!("20%".parse::<PercentRange>().unwrap_err());
    }

    #[test]
    fn the_schema_carries_the_format_and_the_examples() {
        insta::assert_json_snapshot!(schemars::schema_for!(DurRange));
    }
}
