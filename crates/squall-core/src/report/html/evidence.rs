//! The events that verdicts and proofs point at, in words.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::tables::boxed;
use crate::event::EventId;
use crate::journal::History;
use crate::report::Scenario;
use crate::report::words::{fact, moment};

/// At most so many events of one proof are linked and listed.
const OF_ONE: usize = 10;

/// Links to events in the list of scenario number `index`.
pub(super) fn links(index: usize, events: &[EventId]) -> Markup {
    html! {
        @for (place, event) in events.iter().take(OF_ONE).enumerate() {
            @if place > 0 { ", " }
            a href=(format!("#s{index}e{event}")) { "#" (event) }
        }
    }
}

/// The list itself: every event a verdict or a proof names, in order.
pub(super) fn draw(index: usize, scenario: &Scenario, history: &History<'_>) -> Markup {
    let mut wanted: BTreeSet<EventId> = BTreeSet::new();
    for verdict in &scenario.verdicts {
        wanted.extend(verdict.evidence.iter().take(OF_ONE));
    }
    for fault in &scenario.faults {
        wanted.extend(fault.evidence.iter().take(OF_ONE));
    }
    if wanted.is_empty() {
        return html! { p.none { "No verdict names an event." } };
    }
    let table = html! {
        table.evidence {
            thead { tr { th { "Event" } th.number { "Time" } th { "What was observed" } } }
            tbody {
                @for id in wanted {
                    tr id=(format!("s{index}e{id}")) {
                        td { "#" (id) }
                        @match history.events.binary_search_by_key(&id, |event| event.id) {
                            Ok(found) => {
                                td.number { (moment(history.events[found].at)) }
                                td.says { (fact(&history.events[found].fact)) }
                            }
                            Err(_) => { td {} td.says { "The journal has no such event." } }
                        }
                    }
                }
            }
        }
    };
    boxed("Evidence", &table)
}
