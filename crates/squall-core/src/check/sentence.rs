//! How verdicts speak: counts, shares and lists in sentences.

use std::collections::BTreeMap;

/// So many names are enough in a sentence.
const NAMES: usize = 3;

/// `1 task`, `3 tasks`.
pub(super) fn count(n: usize, noun: &str) -> String {
    match n {
        1 => format!("1 {noun}"),
        n => format!("{n} {noun}s"),
    }
}

/// A share with one decimal: `97.5 %`. Never rounded up to the whole.
pub(super) fn percent(part: usize, whole: usize) -> String {
    let tenths = (part * 1000).checked_div(whole).unwrap_or(0);
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Whether `part` of `whole` is at least `fraction`; nothing of nothing is.
pub(super) fn reaches(part: usize, whole: usize, fraction: f64) -> bool {
    part as f64 + 1e-9 >= fraction * whole as f64
}

/// The first few names: `a, b, c and 4 more`.
pub(super) fn names<S: AsRef<str>>(all: &[S]) -> String {
    let first: Vec<&str> = all.iter().take(NAMES).map(AsRef::as_ref).collect();
    match all.len().saturating_sub(NAMES) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// The most frequent names with their counts: `GET /tasks/0 (12), create (3)`.
pub(super) fn tally<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in all {
        *counts.entry(name).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let shown: Vec<String> = sorted
        .iter()
        .map(|(name, count)| match count {
            1 => (*name).to_owned(),
            count => format!("{name} ({count} times)"),
        })
        .collect();
    names(&shown)
}
