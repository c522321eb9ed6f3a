//! What no journal may get away with: passing on missing evidence, or making judging fall over.

use proptest::prelude::*;
use squall_core::check::Outcome as Came;
use squall_core::event::{End, Event, Fact, LinkCounts, NoteKind, Phase, TaskEvent};
use squall_core::fault::Aim;
use squall_core::journal::Journal;
use squall_core::judgement::judgement;
use squall_core::place::{Condition, Cut};
use squall_core::plan::Hold;

use super::queue::Model;
use super::run::{KILL, MS, Run, SEC, place, step};

#[test]
fn a_kill_that_hit_an_idle_worker_proves_nothing() {
    let mut run = Run::sound();
    // What worker-1 was killed in was begun by another.
    run.each(|at, fact| {
        if let Fact::Task(line) = fact
            && at < KILL.from
            && at > KILL.from - 600 * MS
            && line.event == TaskEvent::Start
            && line.worker == "worker-1"
        {
            line.worker = "worker-2".to_owned();
        }
    });
    let judgement = run.judge();
    assert!(!judgement.proofs[0].seen);
    assert_eq!(judgement.proofs[0].says, "worker-1 was killed while it ran nothing");
    assert_eq!(judgement.outcome, Came::Inconclusive);
    assert_eq!(judgement.doubts.len(), 1, "{:?}", judgement.doubts);
}

/// A worker that lost its task to another may not say so, or never learn of it: that it began one is no sign that it is at it.
#[test]
fn a_kill_of_a_worker_whose_task_another_took_over_proves_nothing() {
    let mut run = Run::sound();
    let mut victim = None;
    run.each(|at, fact| {
        if let Fact::Task(line) = fact
            && (line.worker.as_str(), line.event) == ("worker-1", TaskEvent::Start)
            && at < KILL.from
        {
            victim = Some((line.task.clone(), line.attempt));
        }
    });
    let (task, attempt) = victim.expect("an attempt of worker-1");
    assert!(run.judge().proofs[0].seen);
    let over = super::run::line(&task, attempt + 1, "worker-3", TaskEvent::Start);
    run.add(KILL.from - 20 * MS, over);
    let judgement = run.judge();
    assert_eq!(judgement.proofs[0].says, "worker-1 was killed while it ran nothing");
    assert_eq!(judgement.outcome, Came::Inconclusive);
}

#[test]
fn a_kill_after_the_commit_but_before_its_report_is_neither_proof_nor_finding() {
    let mut run = Run::sound();
    run.without_spread();
    // The attempt was committed in the moment of the kill: its effect is there, its report is not.
    let mut victim = None;
    run.each(|at, fact| {
        if let Fact::Task(line) = fact
            && line.worker == "worker-1"
            && line.event == TaskEvent::Start
            && at < KILL.from
        {
            victim = Some((line.task.clone(), line.attempt));
        }
    });
    let (task, attempt) = victim.expect("an attempt of worker-1");
    run.keep(|at, fact| !matches!(fact, Fact::Task(line) if line.task == task && at > KILL.from));
    run.add(
        KILL.from - 3 * MS,
        super::run::line(&task, attempt, "worker-1", TaskEvent::Effect),
    );
    run.finds(&[]);
    let judgement = run.judge();
    assert!(!judgement.proofs[0].seen, "{:?}", judgement.proofs[0]);
    for verdict in &judgement.verdicts {
        assert_eq!(verdict.outcome, Came::Pass, "{verdict:#?}");
    }
    assert_eq!(judgement.outcome, Came::Inconclusive);
}

/// The sound run with a link cut besides, of which the proxy counted this.
fn with_a_cut(counts: LinkCounts) -> Run {
    let mut run = Run::sound();
    let mut cut = step(2, "worker", Condition::Cut(Cut::Refuse), Hold::For(SEC));
    cut.link_to = Some("db".to_owned());
    run.header.plan.steps.push(cut.clone());
    let link = place("worker-2->db");
    let (step, condition) = (2, cut.condition);
    let facts = [
        Fact::Imposing {
            step,
            place: link.clone(),
            condition,
        },
        Fact::Imposed { step },
        Fact::Healing {
            step,
            place: link.clone(),
        },
        Fact::Healed { step },
        Fact::Traffic {
            step,
            place: link,
            counts,
        },
    ];
    // Long enough for worker-2 to end a task and to begin the next.
    for (at, fact) in (6_500..).step_by(400).zip(facts) {
        run.add(at * MS, fact);
    }
    run
}

#[test]
fn a_cut_that_nobody_felt_makes_the_run_inconclusive() {
    let idle = with_a_cut(LinkCounts::default()).judge();
    assert!(!idle.proofs[1].seen);
    assert_eq!(idle.outcome, Came::Inconclusive);
    let felt = with_a_cut(LinkCounts {
        closed: 2,
        ..LinkCounts::default()
    });
    assert!(felt.judge().proofs[1].seen);
    assert_eq!(felt.judge().outcome, Came::Pass);
}

/// A sound run with a partition of two links in it, each of which counted so much.
fn parted(counts: [LinkCounts; 2]) -> Run {
    let mut run = Run::sound();
    for (link, counts) in ["worker-1->db", "worker-2->db"].map(place).into_iter().zip(counts) {
        let mut planned = step(2, "worker", Condition::Cut(Cut::BlackHole), Hold::For(SEC));
        planned.fault = "partition".to_owned();
        planned.link_to = Some("db".to_owned());
        planned.place = Some(link.clone());
        let (step, condition) = (run.header.plan.steps.len(), planned.condition.clone());
        run.header.plan.steps.push(planned);
        let (place, traffic) = (link.clone(), link.clone());
        run.add(6_500 * MS, Fact::Imposing { step, place, condition });
        run.add(6_600 * MS, Fact::Imposed { step });
        run.add(
            7_500 * MS,
            Fact::Traffic {
                step,
                place: traffic,
                counts,
            },
        );
        run.add(7_501 * MS, Fact::Healing { step, place: link });
        run.add(7_502 * MS, Fact::Healed { step });
    }
    run
}

#[test]
fn a_partition_counts_when_one_of_its_links_was_felt_and_not_when_none_was() {
    let felt = LinkCounts {
        swallowed: 200,
        ..LinkCounts::default()
    };
    let one = parted([LinkCounts::default(), felt]).judge();
    let seen: Vec<bool> = one.proofs.iter().skip(1).take(2).map(|proof| proof.seen).collect();
    assert_eq!((one.outcome, seen), (Came::Pass, vec![false, true]));
    let none = parted([LinkCounts::default(); 2]).judge();
    assert_eq!(none.outcome, Came::Inconclusive);
    assert!(
        none.doubts[0].contains("no effect of `partition` was seen"),
        "{:?}",
        none.doubts
    );
}

#[test]
fn a_journal_without_an_end_is_inconclusive() {
    let mut run = Run::sound();
    run.keep(|_, fact| !matches!(fact, Fact::Closed { .. }));
    assert_eq!(run.judge().outcome, Came::Inconclusive);
    assert_eq!(run.findings(), []);
}

#[test]
fn a_run_cut_off_at_any_moment_makes_up_no_finding() {
    let whole = Run::sound();
    for tenth in 1..200 {
        let mut run = whole.clone();
        run.keep(|at, _| at < tenth * 100 * MS);
        assert_eq!(run.findings(), [], "cut off after {} ms", tenth * 100);
        assert_ne!(run.judge().outcome, Came::Pass);
    }
}

#[test]
fn a_run_that_broke_off_makes_up_no_finding() {
    let mut run = Run::sound();
    run.keep(|at, _| at < 8 * SEC);
    let cause = "a port was taken".to_owned();
    run.add(
        8 * SEC,
        Fact::Closed {
            end: End::Broken { cause },
        },
    );
    assert_eq!(run.findings(), []);
    assert_eq!(run.judge().outcome, Came::Inconclusive);
}

#[test]
fn a_run_that_was_stopped_is_inconclusive_and_says_why_unless_it_has_a_finding() {
    let stopped = |mut run: Run| {
        run.keep(|_, fact| !matches!(fact, Fact::Closed { .. }));
        let why = "no copy of db ran for 3s".to_owned();
        run.add(
            22 * SEC,
            Fact::Closed {
                end: End::Stopped { why },
            },
        );
        run
    };
    let sound = stopped(Run::sound());
    let judged = sound.judge();
    assert_eq!((judged.outcome, sound.findings()), (Came::Inconclusive, vec![]));
    assert_eq!(judged.doubts, ["the run was stopped: no copy of db ran for 3s"]);

    let mut twice = Run::sound();
    twice.add(8 * SEC, super::run::line("task-1", 2, "worker-3", TaskEvent::Committed));
    let twice = stopped(twice);
    assert_eq!(twice.judge().outcome, Came::Fail);
    twice.finds(&["no_task_completed_twice: double-commit"]);
}

#[test]
fn a_double_commit_is_found_even_in_a_run_that_was_cut_off() {
    let mut run = Run::sound();
    run.add(8 * SEC, super::run::line("task-1", 2, "worker-3", TaskEvent::Committed));
    run.keep(|at, _| at < 12 * SEC);
    run.finds(&["no_task_completed_twice: double-commit"]);
}

#[test]
fn a_drain_that_hit_its_bound_makes_the_run_inconclusive() {
    let mut run = Run::sound();
    let (kind, text) = (NoteKind::Overrun, "the drain did not end".to_owned());
    run.add(19 * SEC + 900 * MS, Fact::Note { kind, text });
    assert_eq!(run.judge().outcome, Came::Inconclusive);
}

#[test]
fn an_audit_that_read_nothing_back_leaves_data_and_loss_open() {
    let mut run = Run::sound();
    run.keep(|_, fact| !matches!(fact, Fact::Record(_)));
    for check in ["no_task_lost", "data_intact", "none_stuck", "dlq_accounted"] {
        assert_eq!(run.verdict(check).outcome, Came::Inconclusive, "{check}");
    }
}

#[test]
fn no_requests_in_an_outage_leave_the_checks_of_it_open() {
    let mut run = Run::sound();
    run.keep(|_, fact| !matches!(fact, Fact::Op(op) if op.due > 8 * SEC && op.due < 16 * SEC));
    for check in ["answered_correctly", "answers_in_time"] {
        assert_eq!(run.verdict(check).outcome, Came::Inconclusive, "{check}");
    }
}

#[test]
fn without_a_planned_outage_the_checks_of_outages_pass_and_say_so() {
    let mut run = Run::sound();
    run.header.plan.steps.truncate(1);
    run.keep(|at, fact| !matches!(fact, Fact::Op(_)) || at < 9 * SEC);
    let said = [
        ("answered_correctly", "no outage was planned"),
        ("answers_in_time", "no outage was planned but the entry service's own"),
    ];
    for (check, says) in said {
        let verdict = run.verdict(check);
        assert_eq!((verdict.outcome, verdict.says.as_str()), (Came::Pass, says));
    }
}

#[test]
fn data_that_was_never_compared_is_not_said_to_be_unchanged() {
    let mut run = Run::sound();
    assert!(run.verdict("data_intact").says.ends_with("payloads unchanged"));
    run.each(|_, fact| match fact {
        Fact::Record(record) => record.payload_crc32 = None,
        Fact::Task(line) => line.payload_crc32 = None,
        _ => {}
    });
    let verdict = run.verdict("data_intact");
    assert!(verdict.says.contains("no payload was shown"), "{}", verdict.says);
}

#[test]
fn every_single_commit_that_goes_missing_changes_the_judgement() {
    let whole = Run::sound();
    let judged = whole.judge();
    let (mut commits, mut opened) = (0, 0);
    for index in 0..whole.facts.len() {
        if !matches!(&whole.facts[index].1, Fact::Task(line) if line.event == TaskEvent::Committed) {
            continue;
        }
        commits += 1;
        let mut run = whole.clone();
        run.facts.remove(index);
        assert_eq!(run.findings(), []);
        let now = run.judge();
        assert_ne!(now, judged);
        if now.outcome == Came::Inconclusive {
            opened += 1;
        }
    }
    // The others fell into the outage or the kill, which may well have swallowed the report.
    assert_eq!(commits, 17);
    assert!(opened >= 9, "{opened}");
}

/// The events of the sound run, some of them gone and some moved.
fn mangled(keep: &[bool], swaps: &[(usize, usize)], cut: usize) -> Option<Journal> {
    let journal = Run::sound().journal();
    let mut facts: Vec<(u64, Fact)> = journal
        .events()
        .iter()
        .skip(1)
        .zip(keep.iter().cycle())
        .filter(|(_, keep)| **keep)
        .map(|(event, _)| (event.at, event.fact.clone()))
        .collect();
    let len = facts.len();
    for (one, other) in swaps.iter().filter(|_| len > 0) {
        let (one, other) = (one % len, other % len);
        let (first, second) = (facts[one].0, facts[other].0);
        facts[one].0 = second;
        facts[other].0 = first;
        facts.swap(one, other);
    }
    facts.truncate(cut);
    let opened = (0, journal.events()[0].fact.clone());
    let numbered = [opened].into_iter().chain(facts).zip(1..);
    Journal::new(numbered.map(|((at, fact), id)| Event { id, at, fact }).collect()).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn judging_never_falls_over_whatever_is_left_of_a_journal(
        keep in prop::collection::vec(prop::bool::weighted(0.8), 1..97),
        swaps in prop::collection::vec((0..5000_usize, 0..5000_usize), 0..400),
        cut in 0..2000_usize,
    ) {
        let journal = mangled(&keep, &swaps, cut);
        let journal = journal.expect("swapped events keep the order of times");
        let judged = judgement(&journal.history());
        prop_assert_eq!(judged.verdicts.len(), 15);
        for verdict in &judged.verdicts {
            prop_assert!(!verdict.says.is_empty());
            prop_assert_eq!(verdict.class.is_some(), verdict.outcome == Came::Fail);
        }
        for proof in &judged.proofs {
            prop_assert!(!proof.says.is_empty());
        }
        if journal.history().began(Phase::Audit).is_none() {
            prop_assert_ne!(judged.outcome, Came::Pass);
        }
    }
}

#[test]
fn a_journal_with_a_hole_is_refused_and_the_line_of_the_hole_named() {
    let lines: Vec<String> = Run::sound()
        .journal()
        .events()
        .iter()
        .map(|event| serde_json::to_string(event).expect("an event as JSON"))
        .collect();
    let text = |without: Option<usize>| {
        let kept = lines.iter().enumerate().filter(|(index, _)| Some(*index) != without);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    assert!(Journal::parse(&text(None)).is_ok());
    let bad = Journal::parse(&text(Some(40))).expect_err("a hole");
    assert_eq!(
        bad.to_string(),
        "line 41 of the journal: event 42 stands where event 41 should"
    );
}

#[test]
fn a_planned_strike_that_was_never_made_is_a_doubt_though_another_of_its_entry_was_felt() {
    let mut run = Run::sound();
    let again = run.header.plan.steps[0].clone();
    run.header.plan.steps.push(again);
    let why = "waited 5s for `worker` until a copy is up".to_owned();
    let (step, decided) = (2, false);
    run.add(8 * SEC, Fact::Missed { step, decided, why });
    let judgement = run.judge();
    assert_eq!(judgement.outcome, Came::Inconclusive);
    assert_eq!(
        judgement.doubts,
        ["step 2 (`kill` on worker) never struck: waited 5s for `worker` until a copy is up"]
    );
    // Aimed at running work, the work may have run out: one that was felt is enough.
    run.header.plan.steps[2].aim = Some((Aim::TaskRunning, 5 * SEC));
    assert_eq!(run.judge().doubts, Vec::<String>::new());
    run.header.plan.steps[2].entry = 2;
    assert_eq!(run.judge().doubts.len(), 1, "{:?}", run.judge().doubts);
}

#[test]
fn too_few_tasks_for_several_workers_tell_nothing_of_their_spread() {
    for (tasks, workers, came) in [
        (5, 2, Came::Inconclusive),
        (6, 2, Came::Pass),
        (8, 3, Came::Inconclusive),
        (2, 1, Came::Pass),
    ] {
        let run = super::sound::stormy(&Model::plain(tasks, SEC, workers, 4 * SEC));
        assert_eq!(
            run.verdict("work_spread").outcome,
            came,
            "{tasks} tasks, {workers} workers"
        );
    }
}
