//! Numbers within their bounds, texts in their form.

use serde_json::Value;

use super::{Checker, Remark, Spot, is_template, such_as};
use crate::document::schema;

impl Checker<'_> {
    pub(super) fn int(&mut self, schema: &Value, number: i128, spot: &Spot<'_>) {
        let format = schema.get("format").and_then(Value::as_str);
        let (low, high) = format.and_then(integers).unwrap_or((i128::MIN, i128::MAX));
        if number < low {
            self.out_of_bounds(format!("at least {low}"), spot);
        } else if number > high {
            self.out_of_bounds(format!("at most {high}"), spot);
        } else {
            self.float(schema, number as f64, spot);
        }
    }

    pub(super) fn float(&mut self, schema: &Value, number: f64, spot: &Spot<'_>) {
        let bounds: [(&str, &str, Holds); 4] = [
            ("minimum", "at least", |it, bound| it >= bound),
            ("maximum", "at most", |it, bound| it <= bound),
            ("exclusiveMinimum", "more than", |it, bound| it > bound),
            ("exclusiveMaximum", "less than", |it, bound| it < bound),
        ];
        for (keyword, words, holds) in bounds {
            let Some(bound) = schema.get(keyword) else {
                continue;
            };
            if bound.as_f64().is_some_and(|bound| !holds(number, bound)) {
                return self.out_of_bounds(format!("{words} {bound}"), spot);
            }
        }
    }

    fn out_of_bounds(&mut self, bound: String, spot: &Spot<'_>) {
        self.remark(
            spot.node.span,
            Remark {
                message: format!("{} should be {bound}", spot.title()),
                label: String::new(),
                help: None,
            },
        );
    }

    pub(super) fn text(&mut self, schema: &Value, text: &str, spot: &Spot<'_>) {
        if let Some(kind) = schema::format_of(schema)
            && let Err(bad) = kind.check(text)
        {
            let late = is_template(text).then(|| "a name that is known at run time only cannot stand here".to_owned());
            return self.remark(
                spot.node.span,
                Remark {
                    message: format!("{} should be {}", spot.title(), kind.noun),
                    label: bad.why.to_owned(),
                    help: late.or_else(|| such_as(schema)),
                },
            );
        }
        let bound = |keyword| schema.get(keyword).and_then(Value::as_u64);
        let length = text.chars().count() as u64;
        let wrong = match (bound("minLength"), bound("maxLength")) {
            (Some(1), None) if length == 0 => "should not be empty".to_owned(),
            (Some(1), Some(1)) if length != 1 => "should be one character".to_owned(),
            (Some(least), _) if length < least => {
                format!("should have at least {least} characters")
            }
            (_, Some(most)) if length > most => format!("should have at most {most} characters"),
            _ => return,
        };
        self.remark(
            spot.node.span,
            Remark {
                message: format!("{} {wrong}", spot.title()),
                label: format!("this has {length}"),
                help: None,
            },
        );
    }
}

/// Whether a number keeps to a bound.
type Holds = fn(f64, f64) -> bool;

/// The range of Rust's integer types, by the `format` they have in a schema.
fn integers(format: &str) -> Option<(i128, i128)> {
    Some(match format {
        "int8" => (i8::MIN.into(), i8::MAX.into()),
        "int16" => (i16::MIN.into(), i16::MAX.into()),
        "int32" => (i32::MIN.into(), i32::MAX.into()),
        "int64" | "int" => (i64::MIN.into(), i64::MAX.into()),
        "uint8" => (0, u8::MAX.into()),
        "uint16" => (0, u16::MAX.into()),
        "uint32" => (0, u32::MAX.into()),
        "uint64" | "uint" => (0, u64::MAX.into()),
        _ => return None,
    })
}
