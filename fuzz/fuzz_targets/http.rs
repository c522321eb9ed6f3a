//! Any bytes as what two ends say to each other, read as HTTP.

#![no_main]

#[path = "spoken/dialogue.rs"]
mod dialogue;

use libfuzzer_sys::fuzz_target;
use squall_core::protocol::Protocol;

fuzz_target!(|data: &[u8]| dialogue::check(Protocol::Http, data));
