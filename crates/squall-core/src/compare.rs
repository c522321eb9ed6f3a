//! Comparing two sets of runs: which figures changed, by how much, and how sure that is.
//!
//! The difference is Hodges and Lehmann's (1963): the median of all differences between a run of the one set and a run of
//! the other. Its interval is the inverted test of Mann and Whitney (1947), which asks only for independent runs and no
//! shape of their figures. A change is claimed when the interval excludes zero. The level is that of a whole comparison:
//! Bonferroni's share of it goes to each figure, so that intervals and claims always say the same. Equal values make the
//! interval wider, never narrower: the count of differences on the wrong side of zero includes those that are zero, so it
//! is at least what any order among the equal would give.

mod figure;
mod rank;

use std::collections::BTreeMap;

pub use figure::{Better, FIGURES, Figure, Figures, Unit, figures};

use rank::cut;

/// The runs of one scenario in both sets.
#[derive(Debug, Clone, Default)]
pub struct Group<'a> {
    /// Its name.
    pub scenario: &'a str,
    /// The figures of the first set's runs.
    pub a: Vec<&'a Figures>,
    /// Those of the second set's.
    pub b: Vec<&'a Figures>,
}

/// What a comparison shows of one figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The second set is better.
    Better,
    /// The second set is worse.
    Worse,
    /// The interval has zero in it, or all values are one.
    NoChange,
    /// With so few runs even sets without any overlap show nothing at this level.
    TooFew,
}

/// One figure of one scenario, in both sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The scenario.
    pub scenario: String,
    /// The figure.
    pub figure: &'static Figure,
    /// How many runs of each set have it.
    pub runs: (usize, usize),
    /// Their medians.
    pub medians: (f64, f64),
    /// The second set's values less the first's: the median over all pairs. Infinite where a set never got there.
    pub difference: f64,
    /// Where the difference lies; nothing when no interval can be had, or when all values are one.
    pub interval: Option<(f64, f64)>,
    /// What that shows.
    pub shown: Shown,
}

/// What two sets of runs show.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The level of the whole, from 0 to 1.
    pub level: f64,
    /// How many figures share what the level leaves.
    pub figures: usize,
    /// So many runs a side are enough for a claim about one of these figures.
    pub enough: usize,
    /// One for each figure that both sets have, in the order of the groups and of [`FIGURES`].
    pub rows: Vec<Row>,
}

impl Comparison {
    /// The rows that are claimed to be worse.
    pub fn worse(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.shown == Shown::Worse)
    }

    /// The rows that are claimed to be better.
    pub fn better(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.shown == Shown::Better)
    }
}

/// Compares two sets of runs at a level between 0 and 1: without any change a comparison claims one in at most
/// `1 - level` of all cases, however many figures it looks at.
pub fn compare(groups: &[Group<'_>], level: f64) -> Comparison {
    let found: Vec<(&str, &'static Figure, Vec<f64>, Vec<f64>)> = groups
        .iter()
        .flat_map(|group| FIGURES.iter().map(move |figure| pair(group, figure)))
        .collect();
    // Counted over both sets together, so that which run is in which has no part in it: a figure that varies nowhere
    // can't be claimed, and takes nothing from the others.
    let figures = found.iter().filter(|(_, _, a, b)| varies(a, b)).count();
    let tail = (1.0 - level) / 2.0 / figures.max(1) as f64;
    let mut cuts = BTreeMap::new();
    let rows = found.into_iter().filter(|(_, _, a, b)| !a.is_empty() && !b.is_empty());
    let rows = rows.map(|(scenario, figure, a, b)| {
        let sizes = (a.len(), b.len());
        let cut = *cuts.entry(sizes).or_insert_with(|| cut(sizes, tail));
        row(scenario, figure, (&a, &b), cut)
    });
    Comparison {
        level,
        figures,
        rows: rows.collect(),
        enough: (1..=1000).find(|n| cut((*n, *n), tail).is_some()).unwrap_or(usize::MAX),
    }
}

fn pair<'a>(group: &Group<'a>, figure: &'static Figure) -> (&'a str, &'static Figure, Vec<f64>, Vec<f64>) {
    let values = |runs: &[&Figures]| {
        let mut values: Vec<f64> = runs.iter().filter_map(|run| run.get(figure.name)).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    (group.scenario, figure, values(&group.a), values(&group.b))
}

fn varies(a: &[f64], b: &[f64]) -> bool {
    let mut all = a.iter().chain(b);
    all.next().is_some_and(|first| all.any(|value| value != first))
}

/// `cut` is how many differences may lie beyond each end of the interval.
fn row(scenario: &str, figure: &'static Figure, (a, b): (&[f64], &[f64]), cut: Option<usize>) -> Row {
    let mut differences: Vec<f64> = b.iter().flat_map(|b| a.iter().map(|a| less(*b, *a))).collect();
    differences.sort_by(f64::total_cmp);
    let interval = cut.filter(|_| varies(a, b)).and_then(|cut| {
        let low = differences.get(cut)?;
        let high = differences.get(differences.len().checked_sub(cut + 1)?)?;
        Some((*low, *high))
    });
    let shown = match (interval, cut) {
        _ if !varies(a, b) => Shown::NoChange,
        (Some((low, _)), _) if low > 0.0 => figure.when_larger(),
        (Some((_, high)), _) if high < 0.0 => figure.when_smaller(),
        (_, None) => Shown::TooFew,
        _ => Shown::NoChange,
    };
    Row {
        scenario: scenario.to_owned(),
        figure,
        runs: (a.len(), b.len()),
        medians: (median(a), median(b)),
        difference: median(&differences),
        interval,
        shown,
    }
}

/// Two runs that both never got there don't differ.
fn less(b: f64, a: f64) -> f64 {
    if a == b { 0.0 } else { b - a }
}

/// Of sorted values; between two it is their middle, and of one that never came it is the other.
fn median(sorted: &[f64]) -> f64 {
    let at = |index: usize| sorted.get(index).copied().unwrap_or(0.0);
    let (low, high) = (at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2));
    if low.is_finite() && high.is_finite() {
        f64::midpoint(low, high)
    } else if low.is_finite() {
        low
    } else {
        high
    }
}

#[cfg(test)]
mod tests;
