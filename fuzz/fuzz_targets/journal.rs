//! Any text as a journal: it is refused with its line, or judged and reported.

#![no_main]

use libfuzzer_sys::fuzz_target;
use squall_core::journal::Journal;
use squall_core::report::{json, report, terminal};

fuzz_target!(|text: &str| {
    match Journal::parse(text) {
        Ok(journal) => {
            let report = report(&[journal]);
            assert!(!json::render(&report).is_empty());
            assert!(!terminal::render(&report, terminal::Style { color: false }).is_empty());
        }
        Err(bad) => assert!(bad.line >= 1 && !bad.cause.is_empty()),
    }
});
