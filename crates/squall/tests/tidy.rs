//! Rules a machine keeps. Each complaint says what to do about it; that each rule can fail is shown
//! in `tidy/shown_to_fail.rs`.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "tidy/files.rs"]
mod files;
#[path = "tidy/rules.rs"]
mod rules;
#[path = "tidy/shown_to_fail.rs"]
mod shown_to_fail;

use files::{File, all, read, rust};
use squall_core::{demand, fault};

/// Both product crates: folder, and what its library must not need.
const PRODUCT: [&str; 2] = ["crates/squall-core", "crates/squall"];

/// Fails with every complaint at once.
fn expect_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

/// The complaints of a rule about each of some files.
fn each<'a>(files: impl IntoIterator<Item = &'a File>, rule: impl Fn(&str, &str) -> Vec<String>) -> Vec<String> {
    files
        .into_iter()
        .flat_map(|file| rule(&file.path, &file.text))
        .collect()
}

#[test]
fn a_module_imports_only_modules_listed_above_it() {
    for folder in PRODUCT {
        let modules = rules::modules(&read(&format!("{folder}/src/lib.rs")));
        assert!(modules.len() > 5, "{folder}: the list of modules was not found");
        let source = format!("{folder}/src/");
        let files = rust().into_iter().filter(|file| file.path.starts_with(&source));
        let files: Vec<File> = files.collect();
        expect_none(&each(&files, |path, text| {
            rules::order(path, path.trim_start_matches(&source), text, &modules)
        }));
    }
}

#[test]
fn files_stay_short() {
    let files = rust();
    let product = files.iter().filter(|file| !file.is_test());
    expect_none(&each(product, rules::length));
}

#[test]
fn modules_have_names_of_their_own() {
    expect_none(&each(&rust(), |path, _| rules::name(path)));
}

#[test]
fn nothing_is_left_unfinished() {
    expect_none(&each(&rust(), rules::unfinished));
}

#[test]
fn tests_wait_for_something_and_not_for_ever() {
    expect_none(&each(&rust(), |path, text| {
        rules::waits(path, rules::test_part(path, text))
    }));
}

#[test]
fn the_pure_half_needs_nothing_impure() {
    let path = "crates/squall-core/Cargo.toml";
    expect_none(&rules::pure(path, &read(path)));
}

#[test]
fn squall_does_not_know_which_bug_is_planted() {
    let files = rust();
    // Whoever starts a system with a bug must name it; the squall that attaches to that is told nothing.
    let may = ["crates/squall/src/cli/selftest", "crates/squall/tests/attach.rs"];
    let knowing = files
        .iter()
        .filter(|file| file.path.starts_with("crates/") && !may.iter().any(|path| file.path.starts_with(path)));
    expect_none(&each(knowing, rules::bug));
}

#[test]
fn a_scenario_is_called_as_its_file_is() {
    let files = all();
    let scenarios: Vec<&File> = files
        .iter()
        .filter(|file| file.path.starts_with("scenarios/") && file.path.ends_with(".yaml"))
        .collect();
    assert!(!scenarios.is_empty(), "the scenarios were not found");
    expect_none(&each(scenarios, rules::scenario));
}

#[test]
fn the_book_names_every_fault_check_and_scenario_and_no_other() {
    let page = |name: &str| {
        let path = format!("docs/src/{name}");
        (read(&path), path)
    };
    let files = all();
    let scenarios: Vec<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("scenarios/")?.strip_suffix(".yaml"))
        .collect();
    let (text, path) = page("faults.md");
    expect_none(&rules::headings(&path, &text, &fault::CATALOGUE.map_names()));
    let (text, path) = page("checks.md");
    expect_none(&rules::headings(&path, &text, &demand::CATALOGUE.map_names()));
    let (text, path) = page("scenarios.md");
    expect_none(&rules::headings(&path, &text, &scenarios));
}

#[test]
fn the_books_contents_and_its_pages_are_the_same() {
    let path = "docs/src/SUMMARY.md";
    let files = all();
    let pages: Vec<&str> = files
        .iter()
        .filter_map(|file| file.path.strip_prefix("docs/src/"))
        .filter(|page| page.ends_with(".md") && *page != "SUMMARY.md")
        .collect();
    expect_none(&rules::contents(path, &read(path), &pages));
}

#[test]
fn the_architecture_page_names_every_module_in_order_and_is_short() {
    let path = "ARCHITECTURE.md";
    let text = read(path);
    let mut complaints = rules::page_length(path, &text);
    for folder in PRODUCT {
        let modules = rules::modules(&read(&format!("{folder}/src/lib.rs")));
        complaints.extend(rules::architecture(path, &text, folder, &modules));
    }
    expect_none(&complaints);
}

#[test]
fn no_file_speaks_of_the_machine_it_was_written_on() {
    expect_none(&each(&all(), rules::machine));
}

/// The names in a catalogue.
trait Names {
    fn map_names(&self) -> Vec<&'static str>;
}

impl Names for [(&'static str, &'static str, &'static str)] {
    fn map_names(&self) -> Vec<&'static str> {
        self.iter().map(|(name, _, _)| *name).collect()
    }
}
