//! One scenario: its verdict first, then what was checked, then the pictures, then the evidence.

use maud::{Markup, html};

use super::budget::Budget;
use super::{class, evidence, latency, logs, recovery, resources, scenario_badge, tables, timeline, workers};
use crate::journal::History;
use crate::report::Scenario;

/// The section of scenario number `index`.
pub(super) fn draw(index: usize, scenario: &Scenario, history: &History<'_>, budget: &Budget) -> Markup {
    html! {
        section.scenario id=(format!("s{index}")) {
            (banner(scenario))
            (repeat(scenario))
            h3 { "Checks" }
            (tables::checks(index, scenario))
            h3 { "Time line" }
            (timeline::draw(scenario, history))
            (latency::draw(history))
            h3 { "Workers" }
            (workers::draw(history, budget))
            h3 { "Recovery clock" }
            (recovery::draw(index, scenario))
            h3 { "Machine" }
            (resources::draw(scenario, history))
            h3 { "Logs around each fault" }
            (logs::draw(scenario, history, budget))
            h3 { "Figures" }
            (tables::figures(scenario))
            h3 { "Environment" }
            (tables::environment(scenario))
            h3 { "Evidence" }
            (evidence::draw(index, scenario, history))
        }
    }
}

fn banner(scenario: &Scenario) -> Markup {
    html! {
        div class=(format!("banner {}", class(scenario.outcome))) {
            h2 { (scenario.name) " " (scenario_badge(scenario)) " " span.short { (scenario.headline) } }
            p.hypothesis { b { "Hypothesis: " } (scenario.hypothesis) }
            p { (scenario.analysis) }
            @if !scenario.doubts.is_empty() {
                p.list { b { "Doubts" } }
                ul { @for doubt in &scenario.doubts { li { (doubt) } } }
            }
            @if !scenario.warnings.is_empty() {
                p.list { b { "Warnings" } }
                ul { @for warning in &scenario.warnings { li { (warning) } } }
            }
        }
    }
}

fn repeat(scenario: &Scenario) -> Markup {
    html! {
        p.repeat { "Run the same again: " code { (scenario.run.repeat) } }
    }
}
