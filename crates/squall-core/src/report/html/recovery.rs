//! The recovery clock: how long each strike was felt.

use maud::{Markup, html};

use super::axis::{LEFT, WIDTH, label, legend, n, picture};
use super::evidence;
use super::tables::boxed;
use crate::clock::{Clock, Origin};
use crate::report::Scenario;
use crate::report::words::{clocked, length, moment};
use crate::time::Nanos;

const ROW: f64 = 26.0;
const SECOND: f64 = 1e9;
/// Later is worth a warning, later still is critical: the marks in the picture.
const MARKS: [(f64, &str); 2] = [(20.0, "20 s: warning"), (30.0, "30 s: critical")];
/// Room right of the bars for their figures.
const FIGURES: f64 = 170.0;

/// Bars, and the proof of each fault.
pub(super) fn draw(index: usize, scenario: &Scenario) -> Markup {
    html! {
        @if scenario.clocks.is_empty() {
            p.none { "No fault left anything whose way back could be told." }
        } @else {
            (bars(&scenario.clocks))
        }
        @if !scenario.faults.is_empty() { (proofs(index, scenario)) }
    }
}

fn bars(clocks: &[Clock]) -> Markup {
    let longest = clocks
        .iter()
        .flat_map(|clock| [clock.serving, clock.steady, clock.detected])
        .flatten()
        .max()
        .unwrap_or(0) as f64
        / SECOND;
    // The marks are always in the picture: a short bar shall look short.
    let most = (longest * 1.1).max(33.0);
    let x = |seconds: f64| LEFT + (WIDTH - LEFT - FIGURES) * seconds / most;
    let top = 22.0;
    let bottom = top + ROW * clocks.len() as f64;
    let step = [5.0, 10.0, 30.0, 60.0]
        .into_iter()
        .find(|step| most / step <= 14.0)
        .unwrap_or(most / 10.0);
    let ticks = (0..).map(|tick| f64::from(tick) * step).take_while(|at| *at <= most);
    let content = html! {
        @for at in ticks {
            line.grid x1=(n(x(at))) x2=(n(x(at))) y1=(n(top)) y2=(n(bottom)) {}
            text x=(n(x(at))) y=(n(bottom + 15.0)) text-anchor="middle" { (n(at)) " s" }
        }
        @for (at, words) in MARKS {
            line.mark x1=(n(x(at))) x2=(n(x(at))) y1=(n(top - 6.0)) y2=(n(bottom)) {}
            text.mark-word x=(n(x(at))) y="11" text-anchor="middle" { (words) }
        }
        @for (row, clock) in clocks.iter().enumerate() { (bar(clock, &x, top + ROW * row as f64)) }
    };
    html! {
        figure {
            figcaption {
                b { "Time to recover. " }
                "Seconds from the death of what must come back by itself, or from the heal of what was held; "
                "measured to ± 10 ms."
            }
            (picture(bottom + 22.0, "Recovery of each strike", &content))
            (legend(&[
                ("to-detected", "until it was noticed"),
                ("to-serving", "until it served again"),
                ("to-steady", "until it was steady"),
            ]))
        }
    }
}

fn bar(clock: &Clock, x: &dyn Fn(f64) -> f64, y: f64) -> Markup {
    let at = |time: Nanos| x(time as f64 / SECOND);
    // Counted from heal, the first sign lies before the bar begins.
    let noticed = clock.detected.filter(|_| clock.origin == Origin::Death);
    let serving = clock.serving.unwrap_or(0);
    let noticed_end = noticed.unwrap_or(0).min(clock.serving.unwrap_or(Nanos::MAX));
    let parts = [
        ("to-detected", 0, noticed_end),
        ("to-serving", noticed_end, serving),
        ("to-steady", serving, clock.steady.unwrap_or(serving)),
    ];
    let end = parts.iter().map(|part| part.2).max().unwrap_or(0);
    let told = match (clock.expected, clock.serving) {
        (false, _) => "nothing to serve".to_owned(),
        (true, None) => "not seen to serve".to_owned(),
        (true, Some(serving)) => clocked(serving),
    };
    html! {
        (label(y + 17.0, &clock.place.to_string()))
        @for (class, from, to) in parts {
            @if to > from {
                rect class=(class) x=(n(at(from))) y=(n(y + 5.0)) width=(n((at(to) - at(from)).max(1.0))) height=(n(ROW - 10.0)) {
                    title { (length(from)) " to " (length(to)) }
                }
            }
        }
        text.figure x=(n(at(end) + 6.0)) y=(n(y + 17.0)) {
            (told)
            @if let Some(steady) = clock.steady { ", steady " (length(steady)) }
        }
    }
}

/// Every fault with what showed its effect, and its recovery in figures.
fn proofs(index: usize, scenario: &Scenario) -> Markup {
    let told = |time: Option<Nanos>| time.map_or("–".to_owned(), clocked);
    let table = html! {
        table.stack {
            thead {
                tr {
                    th { "Step" } th { "Fault" } th.number { "From" } th.number { "To" } th { "Effect seen" }
                    th { "Evidence" } th.number { "Detected" } th.number { "Serving" } th.number { "Steady" }
                }
            }
            tbody {
                @for fault in &scenario.faults {
                    @let clock = scenario.clocks.iter().find(|clock| clock.step == fault.step && clock.place == fault.place);
                    tr {
                        td data-label="Step" { (fault.step) }
                        td.name { (fault.place) " " (fault.state) }
                        td.number data-label="from" { (moment(fault.from)) }
                        td.number data-label="to" { (fault.to.map_or("never".to_owned(), moment)) }
                        td.says { b { @if fault.seen { "Yes: " } @else { "No: " } } (fault.proof) }
                        td.events data-label="Evidence" { (evidence::links(index, &fault.evidence)) }
                        td.number data-label="Detected" { (told(clock.and_then(|clock| clock.detected))) }
                        td.number data-label="Serving" { (told(clock.and_then(|clock| clock.serving))) }
                        td.number data-label="Steady" { (told(clock.and_then(|clock| clock.steady))) }
                    }
                }
            }
        }
    };
    boxed("Faults and their proof", &table)
}
