//! The time line: parts of the run, faults, and what requests got, on one time axis.

use maud::{Markup, html};

use super::axis::{Axis, edges, held, label, legend, n, picture, shades};
use crate::event::Answer;
use crate::journal::History;
use crate::place::Place;
use crate::report::Scenario;
use crate::report::words::{answer, moment};

/// Height of a strip of parts or faults.
const ROW: f64 = 24.0;
/// Height of the picture of answers.
const CHART: f64 = 120.0;
/// Fewest and most parts the run is cut into for bars and lines.
const BINS: (usize, usize) = (30, 160);
/// Requests a part should hold, so that a share and a median mean something.
const IN_BIN: usize = 5;

/// Answers from the bottom of a bar to its top.
const STACK: [(Answer, &str); 5] = [
    (Answer::Right, "a-right"),
    (Answer::Refused, "a-refused"),
    (Answer::Wrong, "a-wrong"),
    (Answer::Hung, "a-hung"),
    (Answer::Down, "a-down"),
];

/// Parts, faults and answers.
pub(super) fn draw(scenario: &Scenario, history: &History<'_>) -> Markup {
    let axis = Axis::wide(history);
    let places = places(history);
    let faults_top = ROW + 8.0;
    let chart_top = faults_top + ROW * places.len() as f64 + 14.0;
    let bottom = chart_top + CHART;
    let content = html! {
        (axis.draw(0.0, bottom))
        (phases(history, &axis))
        (faults(scenario, history, &axis, (&places, faults_top)))
        (shades(history, &axis, chart_top, bottom))
        (label(chart_top + CHART / 2.0 - 4.0, "answers,"))
        (label(chart_top + CHART / 2.0 + 10.0, "share"))
        (answers(history, &axis, chart_top))
        (edges(history, &axis, chart_top, bottom))
        @for (share, y) in [("100%", chart_top), ("50%", chart_top + CHART / 2.0), ("0%", bottom)] {
            text.unit x="114" y=(n(y + 4.0)) text-anchor="end" {
                @if share != "50%" { (share) }
            }
        }
    };
    html! {
        figure {
            figcaption {
                b { "Parts, faults and answers. " }
                "Each bar is the share of answers to requests due in " (bin_words(history)) "."
            }
            (picture(bottom + 22.0, "Parts, faults and answers over time", &content))
            (legend(&[
                ("fault-band", "a fault held"),
                ("fault-band unseen", "a fault held, but its effect was not seen"),
                ("a-right", "right"), ("a-refused", "refused"), ("a-wrong", "wrong"),
                ("a-hung", "hung"), ("a-down", "down (nobody there)"),
            ]))
        }
    }
}

/// How many equal parts the run is cut into.
pub(super) fn bins(history: &History<'_>) -> usize {
    (history.ops.len() / IN_BIN).clamp(BINS.0, BINS.1)
}

/// How long one part is.
pub(super) fn bin_words(history: &History<'_>) -> String {
    crate::report::words::length(history.until / bins(history) as u64)
}

/// The struck places, in order of their first strike.
fn places<'a>(history: &History<'a>) -> Vec<&'a Place> {
    let mut places: Vec<&Place> = Vec::new();
    for strike in &history.strikes {
        if !places.contains(&strike.place) {
            places.push(strike.place);
        }
    }
    places
}

fn phases(history: &History<'_>, axis: &Axis) -> Markup {
    html! {
        (label(16.0, "part"))
        @for (index, (phase, from)) in history.phases.iter().enumerate() {
            @let to = history.phases.get(index + 1).map_or(history.until, |next| next.1);
            @let width = axis.span(*from, to);
            rect class=(if index % 2 == 0 { "phase" } else { "phase other" })
                x=(n(axis.x(*from))) y="0" width=(n(width)) height=(n(ROW)) {
                title { (phase.word()) ", " (moment(*from)) " to " (moment(to)) }
            }
            @if width > 6.2 * phase.word().len() as f64 {
                text.phase-word x=(n(axis.x(*from) + width / 2.0)) y="16" text-anchor="middle" { (phase.word()) }
            }
        }
    }
}

/// One row for each place, one band for each strike.
fn faults(scenario: &Scenario, history: &History<'_>, axis: &Axis, rows: (&[&Place], f64)) -> Markup {
    let (places, top) = rows;
    // Where the last word of each row ended, so that words never lie on each other.
    let mut taken = vec![0.0_f64; places.len()];
    let mut marks = Vec::new();
    for (index, strike) in history.strikes.iter().enumerate() {
        let row = places.iter().position(|place| *place == strike.place).unwrap_or(0);
        let y = top + ROW * row as f64;
        let (from, to) = held(strike, history);
        let seen = scenario.faults.get(index).is_some_and(|fault| fault.seen);
        let word = strike.condition.word();
        let room = 6.6 * word.len() as f64;
        let (after, before) = (axis.x(to) + 5.0, axis.x(from) - 5.0 - room);
        let at = [after, before]
            .into_iter()
            .find(|x| *x >= taken[row] && x + room <= axis.end());
        taken[row] = at.map_or(taken[row], |x| x + room).max(axis.x(to));
        marks.push(html! {
            rect class=(if seen { "fault-band" } else { "fault-band unseen" }) data-step=(strike.index)
                x=(n(axis.x(from))) y=(n(y + 3.0)) width=(n(axis.span(from, to))) height=(n(ROW - 6.0)) rx="2" {
                title {
                    (strike.place) " " (word) ", " (moment(from)) " to " (moment(to))
                    @if !seen { ", effect not seen" }
                }
            }
            @if let Some(x) = at { text.band-word x=(n(x)) y=(n(y + 16.0)) { (word) } }
        });
    }
    html! {
        @for (row, place) in places.iter().enumerate() {
            (label(top + ROW * row as f64 + 16.0, &place.to_string()))
        }
        @for mark in &marks { (mark) }
    }
}

fn answers(history: &History<'_>, axis: &Axis, top: f64) -> Markup {
    let number = bins(history);
    let mut bins = vec![[0_usize; STACK.len()]; number];
    for (_, op) in &history.ops {
        let kind = STACK.iter().position(|(answer, _)| *answer == op.answer).unwrap_or(0);
        bins[axis.bin(op.due, number)][kind] += 1;
    }
    html! {
        @for (bin, kinds) in bins.iter().enumerate() {
            @let total = kinds.iter().sum::<usize>();
            @if total > 0 {
                (bar(axis, (bin, number), kinds, top))
            }
        }
    }
}

fn bar(axis: &Axis, (bin, number): (usize, usize), kinds: &[usize; STACK.len()], top: f64) -> Markup {
    let total = kinds.iter().sum::<usize>().max(1) as f64;
    let (from, to) = (axis.bin_start(bin, number), axis.bin_start(bin + 1, number));
    let mut y = top + CHART;
    let mut parts = Vec::new();
    let mut told = Vec::new();
    for (count, (kind, class)) in kinds.iter().zip(STACK).filter(|(count, _)| **count > 0) {
        let height = CHART * *count as f64 / total;
        y -= height;
        told.push(format!("{count} {}", answer(kind)));
        parts.push((class, y, height));
    }
    html! {
        g {
            title { (moment(from)) ": " (told.join(", ")) }
            @for (class, y, height) in parts {
                rect class=(class) x=(n(axis.x(from))) y=(n(y))
                    width=(n(axis.span(from, to))) height=(n(height)) {}
            }
        }
    }
}
