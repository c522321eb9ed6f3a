//! Share of right or honestly refused answers inside outages.
//!
//! Class `wrong-answer`. Every request that touches an outage window counts: `Right` and `Refused`
//! (503 with a JSON error) are correct, `Wrong`, `Hung` and `Down` are not. While the entry service
//! itself is struck, nobody may be there: `Down` and `Hung` are then left to `recovery`. Bound: the
//! share the scenario demands. Inconclusive when an outage was planned and fewer than 5 requests met
//! one, or nobody was there to answer any.

use crate::check::requests::{FEWEST, Met, outage_planned, sorted};
use crate::check::sentence::{count, percent, reaches, tally};
use crate::check::{Verdict, requests};
use crate::demand::{AtLeast, Demand};
use crate::event::Answer;
use crate::journal::History;

pub(super) fn judge(demand: &Demand, wanted: &AtLeast, history: &History<'_>) -> Verdict {
    let (inside, _) = sorted(history);
    if inside.is_empty() && !outage_planned(history, true) {
        return Verdict::pass(demand, 0, "no outage was planned");
    }
    if inside.len() < requests::FEWEST {
        let says = format!(
            "only {} met an outage, at least {FEWEST} are needed",
            count(inside.len(), "request")
        );
        return Verdict::inconclusive(demand, says);
    }
    let nobody = |met: &&Met<'_>| met.entry && matches!(met.op.answer, Answer::Down | Answer::Hung);
    let down = inside.iter().filter(nobody).count();
    let answered: Vec<&Met<'_>> = inside.iter().filter(|met| !nobody(met)).collect();
    if answered.is_empty() {
        return Verdict::inconclusive(demand, format!("all {down} requests in outages found nobody there"));
    }
    let is = |answer: Answer| answered.iter().filter(|met| met.op.answer == answer).count();
    let (right, refused) = (is(Answer::Right), is(Answer::Refused));
    let says = format!(
        "{} of {} inside outages were correct ({right} right, {refused} refused; {down} found the entry service down)",
        percent(right + refused, answered.len()),
        count(answered.len(), "answer"),
    );
    if reaches(right + refused, answered.len(), wanted.at_least.fraction()) {
        return match history.complete() {
            true => Verdict::pass(demand, answered.len(), says),
            false => Verdict::inconclusive(demand, format!("{says}, but the run broke off")),
        };
    }
    let bad: Vec<_> = answered
        .iter()
        .filter(|met| !matches!(met.op.answer, Answer::Right | Answer::Refused))
        .collect();
    let failing = tally(bad.iter().map(|met| met.op.name.as_str()));
    let says = format!(
        "{says}, less than {}: {} wrong, {} hung, {} cut off: {failing}",
        wanted.at_least,
        is(Answer::Wrong),
        is(Answer::Hung),
        is(Answer::Down),
    );
    Verdict::fail(demand, "wrong-answer", bad.iter().map(|met| met.id).collect(), says)
}
