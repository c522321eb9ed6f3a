//! The report as one HTML file that needs nothing else: no network, no script, no other file.
//!
//! Text comes from the [`Report`], pictures are drawn from the journals. Everything is escaped by
//! construction (`maud`), since names, log lines and answers come from the system under test.

mod axis;
mod budget;
mod evidence;
mod latency;
mod logs;
mod recovery;
mod resources;
mod section;
mod tables;
mod timeline;
mod workers;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use self::budget::Budget;
use super::words::{outcome, warned, whole_seconds};
use super::{Report, Scenario};
use crate::check::Outcome;
use crate::journal::Journal;

const CSS: &str = include_str!("html/style.css");

/// The report as one HTML file. `journals` are those the report was made of, in the same order.
pub fn render(report: &Report, journals: &[Journal]) -> String {
    let budget = Budget::of(journals);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (outcome(report.outcome)) " · squall report" }
                style { (PreEscaped(CSS)) }
            }
            body {
                (patterns())
                (heading(report))
                main {
                    @for (index, (scenario, journal)) in report.scenarios.iter().zip(journals).enumerate() {
                        (section::draw(index, scenario, &journal.history(), &budget))
                    }
                }
                footer {
                    "Every figure and picture on this page was computed from the run's journal. "
                    "Times are seconds since the journal was opened, unless said otherwise."
                }
            }
        }
    };
    page.into_string()
}

fn heading(report: &Report) -> Markup {
    html! {
        header {
            h1 { "Chaos Testing Results" }
            p.totals {
                (badge(report.outcome))
                span { b { (report.total()) } " scenarios" }
                span { b { (report.number(Outcome::Pass)) } " passed" }
                span { b { (report.number(Outcome::Fail)) } " failed" }
                @if report.number(Outcome::Inconclusive) > 0 {
                    span { b { (report.number(Outcome::Inconclusive)) } " inconclusive" }
                }
                span { b { (report.success_rate()) "%" } " success rate" }
                span { b { (whole_seconds(report.duration)) " s" } " in all" }
            }
            nav aria-label="Scenarios" {
                @for (index, scenario) in report.scenarios.iter().enumerate() { (link(index, scenario)) }
            }
            @if !report.not_run.is_empty() {
                p { (badge(Outcome::Inconclusive)) " not run: " (report.not_run.join(", ")) }
            }
            @if !report.left_out.is_empty() {
                p.list { "Can't be run on this system, and count for nothing:" }
                ul { @for left in &report.left_out { li { (left.scenario) ": not run: " (left.why) } } }
            }
        }
    }
}

fn link(index: usize, scenario: &Scenario) -> Markup {
    html! {
        a href=(format!("#s{index}")) {
            span.name { (scenario.name) }
            (scenario_badge(scenario))
            span.short { (scenario.headline) }
        }
    }
}

/// An outcome as a word on its colour.
fn badge(shown: Outcome) -> Markup {
    html! { span class=(format!("badge {}", class(shown))) { (outcome(shown)) } }
}

/// The same for a scenario: a pass with warnings says so.
fn scenario_badge(scenario: &Scenario) -> Markup {
    match warned(scenario) {
        true => html! { span.badge.warned title="passed, with warnings" { (outcome(scenario.outcome)) " ⚠" } },
        false => badge(scenario.outcome),
    }
}

/// The CSS class of an outcome.
fn class(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Inconclusive => "unsure",
        Outcome::Fail => "fail",
    }
}

/// Fills that tell states apart without colour, shared by all pictures.
fn patterns() -> Markup {
    html! {
        svg width="0" height="0" style="position:absolute" aria-hidden="true" {
            defs {
                pattern id="unseen" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="7" height="7" class="pat-fault-bg" {}
                    rect width="2.5" height="7" class="pat-fault" {}
                }
                pattern id="failed" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                    rect width="6" height="6" class="pat-failed-bg" {}
                    rect width="2.4" height="6" class="pat-failed" {}
                }
                pattern id="fenced" width="5" height="5" patternUnits="userSpaceOnUse" {
                    rect width="5" height="5" class="pat-fenced-bg" {}
                    circle cx="2.5" cy="2.5" r="1.3" class="pat-fenced" {}
                }
                pattern id="hung" width="4" height="4" patternUnits="userSpaceOnUse" {
                    rect width="4" height="4" class="pat-hung-bg" {}
                    rect width="4" height="1.6" class="pat-hung" {}
                }
            }
        }
    }
}
