//! The report as Markdown: for a pull request's comment or a job's summary page.

use std::fmt::Write;

use super::parts::{self, HEAD};
use super::words::{clocked, figures, length, memory, moment, outcome, services, sign, verdict_sign, whole_seconds};
use super::{Report, Scenario};
use crate::check::{Outcome, Verdict};
use crate::clock::Origin;
use crate::time::Nanos;

/// The report as Markdown.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "# Chaos Testing Results\n");
    let _ = writeln!(
        text,
        "**{}**: {} passed, {} failed, {} inconclusive of {} ({}%) in {} s.\n",
        outcome(report.outcome),
        report.number(Outcome::Pass),
        report.number(Outcome::Fail),
        report.number(Outcome::Inconclusive),
        report.total(),
        report.success_rate(),
        whole_seconds(report.duration),
    );
    let rows = report.scenarios.iter().map(|scenario| {
        vec![
            format!("{} {}", sign(scenario), outcome(scenario.outcome)),
            scenario.name.clone(),
            scenario.headline.clone(),
            length(scenario.duration),
        ]
    });
    table(&mut text, &["Outcome", "Scenario", "In short", "Took"], rows);
    if !report.not_run.is_empty() {
        let _ = writeln!(text, "\n❔ Not run: {}\n", plain(&report.not_run.join(", ")));
    }
    if !report.left_out.is_empty() {
        let _ = writeln!(text, "\nCan't be run on this system, and count for nothing:\n");
        let rows = report.left_out.iter();
        let rows = rows.map(|left| vec![left.scenario.clone(), format!("not run: {}", left.why)]);
        table(&mut text, &["Scenario", "Why"], rows);
    }
    for scenario in &report.scenarios {
        section(&mut text, scenario);
    }
    text
}

fn section(text: &mut String, scenario: &Scenario) {
    let _ = writeln!(text, "## {} {}\n", sign(scenario), plain(&scenario.name));
    let _ = writeln!(text, "> {}\n", plain(&scenario.hypothesis));
    let _ = writeln!(text, "{}\n", plain(&scenario.analysis));
    for doubt in &scenario.doubts {
        let _ = writeln!(text, "- ❔ {}", plain(doubt));
    }
    for warning in &scenario.warnings {
        let _ = writeln!(text, "- ⚠️ {}", plain(warning));
    }
    if !scenario.doubts.is_empty() || !scenario.warnings.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "Again: `{}`\n", scenario.run.repeat);
    verdicts(text, scenario);
    faults(text, scenario);
    recovery(text, scenario);
    measures(text, scenario);
    environment(text, scenario);
}

fn verdicts(text: &mut String, scenario: &Scenario) {
    let rows = scenario.verdicts.iter().map(|verdict| {
        let events: Vec<_> = verdict.evidence.iter().map(ToString::to_string).collect();
        vec![
            format!("{} {}", verdict_sign(verdict), outcome(verdict.outcome)),
            verdict.check.clone(),
            verdict.class.clone().unwrap_or_default(),
            said(verdict),
            events.join(", "),
        ]
    });
    let unjudged = scenario.unjudged.iter().map(|left| {
        let cells = ["⏭ not judged", &left.check, "", &left.why, ""];
        cells.map(str::to_owned).to_vec()
    });
    let rows = rows.chain(unjudged);
    let _ = writeln!(text, "### Checks\n");
    table(text, &["Outcome", "Check", "Class", "What was found", "Events"], rows);
}

/// What was found, and what to do about it.
fn said(verdict: &Verdict) -> String {
    match &verdict.advice {
        Some(advice) => format!("{} → {advice}", verdict.says),
        None => verdict.says.clone(),
    }
}

fn faults(text: &mut String, scenario: &Scenario) {
    if scenario.faults.is_empty() {
        return;
    }
    let _ = writeln!(text, "### Faults\n");
    let rows = scenario.faults.iter().map(|fault| {
        vec![
            fault.step.to_string(),
            format!("{} {}", fault.place, fault.state),
            moment(fault.from),
            fault.to.map_or("never".to_owned(), moment),
            if fault.seen { "yes" } else { "no" }.to_owned(),
            fault.proof.clone(),
        ]
    });
    table(
        text,
        &["Step", "Fault", "From", "Healed", "Effect seen", "By what"],
        rows,
    );
}

fn recovery(text: &mut String, scenario: &Scenario) {
    if scenario.clocks.is_empty() {
        return;
    }
    let _ = writeln!(text, "### Recovery\n");
    let told = |time: Option<Nanos>| time.map_or("not seen".to_owned(), clocked);
    let rows = scenario.clocks.iter().map(|clock| {
        let origin = match clock.origin {
            Origin::Death => "death",
            Origin::Heal => "heal",
        };
        vec![
            clock.step.to_string(),
            clock.place.to_string(),
            origin.to_owned(),
            told(clock.detected),
            if clock.expected {
                told(clock.serving)
            } else {
                "nothing to serve".to_owned()
            },
            told(clock.steady),
        ]
    });
    table(
        text,
        &["Step", "Where", "Counts from", "Detected", "Serving", "Steady"],
        rows,
    );
}

fn measures(text: &mut String, scenario: &Scenario) {
    let _ = writeln!(text, "### Figures\n");
    let mut rows: Vec<Vec<String>> = figures(&scenario.counts)
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    if let Some(latency) = &scenario.latency {
        let told = [latency.p50, latency.p99, latency.max].map(length).join(" / ");
        rows.push(vec!["Request latency p50 / p99 / max".to_owned(), told]);
    }
    if let Some(gap) = scenario.ack_gap {
        rows.push(vec![
            "Longest time without an acknowledged write".to_owned(),
            length(gap),
        ]);
    }
    if let Some(limit) = &scenario.bottleneck {
        rows.push(vec!["Bottleneck".to_owned(), limit.says.clone()]);
    }
    for (phase, counts) in &scenario.logs {
        let told = format!("{} / {} / {}", counts.errors, counts.warnings, counts.panics);
        rows.push(vec![
            format!("Log lines in the {}: errors / warnings / panics", phase.word()),
            told,
        ]);
    }
    table(text, &["Figure", "Value"], rows.into_iter());
    table(text, &HEAD, parts::rows(scenario));
    if !scenario.uses.is_empty() {
        let rows = scenario.uses.iter().map(|(instance, used)| {
            vec![
                instance.to_string(),
                used.cpu_percent.map_or(String::new(), |cpu| format!("{cpu:.1}%")),
                used.rss_kib.map_or(String::new(), |rss| memory(rss as f64)),
                used.rss_slope
                    .map_or(String::new(), |slope| format!("{}/min", memory(slope))),
                used.fds.map_or(String::new(), |fds| fds.to_string()),
                used.connections.map_or(String::new(), |open| open.to_string()),
            ]
        });
        let head = [
            "Instance",
            "CPU, mean",
            "Memory, most",
            "Memory growth",
            "Descriptors, most",
            "Connections, most",
        ];
        table(text, &head, rows);
    }
}

fn environment(text: &mut String, scenario: &Scenario) {
    let run = &scenario.run;
    let services = services(run);
    let _ = writeln!(
        text,
        "Run `{}` of {} ({}), level {} ({}), seed {}, pace {}, squall {}, opened {}, took {}.\n",
        plain(&run.id),
        plain(&run.system),
        plain(&services),
        run.level,
        plain(&run.level_name),
        run.seed,
        run.pace,
        plain(&run.squall),
        plain(&run.opened),
        length(scenario.duration),
    );
}

fn table(text: &mut String, head: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let _ = writeln!(text, "| {} |", head.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(head.len()));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| plain(cell)).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
}

/// Text that Markdown shows as it is: what came from a system must not become markup.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => safe.push(' '),
            '<' => safe.push_str("&lt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '*' | '`' | '[' | ']' | '\\' => {
                safe.push('\\');
                safe.push(character);
            }
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_systems_own_words_never_become_markup() {
        assert_eq!(plain("a|b\n<img> `x` [l](u)"), "a\\|b &lt;img> \\`x\\` \\[l\\](u)");
    }
}
