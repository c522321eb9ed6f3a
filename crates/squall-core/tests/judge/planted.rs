//! One defect planted in a sound run each time: found by exactly the checks it concerns.

use squall_core::check::Outcome as Came;
use squall_core::contract::Delivery;
use squall_core::demand::{CATALOGUE, Deadline, Demand, TIMED};
use squall_core::event::{Answer, End, Fact, NoteKind, Op, Outcome, Pulse, PulseOf, Role, State, TaskEvent, TaskFact};

use super::queue::Model;
use super::run::{KILL, MS, OUTAGE, Run, SEC, instance, line, op, record};
use super::sound::stormy;

/// Every fourth request of the traffic due in `from..to`.
fn every_fourth(from: u64, to: u64, change: impl Fn(&mut Op)) -> Run {
    let mut run = Run::sound();
    let mut n = 0;
    run.facts.iter_mut().for_each(|(at, fact)| {
        if let Fact::Op(op) = fact
            && op.role == Role::Traffic
            && (from..to).contains(&op.due)
        {
            n += 1;
            if n % 4 == 0 {
                change(op);
                *at = op.ret;
            }
        }
    });
    run
}

fn pulses(from: u64, to: u64, of: PulseOf, answer: Answer) -> Run {
    let mut run = Run::sound();
    run.each(|_, fact| {
        if let Fact::Pulse(pulse) = fact
            && pulse.of == of
            && (from..to).contains(&pulse.call)
        {
            pulse.answer = answer;
        }
    });
    run
}

fn task_lines(run: &mut Run, task: &str, mut fits: impl FnMut(u64, &TaskFact) -> bool) {
    run.keep(|at, fact| !matches!(fact, Fact::Task(line) if line.task == task && !fits(at, line)));
}

fn says_of(run: &mut Run, task: &str, state: Option<State>) {
    run.each(|_, fact| {
        if let Fact::Record(record) = fact
            && record.task == task
        {
            record.state = state;
        }
    });
}

#[test]
fn wrong_answers_with_nothing_broken_fail_api_success() {
    let run = every_fourth(4 * SEC, 9 * SEC, |op| op.answer = Answer::Wrong);
    run.finds(&["api_success: wrong-answer"]);
    let verdict = run.verdict("api_success");
    assert!(verdict.says.contains("GET /tasks (12 times)"), "{}", verdict.says);
}

#[test]
fn an_api_that_is_mostly_wrong_is_a_critical_sign() {
    let run = Run::sound();
    let mut bad = run.clone();
    bad.each(|_, fact| {
        if let Fact::Op(op) = fact
            && op.role == Role::Traffic
            && op.due % (200 * MS) == 0
        {
            op.answer = Answer::Wrong;
        }
    });
    assert!(bad.verdict("api_success").warnings[0].contains("critical"));
    assert_eq!(run.verdict("api_success").warnings, Vec::<String>::new());
}

#[test]
fn wrong_answers_in_an_outage_fail_answered_correctly() {
    let run = every_fourth(OUTAGE.from, OUTAGE.to, |op| op.answer = Answer::Wrong);
    run.finds(&["answered_correctly: wrong-answer"]);
}

#[test]
fn refusals_that_take_three_seconds_fail_answers_in_time() {
    let run = every_fourth(OUTAGE.from, OUTAGE.to - 3 * SEC, |op| op.ret = op.call + 3 * SEC);
    run.finds(&["answers_in_time: hung"]);
    assert!(run.verdict("answers_in_time").says.contains("the slowest 3.00 s"));
}

#[test]
fn requests_that_hang_in_an_outage_are_neither_correct_nor_in_time() {
    let run = every_fourth(OUTAGE.from, OUTAGE.to, |op| {
        op.answer = Answer::Hung;
        op.ret = op.call + 10 * SEC;
    });
    run.finds(&["answered_correctly: wrong-answer", "answers_in_time: hung"]);
}

#[test]
fn saying_ready_while_the_database_is_gone_is_a_health_lie() {
    let run = pulses(
        OUTAGE.from + 3 * SEC,
        OUTAGE.to - 500 * MS,
        PulseOf::Ready,
        Answer::Right,
    );
    run.finds(&["health_truthful: health-lie"]);
}

#[test]
fn saying_ready_for_less_than_the_bound_after_the_loss_is_no_lie() {
    let run = pulses(OUTAGE.from, OUTAGE.from + 2 * SEC, PulseOf::Ready, Answer::Right);
    run.finds(&[]);
}

#[test]
fn readiness_that_flaps_with_nothing_broken_is_a_health_lie() {
    pulses(7 * SEC, 7 * SEC + 100 * MS, PulseOf::Ready, Answer::Refused).finds(&["health_truthful: health-lie"]);
    pulses(7 * SEC, 7 * SEC + 50 * MS, PulseOf::Ready, Answer::Refused).finds(&[]);
}

#[test]
fn not_being_live_while_the_database_is_gone_is_a_health_lie() {
    let run = pulses(OUTAGE.from, OUTAGE.to, PulseOf::Live, Answer::Refused);
    run.finds(&["health_truthful: health-lie"]);
}

#[test]
fn readiness_that_never_returns_is_no_recovery_and_no_truth() {
    let mut run = Run::lasting(50 * SEC);
    run.each(|_, fact| {
        if let Fact::Pulse(pulse) = fact
            && pulse.of == PulseOf::Ready
            && pulse.call > OUTAGE.from
        {
            pulse.answer = Answer::Refused;
        }
    });
    run.finds(&["health_truthful: health-lie", "recovery: no-recovery"]);
}

#[test]
fn a_start_that_was_given_up_on_is_a_slow_recovery() {
    let mut run = Run::sound();
    let waited = SEC;
    run.add(
        OUTAGE.to - 100 * MS,
        Fact::NotReady {
            instance: instance("db-1"),
            waited,
        },
    );
    run.finds(&["recovery: slow-recovery"]);
}

#[test]
fn a_finding_that_something_was_slow_is_none_where_the_load_was_late_and_any_other_stays() {
    let mut run = Run::sound();
    let waited = SEC;
    let at = OUTAGE.to - 100 * MS;
    let instance = instance("db-1");
    run.add(at, Fact::NotReady { instance, waited });
    let (kind, text) = (NoteKind::Late, "the load was late: 9 of 10".to_owned());
    run.add(18 * SEC, Fact::Note { kind, text });
    run.finds(&[]);
    let judged = run.judge();
    assert_eq!(judged.outcome, Came::Inconclusive);
    let says = run.verdict("recovery").says;
    assert!(says.contains("but the load was late: 9 of 10"), "{says}");
    says_of(&mut run, "task-7", None);
    run.finds(&["no_task_lost: lost-task", "data_intact: lost-ack"]);
}

#[test]
fn what_is_timed_is_a_class_of_some_check() {
    let known: Vec<&str> = CATALOGUE
        .iter()
        .flat_map(|(_, classes, _)| classes.split(", "))
        .collect();
    for class in TIMED {
        assert!(known.contains(&class), "{class}");
    }
}

#[test]
fn traffic_that_never_comes_back_to_its_band_is_a_slow_recovery() {
    let mut run = Run::sound();
    for due in (19 * SEC..60 * SEC).step_by(100 * MS as usize) {
        run.add(due + 5 * MS, Fact::Op(op("GET /tasks", Role::Traffic, due)));
    }
    run.facts.iter_mut().for_each(|(at, fact)| match fact {
        Fact::Op(op) if op.role == Role::Traffic && op.due > OUTAGE.to => {
            op.ret += 300 * MS;
            *at += 300 * MS;
        }
        Fact::Closed { .. } => *at = 61 * SEC,
        _ => {}
    });
    run.finds(&["recovery: slow-recovery"]);
    assert!(
        run.verdict("recovery").says.contains("not steady"),
        "{}",
        run.verdict("recovery").says
    );
}

#[test]
fn a_crash_nobody_caused_and_nobody_mends_is_no_recovery() {
    let mut run = Run::lasting(60 * SEC);
    run.exit("worker-3", 18 * SEC, false);
    run.finds(&["recovery: no-recovery"]);
}

#[test]
fn a_session_that_is_gone_at_the_audit_is_a_lost_acknowledgement() {
    let mut run = Run::sound();
    run.each(|_, fact| {
        if let Fact::Op(op) = fact
            && op.role == Role::Audit
        {
            (op.answer, op.status) = (Answer::Wrong, Some(401));
        }
    });
    run.finds(&["data_intact: lost-ack"]);
}

#[test]
fn a_payload_that_changed_is_corruption() {
    let mut seen = Run::sound();
    seen.each(|_, fact| {
        if let Fact::Task(line) = fact
            && line.task == "task-7"
        {
            line.payload_crc32 = line.payload_crc32.map(|_| 8);
        }
    });
    seen.finds(&["data_intact: corruption"]);
    let mut read = Run::sound();
    read.each(|_, fact| {
        if let Fact::Record(record) = fact
            && record.task == "task-7"
        {
            record.payload_crc32 = Some(8);
        }
    });
    read.finds(&["data_intact: corruption"]);
}

#[test]
fn an_acknowledged_task_that_is_absent_is_lost_as_work_and_as_data() {
    let mut run = Run::sound();
    says_of(&mut run, "task-7", None);
    run.finds(&["no_task_lost: lost-task", "data_intact: lost-ack"]);
    let mut never = Run::sound();
    never.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.task == "flaky-0"));
    says_of(&mut never, "flaky-0", None);
    never.finds(&["no_task_lost: lost-task", "data_intact: lost-ack"]);
}

#[test]
fn a_done_task_without_an_effect_is_phantom_done() {
    let mut run = Run::sound();
    task_lines(&mut run, "task-7", |_, line| line.event != TaskEvent::Effect);
    run.finds(&["no_task_lost: phantom-done"]);
}

#[test]
fn an_effect_after_its_commit_is_phantom_done() {
    let mut run = Run::sound();
    run.facts.iter_mut().for_each(|(at, fact)| {
        if let Fact::Task(line) = fact
            && line.task == "task-7"
            && line.event == TaskEvent::Effect
        {
            *at += 10 * MS;
        }
    });
    run.finds(&["no_task_lost: phantom-done"]);
}

#[test]
fn a_task_nobody_sent_is_a_phantom() {
    let mut run = Run::sound();
    for (at, event) in [(8, TaskEvent::Start), (8, TaskEvent::Effect), (8, TaskEvent::Committed)] {
        run.add(at * SEC, line("ghost", 1, "worker-2", event));
    }
    run.finds(&["no_phantom_task: phantom-task"]);
    // What was under way when the run broke off nobody wrote down.
    run.each(|_, fact| {
        if let Fact::Closed { end } = fact {
            *end = End::Interrupted;
        }
    });
    assert_eq!(run.verdict("no_phantom_task").outcome, Came::Inconclusive);
    let mut unknown = op("create", Role::Create, 5 * SEC);
    (unknown.outcome, unknown.answer) = (Outcome::Unknown, Answer::Hung);
    unknown.due = OUTAGE.from + SEC;
    run.add(OUTAGE.from + SEC, Fact::Op(unknown));
    assert_eq!(
        run.verdict("no_phantom_task").outcome,
        Came::Pass,
        "a create without an answer explains it"
    );
}

#[test]
fn two_commits_of_one_task_are_a_double_commit() {
    let mut run = Run::sound();
    run.add(8 * SEC, line("task-1", 2, "worker-3", TaskEvent::Committed));
    run.finds(&["no_task_completed_twice: double-commit"]);
    assert!(
        run.verdict("no_task_completed_twice")
            .says
            .contains("1 committed twice")
    );
}

#[test]
fn two_workers_with_the_same_attempt_number_are_a_double_commit() {
    let mut run = Run::sound();
    run.add(8 * SEC, line("task-1", 1, "worker-3", TaskEvent::Committed));
    run.finds(&["no_task_completed_twice: double-commit"]);
}

#[test]
fn a_commit_reported_again_for_want_of_an_answer_happened_once() {
    let mut run = Run::sound();
    let commit = run.facts.iter().find_map(|(at, fact)| match fact {
        Fact::Task(line) if line.event == TaskEvent::Committed => Some((*at, line.clone())),
        _ => None,
    });
    let (at, again) = commit.expect("a commit");
    run.add(at + 550 * MS, Fact::Task(again));
    run.finds(&[]);
}

#[test]
fn two_effects_are_a_finding_only_where_effects_are_promised_once() {
    let mut run = Run::sound();
    run.add(5 * SEC + 499 * MS, line("task-0", 1, "worker-1", TaskEvent::Effect));
    run.add(5 * SEC + 499 * MS, line("task-1", 1, "worker-2", TaskEvent::Effect));
    run.finds(&[]);
    let tasks = run.header.system.tasks.as_mut().expect("tasks");
    tasks.effects = Delivery::EffectivelyOnce;
    run.finds(&["no_task_completed_twice: double-effect"]);
}

/// The task worker-1 was killed in.
fn interrupted(run: &Run) -> String {
    let lines = run.facts.iter().filter_map(|(at, fact)| match fact {
        Fact::Task(line) if *at < KILL.from && line.worker == "worker-1" => Some(line),
        _ => None,
    });
    let last = lines.reduce(|_, later| later);
    last.expect("an attempt of worker-1").task.clone()
}

#[test]
fn a_task_that_nobody_takes_over_is_stuck_and_has_no_successor() {
    let mut run = Run::lasting(35 * SEC);
    run.without_spread();
    let task = interrupted(&run);
    task_lines(&mut run, &task, |at, _| at < KILL.from);
    says_of(&mut run, &task, Some(State::Running));
    run.finds(&[
        "none_stuck: stuck-task",
        "retried: missing-retry",
        "deadline: incomplete",
    ]);
}

#[test]
fn the_same_task_watched_too_briefly_is_no_finding() {
    let mut run = Run::sound();
    let task = interrupted(&run);
    task_lines(&mut run, &task, |at, _| at < KILL.from);
    says_of(&mut run, &task, Some(State::Running));
    run.facts.retain(|(at, _)| *at < 17 * SEC);
    run.add(17 * SEC, record(&task, Some(State::Running)));
    assert_eq!(run.verdict("none_stuck").outcome, Came::Inconclusive);
}

#[test]
fn a_task_that_waits_for_ever_is_stuck() {
    let mut run = Run::lasting(35 * SEC);
    task_lines(&mut run, "task-15", |_, _| false);
    says_of(&mut run, "task-15", Some(State::Waiting));
    run.finds(&["none_stuck: stuck-task", "deadline: incomplete"]);
}

#[test]
fn a_failed_attempt_put_off_for_ever_has_no_successor_and_is_stuck() {
    let mut run = Run::lasting(35 * SEC);
    task_lines(&mut run, "flaky-0", |_, line| line.attempt == 1);
    says_of(&mut run, "flaky-0", Some(State::Waiting));
    run.finds(&["none_stuck: stuck-task", "retried: missing-retry"]);
}

#[test]
fn a_task_buried_elsewhere_than_in_the_dead_letter_queue_leaks() {
    let mut run = Run::sound();
    says_of(&mut run, "failing-0", Some(State::Cancelled));
    run.finds(&["dlq_accounted: dlq-leak"]);
}

#[test]
fn a_task_dead_without_a_reason_leaks() {
    let mut run = Run::sound();
    task_lines(&mut run, "task-9", |_, line| line.event == TaskEvent::Start);
    says_of(&mut run, "task-9", Some(State::Dead));
    run.finds(&["dlq_accounted: dlq-leak", "deadline: incomplete"]);
    run.each(|_, fact| {
        if let Fact::Record(record) = fact
            && record.task == "task-9"
        {
            record.reason = Some("no handler for type 'work'".to_owned());
        }
    });
    // Work that must be done has a handler, whatever the system says.
    run.finds(&["dlq_accounted: dlq-leak", "deadline: incomplete"]);
    let kinds = &mut run.header.system.tasks.as_mut().expect("tasks").kinds;
    kinds.insert("work".to_owned(), squall_core::contract::Ends::Dead);
    let says = run.verdict("dlq_accounted").says;
    assert!(!says.contains("task-9 "), "{says}");
}

#[test]
fn too_few_tasks_done_at_the_deadline_are_incomplete() {
    let mut run = Run::sound();
    run.header.plan.deadline = Some(3 * SEC);
    run.finds(&["completion: incomplete", "deadline: incomplete"]);
}

#[test]
fn late_work_only_warns_where_the_level_allows_it() {
    let mut run = Run::sound();
    run.header.plan.deadline = Some(5 * SEC);
    run.header.plan.checks = vec![Demand::Deadline(Deadline { late_warns: true })];
    let verdict = run.verdict("deadline");
    assert_eq!(verdict.outcome, Came::Pass, "{}", verdict.says);
    assert!(verdict.warnings[0].starts_with("late by "), "{:?}", verdict.warnings);
}

#[test]
fn a_worker_that_claims_eight_tasks_at_once_hoards() {
    // Levels 1 to 6, then the same work at ten times the pace.
    let levels = [
        (10, 2, 2),
        (15, 2, 3),
        (25, 3, 3),
        (35, 3, 4),
        (30, 4, 5),
        (40, 2, 6),
        (40, 4, 2),
    ];
    for pace in [1, 10] {
        for (tasks, workers, takes) in levels {
            let mut model = Model::plain(tasks, takes * SEC / pace, workers, 4 * SEC);
            let sound = stormy(&model);
            assert_eq!(
                sound.findings(),
                [],
                "{tasks} tasks, {workers} workers, {takes} s at pace {pace}"
            );
            model.prefetch = 8;
            stormy(&model).finds(&["work_spread: hoarding"]);
        }
    }
}

#[test]
fn a_worker_that_never_takes_anything_makes_hoarders_of_the_others() {
    let mut model = Model::plain(20, SEC, 2, 4 * SEC);
    model.until = 100 * SEC;
    let mut run = stormy(&model);
    run.life("worker-3", 100 * MS, 500 * MS);
    run.finds(&["work_spread: hoarding"]);
}

#[test]
fn a_probe_that_hangs_once_is_no_finding() {
    let mut run = Run::sound();
    let (of, call, answer) = (PulseOf::Ready, 7 * SEC + MS, Answer::Hung);
    run.add(9 * SEC - 10 * MS, Fact::Pulse(Pulse { of, call, answer }));
    run.finds(&[]);
}

#[test]
fn work_the_system_cancels_by_itself_is_lost() {
    let mut run = Run::sound();
    task_lines(&mut run, "task-15", |_, _| false);
    says_of(&mut run, "task-15", Some(State::Cancelled));
    run.finds(&["no_task_lost: lost-task", "deadline: incomplete"]);
    let says = run.verdict("no_task_lost").says;
    assert!(says.contains("are cancelled by nobody: task-15"), "{says}");
}

#[test]
fn only_a_case_that_creates_tasks_explains_a_task_nobody_sent() {
    let ghost = |name: &str, request: &str, outcome: Outcome| {
        let mut run = Run::sound();
        for event in [TaskEvent::Start, TaskEvent::Effect, TaskEvent::Committed] {
            run.add(8 * SEC, line("ghost", 1, "worker-2", event));
        }
        let mut case = op(name, Role::Survey, 2 * SEC);
        (case.request, case.outcome) = (request.to_owned(), outcome);
        run.add(case.ret, Fact::Op(case));
        run.verdict("no_phantom_task").outcome
    };
    assert_eq!(
        ghost("POST /auth/refresh", "POST /auth/refresh", Outcome::Ok),
        Came::Fail
    );
    assert_eq!(ghost("a task", "POST /tasks", Outcome::Ok), Came::Pass);
    assert_eq!(ghost("a task", "POST /tasks", Outcome::Unknown), Came::Pass);
    assert_eq!(
        ghost("POST /tasks malformed", "POST /tasks", Outcome::Failed),
        Came::Fail
    );
}

#[test]
fn a_readiness_that_hangs_through_an_outage_is_a_health_lie() {
    let from = OUTAGE.from + 2 * SEC + 100 * MS;
    pulses(from, OUTAGE.to + 100 * MS, PulseOf::Ready, Answer::Hung).finds(&["health_truthful: health-lie"]);
    // Two are no habit, and the client's patience may outlast the outage.
    let mut run = pulses(from, from + 100 * MS, PulseOf::Ready, Answer::Hung);
    run.finds(&[]);
    for call in [OUTAGE.to - 900 * MS, OUTAGE.to - 800 * MS, OUTAGE.to - 700 * MS] {
        let (of, answer) = (PulseOf::Ready, Answer::Hung);
        run.add(call + 2 * SEC, Fact::Pulse(Pulse { of, call, answer }));
    }
    run.finds(&["health_truthful: health-lie"]);
}
