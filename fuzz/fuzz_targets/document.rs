//! Any text as a file: it is read, or its mistakes can be shown.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use schemars::JsonSchema;
use serde::Deserialize;
use squall_core::amount::{Dur, Percent};
use squall_core::diagnostic::Mistakes;
use squall_core::document::Document;
use squall_core::expr::{Lookup, Scope, Value};

/// One of everything.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "read, never looked at")]
struct Anything {
    a: Option<String>,
    b: Option<u32>,
    c: Option<Percent>,
    d: Option<Vec<Step>>,
    e: Option<BTreeMap<String, Anything>>,
    f: Option<serde_json::Value>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "read, never looked at")]
enum Step {
    Rest,
    Wait { time: Dur },
    Go(i64),
}

struct Names;

impl Scope for Names {
    fn lookup(&self, name: &str) -> Lookup {
        match name {
            "n" => Lookup::Known(Value::Num(3.5)),
            "late" => Lookup::Deferred,
            _ => Lookup::Unknown,
        }
    }

    fn names(&self) -> Vec<String> {
        vec!["n".to_owned()]
    }

    fn pace(&self) -> f64 {
        10.0
    }
}

fuzz_target!(|text: &str| {
    let document = match Document::parse("fuzz.yaml", text) {
        Ok(document) => document,
        Err(mistakes) => return can_be_shown(&mistakes),
    };
    let late = document.mistake("/d/0/wait", "x", None);
    can_be_shown(&document.mistakes(vec![late]));
    let expanded = document.expand(&Names).unwrap_or_else(|mistakes| {
        can_be_shown(&mistakes);
        document
    });
    if let Err(mistakes) = expanded.read::<Anything>() {
        can_be_shown(&mistakes);
    }
});

fn can_be_shown(mistakes: &Mistakes) {
    assert!(!mistakes.list().is_empty());
    for mistake in mistakes.list() {
        let (start, length) = mistake.span;
        assert!(mistakes.text().get(start..start + length).is_some());
    }
    assert_eq!(mistakes.plain().lines().count(), mistakes.list().len());
    assert!(!mistakes.render(false, 80).is_empty());
}
