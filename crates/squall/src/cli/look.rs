//! Verbs that only look: plan, judge, validate, list, schema; and heal.

use std::path::Path;

use clap::ValueEnum;
use squall_core::document::{Document, published_schema};
use squall_core::level::{LevelScope, levels};
use squall_core::place::Condition;
use squall_core::plan::{Hold, Plan, Start, Step};
use squall_core::report::{json, terminal};
use squall_core::scenario::Scenario;
use squall_core::system::{Facts, System};
use squall_core::time::{nanos, words};
use squall_core::workload::PlannedClients;
use squall_core::{demand, fault};

use super::inputs::{all_scenarios, inputs, scenario_text};
use super::{PlanArgs, reports, say, workshop};
use crate::exit;
use crate::guard::sweep_with;
use crate::store::{Folder, journals};

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum What {
    /// Scenarios, bundled and the project's own
    Scenarios,
    /// Difficulty levels
    Levels,
    /// Faults a storm may use
    Faults,
    /// Checks a scenario may ask for
    Checks,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Of {
    /// System files
    System,
    /// Scenario files
    Scenario,
}

/// `squall plan`.
pub(super) fn plan(args: &PlanArgs) -> u8 {
    let seed = args.choice.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    let inputs = match inputs(&args.choice, None, seed) {
        Ok(inputs) => inputs,
        Err(bad) => {
            bad.say();
            return exit::BAD_INPUT;
        }
    };
    if args.json {
        say::out(&serde_json::to_string_pretty(&inputs.plans).unwrap_or_default());
    } else {
        say::err(&format!("seed {seed}"));
        for plan in &inputs.plans {
            let facts = inputs.system.with_replicas(&plan.replicas).facts();
            say::out(&preview(plan, &facts));
        }
        let left_out = inputs.left_out.iter();
        left_out.for_each(|left| say::out(&format!("{}: not run: {}", left.scenario, left.why)));
    }
    exit::PASS
}

/// What a plan would hit, and when.
fn preview(plan: &Plan, facts: &Facts) -> String {
    let seconds = |nanos: u64| words(nanos);
    let mut text = format!(
        "{} (level {}, pace {}, seed {})\n  {}\n",
        plan.scenario, plan.level, plan.pace, plan.seed, plan.hypothesis
    );
    if let Some(kind) = &plan.main_kind {
        let main = plan.tasks.iter().filter(|task| task.kind == *kind);
        let deadline = plan.deadline.map_or("none".to_owned(), seconds);
        let ms = plan
            .tasks
            .iter()
            .find(|task| task.kind == *kind)
            .map_or(0, |task| task.ms);
        text += &format!(
            "  {} tasks of {ms} ms, deadline {deadline}, {} others\n",
            main.clone().count(),
            plan.tasks.len() - main.count()
        );
    }
    for writes in &plan.writes {
        let each = if writes.burst > 1 {
            format!("{} at once", writes.burst)
        } else {
            "one".to_owned()
        };
        text += &format!("  {each} of `{}` every {}\n", writes.kind, seconds(writes.every));
    }
    if let Some(bulky) = &plan.bulky {
        let megabytes = bulky.bytes / 1_000_000;
        text += &format!(
            "  a create of {megabytes} MB every {}, to be refused\n",
            seconds(bulky.every)
        );
    }
    text += &plan.clients.iter().map(clients_line).collect::<String>();
    if let Some(flood) = &plan.flood {
        let up = flood.up_to.map_or(String::new(), |(to, length)| {
            format!(", then up to {to:.0}/s in {}", seconds(length))
        });
        text += &format!(
            "  a flood of `{}`: {:.0}/s for {}{up}\n",
            flood.kind,
            flood.rate,
            seconds(flood.lasts)
        );
    }
    text += &step_lines(plan, facts);
    for planned in &plan.scripts {
        text += &format!(
            "       script    {} at {}, for at most {}\n",
            planned.script.run,
            seconds(planned.at),
            seconds(nanos(planned.script.within.get()))
        );
    }
    if plan.steps.is_empty() {
        text += "  no faults\n";
    }
    text += &plan
        .notes()
        .iter()
        .map(|note| format!("  note: {note}\n"))
        .collect::<String>();
    text
}

/// Each strike, with what it will wait for, or meet.
fn step_lines(plan: &Plan, facts: &Facts) -> String {
    let waits = plan.waits(facts);
    let line = |(index, step): (usize, &Step)| {
        let beside = match waits.get(&index) {
            Some(wait) => format!(", {wait}"),
            None => overlapped(plan, index),
        };
        step_line(index, step, &beside)
    };
    plan.steps.iter().enumerate().map(line).collect()
}

fn clients_line(clients: &PlannedClients) -> String {
    let hold = match clients.hold {
        0 => String::new(),
        hold => format!(", each held for {}", words(hold)),
    };
    format!(
        "  {} clients of {} {}{hold}, {} between their turns\n",
        clients.clients,
        clients.names.len(),
        clients.of.word(),
        words(clients.pause)
    )
}

/// The steps before this one that would still hold when it strikes, as far as their times are known beforehand.
fn overlapped(plan: &Plan, index: usize) -> String {
    let at = |step: &Step| match (step.start, step.aim) {
        (Start::At(at), None) => Some(at),
        _ => None,
    };
    let Some(start) = plan.steps.get(index).and_then(at) else {
        return String::new();
    };
    let earlier = plan.steps.iter().take(index).enumerate();
    let holding = earlier
        .filter(|(_, other)| at(other).is_some_and(|at| (at..at.saturating_add(other.hold.nanos())).contains(&start)));
    let holding: Vec<String> = holding.map(|(index, _)| index.to_string()).collect();
    match holding.as_slice() {
        [] => String::new(),
        [one] => format!(", while step {one} holds"),
        many => format!(", while steps {} hold", many.join(", ")),
    }
}

/// What one step of a plan would hit, and when.
fn step_line(index: usize, step: &Step, overlapped: &str) -> String {
    let seconds = |nanos: u64| words(nanos);
    let when = match step.start {
        Start::At(at) => format!("at {}", seconds(at)),
        Start::After { step, gap } => format!("{} after step {step}", seconds(gap)),
    };
    let target = match (&step.place, &step.link_to) {
        (Some(place), _) => place.to_string(),
        (None, Some(to)) => format!("{}->{to}", step.service),
        (None, None) => step.service.clone(),
    };
    let aim = step
        .aim
        .map_or(String::new(), |(aim, _)| format!(", when {}", aim.words()));
    let or_done = step.or_done.map_or(String::new(), |share| {
        format!(" or once {:.0} % are done", share * 100.0)
    });
    let what = match &step.condition {
        Condition::Replicas(copies) => format!(" to {copies}"),
        Condition::Impaired(impairment) => format!(" {impairment}"),
        Condition::Intercepted(intercept) => format!(" {intercept}"),
        Condition::Short(shortage) => format!(", {shortage},"),
        Condition::Damaged(damage) => format!(", {damage},"),
        Condition::Skewed(skew) => format!(", {skew},"),
        Condition::Cut(_) => format!(", {},", step.condition.word()),
        _ => String::new(),
    };
    let hold = match step.hold {
        Hold::Stays => "until the next".to_owned(),
        hold => format!("for {}", seconds(hold.nanos())),
    };
    format!(
        "  {index:>3}  {:<9} {target}{what} {when}{or_done}{aim}, {hold}{overlapped}\n",
        step.fault
    )
}

/// `squall judge`.
pub(super) fn judge(path: &Path, as_json: bool) -> u8 {
    let journals = match journals(path) {
        Ok(journals) => journals,
        Err(error) => {
            say::problem(&error.to_string(), "name a run's folder, for example tmp/latest");
            return exit::BAD_INPUT;
        }
    };
    // A journal of its own is judged beside itself.
    let folder = if path.is_file() {
        path.parent().unwrap_or(Path::new("."))
    } else {
        path
    };
    match reports::write_reports(&Folder::open(folder), &journals) {
        Ok(report) if as_json => {
            say::out(&json::render(&report));
            exit::code(report.outcome)
        }
        Ok(report) => {
            say::out(terminal::render(&report, terminal::Style { color: say::colour() }).trim_end());
            exit::code(report.outcome)
        }
        Err(trouble) => workshop::environment(&trouble),
    }
}

/// `squall list`.
pub(super) fn list(what: Option<What>) -> u8 {
    let wanted = |this: What| what.is_none_or(|what| what == this);
    if wanted(What::Scenarios) {
        say::out("Scenarios");
        for name in all_scenarios() {
            let line = scenario_text(&name)
                .ok()
                .and_then(|(file, text)| first_line(&file, &text));
            say::out(&format!(
                "  {name:<20} {}",
                line.unwrap_or_else(|| "(can't be read: squall validate)".to_owned())
            ));
        }
    }
    if wanted(What::Levels) {
        say::out("Levels");
        for level in levels().unwrap_or_default() {
            say::out(&format!(
                "  {} {:<18} {} ({})",
                level.level, level.name, level.purpose, level.total_time
            ));
            say::out(&format!("    for {}", level.use_cases.join(", ")));
            let values: Vec<String> = level
                .values
                .iter()
                .filter(|(name, _)| *name != "hypothesis")
                .map(|(name, value)| {
                    format!(
                        "{name}={}",
                        value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                    )
                })
                .collect();
            say::out(&format!("    {}", values.join(" ")));
        }
    }
    if wanted(What::Faults) {
        say::out("Faults");
        for (name, does, proof) in fault::CATALOGUE {
            say::out(&format!("  {name:<17} {does}\n                    proven by {proof}"));
        }
    }
    if wanted(What::Checks) {
        say::out("Checks");
        for (name, classes, demands) in demand::CATALOGUE {
            say::out(&format!(
                "  {name:<24} {demands}\n                           finding: {classes}"
            ));
        }
    }
    exit::PASS
}

fn first_line(file: &str, text: &str) -> Option<String> {
    let level = levels().ok()?.into_iter().next()?;
    let doc = Document::parse(file, text)
        .ok()?
        .expand(&LevelScope::new(&level, &[], 1.0))
        .ok()?;
    let scenario: Scenario = doc.read().ok()?;
    Some(scenario.about.unwrap_or(scenario.hypothesis))
}

/// `squall schema`.
pub(super) fn schema(of: Of) -> u8 {
    let schema = match of {
        Of::System => published_schema::<System>("squall system"),
        Of::Scenario => published_schema::<Scenario>("squall scenario"),
    };
    say::out(&serde_json::to_string_pretty(&schema).unwrap_or_default());
    exit::PASS
}

/// `squall heal`.
pub(super) fn heal(output: &Path) -> u8 {
    let runs = match Folder::unhealed(output) {
        Ok(runs) => runs,
        // No run was ever made here.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            say::problem(
                &format!("{}: {error}", output.display()),
                "name the folder runs are in with --output",
            );
            return exit::BAD_INPUT;
        }
    };
    let mut code = exit::PASS;
    for (folder, id) in &runs {
        let swept = sweep_with(id, &folder.lives());
        folder.remove_partial();
        if swept.clean() {
            folder.forget();
            say::out(&format!("{id}: nothing of it is left"));
        } else {
            say::problem(
                &format!("{id}: still there: {swept}"),
                "try again, or remove them by hand",
            );
            code = exit::NOT_HEALED;
        }
    }
    if runs.is_empty() {
        say::out("nothing to heal");
    }
    code
}
