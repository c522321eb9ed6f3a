//! Every increment of a counter is in it, once.
//!
//! What a counter showed, to a read or in the answer of an increment, must lie between what it began with plus the
//! increments acknowledged before it was asked, and the same plus those asked for before it answered that did not
//! certainly fail; and it never goes back. Classes: `lost-increment` (it showed less, or two increments were given the same
//! value), `dup-increment` (it showed more). No grace: an increment whose outcome is unknown may have been counted or not.
//! Inconclusive when it showed more and the run broke off, nothing was added, no two increments of different clients were under way at once, or a counter was
//! not read before it was worked or at the audit.

use std::collections::BTreeSet;

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::contract::Object;
use crate::demand::Demand;
use crate::event::{Act, EventId, Outcome, Phase};
use crate::journal::{History, Touched};
use crate::time::Nanos;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let audit = history.began(Phase::Audit).unwrap_or(Nanos::MAX);
    let (mut lost, mut extra, mut unread) = (Findings::default(), Findings::default(), Vec::new());
    let (mut added, mut seen, mut met) = (0, 0, false);
    for (name, touched) in history.objects(Object::Counter) {
        let adds = Adds::of(&touched);
        if adds.asked.is_empty() {
            continue;
        }
        added += adds.acknowledged.len();
        met |= adds.met;
        let last = last_read(&touched, audit);
        let begun = adds.before(&touched);
        if last.is_none() || begun.is_none() {
            unread.push(name);
        }
        // What was shown until then tells, too.
        let Some(begun) = begun else { continue };
        let (less, more, shown) = adds.compare(&touched, begun);
        seen += shown;
        let says = adds.says(name, begun, last.map(|(_, value)| value));
        let last = last.map(|(event, _)| event);
        lost.take(less, (last, &says));
        extra.take(more, (last, &says));
    }
    if !lost.events.is_empty() {
        let says = format!("{}; {} less than it must have", lost.says(), shown(&lost));
        return Verdict::fail(demand, "lost-increment", lost.events, says).also(lost.last);
    }
    if !extra.events.is_empty() {
        let says = format!("{}; {} more than it can have", extra.says(), shown(&extra));
        if !history.complete() {
            let says = format!("{says}, but the run broke off: what was asked for last may not have been written down");
            return Verdict::inconclusive(demand, says);
        }
        return Verdict::fail(demand, "dup-increment", extra.events, says).also(extra.last);
    }
    if added == 0 {
        return Verdict::inconclusive(demand, "no increment was acknowledged");
    }
    if !unread.is_empty() {
        let says = format!(
            "{} not read both before they were worked and at the audit: {}",
            count(unread.len(), "counter"),
            names(&unread)
        );
        return Verdict::inconclusive(demand, says);
    }
    if !met {
        let says = "no two increments of different clients were under way at the same time";
        return Verdict::inconclusive(demand, says);
    }
    let says = format!("each of {} is counted, once", count(added, "acknowledged increment"));
    Verdict::pass(demand, seen, says)
}

/// What was found, of all counters.
#[derive(Default)]
struct Findings {
    events: Vec<EventId>,
    says: Vec<String>,
    /// What the counters they are of showed at the audit.
    last: Vec<EventId>,
}

impl Findings {
    fn take(&mut self, events: Vec<EventId>, (last, says): (Option<EventId>, &str)) {
        if !events.is_empty() {
            self.says.push(says.to_owned());
            self.last.extend(last);
        }
        self.events.extend(events);
    }

    fn says(&self) -> String {
        names(&self.says)
    }
}

fn shown(found: &Findings) -> String {
    match found.events.len() {
        1 => "1 answer shows".to_owned(),
        number => format!("{number} answers show"),
    }
}

/// The increments of one counter, as times in their order.
struct Adds {
    /// The answers of those acknowledged.
    acknowledged: Vec<Nanos>,
    /// When those were asked for that did not certainly fail.
    asked: Vec<Nanos>,
    /// Whether two of different clients were under way at once.
    met: bool,
}

impl Adds {
    fn of(touched: &[Touched<'_>]) -> Self {
        let adds = || touched.iter().filter(|done| matches!(done.touch.act, Act::Add { .. }));
        let ok = adds().filter(|done| done.op.outcome == Outcome::Ok);
        let mut acknowledged: Vec<Nanos> = ok.map(|done| done.op.ret).collect();
        let may = adds().filter(|done| done.op.outcome != Outcome::Failed);
        let mut spans: Vec<_> = may
            .map(|done| (done.op.call, done.op.ret, done.touch.session))
            .collect();
        acknowledged.sort_unstable();
        spans.sort_unstable();
        let met = spans
            .windows(2)
            .any(|pair| pair[1].0 < pair[0].1 && pair[0].2 != pair[1].2);
        let asked = spans.into_iter().map(|(call, ..)| call).collect();
        Self {
            acknowledged,
            asked,
            met,
        }
    }

    /// What the counter showed before anything was added.
    fn before(&self, touched: &[Touched<'_>]) -> Option<i64> {
        let first = *self.asked.first()?;
        let early = touched.iter().filter(|done| done.op.ret < first);
        early.filter_map(|done| read(done)).next_back()
    }

    /// What was shown that is less than it must be, and more than it can be; and how much was looked at.
    fn compare(&self, touched: &[Touched<'_>], begun: i64) -> (Vec<EventId>, Vec<EventId>, usize) {
        let (mut less, mut more) = (Vec::new(), Vec::new());
        let mut shown: Vec<Shown> = touched.iter().filter_map(Shown::of).collect();
        shown.sort_by_key(|shown| shown.ret);
        let mut given = BTreeSet::new();
        // The greatest value up to each answer: a counter never goes back.
        let mut greatest: Vec<(Nanos, i64)> = Vec::new();
        for Shown {
            event,
            call,
            ret,
            value,
            own,
        } in &shown
        {
            let known = whole(self.acknowledged.partition_point(|ret| ret < call));
            let possible = whole(self.asked.partition_point(|call| call <= ret));
            let before = greatest.partition_point(|(ret, _)| ret < call).checked_sub(1);
            let least = before.map_or(begun, |last| greatest[last].1);
            let least = least.max(begun.saturating_add(known)).saturating_add(*own);
            let again = *own > 0 && !given.insert(*value);
            if *value < least || again {
                less.push(*event);
            } else if *value > begun.saturating_add(possible) {
                more.push(*event);
            }
            let most = greatest.last().map_or(*value, |(_, most)| *most.max(value));
            greatest.push((*ret, most));
        }
        (less, more, shown.len())
    }

    fn says(&self, name: &str, begun: i64, last: Option<i64>) -> String {
        let shows = last.map_or("was not read".to_owned(), |last| format!("shows {last}"));
        format!(
            "{name} began with {begun} and {shows} at the audit, after {} acknowledged and {} of unknown outcome",
            count(self.acknowledged.len(), "increment"),
            self.asked.len() - self.acknowledged.len()
        )
    }
}

/// A value that was shown.
struct Shown {
    event: EventId,
    call: Nanos,
    ret: Nanos,
    value: i64,
    /// What the request itself had added.
    own: i64,
}

impl Shown {
    fn of(done: &Touched<'_>) -> Option<Self> {
        let (value, own) = match (&done.touch.act, done.op.outcome) {
            (Act::Add { value }, Outcome::Ok) => ((*value)?, 1),
            (Act::Read { value }, Outcome::Ok) => ((*value)?, 0),
            _ => return None,
        };
        Some(Self {
            event: done.id,
            call: done.op.call,
            ret: done.op.ret,
            value,
            own,
        })
    }
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(done: &Touched<'_>) -> Option<i64> {
    match (&done.touch.act, done.op.outcome) {
        (Act::Read { value }, Outcome::Ok) => *value,
        _ => None,
    }
}

/// What a counter showed at the audit, and the event that says so.
fn last_read(touched: &[Touched<'_>], audit: Nanos) -> Option<(EventId, i64)> {
    let late = touched.iter().filter(|done| done.op.call >= audit);
    late.filter_map(|done| Some((done.id, read(done)?))).next_back()
}
