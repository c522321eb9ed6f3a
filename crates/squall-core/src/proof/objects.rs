//! What clients of objects felt of a strike on the very copy they asked.

use super::{Proof, UNDER_WAY, window};
use crate::event::Answer;
use crate::journal::{History, Strike};
use crate::place::{Condition, Instance};
use crate::time::words;

/// A copy clients of objects were asking: what they asked of it was answered only after it had been thawed, or not at all.
/// `None` where none of them was asking, or noticed.
pub(super) fn held_up(strike: &Strike<'_>, copy: &Instance, history: &History<'_>) -> Option<Proof> {
    let (from, to) = window(strike, history);
    let gone = |answer: Answer| matches!(answer, Answer::Down | Answer::Hung);
    let struck = strike.imposed.unwrap_or(from);
    let thawed = strike.healing.map_or(to, |(_, at)| at);
    let frozen = *strike.condition == Condition::Frozen;
    let mut answered = false;
    let mut waited = Vec::new();
    let mut longest = 0;
    for (id, op) in history.asked_of(copy) {
        let there = op.call <= to && op.ret >= from;
        let through = thawed.saturating_sub(op.call.max(struck));
        if there && gone(op.answer) {
            waited.push(id);
        } else if frozen && op.ret > thawed && through > UNDER_WAY {
            longest = longest.max(through);
            waited.push(id);
        }
        answered |= frozen && op.call > struck && op.ret < thawed && !gone(op.answer);
    }
    let word = strike.condition.word();
    if answered {
        let says = format!("{copy} went on answering although it was {word}");
        return Some(Proof::unseen(says, strike));
    }
    let asked = match waited.len() {
        0 => return None,
        1 => "a request".to_owned(),
        number => format!("{number} requests"),
    };
    let says = match longest {
        0 => format!("{copy} was {word}: {asked} of its clients found nobody"),
        longest => format!(
            "{copy} was {word}: {asked} of its clients waited for up to {}",
            words(longest)
        ),
    };
    Some(Proof::seen(says, waited))
}
