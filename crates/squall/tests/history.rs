//! Runs that are kept, compared, repeated and told of.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "history/notified.rs"]
mod notified;
#[path = "rig/place.rs"]
mod place;
#[path = "history/repeated.rs"]
mod repeated;
#[path = "history/server.rs"]
mod server;
#[path = "history/stored.rs"]
mod stored;

use std::process::Output;

use place::Place;
use serde_json::Value;

const SYSTEM: &str = "system: small
entry: one
services:
  one:
    run: PROGRAM --exact server::serve --nocapture
    env: { LISTEN: \"${self.addr}\", SLOW_MS: \"@slow\", BROKEN: \"@bad\" }
    ready: { path: /up }
contracts:
  api:
    - { method: GET, path: /work, expect: 200 }
";

const CALM: &str = "scenario: calm
hypothesis: Nothing breaks.
workload: { api: { rate: 2/s } }
lasts: 4s
checks: [api_success: { at_least: 100% }]
";

/// A place with a sound system, one of whose answers is slow, and one whose answers are wrong.
fn place() -> Place {
    let place = Place::new();
    let own = std::env::current_exe().unwrap();
    let system = SYSTEM.replace("PROGRAM", own.to_str().unwrap());
    for (file, slow, bad) in [
        ("system.yaml", "0", "0"),
        ("slow.yaml", "40", "0"),
        ("broken.yaml", "0", "1"),
    ] {
        place.write(file, system.replace("@slow", slow).replace("@bad", bad));
    }
    place.write("calm.yaml", CALM);
    place
}

/// The words of a run of `system`, with `more` after them.
fn words<'a>(system: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["run", "-s", "calm.yaml", "--pace", "20", "--system", system];
    words.extend(more);
    words
}

fn said(output: &Output) -> String {
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let text = text.concat();
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// Runs squall, which must end with `code`. Answers all it said.
fn squall(place: &Place, args: &[&str], code: i32) -> String {
    let output = place.output(args);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {text}");
    text
}

/// The same for a verb whose result is JSON.
fn json(place: &Place, args: &[&str], code: i32) -> Value {
    let output = place.output(args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs squall in several places at once: most of a run is waiting. Answers all that each said.
fn at_once(runs: &[(&Place, Vec<&str>, i32)]) -> Vec<String> {
    let started: Vec<_> = runs
        .iter()
        .map(|(place, args, _)| place.squall(args).spawn().unwrap())
        .collect();
    let ended = started.into_iter().zip(runs).map(|(child, (_, args, code))| {
        let output = child.wait_with_output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(*code), "{args:?}: {text}");
        text
    });
    ended.collect()
}
