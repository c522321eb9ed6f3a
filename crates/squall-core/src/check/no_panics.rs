//! Nothing panics, whatever is broken around it.
//!
//! Class `panic`: a line of a service's log speaks of a panic. No grace. Inconclusive when none of the system's own services wrote
//! a line; a database's are not its own.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::Demand;
use crate::event::{EventId, Fact, Line, line};
use crate::journal::History;

pub(super) fn judge(demand: &Demand, history: &History<'_>) -> Verdict {
    let (mut found, mut lines): (Vec<(EventId, String)>, usize) = (Vec::new(), 0);
    let services = &history.header.system.services;
    let own = |service: &str| services.get(service).is_some_and(|facts| facts.preset.is_none());
    for event in history.events {
        let Fact::Log { instance, line: text } = &event.fact else {
            continue;
        };
        lines += usize::from(own(&instance.service));
        if line(text) == Line::Panic {
            found.push((event.id, format!("{instance}: {text}")));
        }
    }
    if let Some((_, first)) = found.first() {
        let says = format!("{} of a panic, the first: {first}", count(found.len(), "line"));
        return Verdict::fail(demand, "panic", found.iter().map(|found| found.0).collect(), says);
    }
    if lines == 0 {
        return Verdict::inconclusive(demand, "none of the system's own services wrote a line");
    }
    Verdict::pass(demand, lines, format!("{} read, none of a panic", count(lines, "line")))
}
