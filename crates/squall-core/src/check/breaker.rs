//! The circuit breaker of a kind of work opens when it keeps failing, fails fast meanwhile, and closes again.
//!
//! Classes: `never-opened` (5 or more attempts at that kind failed in a row, and its breaker was never seen open),
//! `no-fast-failure` (attempts failed while it was open, and none within 250 ms), `never-closed` (where `closes` is asked
//! for: not seen closed after the last heal within `within`, and that was watched). Grace: none beyond the bounds.
//! Inconclusive when no breaker was seen at all, fewer than 5 attempts failed in a row, none failed while it was open,
//! or its closing was not watched for long enough.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Breaker, Demand};
use crate::event::{BreakerState, EventId};
use crate::journal::{Attempt, History};
use crate::time::{Nanos, nanos, words};

/// So many failures in a row should open any breaker.
const ENOUGH: usize = 5;
/// A refused attempt takes no longer.
const FAST: Nanos = 250_000_000;

pub(super) fn judge(demand: &Demand, wanted: &Breaker, history: &History<'_>) -> Verdict {
    let kind = wanted.kind.as_str();
    let Some(of) = history
        .header
        .system
        .tasks
        .as_ref()
        .and_then(|tasks| tasks.types.get(kind))
    else {
        return Verdict::inconclusive(demand, format!("the contract has no kind `{kind}`"));
    };
    if !history.header.system.breakers {
        return Verdict::inconclusive(demand, "the contract shows no breakers");
    }
    let states: Vec<(EventId, Nanos, BreakerState)> = history
        .breakers
        .iter()
        .filter(|(_, _, other, _)| other == of)
        .map(|(event, at, _, state)| (*event, *at, *state))
        .collect();
    let failed = failed(kind, history);
    let opened = states
        .iter()
        .find(|(_, _, state)| *state == BreakerState::Open)
        .copied();
    let Some((event, opened, _)) = opened else {
        return unopened(demand, of, &failed, history);
    };
    let open_until = next_closed(&states, opened).map_or(history.until, |(_, at)| at);
    let inside = |(_, bad, from, to): &&(EventId, bool, Nanos, Nanos)| *bad && *from >= opened && *to <= open_until;
    let refused: Vec<_> = failed.iter().filter(inside).collect();
    let fast = refused.iter().filter(|(_, _, from, to)| to - from <= FAST).count();
    if refused.is_empty() {
        return Verdict::inconclusive(
            demand,
            format!("no attempt at `{of}` failed while its breaker was open"),
        );
    }
    if fast == 0 {
        let says = format!(
            "the breaker of `{of}` was open, but no attempt failed within {}",
            words(FAST)
        );
        return Verdict::fail(demand, "no-fast-failure", vec![event], says);
    }
    let says = format!("the breaker of `{of}` opened, {} failed fast", count(fast, "attempt"));
    if !wanted.closes {
        return Verdict::pass(demand, states.len(), says);
    }
    closed(demand, (wanted, of), (&says, &states), history)
}

fn unopened(demand: &Demand, of: &str, failed: &[(EventId, bool, Nanos, Nanos)], history: &History<'_>) -> Verdict {
    let mut row: Vec<EventId> = Vec::new();
    let mut longest: Vec<EventId> = Vec::new();
    for (event, bad, ..) in failed {
        if *bad {
            row.push(*event);
        } else {
            row.clear();
        }
        if row.len() > longest.len() {
            longest.clone_from(&row);
        }
    }
    if history.breakers.is_empty() {
        return Verdict::inconclusive(demand, "no breaker was seen: does the contract say where they are?");
    }
    if longest.len() >= ENOUGH {
        let says = format!(
            "{} at `{of}` failed in a row, and its breaker never opened",
            count(longest.len(), "attempt")
        );
        return Verdict::fail(demand, "never-opened", longest, says);
    }
    let broke = if history.complete() { "" } else { "; the run broke off" };
    let says = format!(
        "only {} at `{of}` failed in a row: too few to open a breaker{broke}",
        count(longest.len(), "attempt")
    );
    Verdict::inconclusive(demand, says)
}

/// The last word on a breaker that shall close.
fn closed(
    demand: &Demand,
    (wanted, of): (&Breaker, &str),
    (says, states): (&str, &[(EventId, Nanos, BreakerState)]),
    history: &History<'_>,
) -> Verdict {
    let within = nanos(wanted.within.get());
    let Some(healed) = history.strikes.iter().filter_map(|strike| strike.healed).max() else {
        return Verdict::inconclusive(demand, format!("{says}; nothing was healed after which it could close"));
    };
    let half = states
        .iter()
        .filter(|(_, _, state)| *state == BreakerState::HalfOpen)
        .count();
    let last = states.last().copied();
    match last {
        Some((_, at, BreakerState::Closed)) if at >= healed && at - healed <= within => {
            let after = words(at.saturating_sub(healed));
            let says = format!("{says}, was seen half-open {half} times, and closed {after} after the heal");
            Verdict::pass(demand, states.len(), says)
        }
        Some((_, at, BreakerState::Closed)) if at < healed => {
            Verdict::inconclusive(demand, format!("{says}, and closed before anything was healed"))
        }
        Some((event, ..)) if history.until.saturating_sub(healed) > within => {
            let says = format!(
                "{says}, but the breaker of `{of}` was not closed {} after the heal",
                words(within)
            );
            Verdict::fail(demand, "never-closed", vec![event], says)
        }
        _ => {
            let watched = words(history.until.saturating_sub(healed));
            let says = format!("{says}; not closed yet, but watched for {watched} only");
            Verdict::inconclusive(demand, says)
        }
    }
}

fn next_closed(states: &[(EventId, Nanos, BreakerState)], from: Nanos) -> Option<(EventId, Nanos)> {
    let closed = states
        .iter()
        .find(|(_, at, state)| *at > from && *state == BreakerState::Closed)?;
    Some((closed.0, closed.1))
}

/// The ended attempts at a kind in order of their ends: event, whether it failed, start, end.
fn failed(kind: &str, history: &History<'_>) -> Vec<(EventId, bool, Nanos, Nanos)> {
    let of_kind = history.tasks.values().filter(|task| task.kind() == Some(kind));
    let ended = of_kind
        .flat_map(|task| &task.attempts)
        .filter_map(|attempt: &Attempt<'_>| {
            let start = attempt.start?.1;
            match attempt.failed {
                Some((event, at, ..)) => Some((event, true, start, at)),
                None => attempt.commits.first().map(|(event, at)| (*event, false, start, *at)),
            }
        });
    let mut ended: Vec<_> = ended.collect();
    ended.sort_by_key(|(_, _, _, to)| *to);
    ended
}
