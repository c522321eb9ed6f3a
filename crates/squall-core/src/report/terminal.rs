//! The report on a terminal: findings first, then the block, whose labels are fixed.

use std::fmt::Write;

use anstyle::{AnsiColor, Effects, Style as Ansi};

use super::words::{outcome, sign, verdict_sign, whole_seconds};
use super::{Report, Scenario};
use crate::check::{Outcome, Verdict};
use crate::event::EventId;

/// How to write; the text says everything without colour too.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
}

impl Style {
    fn paint(self, ansi: Ansi, text: &str) -> String {
        if self.color {
            format!("{ansi}{text}{ansi:#}")
        } else {
            text.to_owned()
        }
    }

    fn outcome(self, shown: Outcome, text: &str) -> String {
        let color = match shown {
            Outcome::Pass => AnsiColor::Green,
            Outcome::Inconclusive => AnsiColor::Magenta,
            Outcome::Fail => AnsiColor::Red,
        };
        self.paint(color.on_default().bold(), text)
    }

    fn bold(self, text: &str) -> String {
        self.paint(Ansi::new().effects(Effects::BOLD), text)
    }

    fn dim(self, text: &str) -> String {
        self.paint(Ansi::new().effects(Effects::DIMMED), text)
    }
}

/// What is shown at the end of a run.
pub fn render(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for scenario in &report.scenarios {
        text.push_str(&findings(scenario, style));
    }
    text.push_str(&block(report, style));
    text
}

/// Whatever did not pass, with the events that show it; nothing for a clean pass.
fn findings(scenario: &Scenario, style: Style) -> String {
    let mut text = String::new();
    // Of a run that broke off every check says that it can't tell: the cause says it once.
    let least = if scenario.complete {
        Outcome::Inconclusive
    } else {
        Outcome::Fail
    };
    let open = |verdict: &&Verdict| verdict.outcome >= least;
    for verdict in scenario.verdicts.iter().filter(open) {
        let check = style.outcome(verdict.outcome, &format!("{}: {}", scenario.name, verdict.check));
        let class = verdict
            .class
            .as_ref()
            .map(|class| format!(" [{class}]"))
            .unwrap_or_default();
        let _ = writeln!(text, "{} {check}{class}", verdict_sign(verdict));
        let _ = writeln!(text, "   {}", verdict.says);
        if let Some(advice) = &verdict.advice {
            let _ = writeln!(text, "   → {advice}");
        }
        if !verdict.evidence.is_empty() {
            let _ = writeln!(text, "   {}", style.dim(&evidence(&verdict.evidence, verdict.found)));
        }
    }
    for left in &scenario.unjudged {
        let _ = writeln!(text, "⏭ {}: {} not judged: {}", scenario.name, left.check, left.why);
    }
    for doubt in &scenario.doubts {
        let name = style.outcome(Outcome::Inconclusive, &scenario.name);
        let _ = writeln!(text, "❔ {name}: {doubt}");
    }
    for warning in &scenario.warnings {
        let name = style.paint(AnsiColor::Yellow.on_default(), &scenario.name);
        let _ = writeln!(text, "⚠️ {name}: {warning}");
    }
    if !text.is_empty() {
        text.push('\n');
    }
    text
}

/// `evidence: events 12, 47 and 48 (3 of 5 findings)`.
fn evidence(events: &[EventId], found: usize) -> String {
    let told: Vec<_> = events.iter().map(ToString::to_string).collect();
    let noun = if told.len() == 1 { "event" } else { "events" };
    let left_out = match found.checked_sub(events.len()) {
        Some(more) if more > 0 => format!(" and {more} more"),
        _ => String::new(),
    };
    format!("evidence: {noun} {}{left_out}", told.join(", "))
}

fn block(report: &Report, style: Style) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "📊 {}", style.bold("Chaos Testing Results"));
    let _ = writeln!(text, "=========================");
    let _ = writeln!(text, "Total scenarios: {}", report.total());
    let _ = writeln!(text, "Passed: {}", report.number(Outcome::Pass));
    let _ = writeln!(text, "Failed: {}", report.number(Outcome::Fail));
    if report.number(Outcome::Inconclusive) > 0 {
        let _ = writeln!(text, "Inconclusive: {}", report.number(Outcome::Inconclusive));
    }
    let _ = writeln!(text, "Success rate: {}%", report.success_rate());
    let _ = writeln!(text, "Total duration: {}s", whole_seconds(report.duration));
    let _ = writeln!(text, "\n{}", style.bold("Scenario Results:"));
    text.push_str(&lines(report, style));
    text.push('\n');
    text.push_str(&analysis(report, style));
    text
}

/// One line for each scenario: what came of it.
pub fn lines(report: &Report, style: Style) -> String {
    let mut text = String::new();
    for scenario in &report.scenarios {
        let word = style.outcome(scenario.outcome, outcome(scenario.outcome));
        let (sign, name) = (sign(scenario), &scenario.name);
        let _ = writeln!(text, "{sign} {name}: {word} ({})", scenario.headline);
    }
    for name in &report.not_run {
        let word = style.outcome(Outcome::Inconclusive, outcome(Outcome::Inconclusive));
        let _ = writeln!(text, "❔ {name}: {word} (not run)");
    }
    for left in &report.left_out {
        let _ = writeln!(text, "⏭ {}: not run: {}", left.scenario, left.why);
    }
    text
}

fn analysis(report: &Report, style: Style) -> String {
    let label = style.bold("Analysis:");
    match report.scenarios.as_slice() {
        [only] => format!("{label} {}\n", only.analysis),
        several => {
            let mut text = format!("{label}\n");
            for scenario in several {
                let _ = writeln!(text, "- {}: {}", scenario.name, scenario.analysis);
            }
            text
        }
    }
}
