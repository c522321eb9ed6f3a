//! A command of one's own says that all is well.
//!
//! Class `script-failed`: it ended with another exit code than 0, by a signal, was killed at its bound `within`, or could not be
//! started. It is run once, after the drain and the reading back, with the system still up. No grace. Its output is in the
//! journal. Inconclusive when the run broke off before it ended.

use crate::check::Verdict;
use crate::demand::Demand;
use crate::event::{Fact, ScriptOf};
use crate::journal::History;
use crate::script::Script;
use crate::time::words;

pub(super) fn judge(demand: &Demand, wanted: &Script, history: &History<'_>) -> Verdict {
    let checks = &history.header.plan.checks;
    let own = checks.iter().position(|check| check == demand);
    let ended = history.events.iter().rev().find_map(|event| match &event.fact {
        Fact::ScriptEnded {
            of: ScriptOf::Check(index),
            how,
            took,
            output,
            ..
        } if Some(*index) == own => Some((event.id, how, took, output)),
        _ => None,
    });
    let Some((event, how, took, output)) = ended else {
        return Verdict::inconclusive(demand, format!("`{}` was not run to its end", wanted.run));
    };
    let last = output
        .last()
        .map_or(String::new(), |line| format!("; its last line: {line}"));
    let says = format!("`{}` {} after {}{last}", wanted.run, how.words(), words(*took));
    if how.well() {
        let mut verdict = Verdict::pass(demand, 1, says);
        verdict.evidence.push(event);
        return verdict;
    }
    Verdict::fail(demand, "script-failed", vec![event], says)
}
