//! `squall compare`: which figures of two sets of runs differ, by how much, how surely.

mod side;

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use squall_core::amount::Percent;
use squall_core::compare::{Comparison, Group, Row, Shown, compare as compare_groups};

use self::side::{Kept, Side};
use super::inputs::Bad;
use super::say;
use super::table::{row, table};
use crate::exit;

/// Grows when a field is renamed or removed, or changes its meaning.
const SCHEMA: u32 = 1;

/// Which runs, and how sure.
#[derive(Debug, Clone, Args)]
pub(super) struct CompareArgs {
    /// The first set: runs' folders or ids, joined with commas, or label:NAME
    a: String,
    /// The second set, likewise
    b: String,
    /// How sure the whole comparison shall be
    #[arg(long, default_value = "99.9%", value_name = "PERCENT", value_parser = level)]
    level: Percent,
    /// Of this scenario only: the fewer figures, the fewer runs are enough
    #[arg(short, long, value_name = "S")]
    scenario: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// The runs' folder
    #[arg(short, long, env = "OUTPUT_DIR", default_value = "tmp", value_name = "DIR")]
    output: PathBuf,
}

fn level(text: &str) -> Result<Percent, String> {
    let level: Percent = text
        .parse()
        .map_err(|bad: squall_core::amount::BadAmount| bad.to_string())?;
    match (0.5..=0.999_999_9).contains(&level.fraction()) {
        true => Ok(level),
        false => Err("a level is from 50% to 99.99999%; nothing is shown for sure".to_owned()),
    }
}

/// `squall compare`.
pub(super) fn compare(args: &CompareArgs) -> u8 {
    let sides = side::sides(args);
    let (a, b) = match sides {
        Ok(sides) => sides,
        Err(bad) => {
            bad.say();
            return exit::BAD_INPUT;
        }
    };
    let comparison = compare_groups(&groups(&a, &b), args.level.fraction());
    let notes = notes(&a, &b);
    if comparison.rows.is_empty() {
        a.say("A");
        b.say("B");
        let what = "A and B have no scenario in common that showed anything";
        let remedy = "name runs of one scenario on both sides; inconclusive ones are left out".to_owned();
        Bad::Plain(what.to_owned(), remedy).say();
        return exit::BAD_INPUT;
    }
    if args.json {
        say::out(&format!("{:#}", value(&comparison, &notes)));
    } else {
        a.say("A");
        b.say("B");
        say::out(&text(&comparison, args.level));
    }
    notes.iter().for_each(|note| say::err(&format!("⚠️  {note}")));
    match comparison.worse().next() {
        Some(_) => exit::FINDING,
        None => exit::PASS,
    }
}

fn groups<'a>(a: &'a Side, b: &'a Side) -> Vec<Group<'a>> {
    let figures = |side: &'a Side, scenario: &str| side.of(scenario).map(|kept| &kept.figures).collect();
    let groups = a.scenarios().into_iter().map(|scenario| Group {
        scenario,
        a: figures(a, scenario),
        b: figures(b, scenario),
    });
    groups.filter(|group| !group.b.is_empty()).collect()
}

/// Where runs differ in more than which set they are in, a change may come from that.
fn notes(a: &Side, b: &Side) -> Vec<String> {
    let mut notes = Vec::new();
    let of = |fact: fn(&Kept) -> String| a.shown().chain(b.shown()).map(fact).collect::<Vec<_>>();
    for (name, mut values) in [
        ("system", of(|kept| kept.system.clone())),
        ("level", of(|kept| kept.level.to_string())),
        ("pace", of(|kept| kept.pace.to_string())),
        ("scenarios at once", of(|kept| kept.jobs.to_string())),
        ("version of squall", of(|kept| kept.squall.clone())),
    ] {
        values.sort();
        values.dedup();
        if values.len() > 1 {
            notes.push(format!(
                "the runs differ in {name} ({}): what changed may come from that",
                values.join(", ")
            ));
        }
    }
    notes
}

fn text(comparison: &Comparison, level: Percent) -> String {
    let mut text = format!(
        "Level {level} for all {} that vary together; {} a side are enough to claim a change.\n",
        number(comparison.figures, "figure"),
        number(comparison.enough, "run")
    );
    for rows in comparison.rows.chunk_by(|one, next| one.scenario == next.scenario) {
        let mut lines = vec![row(["FIGURE", "A", "B", "DIFFERENCE", "INTERVAL", "RUNS", ""])];
        lines.extend(rows.iter().map(line));
        let scenario = rows.first().map_or("", |row| row.scenario.as_str());
        text += &format!("\n{scenario}\n{}\n", table(&lines, "  "));
    }
    text + "\n" + &conclusion(comparison)
}

fn line(of: &Row) -> Vec<String> {
    let unit = of.figure.unit;
    row([
        of.figure.name,
        &unit.words(of.medians.0),
        &unit.words(of.medians.1),
        &unit.signed(of.difference),
        &interval(of),
        &format!("{}, {}", of.runs.0, of.runs.1),
        match of.shown {
            Shown::Better => "changed: better",
            Shown::Worse => "changed: worse",
            Shown::NoChange => "no change shown",
            Shown::TooFew => "too few runs",
        },
    ])
}

fn interval(of: &Row) -> String {
    let unit = of.figure.unit;
    let words = |(low, high)| format!("{} to {}", unit.signed(low), unit.signed(high));
    of.interval.map_or_else(|| "-".to_owned(), words)
}

fn conclusion(comparison: &Comparison) -> String {
    let mut parts = Vec::new();
    for (word, rows) in [
        ("Worse", comparison.worse().collect::<Vec<_>>()),
        ("Better", comparison.better().collect()),
    ] {
        for row in rows {
            let (unit, figure) = (row.figure.unit, row.figure);
            parts.push(format!(
                "{word}: {} of {} by {} ({}); {}",
                figure.name,
                row.scenario,
                unit.signed(row.difference),
                interval(row),
                figure.about
            ));
        }
    }
    let few = comparison.rows.iter().filter(|row| row.shown == Shown::TooFew);
    match (parts.is_empty(), few.count()) {
        (true, 0) => "No change is shown.".to_owned(),
        (true, _) => format!(
            "Too few runs: whatever they show, fewer than {} a side are no evidence of a change at this level.",
            comparison.enough
        ),
        _ => parts.join("\n"),
    }
}

fn number(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}

fn value(comparison: &Comparison, notes: &[String]) -> Value {
    let rows = comparison.rows.iter().map(|row| {
        json!({
            "scenario": row.scenario,
            "figure": row.figure.name,
            "unit": match row.figure.unit {
                squall_core::compare::Unit::Time => "ns",
                squall_core::compare::Unit::Share => "share",
                squall_core::compare::Unit::Count => "count",
                squall_core::compare::Unit::Memory => "KiB",
            },
            "runs": row.runs,
            "medians": row.medians,
            "difference": row.difference,
            "interval": row.interval,
            "shown": match row.shown {
                Shown::Better => "better",
                Shown::Worse => "worse",
                Shown::NoChange => "no_change",
                Shown::TooFew => "too_few_runs",
            },
        })
    });
    json!({
        "schema": SCHEMA,
        "level": comparison.level,
        "figures": comparison.figures,
        "enough": comparison.enough,
        "notes": notes,
        "rows": rows.collect::<Vec<_>>(),
    })
}
