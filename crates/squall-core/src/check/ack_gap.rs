//! Writes are never left without an acknowledgement for long.
//!
//! Class `ack-gap`: somewhere between two acknowledged creates, while at least one was asked for and waited, more than
//! `within` passed; or the last ones of a stream were never acknowledged for as long. Bound: `within`. No grace: a time in which
//! nobody asked is no gap. Inconclusive with fewer than 10 acknowledged creates.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Demand, Within};
use crate::gauge::ack_gap;
use crate::journal::History;
use crate::time::{nanos, words};

/// Fewer have no gaps between them worth the name.
const FEWEST: usize = 10;

pub(super) fn judge(demand: &Demand, wanted: &Within, history: &History<'_>) -> Verdict {
    let Some(gap) = ack_gap(history) else {
        return Verdict::inconclusive(demand, "no write was asked for");
    };
    if gap.acknowledged < FEWEST {
        let acknowledged = count(gap.acknowledged, "write");
        return Verdict::inconclusive(demand, format!("only {acknowledged} acknowledged: too few"));
    }
    let within = nanos(wanted.within.get());
    let says = format!(
        "the longest time without an acknowledged write was {} (from {} to {}), expected at most {}",
        words(gap.length()),
        words(gap.from),
        words(gap.to),
        words(within)
    );
    if gap.length() > within {
        return Verdict::fail(demand, "ack-gap", vec![gap.event], says);
    }
    Verdict::pass(demand, gap.acknowledged, says)
}
