//! The words of an expression.

use std::ops::Range;

use super::{Trouble, Value};
use crate::amount::BadAmount;

/// A word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A number, an amount or a quoted text.
    Literal(Value),
    /// A name with its dots: `level.tasks`.
    Name(String),
    /// One of `+ - * / ( ) ,`.
    Sign(char),
}

/// A word and where it stands, in bytes of the expression.
pub(super) type Placed = (Token, Range<usize>);

/// All words of `text`.
pub(super) fn lex(text: &str) -> Result<Vec<Placed>, Trouble> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (token, length) = match first {
            '+' | '-' | '*' | '/' | '(' | ')' | ',' => (Token::Sign(first), 1),
            '"' | '\'' => quoted(rest, at)?,
            c if c.is_ascii_digit() => literal(rest, at)?,
            c if in_name(c) => {
                let length = rest.find(|c| !in_name(c) && c != '.').unwrap_or(rest.len());
                (Token::Name(rest[..length].to_owned()), length)
            }
            other => {
                let message = format!("`{other}` means nothing inside ${{…}}");
                return Err(trouble(message, at..at + other.len_utf8()));
            }
        };
        tokens.push((token, at..at + length));
        at += length;
    }
    Ok(tokens)
}

fn in_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn quoted(text: &str, at: usize) -> Result<(Token, usize), Trouble> {
    let quote = &text[..1];
    match text[1..].split_once(quote) {
        Some((inner, _)) => {
            let value = Value::Text(inner.to_owned());
            Ok((Token::Literal(value), inner.len() + 2))
        }
        None => Err(trouble("this quote is never closed", at..at + text.len())),
    }
}

/// A number and the unit that touches it. `10/s` is a rate only if nothing else follows the unit;
/// otherwise its `/` divides.
fn literal(text: &str, at: usize) -> Result<(Token, usize), Trouble> {
    let number = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let unit = &text[number..];
    let (value, length) = if unit.starts_with('%') {
        let length = number + 1;
        (amount(text[..length].parse(), Value::Percent), length)
    } else if let Some(unit) = per_what(unit) {
        let length = number + unit;
        (amount(text[..length].parse(), Value::Rate), length)
    } else if unit.starts_with(in_name) {
        let length = text.find(|c| !in_name(c) && c != '.').unwrap_or(text.len());
        (amount(text[..length].parse(), Value::Dur), length)
    } else {
        (plain(&text[..number]), number)
    };
    match value {
        Ok(value) => Ok((Token::Literal(value), length)),
        Err(message) => Err(trouble(message, at..at + length)),
    }
}

/// The length of a leading `/s`, `/m` or `/h` that stands alone.
fn per_what(text: &str) -> Option<usize> {
    let unit = ["/s", "/m", "/h"].iter().find(|unit| text.starts_with(**unit))?;
    let follows = text[unit.len()..].chars().next();
    (!follows.is_some_and(|c| in_name(c) || c == '.')).then_some(unit.len())
}

fn plain(text: &str) -> Result<Value, String> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() && !text.ends_with('.') => Ok(Value::Num(number)),
        _ => Err(format!("`{text}` is not a number")),
    }
}

fn amount<A>(read: Result<A, BadAmount>, wrap: fn(A) -> Value) -> Result<Value, String> {
    read.map(wrap).map_err(|bad| bad.to_string())
}

fn trouble(message: impl Into<String>, at: Range<usize>) -> Trouble {
    Trouble {
        message: message.into(),
        help: None,
        at,
    }
}
