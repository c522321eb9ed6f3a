//! The matrix of the selftest: what was expected of each run, and what it found.

use squall_core::check::Outcome;
use squall_core::event::{Event, Fact, Phase};
use squall_core::journal::Journal;
use squall_core::judgement::{Judgement, judgement};
use squall_core::plan::Plan;

use super::bugs::Bug;

/// One line of the matrix.
pub(super) struct Row {
    pub(super) bug: String,
    pub(super) scenario: String,
    check: String,
    class: String,
    /// As it should be.
    pub(super) right: bool,
    /// The expected check failed with the expected class.
    caught: bool,
    /// What was found: check and class of everything that failed.
    pub(super) found: String,
    /// From the storm's start to the finding's first evidence.
    after: String,
    /// What the others say of the same journal when its check is taken away.
    without: String,
}

fn sign(right: bool) -> &'static str {
    if right { "✅" } else { "❌" }
}

/// What is said when a run has ended.
pub(super) fn line(row: &Row, seed: u64) -> String {
    let Row {
        bug, scenario, found, ..
    } = row;
    format!("{} {bug:<20} {scenario} (seed {seed}) {found}", sign(row.right))
}

pub(super) fn bug_row(bug: &Bug, journal: &Journal) -> Row {
    let whole = judgement(&journal.history());
    let rest = without(journal, bug.check);
    let caught = catches(bug, &whole);
    Row {
        bug: bug.name.to_owned(),
        scenario: bug.scenario.to_owned(),
        check: bug.check.to_owned(),
        class: bug.class.to_owned(),
        right: caught,
        caught,
        found: failures(&whole),
        after: after(bug, &whole, journal),
        without: match rest.outcome {
            Outcome::Pass => "the run would be green".to_owned(),
            Outcome::Inconclusive => failures(&rest),
            Outcome::Fail => format!("others see {}", failures(&rest)),
        },
    }
}

/// A bug whose plan can't be made: never said to be caught.
pub(super) fn unplanned(bug: &Bug) -> Row {
    Row {
        bug: bug.name.to_owned(),
        scenario: bug.scenario.to_owned(),
        check: bug.check.to_owned(),
        class: bug.class.to_owned(),
        right: false,
        caught: false,
        found: "its scenario can't be planned on this system".to_owned(),
        after: "-".to_owned(),
        without: String::new(),
    }
}

pub(super) fn sound_row(plan: &Plan, judged: &Judgement) -> Row {
    Row {
        bug: "(sound)".to_owned(),
        scenario: plan.scenario.clone(),
        check: "all".to_owned(),
        class: "pass".to_owned(),
        right: judged.outcome == Outcome::Pass,
        caught: false,
        found: failures(judged),
        after: String::new(),
        without: String::new(),
    }
}

/// Only the expected check, with the expected class, counts.
pub(super) fn catches(bug: &Bug, judged: &Judgement) -> bool {
    judged.verdicts.iter().any(|verdict| {
        verdict.check == bug.check && verdict.outcome == Outcome::Fail && verdict.class.as_deref() == Some(bug.class)
    })
}

/// The same journal, judged as if its scenario did not ask for `check`.
fn without(journal: &Journal, check: &str) -> Judgement {
    let mut events: Vec<Event> = journal.events().to_vec();
    if let Some(Event {
        fact: Fact::Opened(header),
        ..
    }) = events.first_mut()
    {
        header.plan.checks.retain(|demand| demand.name() != check);
    }
    match Journal::new(events) {
        Ok(journal) => judgement(&journal.history()),
        Err(_) => judgement(&journal.history()),
    }
}

fn failures(judged: &Judgement) -> String {
    let mut found: Vec<String> = judged
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Fail)
        .map(|verdict| format!("{}: {}", verdict.check, verdict.class.as_deref().unwrap_or("?")))
        .collect();
    if found.is_empty() {
        let doubtful = judged
            .verdicts
            .iter()
            .filter(|verdict| verdict.outcome == Outcome::Inconclusive);
        found.extend(doubtful.map(|verdict| format!("{}: {}", verdict.check, verdict.says)));
        found.extend(judged.doubts.iter().cloned());
    }
    match judged.outcome {
        Outcome::Pass => "pass".to_owned(),
        Outcome::Inconclusive => format!("inconclusive ({})", found.join("; ")),
        Outcome::Fail => found.join(", "),
    }
}

fn after(bug: &Bug, judged: &Judgement, journal: &Journal) -> String {
    let verdict = judged.verdicts.iter().find(|verdict| verdict.check == bug.check);
    let first = verdict.and_then(|verdict| verdict.evidence.iter().min());
    let at = first
        .and_then(|first| journal.events().iter().find(|event| event.id == *first))
        .map(|event| event.at);
    match (at, journal.history().began(Phase::Storm)) {
        (Some(at), Some(storm)) => format!("{:.1} s", at as f64 / 1e9 - storm as f64 / 1e9),
        _ => "-".to_owned(),
    }
}

/// The matrix as a Markdown table.
pub(super) fn matrix(rows: &[Row]) -> String {
    let mut text =
        "| | bug | scenario | expected | found | first evidence after the storm began | with that check taken away |\n\
                    |---|---|---|---|---|---|---|\n"
            .to_owned();
    for row in rows {
        let Row {
            bug,
            scenario,
            check,
            class,
            found,
            after,
            without,
            ..
        } = row;
        text += &format!(
            "| {} | {bug} | {scenario} | {check}: {class} | {found} | {after} | {without} |\n",
            sign(row.right)
        );
    }
    let planted = rows.iter().filter(|row| !row.after.is_empty()).count();
    let caught = rows.iter().filter(|row| row.caught).count();
    let sound = rows.iter().filter(|row| row.after.is_empty());
    text + &format!(
        "\n{caught} of {planted} planted bugs caught; {} of {} sound runs pass",
        sound.clone().filter(|row| row.right).count(),
        sound.count()
    )
}
