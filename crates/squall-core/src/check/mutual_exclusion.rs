//! No lock has two holders at a time.
//!
//! A lock is surely its holder's from the answer that gave it to when it was asked to be given back, or to its lease
//! after it was asked for, whichever is first. Classes: `mutex-violation` (another was given it in that time),
//! `token-regress` (a fencing token is not greater than that of a hold which was answered before it was asked for, or came
//! twice). That somebody goes on after the lease is over is `fenced`'s; how many did is said. No grace. Inconclusive when
//! no lock was acquired, or nobody asked for one that was another's.

use std::collections::BTreeMap;

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::contract::Object;
use crate::demand::Demand;
use crate::event::{Act, EventId};
use crate::journal::{History, Hold, Touched, holds};
use crate::time::{Nanos, words};

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let Some(lease) = lease(history) else {
        return Verdict::inconclusive(demand, "the system has no locks");
    };
    let (mut both, mut back, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let (mut all, mut asked, mut over) = (0, 0, 0);
    for (name, touched) in history.objects(Object::Lock) {
        let held = holds(&touched);
        all += held.len();
        asked += contended(&touched, &held, lease);
        over += outlasted(&held);
        for (first, second) in overlapping(&held, lease) {
            both.push(second.acquired.id);
            told.push(format!("{name} by {} and {}", first.owner, second.owner));
        }
        back.extend(regressing(&held));
    }
    if !both.is_empty() {
        let says = format!(
            "{} given to one while it surely was another's (lease {}): {}",
            count(both.len(), "lock"),
            words(lease),
            names(&told)
        );
        return Verdict::fail(demand, "mutex-violation", both, says);
    }
    if !back.is_empty() {
        let which: Vec<String> = back.iter().map(|(_, says)| says.clone()).collect();
        let says = format!("fencing tokens do not grow: {}", names(&which));
        let events = back.into_iter().map(|(event, _)| event).collect();
        return Verdict::fail(demand, "token-regress", events, says);
    }
    if all == 0 {
        return Verdict::inconclusive(demand, "no lock was acquired");
    }
    if asked == 0 {
        return Verdict::inconclusive(demand, "nobody asked for a lock that was another's");
    }
    let says = format!(
        "{}, {} for a lock that was another's, never two holders at a time; {} went on while another had the lock",
        count(all, "hold"),
        count(asked, "request"),
        count(over, "holder")
    );
    Verdict::pass(demand, all, says)
}

/// How long a lock stays with who acquired it.
pub(super) fn lease(history: &History<'_>) -> Option<Nanos> {
    history.header.system.objects.get(&Object::Lock)?.lease
}

/// Each hold that was given while another surely had the lock, after that other one.
fn overlapping<'h, 'a>(held: &'h [Hold<'a>], lease: Nanos) -> Vec<(&'h Hold<'a>, &'h Hold<'a>)> {
    let mut found = Vec::new();
    let mut longest: Option<&Hold<'_>> = None;
    for hold in held {
        let from = hold.acquired.op.ret;
        if from >= hold.surely_until(lease) {
            continue;
        }
        if let Some(other) = longest.filter(|other| other.surely_until(lease) > from) {
            found.push((other, hold));
        }
        if longest.is_none_or(|other| other.surely_until(lease) < hold.surely_until(lease)) {
            longest = Some(hold);
        }
    }
    found
}

/// Holds whose token is no greater than one that was given for certain before.
fn regressing(held: &[Hold<'_>]) -> Vec<(EventId, String)> {
    let mut found = Vec::new();
    let mut given: BTreeMap<i64, &str> = BTreeMap::new();
    // In the order of the answers, with the greatest token up to each.
    let mut greatest: Vec<(Nanos, i64)> = Vec::new();
    for hold in held {
        let Some(token) = hold.token else { continue };
        let before = greatest.partition_point(|(ret, _)| *ret < hold.acquired.op.call);
        let most = before.checked_sub(1).map(|last| greatest[last].1);
        if let Some(most) = most.filter(|most| token <= *most) {
            found.push((hold.acquired.id, format!("{} got {token} after {most}", hold.owner)));
        } else if let Some(other) = given.get(&token) {
            found.push((hold.acquired.id, format!("{} got {token}, as {other} did", hold.owner)));
        }
        given.insert(token, hold.owner);
        let most = greatest.last().map_or(token, |(_, most)| token.max(*most));
        greatest.push((hold.acquired.op.ret, most));
    }
    found
}

/// How many requests asked for the lock while it surely was another's.
fn contended(touched: &[Touched<'_>], held: &[Hold<'_>], lease: Nanos) -> usize {
    let asks = touched.iter().filter_map(|done| match &done.touch.act {
        Act::Acquire { owner, .. } => Some((owner, done.op)),
        _ => None,
    });
    let met = asks.filter(|(owner, op)| {
        // None that was given more than a lease before runs any more.
        let earliest = held.partition_point(|hold| hold.acquired.op.ret.saturating_add(lease) <= op.call);
        let around = held[earliest..].iter().take_while(|hold| hold.acquired.op.ret < op.ret);
        around
            .filter(|hold| hold.owner != owner.as_str())
            .any(|hold| hold.surely_until(lease) > op.call)
    });
    met.count()
}

/// How many holders went on after the next one had the lock.
fn outlasted(held: &[Hold<'_>]) -> usize {
    let went_on = held.windows(2).filter(|pair| {
        let last = pair[0].appends.iter().map(|(_, done)| done.op.ret).max();
        last.is_some_and(|last| last > pair[1].acquired.op.ret)
    });
    went_on.count()
}
