//! Reading and working out an expression in one pass.
//!
//! There is no tree between text and value: a long sum needs no deep recursion, and the only depth
//! there is, that of parentheses, is bounded.

use std::ops::Range;

use super::lex::{self, Placed, Token};
use super::{Lookup, Scope, Trouble, Value};
use crate::diagnostic::nearest;

/// Parentheses, calls and signs inside each other.
const DEEPEST: usize = 32;

/// What became of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// It stands for this.
    Value(Value),
    /// It is a name that is known at run time only.
    Deferred,
}

/// Works out `text`, the inside of one `${…}`. All unknown names in it are reported together.
pub(crate) fn eval(text: &str, scope: &dyn Scope) -> Result<Outcome, Vec<Trouble>> {
    let tokens = lex::lex(text).map_err(|trouble| vec![trouble])?;
    if let [(Token::Name(name), _)] = tokens.as_slice()
        && scope.lookup(name) == Lookup::Deferred
    {
        return Ok(Outcome::Deferred);
    }
    let end = text.len()..text.len();
    let mut reader = Reader {
        tokens: &tokens,
        end,
        depth: 0,
        scope,
        troubles: Vec::new(),
    };
    let value = match reader.whole() {
        Ok(value) => value,
        Err(trouble) => {
            reader.troubles.push(trouble);
            None
        }
    };
    match value {
        Some(value) if reader.troubles.is_empty() => Ok(Outcome::Value(value)),
        _ => Err(reader.troubles),
    }
}

/// Reads tokens from the front. A value of `None` is one that already caused a trouble.
struct Reader<'a> {
    tokens: &'a [Placed],
    end: Range<usize>,
    depth: usize,
    scope: &'a dyn Scope,
    troubles: Vec<Trouble>,
}

/// A value and the text it comes from; or a mistake of grammar, after which nothing can be read.
type Read = Result<(Option<Value>, Range<usize>), Trouble>;

impl<'a> Reader<'a> {
    fn whole(&mut self) -> Result<Option<Value>, Trouble> {
        if self.tokens.is_empty() {
            return Err(self.grammar("an expression is missing", Some("such as ${level.tasks}")));
        }
        let (value, _) = self.sum()?;
        match self.tokens {
            [] => Ok(value),
            _ => Err(self.grammar("this does not belong to the expression", None)),
        }
    }

    fn sum(&mut self) -> Read {
        let (mut left, mut at) = self.product()?;
        while let Some(sign @ ('+' | '-')) = self.peek_sign() {
            self.next();
            let (right, right_at) = self.product()?;
            at = at.start..right_at.end;
            left = self.combine(
                left,
                right,
                &at,
                match sign {
                    '+' => Value::add,
                    _ => Value::subtract,
                },
            );
        }
        Ok((left, at))
    }

    fn product(&mut self) -> Read {
        let (mut left, mut at) = self.signed()?;
        while let Some(sign @ ('*' | '/')) = self.peek_sign() {
            self.next();
            let (right, right_at) = self.signed()?;
            at = at.start..right_at.end;
            left = self.combine(
                left,
                right,
                &at,
                match sign {
                    '*' => Value::multiply,
                    _ => Value::divide,
                },
            );
        }
        Ok((left, at))
    }

    fn signed(&mut self) -> Read {
        let Some('-') = self.peek_sign() else {
            return self.single();
        };
        let minus = self.next().map_or(0, |(_, at)| at.start);
        let (value, at) = self.deeper(Self::signed)?;
        let at = minus..at.end;
        let negative = value.map(|value| value.negate());
        Ok((self.keep(negative, &at), at))
    }

    fn single(&mut self) -> Read {
        let Some((token, at)) = self.next() else {
            return Err(self.grammar("a value is missing", None));
        };
        match token {
            Token::Literal(value) => Ok((Some(value.clone()), at.clone())),
            Token::Name(name) if self.peek_sign() == Some('(') => self.call(name, at),
            Token::Name(name) => Ok((self.lookup(name, at), at.clone())),
            Token::Sign('(') => {
                let (value, _) = self.deeper(Self::sum)?;
                let close = self.expect(')')?;
                Ok((value, at.start..close.end))
            }
            Token::Sign(_) => Err(Trouble {
                message: "a value is missing before this".to_owned(),
                help: None,
                at: at.clone(),
            }),
        }
    }

    fn call(&mut self, name: &str, name_at: &Range<usize>) -> Read {
        self.next();
        let (first, _) = self.deeper(Self::sum)?;
        let second = match self.peek_sign() {
            Some(',') => {
                self.next();
                Some(self.deeper(Self::sum)?.0)
            }
            _ => None,
        };
        let at = name_at.start..self.expect(')')?.end;
        let result = match (name, second) {
            ("paced", None) => first.map(|it| it.paced(self.scope.pace())),
            ("min", Some(second)) => both(first, second).map(|(a, b)| a.pick(&b, false)),
            ("max", Some(second)) => both(first, second).map(|(a, b)| a.pick(&b, true)),
            ("millis", None) => first.map(|it| it.in_units_of(0.001)),
            ("seconds", None) => first.map(|it| it.in_units_of(1.0)),
            (one @ ("paced" | "millis" | "seconds"), Some(_)) => Some(Err(format!("{one} takes one value"))),
            ("min" | "max", None) => Some(Err(format!("{name} takes two values"))),
            (other, _) => {
                let help = nearest(other, ["paced", "millis", "seconds", "min", "max"]);
                self.troubles.push(Trouble {
                    message: format!("there is no function `{other}`"),
                    help: Some(match help {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "there are paced(x), millis(x), seconds(x), min(a, b) and max(a, b)".to_owned(),
                    }),
                    at: name_at.clone(),
                });
                None
            }
        };
        Ok((self.keep(result, &at), at))
    }

    fn lookup(&mut self, name: &str, at: &Range<usize>) -> Option<Value> {
        let (message, help) = match self.scope.lookup(name) {
            Lookup::Known(value) => return Some(value),
            Lookup::Deferred => (
                format!("`{name}` is only known at run time, so it cannot be calculated with"),
                Some(format!("write ${{{name}}} alone")),
            ),
            Lookup::Unknown => {
                let names = self.scope.names();
                let help = match nearest(name, names.iter().map(String::as_str)) {
                    Some(near) => Some(format!("did you mean `{near}`?")),
                    None if names.is_empty() => None,
                    None => Some(format!("known names: {}", names.join(", "))),
                };
                (format!("nothing is known as `{name}` here"), help)
            }
        };
        let at = at.clone();
        self.troubles.push(Trouble { message, help, at });
        None
    }

    fn combine(
        &mut self,
        left: Option<Value>,
        right: Option<Value>,
        at: &Range<usize>,
        operation: impl FnOnce(&Value, &Value) -> Result<Value, String>,
    ) -> Option<Value> {
        let result = both(left, right).map(|(left, right)| operation(&left, &right));
        self.keep(result, at)
    }

    /// The value, or a note of why there is none.
    fn keep(&mut self, result: Option<Result<Value, String>>, at: &Range<usize>) -> Option<Value> {
        match result? {
            Ok(value) => Some(value),
            Err(message) => {
                let at = at.clone();
                self.troubles.push(Trouble {
                    message,
                    help: None,
                    at,
                });
                None
            }
        }
    }

    fn deeper(&mut self, read: fn(&mut Self) -> Read) -> Read {
        if self.depth == DEEPEST {
            return Err(self.grammar("this expression is nested too deeply", None));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn peek_sign(&self) -> Option<char> {
        match self.tokens.first() {
            Some((Token::Sign(sign), _)) => Some(*sign),
            _ => None,
        }
    }

    fn next(&mut self) -> Option<&'a Placed> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    fn expect(&mut self, sign: char) -> Result<Range<usize>, Trouble> {
        if self.peek_sign() != Some(sign) {
            return Err(self.grammar(&format!("a `{sign}` is missing"), None));
        }
        Ok(self.next().map_or(self.end.clone(), |(_, at)| at.clone()))
    }

    /// A mistake of grammar at the next token.
    fn grammar(&self, message: &str, help: Option<&str>) -> Trouble {
        let next = self.tokens.first().map(|(_, at)| at.clone());
        Trouble {
            message: message.to_owned(),
            help: help.map(str::to_owned),
            at: next.unwrap_or_else(|| self.end.clone()),
        }
    }
}

fn both(left: Option<Value>, right: Option<Value>) -> Option<(Value, Value)> {
    Some((left?, right?))
}

#[cfg(test)]
mod tests;
