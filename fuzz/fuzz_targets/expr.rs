//! Any text as an expression, and as a text to fill.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_core::amount::Dur;
use squall_core::document::Document;
use squall_core::expr::{Lookup, Scope, Value, fill};

struct Names;

impl Scope for Names {
    fn lookup(&self, name: &str) -> Lookup {
        match name {
            "n" => Lookup::Known(Value::Num(3.5)),
            "d" => Lookup::Known(Value::Dur(Dur::secs(2))),
            "r" => Lookup::Known(Value::DurRange(Dur::secs(2).into())),
            "t" => Lookup::Known(Value::Text("${t}".to_owned())),
            "late" => Lookup::Deferred,
            _ => Lookup::Unknown,
        }
    }

    fn names(&self) -> Vec<String> {
        ["n", "d", "r", "t"].map(str::to_owned).to_vec()
    }

    fn pace(&self) -> f64 {
        1e-9
    }
}

fuzz_target!(|text: &str| {
    let _ = fill(text, &|name| (name != "x").then(|| name.to_owned()));
    for text in [quoted(text), quoted(&format!("${{{text}}}"))] {
        let Ok(document) = Document::parse("fuzz.yaml", &text) else {
            continue;
        };
        match document.expand(&Names) {
            // What is read may still be anything, but it can be read.
            Ok(expanded) => drop(expanded.read::<serde_json::Value>()),
            Err(mistakes) => assert!(!mistakes.list().is_empty() && !mistakes.plain().is_empty()),
        }
    }
});

/// As a single-quoted YAML scalar, so that the expression and not the YAML is what varies.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
