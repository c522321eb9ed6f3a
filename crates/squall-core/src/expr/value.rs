//! What an expression can stand for, and which values can be combined.

use std::fmt;

use crate::amount::{BadAmount, Dur, DurRange, Percent, Rate};

/// What an expression stands for. Its text form is what a file would say: `5`, `1m30s`, `10/s`.
///
/// | left | | right | gives |
/// |---|---|---|---|
/// | number, duration, rate, percent | `+` `-` | the same | the same |
/// | number, duration, range, rate | `*` | number | the same |
/// | number, duration, range, rate, percent | `*` | percent | that part of it |
/// | number, duration, range, rate, percent | `/` | number | the same |
/// | number, duration, rate, percent | `/` | the same | number |
/// | rate | `*` | duration | number |
/// | number | `/` | rate | duration |
///
/// Products may be written in either order. Everything else, a negative duration, a part above the
/// whole and a number that is not finite are errors.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A finite number, without a unit.
    Num(f64),
    /// A length of time.
    Dur(Dur),
    /// A length of time between two bounds.
    DurRange(DurRange),
    /// How often.
    Rate(Rate),
    /// A part of a whole.
    Percent(Percent),
    /// Plain text.
    Text(String),
    /// True or false.
    Bool(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Num(number) => number.fmt(f),
            Value::Dur(dur) => dur.fmt(f),
            Value::DurRange(range) => range.fmt(f),
            Value::Rate(rate) => rate.fmt(f),
            Value::Percent(percent) => percent.fmt(f),
            Value::Text(text) => f.write_str(text),
            Value::Bool(truth) => truth.fmt(f),
        }
    }
}

/// Why values cannot be combined, as a sentence.
type Outcome = Result<Value, String>;

impl Value {
    /// What kind of value it is, with its article.
    pub fn noun(&self) -> &'static str {
        match self {
            Value::Num(_) => "a number",
            Value::Dur(_) => "a duration",
            Value::DurRange(_) => "a range of durations",
            Value::Rate(_) => "a rate",
            Value::Percent(_) => "a percentage",
            Value::Text(_) => "text",
            Value::Bool(_) => "true or false",
        }
    }

    pub(super) fn add(&self, other: &Value) -> Outcome {
        match (self, other) {
            (Value::Num(a), Value::Num(b)) => number(a + b),
            (Value::Dur(a), Value::Dur(b)) => checked(a.get().checked_add(b.get())),
            (Value::Rate(a), Value::Rate(b)) => rate(a.per_second() + b.per_second()),
            (Value::Percent(a), Value::Percent(b)) => percent(a.fraction() + b.fraction()),
            (a, b) => Err(format!("{} cannot be added to {}", b.noun(), a.noun())),
        }
    }

    pub(super) fn subtract(&self, other: &Value) -> Outcome {
        match (self, other) {
            (Value::Num(a), Value::Num(b)) => number(a - b),
            (Value::Dur(a), Value::Dur(b)) => match a.get().checked_sub(b.get()) {
                None => Err(format!("{a} - {b} is less than no time at all")),
                difference => checked(difference),
            },
            (Value::Rate(a), Value::Rate(b)) => rate(a.per_second() - b.per_second()),
            (Value::Percent(a), Value::Percent(b)) => percent(a.fraction() - b.fraction()),
            (a, b) => Err(format!("{} cannot be taken from {}", b.noun(), a.noun())),
        }
    }

    pub(super) fn multiply(&self, other: &Value) -> Outcome {
        match (self, other) {
            (Value::Percent(part), it) | (it, Value::Percent(part)) => it.scale(part.fraction()),
            (Value::Num(factor), it) | (it, Value::Num(factor)) => it.scale(*factor),
            (Value::Rate(rate), Value::Dur(dur)) | (Value::Dur(dur), Value::Rate(rate)) => {
                number(rate.per_second() * dur.get().as_secs_f64())
            }
            (a, b) => Err(format!("{} cannot be multiplied by {}", a.noun(), b.noun())),
        }
    }

    pub(super) fn divide(&self, other: &Value) -> Outcome {
        match (self, other) {
            (_, Value::Num(0.0)) => Err("this divides by zero".to_owned()),
            (Value::Num(a), Value::Num(b)) => number(a / b),
            (Value::Num(count), Value::Rate(rate)) => seconds(count / rate.per_second()),
            (Value::Dur(a), Value::Dur(b)) => ratio(a.get().as_secs_f64(), b.get().as_secs_f64()),
            (Value::Rate(a), Value::Rate(b)) => ratio(a.per_second(), b.per_second()),
            (Value::Percent(a), Value::Percent(b)) => ratio(a.fraction(), b.fraction()),
            (it, Value::Num(divisor)) => it.shrink(*divisor),
            (a, b) => Err(format!("{} cannot be divided by {}", a.noun(), b.noun())),
        }
    }

    pub(super) fn negate(&self) -> Outcome {
        match self {
            Value::Num(it) => number(-it),
            other => Err(format!("{} cannot be negative", other.noun())),
        }
    }

    /// The smaller of two values of one kind, or with `larger` the larger one.
    pub(super) fn pick(&self, other: &Value, larger: bool) -> Outcome {
        let other_is_larger = match (self, other) {
            (Value::Num(a), Value::Num(b)) => b > a,
            (Value::Dur(a), Value::Dur(b)) => b > a,
            (Value::Rate(a), Value::Rate(b)) => b > a,
            (Value::Percent(a), Value::Percent(b)) => b > a,
            (a, b) => return Err(format!("{} and {} have no order", a.noun(), b.noun())),
        };
        Ok(match other_is_larger == larger {
            true => other.clone(),
            false => self.clone(),
        })
    }

    /// What takes this long in a run that is `pace` times faster than real time.
    pub(super) fn paced(&self, pace: f64) -> Outcome {
        match self {
            Value::Dur(_) | Value::DurRange(_) if pace > 0.0 => self.shrink(pace),
            Value::Dur(_) | Value::DurRange(_) => Err(format!("the pace {pace} is not positive")),
            other => Err(format!("paced takes a duration, not {}", other.noun())),
        }
    }

    /// A duration as a plain number, for systems that read one.
    pub(super) fn in_units_of(&self, seconds: f64) -> Outcome {
        match self {
            // Whole nanoseconds first: what is printed is what is meant, without the noise of fractions.
            Value::Dur(it) => number((it.get().as_nanos() as f64 / (seconds * 1e9) * 1e6).round() / 1e6),
            other => Err(format!("millis and seconds take a duration, not {}", other.noun())),
        }
    }

    fn scale(&self, factor: f64) -> Outcome {
        self.map(|it| it * factor)
            .unwrap_or_else(|| Err(format!("{} cannot be multiplied", self.noun())))
    }

    fn shrink(&self, divisor: f64) -> Outcome {
        self.map(|it| it / divisor)
            .unwrap_or_else(|| Err(format!("{} cannot be divided", self.noun())))
    }

    /// Applies `change` to the quantity; `None` if there is none.
    fn map(&self, change: impl Fn(f64) -> f64) -> Option<Outcome> {
        let time = |dur: &Dur| duration(change(dur.get().as_secs_f64()));
        Some(match self {
            Value::Num(it) => number(change(*it)),
            Value::Dur(dur) => time(dur).map(Value::Dur),
            Value::Rate(it) => rate(change(it.per_second())),
            Value::Percent(it) => percent(change(it.fraction())),
            Value::DurRange(range) => time(&range.low())
                .and_then(|low| Ok((low, time(&range.high())?)))
                .and_then(|(low, high)| DurRange::new(low, high).map_err(why))
                .map(Value::DurRange),
            Value::Text(_) | Value::Bool(_) => return None,
        })
    }
}

fn why(bad: BadAmount) -> String {
    format!("this comes to {}, but {}", bad.text, bad.why)
}

fn number(it: f64) -> Outcome {
    match it.is_finite() {
        // Adding zero turns a negative zero into zero.
        true => Ok(Value::Num(it + 0.0)),
        false => Err("this is too large a number".to_owned()),
    }
}

fn ratio(a: f64, b: f64) -> Outcome {
    match b == 0.0 {
        true => Err("this divides by zero".to_owned()),
        false => number(a / b),
    }
}

fn rate(per_second: f64) -> Outcome {
    Rate::new(per_second).map(Value::Rate).map_err(why)
}

fn percent(fraction: f64) -> Outcome {
    // Rounded to 1e-9 of a hundredth, so that 60% + 40% is the whole.
    let hundredths = (fraction * 1e11).round() / 1e9;
    Percent::new(hundredths).map(Value::Percent).map_err(why)
}

fn seconds(it: f64) -> Outcome {
    duration(it).map(Value::Dur)
}

fn duration(seconds: f64) -> Result<Dur, String> {
    if seconds < 0.0 {
        return Err(format!("this comes to {seconds}s, less than no time at all"));
    }
    let duration = std::time::Duration::try_from_secs_f64(seconds).map_err(|_| "this is too long a time".to_owned())?;
    // Nobody reads nanoseconds of a time that was computed, and some programs can't.
    let fine = duration.subsec_nanos() % 1_000;
    let rounded = match duration.as_micros() {
        0..1_000 => duration,
        _ => duration.saturating_sub(std::time::Duration::from_nanos(fine.into())),
    };
    Dur::try_from(rounded).map_err(why)
}

fn checked(duration: Option<std::time::Duration>) -> Outcome {
    let duration = duration.ok_or("this is too long a time")?;
    Dur::try_from(duration).map(Value::Dur).map_err(why)
}
