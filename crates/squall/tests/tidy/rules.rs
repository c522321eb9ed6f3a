//! The rules: each looks at one text and answers with complaints that say what to do.

use std::collections::BTreeSet;

/// A file of the product has at most so many lines before its tests.
const LINES: usize = 400;
/// The architecture page has at most so many lines.
const PAGE: usize = 150;
/// Names that say nothing about what is inside.
const NO_NAMES: [&str; 8] = ["mod", "utils", "util", "common", "helpers", "helper", "misc", "shared"];
/// What must not be left in a source.
const UNFINISHED: [&str; 6] = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "FIXME", "XXX"];
/// Crates that do I/O or reach into the machine.
const IMPURE: [&str; 16] = [
    "tokio",
    "reqwest",
    "hyper",
    "axum",
    "nix",
    "libc",
    "rustix",
    "mio",
    "socket2",
    "sqlx",
    "tokio-postgres",
    "tempfile",
    "walkdir",
    "chrono",
    "clap",
    "indicatif",
];

/// The modules a `lib.rs` lists, in its order.
pub(crate) fn modules(lib: &str) -> Vec<String> {
    let lines = lib.lines().map(str::trim);
    let names = lines.filter_map(|line| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    names.map(str::to_owned).collect()
}

/// A text without what follows `//` and without its `#[cfg(test)]` part.
fn product_part(text: &str) -> String {
    let lines = text.lines().take_while(|line| !line.trim().starts_with("#[cfg(test)]"));
    let lines = lines.map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

/// The part of a file that is tests: all of it in a `tests` folder, else what follows `#[cfg(test)]`.
pub(crate) fn test_part<'a>(path: &str, text: &'a str) -> &'a str {
    if path.contains("/tests/") {
        return text;
    }
    text.find("#[cfg(test)]").map_or("", |at| &text[at..])
}

/// The names of modules a text takes from its crate's root: `crate::x`, `crate::{x, y::z}`, and
/// from a top-level file `super::x`.
fn taken(text: &str, top: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for root in ["crate::", "super::"] {
        if root == "super::" && !top {
            continue;
        }
        for (at, _) in text.match_indices(root) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let rest = &text[at + root.len()..];
            if let Some(list) = rest.strip_prefix('{') {
                found.extend(firsts(list));
            } else {
                found.insert(word(rest));
            }
        }
    }
    found.remove("");
    found
}

/// The first words of a `{…}` list's entries.
fn firsts(list: &str) -> Vec<String> {
    let (mut depth, mut start, mut words) = (0_usize, true, Vec::new());
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => start = true,
            c if start && !c.is_whitespace() => {
                words.push(word(&list[at..]));
                start = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Only modules above; `inside` is the path from the crate's `src/`.
pub(crate) fn order(path: &str, inside: &str, text: &str, modules: &[String]) -> Vec<String> {
    let own = inside.split('/').next().unwrap_or("").trim_end_matches(".rs");
    if own == "lib" || own == "main" {
        return Vec::new();
    }
    let place = |name: &str| modules.iter().position(|module| module == name);
    let Some(mine) = place(own) else {
        return vec![format!("{path}: list `{own}` in lib.rs, above what imports it")];
    };
    let taken = taken(&product_part(text), !inside.contains('/'));
    let below = taken
        .iter()
        .filter(|name| place(name).is_some_and(|theirs| theirs > mine));
    below
        .map(|name| {
            format!(
                "{path}: `{own}` imports `{name}`, which lib.rs lists below it; \
                 move what both need into a module above, or turn the call round"
            )
        })
        .collect()
}

/// Not too long.
pub(crate) fn length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().take_while(|line| !line.trim().starts_with("#[cfg(test)]"));
    match lines.count() {
        n if n <= LINES => Vec::new(),
        n => vec![format!(
            "{path}: {n} lines before its tests, at most {LINES}; a noun is missing: find it and give it a file"
        )],
    }
}

/// Named for what it holds.
pub(crate) fn name(path: &str) -> Vec<String> {
    let parts = path.trim_end_matches(".rs").split('/');
    let bad = parts.filter(|part| NO_NAMES.contains(part));
    bad.map(|part| format!("{path}: `{part}` says nothing; name it for what it holds (`foo.rs` beside `foo/`)"))
        .collect()
}

/// Nothing unfinished.
pub(crate) fn unfinished(path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for mark in UNFINISHED.iter().filter(|mark| line.contains(*mark)) {
            complaints.push(format!("{path}:{}: `{mark}`: finish it or take it out", number + 1));
        }
    }
    complaints
}

/// A pause stands in a loop that ends: `for`, `while`, or a `loop` whose body compares a time or
/// breaks by an assertion.
pub(crate) fn waits(path: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let sleeping = lines.iter().enumerate().filter(|(_, line)| {
        let code = line.split("//").next().unwrap_or("");
        code.split_once("sleep(")
            .is_some_and(|(before, _)| !before.ends_with('"'))
    });
    let endless = sleeping.filter(|(at, _)| !bounded(&lines, *at));
    endless
        .map(|(at, _)| {
            format!(
                "{path}: `{}`: wait for what is meant in a loop with a bound, not for a time",
                lines[at].trim()
            )
        })
        .collect()
}

/// Whether a block around line `at` is a loop with a bound.
fn bounded(lines: &[&str], at: usize) -> bool {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut edge = depth(lines[at]);
    for above in (0..at).rev() {
        let line = lines[above];
        if line.trim().is_empty() || depth(line) >= edge {
            continue;
        }
        edge = depth(line);
        let head = line.trim();
        if head.starts_with("for ") || head.starts_with("while ") {
            return true;
        }
        if head.ends_with("loop {") {
            let body = lines[above..]
                .iter()
                .skip(1)
                .take_while(|line| line.trim().is_empty() || depth(line) > edge);
            let body: String = body.copied().collect();
            // `timeout` and `within` around a loop bound it from outside.
            let around = lines[above.saturating_sub(2)..=above].concat();
            return ["deadline", "elapsed", "assert!", "give_up"]
                .iter()
                .any(|word| body.contains(word))
                || ["timeout", "within"].iter().any(|word| around.contains(word));
        }
        if head.starts_with("fn ") || head.contains(" fn ") {
            return false;
        }
    }
    false
}

/// No impure crate among `[dependencies]`.
pub(crate) fn pure(path: &str, toml: &str) -> Vec<String> {
    let mut inside = false;
    let mut complaints = Vec::new();
    for line in toml.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line.ends_with(".dependencies]");
        }
        let name = line.split(['.', '=', ' ']).next().unwrap_or("");
        if inside && IMPURE.contains(&name) {
            complaints.push(format!(
                "{path}: `{name}` does I/O or reaches into the machine; what needs it belongs in crates/squall"
            ));
        }
    }
    complaints
}

/// Squall must find planted bugs, not know them.
pub(crate) fn bug(path: &str, text: &str) -> Vec<String> {
    match text.contains("TASKHUB_BUG") {
        true => vec![format!(
            "{path}: only `squall selftest` may know TASKHUB_BUG; take it out"
        )],
        false => Vec::new(),
    }
}

/// A scenario's name is its file's.
pub(crate) fn scenario(path: &str, text: &str) -> Vec<String> {
    let stem = path.rsplit('/').next().unwrap_or("").trim_end_matches(".yaml");
    let named = text
        .lines()
        .find_map(|line| line.strip_prefix("scenario:"))
        .map(str::trim);
    match named {
        Some(name) if name == stem => Vec::new(),
        Some(name) => vec![format!(
            "{path}: says `scenario: {name}`; write `scenario: {stem}` or rename the file"
        )],
        None => vec![format!("{path}: add `scenario: {stem}` as a line of its own")],
    }
}

/// The page has a heading of the form "## `name`" for each name, and for nothing else.
pub(crate) fn headings(path: &str, text: &str, names: &[&str]) -> Vec<String> {
    let lines = text.lines().filter(|line| line.starts_with("##"));
    let there: BTreeSet<&str> = lines.filter_map(|line| line.split('`').nth(1)).collect();
    let missing = names.iter().filter(|name| !there.contains(*name));
    let missing = missing.map(|name| format!("{path}: has no heading \"## `{name}`\"; describe it"));
    let stale = there.iter().filter(|name| !names.contains(name));
    let stale = stale.map(|name| format!("{path}: describes `{name}`, which does not exist; take it out"));
    missing.chain(stale).collect()
}

/// The contents name each page once, and no page that is not there.
pub(crate) fn contents(path: &str, text: &str, pages: &[&str]) -> Vec<String> {
    let named: Vec<&str> = text
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    let missing = pages
        .iter()
        .filter(|page| named.iter().filter(|name| name == page).count() != 1);
    let missing = missing.map(|page| format!("{path}: name `{page}` exactly once"));
    let stale = named.iter().filter(|name| !pages.contains(name));
    let stale = stale.map(|name| format!("{path}: `{name}` is not there; write it or take it out"));
    missing.chain(stale).collect()
}

/// Short enough to be read.
pub(crate) fn page_length(path: &str, text: &str) -> Vec<String> {
    match text.lines().count() {
        n if n <= PAGE => Vec::new(),
        n => vec![format!(
            "{path}: {n} lines, at most {PAGE}; say less, or say it where it is done"
        )],
    }
}

/// In the section named for a crate, the rows "| `name` |" are its modules, in their order.
pub(crate) fn architecture(path: &str, text: &str, folder: &str, modules: &[String]) -> Vec<String> {
    let mut lines = text.lines();
    let heading = lines.find(|line| line.starts_with("##") && line.contains(&format!("`{folder}`")));
    if heading.is_none() {
        return vec![format!(
            "{path}: has no section \"## `{folder}`\"; list its modules there"
        )];
    }
    let section = lines.take_while(|line| !line.starts_with("##"));
    let rows: Vec<&str> = section
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    if rows == *modules {
        return Vec::new();
    }
    let missing = modules.iter().filter(|module| !rows.contains(&module.as_str()));
    let missing = missing.map(|module| format!("{path}: add a row for `{folder}`'s module `{module}`"));
    let stale = rows.iter().filter(|row| !modules.iter().any(|module| module == *row));
    let stale = stale.map(|row| format!("{path}: `{folder}` has no module `{row}`; take its row out"));
    let mut complaints: Vec<String> = missing.chain(stale).collect();
    if complaints.is_empty() {
        complaints.push(format!("{path}: list `{folder}`'s modules in the order of its lib.rs"));
    }
    complaints
}

/// No absolute path of the machine something was written on.
pub(crate) fn machine(path: &str, text: &str) -> Vec<String> {
    // In pieces, or this file would be its own first finding.
    let paths = [["/", "work/"].concat(), ["/", "root/"].concat()];
    let mut complaints = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for bad in paths.iter().filter(|bad| line.contains(*bad)) {
            complaints.push(format!(
                "{path}:{}: `{bad}` exists on one machine only; take it out",
                number + 1
            ));
        }
    }
    complaints
}
