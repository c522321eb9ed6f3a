//! Bad input and broken surroundings: what is said, with which code, and that nothing stays behind.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "bad_input/files.rs"]
mod files;
#[path = "bad_input/flags.rs"]
mod flags;
#[path = "rig/place.rs"]
mod place;
#[path = "bad_input/small.rs"]
mod small;
#[path = "bad_input/world.rs"]
mod world;

use std::process::{Command, Output};

use place::Place;
use small::{SCENARIO, SYSTEM};

/// A place with a sound system and a sound scenario.
fn sound() -> Place {
    let place = Place::new();
    place.write("system.yaml", SYSTEM);
    place.write("storm.yaml", SCENARIO);
    place
}

/// What was said on both streams, without what differs from run to run.
fn said(place: &Place, output: &Output) -> String {
    let text = [&output.stderr, &output.stdout].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    text.concat().replace(&place.path().display().to_string(), "HERE")
}

/// Checks all of a table before it fails.
#[derive(Default)]
struct Table {
    said: String,
    wrong: Vec<String>,
}

impl Table {
    /// As [`check`].
    fn check(&mut self, name: &str, place: &Place, output: &Output, (code, says): (i32, &[&str])) {
        let checked = std::panic::catch_unwind(|| check(name, place, output, code, says));
        match checked {
            Ok(said) => self.said += &format!("## {name}\n{}\n", without_lists(&said)),
            Err(_) => self.wrong.push(name.to_owned()),
        }
    }

    /// All that was said.
    fn end(self) -> String {
        assert!(self.wrong.is_empty(), "see above: {:?}", self.wrong);
        self.said
    }
}

/// Lists of all there is grow with squall; what leads to them stays.
fn without_lists(said: &str) -> String {
    let shortened = said.lines().map(|line| {
        let lists = ["the scenarios are ", "the values are ", "known names: level."];
        match lists.iter().find_map(|list| line.find(list).map(|at| at + list.len())) {
            Some(end) => format!("{}…", &line[..end]),
            None => line.to_owned(),
        }
    });
    shortened.collect::<Vec<_>>().join("\n")
}

/// Asserts the code, that every part of `says` is said, that nothing looks like a crash, and that
/// nothing is left. Answers all that was said.
fn check(name: &str, place: &Place, output: &Output, code: i32, says: &[&str]) -> String {
    let said = said(place, output);
    assert_eq!(output.status.code(), Some(code), "{name}: {said}");
    for part in says {
        assert!(said.contains(part), "{name}: nothing of `{part}` in\n{said}");
    }
    for part in [
        "panicked",
        "RUST_BACKTRACE",
        "stack backtrace",
        "src/",
        "Os {",
        "Error(",
    ] {
        assert!(!said.contains(part), "{name}: `{part}` in\n{said}");
    }
    assert_eq!(leftovers(place), Vec::<String>::new(), "{name}: {said}");
    if code == 2 {
        assert!(
            !place.path().join("tmp").exists(),
            "{name}: bad input, but something was touched"
        );
    }
    said
}

/// Scratch folders, half-written files, `heal.jsonl`, and processes that carry a tag of this place.
fn leftovers(place: &Place) -> Vec<String> {
    let find = |folder: &str, names: &[&str]| {
        let mut command = Command::new("find");
        command
            .arg(place.path().join(folder))
            .args(["-mindepth", "1"])
            .args(names);
        let found = command.output().unwrap();
        String::from_utf8_lossy(&found.stdout)
            .lines()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let mut left = find("scratch", &[]);
    left.extend(find(
        "tmp",
        &[
            "-name",
            "*.partial",
            "-o",
            "-name",
            ".latest-*",
            "-o",
            "-name",
            "heal.jsonl",
        ],
    ));
    let scratch = format!("TMPDIR={}", place.path().join("scratch").display());
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let environ = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        if environ
            .split(|byte| *byte == 0)
            .any(|variable| variable == scratch.as_bytes())
        {
            left.push(format!("process {}", entry.file_name().to_string_lossy()));
        }
    }
    left
}
