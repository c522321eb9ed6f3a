//! Who lost a lock can't change what it guards.
//!
//! Classes: `unsafe-after-expiry` (what a lock guards holds something of one holder after something of another who acquired
//! the lock later for certain: asked for it after the first had been told that it was his), `lost-append` (something
//! acknowledged is not there at the audit). No grace. Inconclusive when what a lock guards was not read at the audit, or
//! when no append was refused that came from a holder whose lock was another's by then: nothing was put to the test.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::Verdict;
use crate::check::sentence::{count, names};
use crate::contract::Object;
use crate::demand::Demand;
use crate::event::{Act, Answer, EventId, Outcome, Phase};
use crate::journal::{History, Hold, Touched, holds};
use crate::time::Nanos;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let audit = history.began(Phase::Audit).unwrap_or(Nanos::MAX);
    let (mut late, mut lost, mut told, mut unread) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut all, mut refused, mut ledgers) = (0, 0, Vec::new());
    for (name, touched) in history.objects(Object::Lock) {
        let held = holds(&touched);
        if held.is_empty() {
            continue;
        }
        let Some((event, marks)) = ledger(&touched, audit) else {
            unread.push(name);
            continue;
        };
        let guarded = Guarded::of(&held, marks);
        all += guarded.appends.len();
        refused += guarded.refused();
        let found = guarded.late();
        if !found.is_empty() {
            ledgers.push(event);
        }
        told.extend(found.iter().map(|(mark, by)| format!("{mark} in {name} after {by}")));
        late.extend(found.iter().filter_map(|(mark, _)| guarded.event(mark)));
        lost.extend(guarded.lost());
    }
    if !late.is_empty() {
        let says = format!(
            "behind what a later holder appended: {}: {}",
            count(late.len(), "append"),
            names(&told)
        );
        return Verdict::fail(demand, "unsafe-after-expiry", late, says).also(ledgers);
    }
    if !lost.is_empty() {
        let says = format!("not there at the audit: {}", count(lost.len(), "acknowledged append"));
        return Verdict::fail(demand, "lost-append", lost, says);
    }
    if !unread.is_empty() {
        let says = format!("what these guard was not read at the audit: {}", names(&unread));
        return Verdict::inconclusive(demand, says);
    }
    if all == 0 {
        return Verdict::inconclusive(demand, "nothing was appended to what a lock guards");
    }
    if refused == 0 {
        let says = format!(
            "of {} none came from a holder whose lock was another's by then and was refused: freeze a holder for longer than its lease",
            count(all, "append")
        );
        return Verdict::inconclusive(demand, says);
    }
    let says = format!(
        "in the order of their holds: {}; refused of holders whose lock was another's by then: {}",
        count(all, "append"),
        count(refused, "append")
    );
    Verdict::pass(demand, all, says)
}

/// What a lock guards, as it was at the audit.
fn ledger<'a>(touched: &[Touched<'a>], audit: Nanos) -> Option<(EventId, &'a [String])> {
    let late = touched.iter().filter(|done| done.op.call >= audit);
    let mut read = late.filter_map(|done| match (&done.touch.act, done.op.outcome) {
        (Act::Ledger { marks: Some(marks) }, Outcome::Ok) => Some((done.id, marks.as_slice())),
        _ => None,
    });
    read.next_back()
}

/// What was appended under one lock, and what became of it.
struct Guarded<'h, 'a> {
    /// Each append with its hold, by its mark.
    appends: BTreeMap<&'a str, (&'h Hold<'a>, Touched<'a>)>,
    marks: &'a [String],
    there: BTreeSet<&'a str>,
    /// When each later hold was asked for and answered, in the order of the answers.
    held: &'h [Hold<'a>],
}

impl<'h, 'a> Guarded<'h, 'a> {
    fn of(held: &'h [Hold<'a>], marks: &'a [String]) -> Self {
        let appends = held
            .iter()
            .flat_map(|hold| hold.appends.iter().map(move |(mark, done)| (*mark, (hold, *done))));
        Self {
            appends: appends.collect(),
            marks,
            there: marks.iter().map(String::as_str).collect(),
            held,
        }
    }

    fn event(&self, mark: &str) -> Option<EventId> {
        self.appends.get(mark).map(|(_, done)| done.id)
    }

    /// The marks that stand after one of a later hold, each with that one's holder.
    fn late(&self) -> Vec<(&'a str, &'a str)> {
        let mut found = Vec::new();
        // Of the holds seen so far, the one asked for last.
        let mut latest: Option<&Hold<'_>> = None;
        for mark in self.marks {
            let Some((hold, _)) = self.appends.get(mark.as_str()) else {
                continue;
            };
            if let Some(later) = latest.filter(|later| later.acquired.op.call > hold.acquired.op.ret) {
                found.push((mark.as_str(), later.owner));
            }
            if latest.is_none_or(|latest| latest.acquired.op.call < hold.acquired.op.call) {
                latest = Some(hold);
            }
        }
        found
    }

    /// The acknowledged appends that are not there.
    fn lost(&self) -> Vec<EventId> {
        let gone = self
            .appends
            .iter()
            .filter(|(mark, (_, done))| done.op.outcome == Outcome::Ok && !self.there.contains(*mark));
        gone.map(|(_, (_, done))| done.id).collect()
    }

    /// How many appends were refused, as the contract says, after the lock had become another's. One that failed otherwise
    /// shows nothing: the next one might be taken.
    fn refused(&self) -> usize {
        let late = self.appends.iter().filter(|(mark, (hold, done))| {
            let refused = done.op.outcome == Outcome::Failed && done.op.answer == Answer::Right;
            refused && !self.there.contains(*mark) && self.taken_over(hold, done.op.ret)
        });
        late.count()
    }

    /// Whether somebody who asked after `hold` was given was told to have the lock before `at`.
    fn taken_over(&self, hold: &Hold<'_>, at: Nanos) -> bool {
        let before = self.held.partition_point(|other| other.acquired.op.ret < at);
        let mut others = self.held[..before].iter().rev();
        others.any(|other| other.acquired.op.call > hold.acquired.op.ret)
    }
}
