//! Failing calls are not repeated without measure.
//!
//! Class `retry-storm`: while a worker's link to something it calls was cut (reset or silent; a refusing cut is answered by
//! the kernel, and nobody counts those), it opened more than `at_most` connections
//! there for each attempt it was at, and at least 10. Where `kinds` are named only their attempts count: those of kinds that
//! never call would make the figure smaller than it is. Each call over a link that resets needs a connection of its own,
//! so connections count calls. Grace: none beyond the bound. Inconclusive when no worker opened a connection over a
//! link while it was cut.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Amplification, Demand};
use crate::event::EventId;
use crate::journal::{History, Stint, Strike};
use crate::place::{Condition, Cut, Instance, Place};

/// Fewer connections are no storm, whatever they are for.
const FEW: u64 = 10;

pub(super) fn judge(demand: &Demand, wanted: &Amplification, history: &History<'_>) -> Verdict {
    let mut found: Vec<(EventId, f64, String)> = Vec::new();
    let (mut calls, mut worst) = (0, 0.0_f64);
    for strike in &history.strikes {
        let (Place::Link { from, .. }, Condition::Cut(Cut::Reset | Cut::BlackHole)) = (strike.place, strike.condition)
        else {
            continue;
        };
        let Some((event, counts)) = strike.counts.filter(|_| history.works(&from.service)) else {
            continue;
        };
        if counts.opened == 0 {
            continue;
        }
        calls += counts.opened;
        let attempts = attempts(strike, (from, &wanted.kinds), history);
        let factor = counts.opened as f64 / attempts.max(1) as f64;
        worst = worst.max(factor);
        if factor > wanted.at_most && counts.opened >= FEW {
            let says = format!(
                "{} opened {} in {} while it was {}",
                strike.place,
                count(counts.opened as usize, "connection"),
                count(attempts, "attempt"),
                strike.condition.word()
            );
            found.push((event, factor, says));
        }
    }
    if let Some((_, factor, says)) = found.iter().max_by(|a, b| a.1.total_cmp(&b.1)) {
        let says = format!("{says}: {factor:.1} each, expected at most {}", wanted.at_most);
        return Verdict::fail(demand, "retry-storm", found.iter().map(|found| found.0).collect(), says);
    }
    if calls == 0 {
        return Verdict::inconclusive(demand, "no worker called anything over a link that was cut");
    }
    let says = format!("{calls} connections were opened over cut links, at most {worst:.1} for each attempt");
    Verdict::pass(demand, calls as usize, says)
}

/// How many attempts at work of these kinds a worker was at while a strike held; of all kinds when none is named.
fn attempts(strike: &Strike<'_>, (worker, kinds): (&Instance, &[String]), history: &History<'_>) -> usize {
    let (from, to) = (strike.imposing.1, strike.healed.unwrap_or(history.until));
    let counts = |stint: &&Stint<'_>| {
        let kind = history.tasks.get(stint.task).and_then(|task| task.kind());
        kinds.is_empty() || kind.is_some_and(|kind| kinds.iter().any(|wanted| wanted == kind))
    };
    let stints: Vec<&Stint<'_>> = history.stints(&worker.to_string()).iter().filter(counts).collect();
    let begun = stints.iter().filter(|stint| (from..=to).contains(&stint.began)).count();
    // Of those before it only the last can still have been at work: one without an end may just have ended unheard.
    let before = stints
        .partition_point(|stint| stint.began < from)
        .checked_sub(1)
        .and_then(|last| stints.get(last));
    begun + usize::from(before.is_some_and(|stint| !stint.ended || stint.heard >= from))
}
