//! One side of a comparison: the runs a text names, and what they showed.

use std::collections::BTreeSet;
use std::path::Path;

use squall_core::check::Outcome;
use squall_core::diagnostic::nearest;
use squall_core::report::report;

use super::CompareArgs;
use crate::cli::inputs::Bad;
use crate::cli::say;
use crate::history::{Filter, History};
use crate::store::journals;

/// One scenario of a run.
pub(super) use crate::history::Row as Kept;

/// What a label is named by.
const LABEL: &str = "label:";

/// The runs of one side.
#[derive(Debug)]
pub(super) struct Side {
    text: String,
    rows: Vec<Kept>,
}

impl Side {
    /// What it is made of.
    pub(super) fn say(&self, name: &str) {
        let runs: BTreeSet<&str> = self.rows.iter().map(|row| row.run.as_str()).collect();
        let of = |outcome| self.rows.iter().filter(|row| row.outcome == outcome).count();
        let mut parts = vec![format!("{} passed", of(Outcome::Pass))];
        if of(Outcome::Fail) > 0 {
            parts.push(format!("{} failed", of(Outcome::Fail)));
        }
        if of(Outcome::Inconclusive) > 0 {
            parts.push(format!("{} inconclusive, left out", of(Outcome::Inconclusive)));
        }
        let noun = if runs.len() == 1 { "run" } else { "runs" };
        say::out(&format!(
            "{name}: {}: {} {noun} ({})",
            self.text,
            runs.len(),
            parts.join(", ")
        ));
    }

    /// What can be compared: a run that could not tell, or was cut off, has figures that mean nothing.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Kept> {
        self.rows.iter().filter(|row| row.outcome != Outcome::Inconclusive)
    }

    /// The same of one scenario.
    pub(super) fn of(&self, scenario: &str) -> impl Iterator<Item = &Kept> {
        self.shown().filter(move |row| row.scenario == scenario)
    }

    /// The names of its scenarios, in order.
    pub(super) fn scenarios(&self) -> BTreeSet<&str> {
        self.shown().map(|row| row.scenario.as_str()).collect()
    }
}

/// Both sides. A run counts once: named twice it would look like two.
pub(super) fn sides(args: &CompareArgs) -> Result<(Side, Side), Bad> {
    let history = match History::find(&args.output) {
        Ok(history) => history,
        // Folders need no history; without it only labels and ids can't be found.
        Err(error) => {
            say::err(&format!("⚠️  {error}; {}", error.remedy()));
            None
        }
    };
    let mut seen = BTreeSet::new();
    let mut side = |text: &str| -> Result<Side, Bad> {
        let mut rows = Vec::new();
        for item in text.split(',').map(str::trim) {
            for row in named(item, &args.output, history.as_ref())? {
                if args.scenario.as_ref().is_some_and(|wanted| *wanted != row.scenario) {
                    continue;
                }
                if !seen.insert((row.run.clone(), row.scenario.clone())) {
                    return Err(Bad::Plain(
                        format!("run {} is named twice", row.run),
                        "name each run once, on one side: twice the same run shows no more than once".to_owned(),
                    ));
                }
                rows.push(row);
            }
        }
        let text = text.to_owned();
        Ok(Side { text, rows })
    };
    Ok((side(&args.a)?, side(&args.b)?))
}

fn named(item: &str, output: &Path, history: Option<&History>) -> Result<Vec<Kept>, Bad> {
    if item.is_empty() {
        return Err(Bad::Plain(
            "a run without a name".to_owned(),
            "name runs' folders or ids, joined with commas, or label:NAME".to_owned(),
        ));
    }
    if let Some(label) = item.strip_prefix(LABEL) {
        return labelled(label, output, history);
    }
    let path = Path::new(item);
    if path.exists() {
        return folder(path);
    }
    if let Some(history) = history {
        let run = Some(item);
        let rows = history.rows(&Filter {
            run,
            ..Filter::default()
        })?;
        if !rows.is_empty() {
            return Ok(rows);
        }
    }
    let below = output.join(item);
    if below.is_dir() {
        return folder(&below);
    }
    Err(Bad::Plain(
        format!("there is no run `{item}`"),
        format!(
            "`squall history` lists those below {}; or name a run's folder",
            output.display()
        ),
    ))
}

fn labelled(label: &str, output: &Path, history: Option<&History>) -> Result<Vec<Kept>, Bad> {
    let no = |remedy: String| Err(Bad::Plain(format!("no run has the label `{label}`"), remedy));
    let Some(history) = history else {
        return no(format!(
            "there is no history below {} to look labels up in",
            output.display()
        ));
    };
    let rows = history.rows(&Filter {
        label: Some(label),
        ..Filter::default()
    })?;
    if !rows.is_empty() {
        return Ok(rows);
    }
    let (_, known) = history.names()?;
    match nearest(label, known.iter().map(String::as_str)) {
        Some(close) => no(format!("did you mean `label:{close}`?")),
        None if known.is_empty() => no("`squall run --label NAME` gives one".to_owned()),
        None => no(format!("the labels are {}", known.join(", "))),
    }
}

/// A folder is judged anew: it needs no history, and says what this squall says.
fn folder(path: &Path) -> Result<Vec<Kept>, Bad> {
    let journals = journals(path).map_err(|error| {
        Bad::Plain(
            error.to_string(),
            "name a run's folder, for example tmp/latest".to_owned(),
        )
    })?;
    let report = report(&journals);
    Ok(report
        .scenarios
        .iter()
        .map(|scenario| Kept::of(scenario, None))
        .collect())
}
