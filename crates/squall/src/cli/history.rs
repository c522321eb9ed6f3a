//! `squall history`: the runs there were, and their findings.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;
use squall_core::diagnostic::nearest;
use squall_core::report::Report;

use super::inputs::Bad;
use super::table::{row, table};
use super::{RunArgs, say};
use crate::exit;
use crate::history::{Filter, Finding, History, Row, Unusable};

/// Grows when a field is renamed or removed, or changes its meaning.
const SCHEMA: u32 = 1;

/// Which runs.
#[derive(Debug, Clone, Args)]
pub(super) struct HistoryArgs {
    /// Of this scenario only
    #[arg(short, long, value_name = "S")]
    scenario: Option<String>,
    /// At most so many runs, the newest; findings are those of all runs
    #[arg(long, default_value = "20", value_name = "N", value_parser = super::whole::<u32, 1, 4_294_967_295>)]
    limit: u32,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// The runs' folder
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    output: PathBuf,
}

/// Puts a run into the history. Its folder has it all, so failing is a warning and no more.
pub(super) fn keep(args: &RunArgs, report: &Report) {
    let kept = History::open(&args.output).and_then(|mut history| history.keep(report, args.label.as_deref()));
    if let Err(error) = kept {
        say::err(&format!(
            "⚠️  the run is not in the history: {error}; {}",
            error.remedy()
        ));
    }
}

impl From<Unusable> for Bad {
    fn from(error: Unusable) -> Self {
        Bad::Plain(error.to_string(), error.remedy())
    }
}

/// `squall history`.
pub(super) fn history(args: &HistoryArgs) -> u8 {
    match found(args) {
        Ok((rows, findings)) => {
            if args.json {
                let value = json!({ "schema": SCHEMA, "runs": rows, "findings": findings });
                say::out(&format!("{value:#}"));
            } else {
                say::out(&text(&rows, &findings));
            }
            exit::PASS
        }
        Err(bad) => {
            bad.say();
            exit::BAD_INPUT
        }
    }
}

fn found(args: &HistoryArgs) -> Result<(Vec<Row>, Vec<Finding>), Bad> {
    let Some(history) = History::find(&args.output)? else {
        // No run was ever made here; a folder that is not there is more likely a slip.
        return match args.output.is_dir() || args.output.as_os_str() == "tmp" {
            true => Ok((Vec::new(), Vec::new())),
            false => Err(Bad::Plain(
                format!("{}: there is no such folder", args.output.display()),
                "name the folder runs are in with --output".to_owned(),
            )),
        };
    };
    let scenario = args.scenario.as_deref();
    if let Some(name) = scenario {
        let (known, _) = history.names()?;
        if !known.iter().any(|one| one == name) {
            let close = nearest(name, known.iter().map(String::as_str));
            let remedy = match close {
                Some(close) => format!("did you mean `{close}`?"),
                None => format!("there are runs of: {}", known.join(", ")),
            };
            return Err(Bad::Plain(format!("there is no run of a scenario `{name}`"), remedy));
        }
    }
    let filter = Filter {
        scenario,
        limit: Some(args.limit),
        ..Filter::default()
    };
    Ok((history.rows(&filter)?, history.findings(scenario)?))
}

fn text(rows: &[Row], findings: &[Finding]) -> String {
    if rows.is_empty() {
        return "no run was kept yet: `squall run` keeps each".to_owned();
    }
    let mut lines = vec![row([
        "RUN", "SCENARIO", "OUTCOME", "LEVEL", "PACE", "SYSTEM", "LABEL", "",
    ])];
    lines.extend(rows.iter().map(|kept| {
        row([
            &kept.run,
            &kept.scenario,
            &say::outcome(kept.outcome),
            &kept.level.to_string(),
            &kept.pace.to_string(),
            &kept.system,
            kept.label.as_deref().unwrap_or("-"),
            &kept.headline,
        ])
    }));
    let mut text = format!("Runs, newest first\n{}\n\n", table(&lines, "  "));
    if findings.is_empty() {
        return text + "No findings.";
    }
    text += "Findings\n";
    for finding in findings {
        text += &said(finding);
    }
    text.trim_end().to_owned()
}

fn said(finding: &Finding) -> String {
    let class = finding
        .class
        .as_ref()
        .map_or(String::new(), |class| format!(" [{class}]"));
    let state = match &finding.gone {
        None => "still there: its check has not passed since".to_owned(),
        Some(gone) => format!(
            "gone since {} ({}): its check passed in {} at level {} and pace {}",
            second(&gone.opened),
            gone.run,
            number(finding.passed),
            finding.level,
            finding.pace
        ),
    };
    let lines = [
        row([
            "first seen",
            &format!("{} ({})", second(&finding.first.opened), finding.first.run),
        ]),
        row([
            "last seen",
            &format!("{} ({})", second(&finding.last.opened), finding.last.run),
        ]),
        row(["seen in", &number(finding.seen)]),
        row(["now", &state]),
    ];
    let head = format!("  {} of {}: {}{class}", finding.scenario, finding.system, finding.check);
    format!("{head}\n    {}\n{}\n\n", finding.says, table(&lines, "    "))
}

fn number(runs: usize) -> String {
    format!("{runs} {}", if runs == 1 { "run" } else { "runs" })
}

/// A time without the parts of its second.
fn second(opened: &str) -> String {
    let at = opened.parse::<jiff::Timestamp>();
    at.map_or_else(
        |_| opened.to_owned(),
        |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}
