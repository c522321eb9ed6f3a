//! The report for CI: JUnit XML, one suite for each scenario.
//!
//! A suite holds one case for each check, one for each fault's proof, and one for the run as a whole,
//! so that a run nobody should believe is never green here either.

use std::collections::BTreeSet;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report as Suites, TestCase, TestCaseStatus, TestSuite};

use super::words::outcome;
use super::{Fault, Report, Scenario};
use crate::check::{Outcome, Verdict};

/// The report as JUnit XML.
pub fn render(report: &Report) -> String {
    let mut suites = Suites::new("squall");
    suites.set_time(Duration::from_nanos(report.duration));
    for scenario in &report.scenarios {
        suites.add_test_suite(suite(scenario));
    }
    for name in &report.not_run {
        let mut missing = TestSuite::new(name.as_str());
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_type("inconclusive").set_message("not run");
        missing.add_test_case(TestCase::new("the run as a whole", status));
        suites.add_test_suite(missing);
    }
    for left in &report.left_out {
        let mut suite = TestSuite::new(left.scenario.as_str());
        let why = format!("not run: {}", left.why);
        suite.add_test_case(TestCase::new("the run as a whole", skipped(&why)));
        suites.add_test_suite(suite);
    }
    // Writing to memory cannot fail.
    suites.to_string().unwrap_or_default()
}

fn suite(scenario: &Scenario) -> TestSuite {
    let mut suite = TestSuite::new(scenario.name.as_str());
    suite.set_time(Duration::from_nanos(scenario.duration));
    let run = &scenario.run;
    for (name, value) in [
        ("system", run.system.clone()),
        ("level", run.level.to_string()),
        ("seed", run.seed.to_string()),
        ("pace", run.pace.to_string()),
        ("run", run.id.clone()),
        ("repeat", run.repeat.clone()),
        ("outcome", outcome(scenario.outcome).to_owned()),
    ] {
        suite.add_property(Property::new(name, value));
    }
    let seen: BTreeSet<usize> = scenario
        .faults
        .iter()
        .filter(|fault| fault.seen)
        .map(|fault| fault.entry)
        .collect();
    let mut add = |name: String, status: TestCaseStatus, time: Option<Duration>| {
        let mut case = TestCase::new(name, status);
        case.set_classname(scenario.name.as_str());
        if let Some(time) = time {
            case.set_time(time);
        }
        suite.add_test_case(case);
    };
    for verdict in &scenario.verdicts {
        add(verdict.check.clone(), judged(verdict), None);
    }
    for left in &scenario.unjudged {
        add(left.check.clone(), skipped(&format!("not judged: {}", left.why)), None);
    }
    for fault in &scenario.faults {
        let name = format!("effect of {} on {} (step {})", fault.fault, fault.place, fault.step);
        let held = fault.to.map(|to| Duration::from_nanos(to.saturating_sub(fault.from)));
        add(name, proven(fault, seen.contains(&fault.entry)), held);
    }
    add("the run as a whole".to_owned(), whole(scenario), None);
    suite
}

fn judged(verdict: &Verdict) -> TestCaseStatus {
    match verdict.outcome {
        Outcome::Pass => TestCaseStatus::success(),
        Outcome::Inconclusive => inconclusive(&verdict.says),
        Outcome::Fail => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(verdict.class.as_deref().unwrap_or(&verdict.check));
            status.set_message(verdict.says.as_str());
            let events: Vec<_> = verdict.evidence.iter().map(ToString::to_string).collect();
            let advice = verdict
                .advice
                .as_ref()
                .map_or(String::new(), |advice| format!("\n{advice}"));
            status.set_description(format!("found {}; events {}{advice}", verdict.found, events.join(", ")));
            status
        }
    }
}

/// Strikes of one entry prove each other: an unseen one beside a seen one is no problem of the run.
fn proven(fault: &Fault, entry_seen: bool) -> TestCaseStatus {
    match (fault.seen, entry_seen) {
        (true, _) => TestCaseStatus::success(),
        (false, true) => skipped(&fault.proof),
        (false, false) => inconclusive(&fault.proof),
    }
}

fn whole(scenario: &Scenario) -> TestCaseStatus {
    match scenario.doubts.as_slice() {
        [] => TestCaseStatus::success(),
        doubts => inconclusive(&doubts.join("; ")),
    }
}

fn skipped(why: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(why);
    status
}

fn inconclusive(says: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_type("inconclusive");
    status.set_message(says);
    status
}
