//! What all instances wrote around each fault.

use maud::{Markup, html};

use super::budget::{Budget, LINE_LENGTH};
use crate::event::{Event, Fact};
use crate::event::{Line, line};
use crate::journal::History;
use crate::place::Instance;
use crate::report::Scenario;
use crate::report::words::{moment, number};
use crate::time::Nanos;

const BEFORE: Nanos = 1_000_000_000;
const AFTER: Nanos = 2_000_000_000;

/// Two folds for each strike: around its beginning and around its end.
pub(super) fn draw(scenario: &Scenario, history: &History<'_>, budget: &Budget) -> Markup {
    if scenario.faults.is_empty() {
        return html! { p.none { "There was no fault to look around." } };
    }
    html! {
        p.caption { "From 1 s before to 2 s after; error lines are marked." }
        @for fault in &scenario.faults {
            @let what = format!("{} {}", fault.place, fault.state);
            (fold(&format!("{what} at {}", moment(fault.from)), fault.from, history, budget))
            @if let Some(to) = fault.to {
                (fold(&format!("{} healed at {}", fault.place, moment(to)), to, history, budget))
            }
        }
    }
}

fn fold(title: &str, around: Nanos, history: &History<'_>, budget: &Budget) -> Markup {
    let lines = near(history.events, around);
    let (shown, left_out) = bounded(lines, budget.lines);
    let errors = shown.iter().filter(|(_, _, text)| is_error(text)).count();
    html! {
        details.logs {
            summary {
                (title) " "
                span.count {
                    (number(shown.len() + left_out, "line", "lines"))
                    @if errors > 0 { ", " (errors) " with errors" }
                }
            }
            @if left_out > 0 { p.none { (left_out) " lines are left out here; the journal has them." } }
            @if shown.is_empty() {
                p.none { "Nobody wrote a line." }
            } @else {
                ol.lines {
                    @for (at, instance, text) in shown {
                        li.error[is_error(text)] {
                            span.at { (moment(at)) } " "
                            b { (instance) } " "
                            @if is_error(text) { span.flag { "error" } " " }
                            (cut(text))
                        }
                    }
                }
            }
        }
    }
}

/// Events are in order of time, so the lines near a moment are one stretch of them.
fn near(events: &[Event], around: Nanos) -> Vec<(Nanos, &Instance, &str)> {
    let first = events.partition_point(|event| event.at < around.saturating_sub(BEFORE));
    events[first..]
        .iter()
        .take_while(|event| event.at <= around + AFTER)
        .filter_map(|event| match &event.fact {
            Fact::Log { instance, line } => Some((event.at, instance, line.as_str())),
            _ => None,
        })
        .collect()
}

/// At most `most` lines: error lines first, then the earliest of the others, in their order.
fn bounded<'a>(
    lines: Vec<(Nanos, &'a Instance, &'a str)>,
    most: usize,
) -> (Vec<(Nanos, &'a Instance, &'a str)>, usize) {
    let left_out = lines.len().saturating_sub(most);
    if left_out == 0 {
        return (lines, 0);
    }
    let errors = lines.iter().filter(|line| is_error(line.2)).count();
    let mut errors_left = errors.min(most);
    let mut others_left = most - errors_left;
    let kept = lines
        .into_iter()
        .filter(|(_, _, text)| {
            let left = if is_error(text) {
                &mut errors_left
            } else {
                &mut others_left
            };
            let keep = *left > 0;
            *left = left.saturating_sub(1);
            keep
        })
        .collect();
    (kept, left_out)
}

fn is_error(text: &str) -> bool {
    matches!(line(text), Line::Error | Line::Panic)
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LINE_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
