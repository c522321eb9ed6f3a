//! The little language inside `${…}`: `${level.tasks}`, `${paced(2s) * 3}`, `${min(level.rate, 10/s)}`.
//!
//! An expression is a name, a literal (`5`, `1m30s`, `95%`, `10/s`, `"text"`), a sum or product of
//! expressions with the usual precedence and parentheses, or a call of `paced`, `min` or `max`.
//! What may be combined with what is in [`Value`]. It has no loops and no definitions: an
//! expression of length n costs O(n).
//!
//! A text is filled in two steps. What the [`Scope`] knows is put in when a file is read. A name it
//! defers (the address of an instance, the id of a task) stays as it is until [`fill`] puts it in at
//! run time; `fill` is also what turns the escape `$${` into `${`.

use std::fmt;
use std::ops::Range;

mod eval;
mod lex;
pub(crate) mod template;
mod value;

pub(crate) use eval::{Outcome, eval};
pub use value::Value;

use template::Piece;

/// What the names in an expression stand for.
pub trait Scope {
    /// What `name`, with its dots, stands for.
    fn lookup(&self, name: &str) -> Lookup;

    /// Every known name, for hints.
    fn names(&self) -> Vec<String>;

    /// How much faster than real time the run is: `paced(x)` divides by it. Positive and finite.
    fn pace(&self) -> f64;
}

/// What a [`Scope`] says about a name.
#[derive(Debug, Clone, PartialEq)]
pub enum Lookup {
    /// It stands for this.
    Known(Value),
    /// It will be known at run time only; `${name}` stays as it is.
    Deferred,
    /// Nothing has this name.
    Unknown,
}

/// One thing wrong with an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What is wrong, in one line.
    pub message: String,
    /// How to put it right.
    pub help: Option<String>,
    /// Where, in bytes of the expression's text.
    pub at: Range<usize>,
}

/// A `${name}` for which there is no value at run time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownName(pub String);

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "nothing is known as `{}` here", self.0)
    }
}

impl std::error::Error for UnknownName {}

/// Replaces each `${name}` in `text` by its value, and `$${` by `${`. Values are put in as they are:
/// a `${` inside one is plain text.
///
/// # Errors
/// The first name without a value. A `${` that is never closed counts as one.
pub fn fill(text: &str, value_of: &dyn Fn(&str) -> Option<String>) -> Result<String, UnknownName> {
    let mut out = String::with_capacity(text.len());
    for piece in template::pieces(text) {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Escape => out.push_str("${"),
            Piece::Hole { inner, .. } => {
                let name = inner.trim();
                let value = value_of(name).ok_or_else(|| UnknownName(name.to_owned()))?;
                out.push_str(&value);
            }
            Piece::Unclosed { rest, .. } => return Err(UnknownName(rest.to_owned())),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(name: &str) -> Option<String> {
        (name == "id").then(|| "7-${id}".to_owned())
    }

    #[test]
    fn names_are_filled_in_once_and_escapes_are_undone() {
        assert_eq!(fill("/tasks/${id}", &value_of).unwrap(), "/tasks/7-${id}");
        assert_eq!(fill("a ${ id }b", &value_of).unwrap(), "a 7-${id}b");
        assert_eq!(fill("$${id} $ {} $$", &value_of).unwrap(), "${id} $ {} $$");
    }

    #[test]
    fn a_name_without_a_value_is_an_error_that_names_it() {
        let error = fill("/${task}", &value_of).unwrap_err();
        assert_eq!(error, UnknownName("task".to_owned()));
        assert!(fill("/${id", &value_of).is_err());
    }
}
