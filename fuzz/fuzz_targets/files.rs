//! Any text as a system or scenario file: it is read, or its mistakes can be shown; what is read can be planned.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use squall_core::document::Document;
use squall_core::level::{Level, LevelScope, levels};
use squall_core::plan::{Request, plan};
use squall_core::scenario::Scenario;
use squall_core::system::{Facts, System};

static LEVEL: LazyLock<Level> = LazyLock::new(|| levels().unwrap().remove(2));

/// What scenarios are planned against.
static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let text = include_str!("../../systems/taskhub/system.yaml");
    let doc = Document::parse("system.yaml", text).unwrap().expand(&LevelScope::new(&LEVEL, &[], 1.0)).unwrap();
    System::read(&doc).unwrap().facts()
});

fuzz_target!(|text: &str| {
    let scope = LevelScope::new(&LEVEL, &[], 7.0);
    let Ok(doc) = Document::parse("fuzz.yaml", text).and_then(|doc| doc.expand(&scope)) else { return };
    if let Err(mistakes) = System::read(&doc) {
        assert!(!mistakes.plain().is_empty());
    }
    let request = Request { level: 3, level_name: "load", seed: 1, pace: 7.0, jobs: 1, repeat: "" };
    match doc.read::<Scenario>() {
        // A plan of a billion tasks is a user's own wish; here it would only be slow.
        Ok(scenario) if small(&scenario) => {
            if let Err(mistakes) = plan(&doc, &scenario, &FACTS, request) {
                assert!(!mistakes.plain().is_empty());
            }
        }
        Ok(_) => {}
        Err(mistakes) => assert!(!mistakes.plain().is_empty()),
    }
});

fn small(scenario: &Scenario) -> bool {
    scenario.workload.others < 100
        && scenario.workload.tasks.as_ref().is_none_or(|load| load.count < 1000)
        && scenario.storm.iter().all(|fault| fault.timing().times.is_none_or(|times| times < 1000))
        && scenario.storm.len() < 20
}
