//! Every format of the report, from the same three made-up runs.

#[path = "report/page.rs"]
mod page;
#[path = "report/sample.rs"]
mod sample;

use insta::assert_snapshot;
use squall_core::check::Outcome;
use squall_core::compare::{FIGURES, figures};
use squall_core::event::{Fact, TaskEvent};
use squall_core::report::terminal::Style;
use squall_core::report::{LeftOut, html, json, junit, markdown, report, terminal};

#[test]
fn the_terminal_shows_findings_and_then_the_block() {
    assert_snapshot!(terminal::render(&sample::report().0, Style::default()));
}

#[test]
fn what_can_t_be_run_on_a_system_is_listed_with_its_reason_and_counts_for_nothing() {
    let (report, journals) = sample::report();
    let left = LeftOut {
        scenario: "circuit-breaker".to_owned(),
        why: "needs a service `partner`".to_owned(),
    };
    let with = report.clone().without(vec![left]);
    assert_eq!((with.outcome, with.total()), (report.outcome, report.total()));
    assert_eq!(with.success_rate(), report.success_rate());
    let line = "circuit-breaker: not run: needs a service `partner`";
    assert!(terminal::render(&with, Style::default()).contains(&format!("\u{23ed} {line}")));
    assert!(html::render(&with, &journals).contains(line));
    assert!(markdown::render(&with).contains("| circuit-breaker | not run: needs a service"));
    let junit = junit::render(&with);
    assert!(
        junit.contains("<skipped message=\"not run: needs a service `partner`\""),
        "{junit}"
    );
    assert!(!json::render(&report).contains("left_out") && json::render(&with).contains("left_out"));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let (report, _) = sample::report();
    let colored = terminal::render(&report, Style { color: true });
    assert_eq!(uncolored(&colored), terminal::render(&report, Style::default()));
    assert_snapshot!(colored.replace('\u{1b}', "^["));
}

#[test]
fn markdown_can_be_put_in_a_pull_request() {
    assert_snapshot!(markdown::render(&sample::report().0));
}

#[test]
fn json_holds_every_figure_and_names_its_schema() {
    let text = json::render(&sample::report().0);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["schema"], 1);
    assert_eq!(value["scenarios"].as_array().map(Vec::len), Some(3));
    assert!(value["scenarios"][0]["latency"]["p50"].as_u64() > Some(1_000_000));
    assert_snapshot!(text);
}

#[test]
fn a_runs_figures_for_comparing_are_those_its_report_shows() {
    let (report, _) = sample::report();
    for run in &report.scenarios {
        let found = figures(run);
        assert_eq!(found.get("duration"), Some(run.duration as f64));
        assert_eq!(
            found.get("create_p50"),
            run.creates.as_ref().map(|creates| creates.p50 as f64)
        );
        assert!(found.get("recovery_max") >= found.get("recovery_median"));
        assert_eq!(
            found.get("findings").is_some_and(|findings| findings > 0.0),
            run.outcome == Outcome::Fail
        );
    }
    let chaos = figures(&report.scenarios[0]);
    assert!(chaos.get("create_p99") > Some(0.0) && chaos.get("recovery_median") > Some(0.0));
    let names: std::collections::BTreeSet<&str> = FIGURES.iter().map(|figure| figure.name).collect();
    assert_eq!(names.len(), FIGURES.len());
}

#[test]
fn junit_is_never_greener_than_the_run() {
    let text = junit::render(&sample::report().0);
    for suite in text.split("<testsuite ").skip(1) {
        let passed = suite.contains(r#"name="outcome" value="PASS""#);
        let red = suite.contains("<failure") || suite.contains("<error");
        assert_eq!(passed, !red, "{suite}");
    }
    assert_snapshot!(text);
}

#[test]
fn a_journal_that_was_cut_off_still_makes_a_report() {
    let (_, journals) = sample::report();
    for journal in &journals {
        for length in [1, 2, 40, journal.events().len() / 2] {
            let cut = squall_core::journal::Journal::new(journal.events()[..length].to_vec()).unwrap();
            let report = report(std::slice::from_ref(&cut));
            assert_ne!(report.outcome, Outcome::Pass);
            page::check(&html::render(&report, &[cut]));
            terminal::render(&report, Style::default());
            markdown::render(&report);
            junit::render(&report);
        }
    }
}

#[test]
fn strikes_that_never_began_are_told() {
    let (_, journals) = sample::report();
    let planned = |journal: &&squall_core::journal::Journal| !journal.header().plan.steps.is_empty();
    let journal = journals.iter().find(planned).unwrap();
    let steps = journal.header().plan.steps.len();
    let cut = squall_core::journal::Journal::new(journal.events()[..2].to_vec()).unwrap();
    let early = report(std::slice::from_ref(&cut));
    assert_eq!(early.scenarios[0].unbegun, steps);
    assert_eq!(report(std::slice::from_ref(journal)).scenarios[0].unbegun, 0);
    let mut facts = journal.events().to_vec();
    let squall_core::event::Fact::Opened(header) = &mut facts[0].fact else {
        panic!("a journal begins with its header")
    };
    let again = header.plan.steps[0].clone();
    header.plan.steps.push(again);
    let late = report(&[squall_core::journal::Journal::new(facts).unwrap()]);
    let said = &late.scenarios[0].analysis;
    assert!(said.contains("1 planned strike never began"), "{said}");
}

#[test]
fn no_journal_at_all_proves_nothing() {
    let report = report(&[]);
    assert_eq!(report.outcome, Outcome::Inconclusive);
    assert_eq!(report.success_rate(), 0);
}

#[test]
fn the_page_draws_every_fault_and_every_attempt_once() {
    let (report, journals) = sample::report();
    let page = html::render(&report, &journals);
    let mut strikes = 0;
    let mut attempts = 0;
    for event in journals.iter().flat_map(|journal| journal.events()) {
        match &event.fact {
            Fact::Imposing { .. } => strikes += 1,
            Fact::Task(fact) if fact.event == TaskEvent::Start => attempts += 1,
            _ => {}
        }
    }
    assert_eq!(page.matches("data-step=").count(), strikes);
    assert_eq!(page.matches("data-attempt=").count(), attempts);
    assert_eq!(page.matches(r#"class="task-bar task-interrupted""#).count(), 1);
    assert_eq!(page.matches(r#"class="task-bar task-fenced""#).count(), 1);
    assert_eq!(page.matches(r#"class="task-bar task-failed""#).count(), 1);
}

#[test]
fn the_page_is_whole_and_needs_nothing_else() {
    let (report, journals) = sample::report();
    page::check(&html::render(&report, &journals));
}

#[test]
fn what_the_page_says_in_words() {
    let (report, journals) = sample::report();
    assert_snapshot!(page::words(&html::render(&report, &journals)));
}

#[test]
fn a_long_runs_page_stays_small_and_says_what_it_left_out() {
    let journal = sample::long(12_000);
    let page = html::render(&report(std::slice::from_ref(&journal)), &[journal]);
    page::check(&page);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    assert_eq!(page.matches("data-attempt=").count(), 5_000);
    assert!(page.contains("7000 committed attempts, evenly chosen, are left out"));
    assert!(page.contains("lines are left out here"));
}

/// Without ANSI sequences.
fn uncolored(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain
}

#[test]
fn late_work_is_said_where_all_of_it_is_wanted() {
    let text = terminal::render(&sample::late("50%.."), Style::default());
    assert!(
        text.contains("⚠️ multi-worker-chaos: PASS (100.0%, late by 4s)\n"),
        "{text}"
    );
}

#[test]
fn where_part_of_the_work_is_expected_that_part_is_the_figure() {
    let text = terminal::render(&sample::late("50%..70%"), Style::default());
    assert!(text.contains("multi-worker-chaos: PASS (60.0%, 3 retries)\n"), "{text}");
}
