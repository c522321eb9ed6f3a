//! What shows that a link was cut or hindered: what its proxy counted, and who met it.

use super::work::at_work;
use super::{Proof, window};
use crate::event::{Answer, EventId, LinkCounts, PulseOf, Untouched};
use crate::journal::{History, Strike};
use crate::place::{Condition, Impair, Instance, Place};

/// A link whose bytes are hindered: its proxy counted those it hindered.
pub(super) fn hindered(strike: &Strike<'_>, what: &Impair) -> Proof {
    let (place, word) = (strike.place, strike.condition.word());
    let Some((event, counts)) = strike.counts else {
        return Proof::unseen(format!("{place} was {word}, but its proxy reported no counts"), strike);
    };
    let (count, felt) = felt(what, &counts);
    if count == 0 {
        return Proof::unseen(
            format!("{place} was {word}, but it was in nobody's way meanwhile"),
            strike,
        );
    }
    Proof::seen(format!("{place} was {word}: {count} {felt}"), vec![event])
}

/// A link whose requests are picked out: its proxy counted those it did something with.
pub(super) fn intercepted(strike: &Strike<'_>) -> Proof {
    let (place, word) = (strike.place, strike.condition.word());
    let Some((event, counts)) = strike.counts else {
        return Proof::unseen(format!("{place} was {word}, but its proxy reported no counts"), strike);
    };
    let (read, foreign) = (counts.requests, counts.foreign);
    let unread = match foreign {
        0 => String::new(),
        _ => format!("; {foreign} connections could not be read: encrypted, or of another protocol"),
    };
    let passed = match strike.untouched {
        [] => String::new(),
        all => format!(": {} passed", Untouched::words(all)),
    };
    match counts.intercepted {
        0 => Proof::unseen(
            format!("{place} was {word}, but none of {read} requests was taken{passed}{unread}"),
            strike,
        ),
        count => Proof::seen(
            format!("{place} was {word}: {count} of {read} requests{unread}"),
            vec![event],
        ),
    }
}

/// What a link's proxy counted that shows a condition's effect, and what was counted; `None` for what is none of a link's.
pub fn felt_on_link(condition: &Condition, counts: &LinkCounts) -> Option<(u64, &'static str)> {
    match condition {
        Condition::Cut(_) => Some((counts.closed + counts.swallowed, "connections closed or bytes vanished")),
        Condition::Impaired(impairment) => Some(felt(&impairment.what, counts)),
        Condition::Intercepted(_) => Some((counts.intercepted, "requests taken")),
        Condition::Down(_)
        | Condition::Frozen
        | Condition::Short(_)
        | Condition::Damaged(_)
        | Condition::Skewed(_)
        | Condition::Replicas(_) => None,
    }
}

/// How often it was felt, and what is counted.
fn felt(what: &Impair, counts: &LinkCounts) -> (u64, &'static str) {
    match what {
        Impair::Delay { .. } => (counts.delayed, "bytes held back"),
        Impair::Rate { .. } => (counts.throttled, "bytes had to wait"),
        Impair::Stall { .. } => (counts.stalls, "times everything stood still"),
        Impair::Corrupt { .. } => (counts.corrupted, "bytes changed"),
        Impair::Slice { .. } => (counts.slices, "pieces cut off"),
        Impair::SlowClose { .. } => (counts.slow_closes, "ends of streams held back"),
        Impair::Truncate { .. } => (counts.truncated, "connections closed early"),
        Impair::Silence | Impair::Gaps { .. } => (counts.swallowed, "bytes vanished"),
        Impair::Timeout { .. } | Impair::Reset { .. } => {
            (counts.swallowed + counts.closed, "bytes vanished or connections closed")
        }
    }
}

/// A link that is cut: its proxy counted what the fault did. That it closed connections is not enough, for a pool
/// keeps idle ones: bytes must have vanished, or whoever uses the link must have been at it meanwhile.
pub(super) fn cut(strike: &Strike<'_>, history: &History<'_>) -> Proof {
    let (place, word) = (strike.place, strike.condition.word());
    let Some((event, counts)) = strike.counts else {
        return Proof::unseen(format!("{place} was {word}, but its proxy reported no counts"), strike);
    };
    if counts.closed + counts.swallowed == 0 {
        let says = format!("{place} was {word}, but nothing used it meanwhile: no connection closed, no byte vanished");
        return Proof::unseen(says, strike);
    }
    let met = used(strike, history);
    if counts.swallowed == 0 && met.is_empty() {
        let says = format!(
            "{place} was {word}: {} connections closed, but nobody was seen to need them meanwhile",
            counts.closed
        );
        return Proof::unseen(says, strike);
    }
    let says = format!(
        "{place} was {word}: {} connections closed, {} bytes vanished, {} events tell of its use",
        counts.closed,
        counts.swallowed,
        met.len()
    );
    Proof::seen(says, [event].into_iter().chain(met).collect())
}

/// What shows that a link was needed while it was cut: for one the API's answers depend on, answers that
/// were not right; for a worker's, lines of its attempts, since no attempt begins or ends without the
/// system's store, or an attempt it was at that never ended; for others, failures of workers that need it.
fn used(strike: &Strike<'_>, history: &History<'_>) -> Vec<EventId> {
    let Place::Link {
        from: caller,
        to: called,
    } = strike.place
    else {
        return Vec::new();
    };
    let (from, to) = window(strike, history);
    let (entry, name) = (&history.header.system.entry, caller.service.as_str());
    let mut found = Vec::new();
    if name == entry || history.needs(entry, name) {
        let ops = history.ops.iter();
        let ops = ops.filter(|(_, op)| op.answer != Answer::Right && op.call <= to && op.ret >= from);
        found.extend(ops.map(|(id, _)| *id));
        let pulses = history.pulses.iter().filter(|(_, at, pulse)| {
            pulse.of == PulseOf::Ready && pulse.answer != Answer::Right && pulse.call <= to && *at >= from
        });
        found.extend(pulses.map(|(id, ..)| *id));
    }
    let own = caller.to_string();
    // No attempt begins or ends without what the entry service keeps tasks in; of anything else only a failure tells.
    let stores = history.needs(entry, called);
    for attempt in history.tasks.values().flat_map(|task| &task.attempts) {
        let failed = attempt.failed.map(|failed| (failed.0, failed.1));
        let lines = match attempt.worker.parse::<Instance>() {
            _ if attempt.worker == own && stores => [attempt.start, attempt.commits.first().copied(), failed],
            _ if attempt.worker == own => [None, None, failed],
            Ok(worker) if history.needs(&worker.service, name) => [None, None, failed],
            _ => continue,
        };
        let meanwhile = lines.into_iter().flatten().filter(|(_, at)| (from..=to).contains(at));
        found.extend(meanwhile.map(|(id, _)| id));
    }
    let running = at_work(caller, from, history);
    let lost = running.iter().filter(|(_, attempt)| !attempt.ended());
    found.extend(lost.filter_map(|(_, attempt)| attempt.first_event()));
    found
}
