//! Logs speak of few errors where nothing is broken.
//!
//! Class `error-burst`: from the reference to the last answer read back, outside windows in which something is broken anywhere (strike to heal + 2 s, or
//! until the entry service serves again), the system's own services wrote more than `at_most` lines that speak of an
//! error (by their level, else by `error` or `fatal`) or a panic. A database's own lines are left out. Grace: the 2 s. Inconclusive when none of the system's own
//! services wrote a line, or the bound is kept but lines are in the log's file only.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Demand, LogErrors};
use crate::gauge::lines;
use crate::journal::History;

pub(super) fn judge(demand: &Demand, wanted: &LogErrors, history: &History<'_>) -> Verdict {
    let lines = lines(history);
    let told = format!(
        "{} of an error and {} outside outage windows, {} of an error inside",
        count(lines.errors.len(), "line"),
        count(lines.warnings, "warning"),
        count(lines.excused, "line")
    );
    if lines.errors.len() as u64 > wanted.at_most {
        let (_, instance, first) = lines.errors[0];
        let says = format!(
            "{told}, expected at most {}; the first: {instance}: {first}",
            wanted.at_most
        );
        let evidence = lines.errors.iter().map(|(event, ..)| *event).collect();
        return Verdict::fail(demand, "error-burst", evidence, says);
    }
    if let Some(left_out) = lines.left_out.first() {
        return Verdict::inconclusive(demand, format!("{told}, but {left_out}"));
    }
    if lines.all == 0 {
        return Verdict::inconclusive(demand, "none of the system's own services wrote a line");
    }
    Verdict::pass(demand, lines.all, told)
}
