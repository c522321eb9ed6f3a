//! The tables of a scenario: checks, figures, environment.

use maud::{Markup, html};

use super::{badge, evidence};
use crate::report::parts::{HEAD, rows};
use crate::report::words::{figures as counted, length, memory, moment, services};
use crate::report::{Scenario, Use};

/// A table's box, which scrolls where the screen is too narrow.
pub(super) fn boxed(name: &str, table: &Markup) -> Markup {
    html! { div.scroll tabindex="0" role="region" aria-label=(name) { (table) } }
}

/// Every check with what it found.
pub(super) fn checks(index: usize, scenario: &Scenario) -> Markup {
    let table = html! {
        table.checks.stack {
            thead { tr { th { "Outcome" } th { "Check" } th { "Class" } th { "What was found" } th { "Evidence" } } }
            tbody {
                @for verdict in &scenario.verdicts {
                    tr {
                        td { (badge(verdict.outcome)) }
                        td { code { (verdict.check) } }
                        td { @if let Some(class) = &verdict.class { code { (class) } } }
                        td.says {
                            (verdict.says)
                            @if let Some(advice) = &verdict.advice { div.advice { "→ " (advice) } }
                            @for warning in &verdict.warnings { div.warning { "⚠ " (warning) } }
                        }
                        td.events {
                            (evidence::links(index, &verdict.evidence))
                            @if verdict.found > verdict.evidence.len() && !verdict.evidence.is_empty() {
                                " and " (verdict.found - verdict.evidence.len()) " more"
                            }
                        }
                    }
                }
                @for left in &scenario.unjudged {
                    tr {
                        td { "not judged" }
                        td { code { (left.check) } }
                        td {}
                        td.says { (left.why) }
                        td.events {}
                    }
                }
            }
        }
    };
    boxed("Checks", &table)
}

/// Counts of requests, tasks, log lines, starts, and what each instance used.
pub(super) fn figures(scenario: &Scenario) -> Markup {
    html! {
        (boxed("Before, during and after the faults", &parts(scenario)))
        div.columns {
            (boxed("Requests and tasks", &counts(scenario)))
            div {
                (boxed("Log lines", &lines(scenario)))
                (boxed("Use of the machine", &uses(scenario)))
                (boxed("Starts", &starts(scenario)))
            }
        }
    }
}

fn counts(scenario: &Scenario) -> Markup {
    html! {
        table {
            thead { tr { th { "Requests and tasks" } th.number { "" } } }
            tbody {
                @for (name, value) in counted(&scenario.counts) {
                    tr { td { (name) } td.number { (value) } }
                }
                @if let Some(gap) = scenario.ack_gap {
                    tr { td { "Longest time without an acknowledged write" } td.number { (length(gap)) } }
                }
                @if let Some(latency) = &scenario.latency {
                    @for (name, value) in [("p50", latency.p50), ("p99", latency.p99), ("max", latency.max)] {
                        tr { td { "Request latency " (name) } td.number { (length(value)) } }
                    }
                }
            }
        }
    }
}

fn parts(scenario: &Scenario) -> Markup {
    html! {
        table {
            thead { tr { @for name in HEAD { th { (name) } } } }
            tbody { @for row in rows(scenario) { tr { @for cell in row { td { (cell) } } } } }
        }
    }
}

fn lines(scenario: &Scenario) -> Markup {
    html! {
        table {
            thead { tr { th { "Log lines" } th.number { "Errors" } th.number { "Warnings" } th.number { "Panics" } } }
            tbody {
                @for (phase, counts) in &scenario.logs {
                    tr {
                        td { (phase.word()) }
                        td.number { (counts.errors) }
                        td.number { (counts.warnings) }
                        td.number { (counts.panics) }
                    }
                }
            }
        }
    }
}

fn uses(scenario: &Scenario) -> Markup {
    let told = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let growth = |used: &Use| told(used.rss_slope.map(|slope| format!("{}/min", memory(slope))));
    html! {
        table {
            thead {
                tr {
                    th { "Instance" } th.number { "CPU, mean" } th.number { "Memory, most" } th.number { "Growth" }
                    th.number { "Descriptors" } th.number { "Connections" }
                }
            }
            tbody {
                @for (instance, used) in &scenario.uses {
                    tr {
                        td.name { (instance) }
                        td.number { (told(used.cpu_percent.map(|cpu| format!("{cpu:.1}%")))) }
                        td.number { (told(used.rss_kib.map(|rss| memory(rss as f64)))) }
                        td.number { (growth(used)) }
                        td.number { (told(used.fds.map(|fds| fds.to_string()))) }
                        td.number { (told(used.connections.map(|open| open.to_string()))) }
                    }
                }
            }
        }
    }
}

/// Starts shown one by one; of more only how many there were.
const STARTS: usize = 60;

fn starts(scenario: &Scenario) -> Markup {
    let left_out = scenario.starts.len().saturating_sub(STARTS);
    html! {
        table {
            thead { tr { th { "Start" } th.number { "At" } th.number { "Ready after" } } }
            tbody {
                @for start in scenario.starts.iter().take(STARTS) {
                    tr {
                        td.name { (start.instance) }
                        td.number { (moment(start.at)) }
                        td.number { (start.took.map_or("never".to_owned(), length)) }
                    }
                }
                @if left_out > 0 { tr { td colspan="3" { (left_out) " later starts are left out here." } } }
            }
        }
    }
}

/// What was run, where a reader needs it to run it again.
pub(super) fn environment(scenario: &Scenario) -> Markup {
    let run = &scenario.run;
    let rows = [
        ("System", run.system.clone()),
        ("Services", services(run)),
        ("Level", format!("{} ({})", run.level, run.level_name)),
        ("Seed", run.seed.to_string()),
        ("Pace", run.pace.to_string()),
        ("Squall", run.squall.clone()),
        ("Run", run.id.clone()),
        ("Opened", run.opened.clone()),
        ("Took", length(scenario.duration)),
    ];
    let table = html! {
        table.environment { tbody { @for (name, value) in rows { tr { th scope="row" { (name) } td { (value) } } } } }
    };
    boxed("Environment", &table)
}
