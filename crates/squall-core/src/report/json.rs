//! The report for machines: every figure as JSON.

use serde_json::{Map, Value};

use super::Report;

/// Grows when a field is renamed or removed, or changes its meaning.
pub const SCHEMA: u32 = 1;

/// The report as JSON with a `schema` number first; times are nanoseconds.
pub fn render(report: &Report) -> String {
    let mut fields = Map::new();
    fields.insert("schema".to_owned(), SCHEMA.into());
    // Both steps fail only for maps whose keys are no texts; a report has none.
    if let Ok(Value::Object(report)) = serde_json::to_value(report) {
        fields.extend(report);
    }
    let mut text = format!("{:#}", Value::Object(fields));
    text.push('\n');
    text
}
