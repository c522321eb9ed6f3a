//! Runs on a system that was attached to: what only a handle would show is left unjudged, and work that calls the
//! witness is judged by its calls.

use squall_core::check::Outcome as Came;
use squall_core::contract::Delivery;
use squall_core::demand::Demand;
use squall_core::event::{Answer, Call, Fact, Outcome, State, TaskEvent};
use squall_core::report::{html, json, junit, markdown, report, terminal};

use super::run::{MS, Run, SEC, record};

/// The sound run as it looks from outside, without its faults: requests, records, and the calls of its main work.
fn attached() -> Run {
    let mut run = Run::sound();
    run.header.plan.steps.clear();
    let to = "http://localhost:3000".to_owned();
    run.header.system = run.header.system.clone().attached(to);
    tasks(&mut run).called.insert("work".to_owned());
    let mut facts = Vec::new();
    for (at, fact) in std::mem::take(&mut run.facts) {
        match fact {
            Fact::Task(line) if line.event == TaskEvent::Effect && line.task.starts_with("task") => {
                facts.push((at - MS, call(&line.task, false)));
                facts.push((at, call(&line.task, true)));
            }
            Fact::Op(mut op) => {
                (op.answer, op.outcome) = (Answer::Right, Outcome::Ok);
                facts.push((at, Fact::Op(op)));
            }
            // What nobody witnessed the system must show.
            Fact::Record(mut record) => {
                record.failures = Some(if record.state == Some(State::Dead) { 3 } else { 0 });
                facts.push((at, Fact::Record(record)));
            }
            Fact::Phase(_) | Fact::Closed { .. } => facts.push((at, fact)),
            _ => {}
        }
    }
    run.facts = facts;
    run.header.plan.deadline = Some(60 * SEC);
    run
}

fn tasks(run: &mut Run) -> &mut squall_core::system::TaskFacts {
    run.header.system.tasks.as_mut().expect("it has tasks")
}

fn call(mark: &str, answered: bool) -> Fact {
    let mark = mark.to_owned();
    Fact::Call(Call { mark, answered })
}

/// Takes the calls of one task's work away.
fn uncalled(run: &mut Run, task: &str) {
    run.keep(|_, fact| !matches!(fact, Fact::Call(call) if call.mark == task));
}

#[test]
fn what_needs_a_handle_is_left_unjudged_and_the_rest_passes() {
    let run = attached();
    let judged = run.judge();
    let says: Vec<_> = judged
        .verdicts
        .iter()
        .map(|verdict| (&verdict.check, &verdict.says))
        .collect();
    assert_eq!(judged.outcome, Came::Pass, "{says:#?} {:?}", judged.doubts);
    let passed: Vec<&str> = judged.verdicts.iter().map(|verdict| verdict.check.as_str()).collect();
    assert_eq!(
        passed,
        [
            "api_success",
            "no_task_lost",
            "no_phantom_task",
            "none_stuck",
            "dlq_accounted",
            "completion",
            "deadline",
            "data_intact"
        ]
    );
    let unjudged: Vec<&str> = judged.unjudged.iter().map(|left| left.check.as_str()).collect();
    assert_eq!(
        unjudged,
        [
            "answered_correctly",
            "answers_in_time",
            "health_truthful",
            "no_task_completed_twice",
            "retried",
            "recovery",
            "work_spread"
        ]
    );
    assert!(
        Run::sound().judge().unjudged.is_empty(),
        "with a handle all of it is judged"
    );
}

#[test]
fn where_nothing_can_be_judged_nothing_is_shown() {
    let mut run = attached();
    run.header.plan.checks = vec![Demand::Retried, Demand::WorkSpread];
    let judged = run.judge();
    assert_eq!((judged.outcome, judged.verdicts.len()), (Came::Inconclusive, 0));
    let report = report(&[run.journal()]);
    assert_eq!(report.scenarios[0].headline, "nothing could be judged");
}

#[test]
fn work_that_was_done_before_its_call_or_without_one_is_phantom_done() {
    // Read back when the call came, it was done already.
    let mut before = attached();
    let facts = before.facts.iter();
    let came = facts
        .filter(|(_, fact)| *fact == call("task-7", false))
        .map(|(at, _)| *at);
    let came = came.max().expect("it called");
    before.add(came + MS / 2, record("task-7", Some(State::Done)));
    before.finds(&["no_task_lost: phantom-done"]);
    let mut never = attached();
    uncalled(&mut never, "task-7");
    never.finds(&["no_task_lost: phantom-done"]);
    // A call that nobody answered is no effect.
    let mut unanswered = attached();
    unanswered.keep(|_, fact| *fact != call("task-7", true));
    unanswered.finds(&["no_task_lost: phantom-done"]);
    // Of work that calls nobody its record is all there is.
    let mut silent = attached();
    tasks(&mut silent).called.clear();
    uncalled(&mut silent, "task-7");
    silent.finds(&[]);
}

#[test]
fn a_call_of_work_that_was_never_taken_is_a_phantom() {
    let mut run = attached();
    run.add(8 * SEC, call("refused", false));
    run.finds(&["no_phantom_task: phantom-task"]);
}

#[test]
fn a_second_call_is_a_finding_where_effects_happen_once_and_else_only_counted() {
    let mut run = attached();
    tasks(&mut run).effects = Delivery::EffectivelyOnce;
    // The sound run's killed worker may have its effect again: here nobody died.
    let mut seen = std::collections::BTreeSet::new();
    run.keep(|_, fact| !matches!(fact, Fact::Call(call) if call.answered && !seen.insert(call.mark.clone())));
    assert_eq!(run.verdict("no_task_completed_twice").outcome, Came::Pass);
    run.add(12 * SEC, call("task-7", true));
    run.finds(&["no_task_completed_twice: double-effect"]);
    tasks(&mut run).effects = Delivery::AtLeastOnce;
    run.finds(&[]);
    assert_eq!(report(&[run.journal()]).scenarios[0].counts.repeated_effects, 1);
}

#[test]
fn every_format_lists_what_was_not_judged_and_what_was_not_run() {
    let journals = [attached().journal()];
    let left = squall_core::report::LeftOut {
        scenario: "worker-restart".to_owned(),
        why: "no handle on worker".to_owned(),
    };
    let report = report(&journals).of_planned(&["model".to_owned()]).without(vec![left]);
    assert_eq!(
        (report.outcome, report.total(), report.success_rate()),
        (Came::Pass, 1, 100)
    );
    for text in [
        terminal::render(&report, terminal::Style::default()),
        markdown::render(&report),
        junit::render(&report),
        html::render(&report, &journals),
    ] {
        for part in [
            "not run: no handle on worker",
            "not judged",
            "no worker reports its attempts",
        ] {
            assert!(text.contains(part), "nothing of `{part}` in\n{text}");
        }
    }
    let value: serde_json::Value = serde_json::from_str(&json::render(&report)).unwrap();
    assert_eq!(value["left_out"][0]["scenario"], "worker-restart");
    assert_eq!(value["scenarios"][0]["unjudged"][3]["check"], "no_task_completed_twice");
}
