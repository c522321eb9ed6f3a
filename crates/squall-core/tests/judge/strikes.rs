//! Strikes of each sort: what proves them, and what their clocks show.

use squall_core::check::Outcome as Came;
use squall_core::clock::{Band, Origin, Sample, samples};
use squall_core::event::{Answer, Fact, LinkCounts, PulseOf, Role, Standstill, TaskEvent, Untouched};
use squall_core::place::{Condition, Cut, Death, Impair, Intercept, Share, Which};
use squall_core::plan::{Hold, Step};
use squall_core::protocol::{Act, Protocol};

use super::queue::Gone;
use super::run::{MS, Run, SEC, instance, line, op, place, step};

/// Whether a run's first strike was seen to have an effect: only then does it pass.
pub fn proven(run: &Run) -> bool {
    let judgement = run.judge();
    let seen = judgement.proofs[0].seen;
    assert_eq!(judgement.outcome == Came::Pass, seen, "{:?}", judgement.proofs);
    seen
}

/// The sound run with a strike of this sort in place of its own two, from `gone.from` on; nothing of
/// it is felt yet.
pub fn struck(step: Step, at: &str, gone: Gone) -> Run {
    let mut run = Run::sound();
    let own = |fact: &Fact| {
        matches!(
            fact,
            Fact::Imposing { .. }
                | Fact::Imposed { .. }
                | Fact::Healing { .. }
                | Fact::Healed { .. }
                | Fact::Exited { .. }
        )
    };
    run.keep(|at, fact| !(own(fact) || at > SEC && matches!(fact, Fact::Started { .. } | Fact::Ready { .. })));
    run.each(|_, fact| match fact {
        Fact::Pulse(pulse) => pulse.answer = Answer::Right,
        Fact::Op(op) => op.answer = Answer::Right,
        _ => {}
    });
    let (condition, held) = (step.condition.clone(), step.hold);
    run.header.plan.steps = vec![step];
    let (place, step) = (place(at), 0);
    run.add(
        gone.from,
        Fact::Imposing {
            step,
            place: place.clone(),
            condition,
        },
    );
    run.add(gone.from + MS, Fact::Imposed { step });
    if let Hold::For(_) = held {
        run.add(gone.to - MS, Fact::Healing { step, place });
    }
    run.add(gone.to, Fact::Healed { step });
    run
}

/// What was asked while the entry service was gone found nobody, or hung until `gone.to`.
pub fn unanswered(run: &mut Run, gone: Gone, answer: Answer) {
    run.each(|_, fact| match fact {
        Fact::Pulse(pulse) if (gone.from..gone.to).contains(&pulse.call) => pulse.answer = answer,
        Fact::Op(op) if op.role == Role::Traffic && (gone.from..gone.to).contains(&op.due) => op.answer = answer,
        _ => {}
    });
}

const GONE: Gone = Gone {
    from: 7 * SEC,
    to: 8 * SEC,
};

fn restarted_server() -> Run {
    let kill = step(0, "server", Condition::Down(Death::Kill), Hold::Restart(200 * MS));
    let mut run = struck(kill, "server-1", GONE);
    run.exit("server-1", 7 * SEC + 2 * MS, true);
    run.life("server-1", 7 * SEC + 210 * MS, 8 * SEC - 5 * MS);
    unanswered(&mut run, GONE, Answer::Down);
    run
}

#[test]
fn a_server_that_comes_back_by_itself_is_clocked_from_its_death() {
    let run = restarted_server();
    run.finds(&[]);
    let judgement = run.judge();
    let clock = &judgement.clocks[0];
    assert_eq!((clock.origin, clock.from), (Origin::Death, 7 * SEC + 2 * MS));
    assert_eq!((clock.detected, clock.serving), (Some(MS), Some(999 * MS)));
    assert!(judgement.proofs[0].seen, "{:?}", judgement.proofs[0]);
    assert_eq!(judgement.outcome, Came::Pass);
}

#[test]
fn a_server_that_never_comes_back_is_no_recovery() {
    let mut run = restarted_server();
    let forever = Gone {
        from: 7 * SEC,
        to: 60 * SEC,
    };
    unanswered(&mut run, forever, Answer::Down);
    run.keep(|at, fact| !(at > SEC && matches!(fact, Fact::Started { .. } | Fact::Ready { .. })));
    run.facts.iter_mut().for_each(|(at, fact)| {
        if matches!(fact, Fact::Closed { .. }) {
            *at = 60 * SEC;
        }
    });
    run.finds(&["recovery: no-recovery"]);
    // Where nobody asks for recovery, all that came after it is still unknown.
    run.header.plan.checks.retain(|demand| demand.name() == "no_panics");
    let judgement = run.judge();
    assert_eq!(judgement.outcome, Came::Inconclusive);
    assert_eq!(judgement.doubts, ["server-1 was killed and not seen to serve again"]);
}

#[test]
fn requests_that_met_only_the_servers_own_death_show_nothing_of_answers_in_another_outage() {
    let mut run = restarted_server();
    assert_eq!(run.verdict("answers_in_time").outcome, Came::Pass);
    let stop = step(1, "db", Condition::Down(Death::Stop), Hold::For(SEC));
    run.header.plan.steps.push(stop);
    let verdict = run.verdict("answers_in_time");
    assert_eq!(verdict.outcome, Came::Inconclusive, "{}", verdict.says);
}

#[test]
fn a_server_that_was_not_ready_in_time_but_later_is_a_slow_recovery() {
    let mut run = restarted_server();
    let (instance, waited) = (super::run::instance("server-1"), 500 * MS);
    run.add(7 * SEC + 800 * MS, Fact::NotReady { instance, waited });
    run.finds(&["recovery: slow-recovery"]);
}

#[test]
fn a_killed_server_that_no_client_missed_proves_nothing() {
    let mut run = restarted_server();
    unanswered(&mut run, GONE, Answer::Right);
    let proof = &run.judge().proofs[0];
    assert!(!proof.seen);
    assert_eq!(proof.says, "server-1 was killed, but no client noticed");
}

#[test]
fn a_database_whose_loss_nobody_noticed_proves_nothing() {
    let stop = step(0, "db", Condition::Down(Death::Stop), Hold::For(SEC));
    let mut run = struck(stop, "db-1", GONE);
    assert!(!run.judge().proofs[0].seen);
    unanswered(&mut run, GONE, Answer::Refused);
    assert!(run.judge().proofs[0].seen);
    // Refused all along: the strike changed nothing.
    unanswered(&mut run, Gone { from: 0, to: 8 * SEC }, Answer::Refused);
    assert!(!run.judge().proofs[0].seen);
}

/// The sound queue with worker-2 frozen in a task for longer than its lease.
fn frozen() -> Run {
    let freeze = step(0, "worker", Condition::Frozen, Hold::For(3 * SEC));
    let gone = Gone {
        from: 4 * SEC + 500 * MS,
        to: 7 * SEC + 500 * MS,
    };
    let mut run = struck(freeze, "worker-2", gone);
    let mut moved = Vec::new();
    run.each(|at, fact| {
        if let Fact::Task(line) = fact
            && line.worker == "worker-2"
            && (gone.from..gone.to).contains(&at)
        {
            moved.push(line.task.clone());
            line.worker = "worker-3".to_owned();
        }
    });
    assert!(!moved.is_empty());
    stands(&mut run, gone, [(1, 0), (1, 0)]);
    // What worker-2 was frozen in was begun again by another.
    run.add(6 * SEC + 600 * MS, line(&moved[0], 2, "worker-1", TaskEvent::Start));
    run
}

/// What two looks at worker-2 saw of its one process: whether it was stopped, and what it had used.
fn stands(run: &mut Run, gone: Gone, looks: [(u32, u64); 2]) {
    for (at, (stopped, used_us)) in [gone.from, gone.to - 501 * MS].into_iter().zip(looks) {
        run.add(
            at,
            Fact::Standstill(Standstill {
                instance: instance("worker-2"),
                processes: 1,
                stopped,
                used_us,
            }),
        );
    }
}

#[test]
fn how_it_stood_still_for_another_reason_later_changes_nothing_of_a_freeze() {
    for (looks, felt) in [([(1, 0), (1, 0)], true), ([(0, 0), (0, 0)], false)] {
        let mut run = frozen();
        run.keep(|_, fact| !matches!(fact, Fact::Standstill(_)));
        let gone = Gone {
            from: 4 * SEC + 500 * MS,
            to: 7 * SEC + 500 * MS,
        };
        stands(&mut run, gone, looks);
        assert_eq!(run.judge().proofs[0].seen, felt, "{looks:?}");
        // As when its machine loses its power, and all of it stops at once.
        let (from, to) = (9 * SEC, 10 * SEC);
        let stopped = looks.map(|(stopped, used)| (1 - stopped, used));
        stands(&mut run, Gone { from, to }, stopped);
        assert_eq!(run.judge().proofs[0].seen, felt, "{looks:?}, later {stopped:?}");
    }
}

#[test]
fn a_worker_that_was_quiet_and_never_stopped_proves_nothing() {
    let gone = Gone {
        from: 4 * SEC + 500 * MS,
        to: 7 * SEC + 500 * MS,
    };
    for looks in [
        [(0, 0), (0, 0)],
        [(0, 0), (1, 0)],
        [(1, 0), (0, 0)],
        [(1, 0), (1, 20_000)],
    ] {
        let mut run = frozen();
        run.keep(|_, fact| !matches!(fact, Fact::Standstill(_)));
        assert!(!run.judge().proofs[0].seen, "nobody looked");
        stands(&mut run, gone, looks);
        assert!(!run.judge().proofs[0].seen, "{looks:?}");
    }
}

#[test]
fn a_worker_that_stood_still_in_a_task_is_proof_of_its_freeze() {
    let run = frozen();
    let proof = &run.judge().proofs[0];
    assert!(proof.seen, "{proof:?}");
    assert!(proof.says.contains("worker-2 stood still for 3.00 s"), "{}", proof.says);
    let mut stirring = run;
    stirring.add(6 * SEC, line("task-9", 9, "worker-2", TaskEvent::Effect));
    assert!(!stirring.judge().proofs[0].seen);
}

#[test]
fn a_frozen_worker_that_commits_after_its_successor_is_a_double_commit() {
    let mut run = frozen();
    let committed = |run: &Run, worker: &str| {
        run.facts.iter().find_map(|(at, fact)| match fact {
            Fact::Task(line) if line.event == TaskEvent::Committed && line.worker == worker && *at > 4 * SEC => {
                Some(line.task.clone())
            }
            _ => None,
        })
    };
    let task = committed(&run, "worker-3").expect("a commit");
    run.add(7 * SEC + 510 * MS, line(&task, 1, "worker-2", TaskEvent::Committed));
    let verdict = run.verdict("no_task_completed_twice");
    assert_eq!(verdict.class.as_deref(), Some("double-commit"), "{}", verdict.says);
}

#[test]
fn a_slow_link_is_proven_by_the_bytes_it_held_back() {
    let (latency, jitter) = (std::time::Duration::from_millis(50), std::time::Duration::ZERO);
    for (delayed, seen) in [(0, false), (512, true)] {
        let mut delay = step(0, "server", Condition::delay(latency, jitter), Hold::For(SEC));
        delay.link_to = Some("db".to_owned());
        let mut run = struck(delay, "server-1->db", GONE);
        let counts = LinkCounts {
            delayed,
            ..LinkCounts::default()
        };
        let place = place("server-1->db");
        run.add(8 * SEC + MS, Fact::Traffic { step: 0, place, counts });
        assert_eq!(run.judge().proofs[0].seen, seen);
        run.finds(&[]);
    }
}

/// What is to be counted for an impairment to be seen, and it alone.
fn felt() -> Vec<(Impair, LinkCounts)> {
    let (none, pause) = (LinkCounts::default(), std::time::Duration::ZERO);
    let share = Share::ALL;
    let (bytes, vary, delay) = (1, 0, pause);
    vec![
        (Impair::Rate { bytes }, LinkCounts { throttled: 9, ..none }),
        (Impair::Stall { share, pause }, LinkCounts { stalls: 9, ..none }),
        (Impair::Corrupt { share }, LinkCounts { corrupted: 9, ..none }),
        (Impair::Slice { bytes, vary, pause }, LinkCounts { slices: 9, ..none }),
        (Impair::SlowClose { delay }, LinkCounts { slow_closes: 9, ..none }),
        (Impair::Truncate { after: 1 }, LinkCounts { truncated: 9, ..none }),
        (Impair::Silence, LinkCounts { swallowed: 9, ..none }),
    ]
}

#[test]
fn whatever_hinders_a_link_is_proven_by_its_own_count_and_no_other() {
    let place = place("server-1->db");
    for (mine, (what, _)) in felt().into_iter().enumerate() {
        for (other, (_, counts)) in felt().into_iter().enumerate() {
            let mut hindered = step(0, "server", Condition::Impaired(what.into()), Hold::For(SEC));
            hindered.link_to = Some("db".to_owned());
            let mut run = struck(hindered, "server-1->db", GONE);
            let place = place.clone();
            run.add(8 * SEC + MS, Fact::Traffic { step: 0, place, counts });
            let proof = &run.judge().proofs[0];
            assert_eq!(proof.seen, mine == other, "{proof:?}");
        }
    }
}

#[test]
fn requests_picked_out_are_proven_by_those_something_was_done_with_and_not_by_those_read() {
    let read = LinkCounts {
        requests: 40,
        swallowed: 9,
        foreign: 2,
        ..LinkCounts::default()
    };
    let passed = |command: &str, path: Option<&str>, count| Untouched {
        command: command.to_owned(),
        path: path.map(str::to_owned),
        count,
    };
    let all = vec![
        passed("SELECT", None, 36),
        passed("POST", Some("/tasks/*"), 3),
        passed("", None, 1),
    ];
    let listed =
        "none of 40 requests was taken: 36 SELECT, 3 POST /tasks/*, 1 of no known command passed; 2 connections";
    for (intercepted, untouched, says) in [
        (0, Vec::new(), "but none of 40 requests was taken; 2 connections"),
        (0, all, listed),
        (3, Vec::new(), ": 3 of 40 requests"),
    ] {
        let condition = Condition::Intercepted(Intercept {
            protocol: Protocol::Postgres,
            command: Some("COMMIT".to_owned()),
            path: None,
            which: Which::Nth(3),
            then: Act::HangUp,
        });
        let mut picked = step(0, "server", condition, Hold::For(SEC));
        picked.link_to = Some("db".to_owned());
        let mut run = struck(picked, "server-1->db", GONE);
        let (place, counts) = (place("server-1->db"), LinkCounts { intercepted, ..read });
        let (step, requests, link) = (0, untouched, place.clone());
        run.add(8 * SEC + MS, Fact::Traffic { step, place, counts });
        if !requests.is_empty() {
            let place = link;
            run.add(8 * SEC + MS, Fact::Untouched { step, place, requests });
        }
        let judgement = run.judge();
        let proof = &judgement.proofs[0];
        assert!(
            proof.seen == (intercepted > 0) && proof.says.contains(says),
            "{proof:?}"
        );
        let outcome = if proof.seen { Came::Pass } else { Came::Inconclusive };
        assert_eq!(judgement.outcome, outcome);
    }
}

#[test]
fn a_link_that_is_cut_while_readiness_is_claimed_is_a_health_lie() {
    let mut cut = step(0, "server", Condition::Cut(Cut::BlackHole), Hold::For(4 * SEC));
    cut.link_to = Some("db".to_owned());
    let gone = Gone {
        from: 7 * SEC,
        to: 11 * SEC,
    };
    let run = struck(cut, "server-1->db", gone);
    run.finds(&["health_truthful: health-lie"]);
    assert_eq!(run.judge().outcome, Came::Fail);
    let pulses = run
        .facts
        .iter()
        .filter(|(_, fact)| matches!(fact, Fact::Pulse(pulse) if pulse.of == PulseOf::Ready));
    assert!(pulses.count() > 100);
}

#[test]
fn a_band_holds_slow_machines_but_not_broken_ones() {
    let sample = |took: u64, right: bool| Sample { due: 0, took, right };
    let reference = vec![sample(10 * MS, true); 30];
    let band = Band::of(&reference).expect("a band");
    let window = |bad: usize, of: Sample| {
        let mut window = vec![sample(200 * MS, true); 40 - bad];
        window.extend(vec![of; bad]);
        window
    };
    assert!(band.holds(&window(0, sample(0, true))));
    assert!(band.holds(&window(2, sample(10 * MS, false))));
    assert!(!band.holds(&window(3, sample(10 * MS, false))));
    assert!(band.holds(&window(2, sample(SEC, true))));
    assert!(!band.holds(&window(3, sample(SEC, true))));
    assert!(!band.holds(&[]));
    assert_eq!(Band::of(&[]), None);
}

#[test]
fn a_slow_survey_does_not_widen_the_band_of_the_traffic() {
    let mut run = Run::sound();
    let before = samples(&run.journal().history());
    for due in (SEC..3 * SEC).step_by(50 * MS as usize) {
        let mut case = op("POST /auth/register", Role::Survey, due);
        case.ret = due + SEC;
        run.add(case.ret, Fact::Op(case));
    }
    assert_eq!(samples(&run.journal().history()), before);
}

#[test]
fn without_a_readiness_probe_an_outage_of_the_entry_ends_with_the_first_right_answer() {
    let mut run = restarted_server();
    run.header.system.health = false;
    run.keep(|_, fact| !matches!(fact, Fact::Pulse(_)));
    run.finds(&[]);
    let wrong = Gone {
        from: 11 * SEC,
        to: 15 * SEC,
    };
    unanswered(&mut run, wrong, Answer::Wrong);
    run.finds(&["api_success: wrong-answer"]);
}

/// The sound run with the server's link to its database cut for a second; 3 connections were closed.
fn refused_link() -> Run {
    let mut cut = step(0, "server", Condition::Cut(Cut::Refuse), Hold::For(SEC));
    cut.link_to = Some("db".to_owned());
    let mut run = struck(cut, "server-1->db", GONE);
    let counts = LinkCounts {
        closed: 3,
        ..LinkCounts::default()
    };
    let place = place("server-1->db");
    run.add(GONE.to - 2 * MS, Fact::Traffic { step: 0, place, counts });
    run
}

#[test]
fn a_cut_of_idle_connections_is_proven_only_by_who_needed_them() {
    let mut run = refused_link();
    let judgement = run.judge();
    assert!(!judgement.proofs[0].seen, "{:?}", judgement.proofs[0]);
    assert_eq!(judgement.outcome, Came::Inconclusive);
    unanswered(&mut run, GONE, Answer::Refused);
    run.each(|_, fact| match fact {
        Fact::Pulse(pulse) if pulse.of == PulseOf::Live => pulse.answer = Answer::Right,
        _ => {}
    });
    let judgement = run.judge();
    assert!(judgement.proofs[0].seen, "{:?}", judgement.proofs[0]);
    run.finds(&[]);
    assert_eq!(judgement.outcome, Came::Pass);
}

#[test]
fn what_a_proxy_counted_belongs_to_the_step_it_names() {
    let mut run = refused_link();
    let mut again = run.header.plan.steps[0].clone();
    again.entry = 1;
    run.header.plan.steps.push(again);
    let link = place("server-1->db");
    let condition = Condition::Cut(Cut::Refuse);
    let facts = [
        Fact::Imposing {
            step: 1,
            place: link.clone(),
            condition,
        },
        Fact::Imposed { step: 1 },
        Fact::Healing { step: 1, place: link },
        Fact::Healed { step: 1 },
    ];
    // Overlapping: the first one's counts come when the second is the latest at that place.
    for (at, fact) in (GONE.to - 10 * MS..).step_by(100 * MS as usize).zip(facts) {
        run.add(at, fact);
    }
    let both = Gone {
        from: GONE.from,
        to: GONE.to + SEC,
    };
    unanswered(&mut run, both, Answer::Refused);
    let seen: Vec<bool> = run.judge().proofs.iter().map(|proof| proof.seen).collect();
    assert_eq!(seen, [true, false]);
}

/// The restarted server, which ends by itself again and again from 9 s on until the journal ends at `end`:
/// up for `up` after each start, ready for the second half of that where `ready` says so.
fn crash_loop(run: &mut Run, end: u64, up: u64, ready: bool) {
    run.facts.iter_mut().for_each(|(at, fact)| {
        if matches!(fact, Fact::Closed { .. }) {
            *at = end;
        }
    });
    let mut at = 9 * SEC;
    run.exit("server-1", at, false);
    while at + 200 * MS + up < end {
        at += 200 * MS;
        run.life("server-1", at, at + up / 2);
        at += up;
        run.exit("server-1", at, false);
    }
    if !ready {
        run.keep(|at, fact| at < 9 * SEC || !matches!(fact, Fact::Ready { .. }));
    }
}

#[test]
fn a_server_that_is_ready_and_falls_again_and_again_is_no_recovery() {
    for ready in [true, false] {
        let mut run = restarted_server();
        crash_loop(&mut run, 60 * SEC, SEC, ready);
        let verdict = run.verdict("recovery");
        assert_eq!(verdict.class.as_deref(), Some("no-recovery"), "{}", verdict.says);
        // Its first life after the kill fell after a second already: the kill's clock has no end.
        assert_eq!(run.judge().clocks[0].serving, None);
    }
}

#[test]
fn a_fall_watched_too_briefly_to_tell_is_inconclusive() {
    let mut run = restarted_server();
    run.exit("server-1", 18 * SEC, false);
    run.life("server-1", 18 * SEC + 200 * MS, 18 * SEC + 500 * MS);
    let verdict = run.verdict("recovery");
    assert_eq!(verdict.outcome, Came::Inconclusive, "{}", verdict.says);
    // Up for the steady time, it is back, which is a warning.
    let mut mended = restarted_server();
    mended.exit("server-1", 15 * SEC, false);
    mended.life("server-1", 15 * SEC + 200 * MS, 15 * SEC + 500 * MS);
    let verdict = mended.verdict("recovery");
    assert_eq!(verdict.outcome, Came::Pass, "{}", verdict.says);
    assert_eq!(verdict.warnings, ["server-1 ended 1 time although nothing struck it"]);
}

#[test]
fn a_worker_that_a_later_strike_kills_soon_after_it_was_back_is_not_accused() {
    let mut run = Run::sound();
    let again = run.header.plan.steps[0].clone();
    run.header.plan.steps.push(again);
    let gone = Gone {
        from: 7_200 * MS,
        to: 8_400 * MS,
    };
    run.strike(2, "worker-1", gone);
    let verdict = run.verdict("recovery");
    assert_eq!(verdict.outcome, Came::Pass, "{}", verdict.says);
    assert!(verdict.warnings.is_empty(), "{:?}", verdict.warnings);
}

#[test]
fn a_worker_that_ends_before_it_is_ready_after_every_restart_is_no_recovery() {
    let kill = step(0, "worker", Condition::Down(Death::Kill), Hold::Restart(200 * MS));
    let mut run = struck(kill, "worker-3", GONE);
    run.exit("worker-3", 7 * SEC + 2 * MS, true);
    for n in 0..100 {
        let at = 7 * SEC + 300 * MS + n * 500 * MS;
        run.life("worker-3", at, at + 100 * MS);
        run.exit("worker-3", at + 100 * MS, false);
    }
    run.keep(|at, fact| at < SEC || !matches!(fact, Fact::Ready { .. }));
    // Given up on only late: the strike's window covers the first ends.
    run.facts.iter_mut().for_each(|(at, fact)| match fact {
        Fact::Healed { .. } => *at = 22 * SEC,
        Fact::Closed { .. } => *at = 60 * SEC,
        _ => {}
    });
    let clock = &run.judge().clocks[0];
    assert_eq!((clock.serving, clock.expected), (None, true));
    let verdict = run.verdict("recovery");
    assert_eq!(verdict.class.as_deref(), Some("no-recovery"), "{}", verdict.says);
    assert!(
        verdict.says.contains("worker-3 (killed) did not serve again"),
        "{}",
        verdict.says
    );
}

#[test]
fn what_no_answer_depends_on_is_not_proven_by_a_wrong_answer() {
    let freeze = step(0, "partner", Condition::Frozen, Hold::For(SEC));
    let mut run = struck(freeze, "partner-1", GONE);
    run.life("partner-1", MS, 2 * MS);
    linked(&mut run, "worker", "partner");
    unanswered(&mut run, GONE, Answer::Refused);
    assert!(!run.judge().proofs[0].seen, "{:?}", run.judge().proofs[0]);
    // With a link to it the server's answers may well have gone wrong for that.
    linked(&mut run, "server", "partner");
    assert!(run.judge().proofs[0].seen, "{:?}", run.judge().proofs[0]);
}

/// Gives a service a link to another.
fn linked(run: &mut Run, from: &str, to: &str) {
    let service = run.header.system.services.get_mut(from).expect("a service");
    service.links.push(to.to_owned());
}

fn failed((_, fact): &(u64, Fact)) -> Option<String> {
    match fact {
        Fact::Task(line) if line.event == TaskEvent::Failed => Some(line.task.clone()),
        _ => None,
    }
}

#[test]
fn a_cut_link_to_what_keeps_no_tasks_is_not_proven_by_tasks_that_went_on() {
    for (to, seen) in [("db", true), ("partner", false)] {
        let mut cut = step(0, "worker", Condition::Cut(Cut::Refuse), Hold::For(SEC));
        cut.link_to = Some(to.to_owned());
        let mut run = struck(cut, &format!("worker-2->{to}"), GONE);
        run.life("partner-1", MS, 2 * MS);
        linked(&mut run, "worker", "partner");
        // A failure of its worker's would tell of the link.
        let failing: Vec<String> = run.facts.iter().filter_map(failed).collect();
        run.keep(|_, fact| !matches!(fact, Fact::Task(line) if failing.contains(&line.task)));
        let place = place(&format!("worker-2->{to}"));
        let counts = LinkCounts {
            closed: 1,
            ..LinkCounts::default()
        };
        run.add(8 * SEC + MS, Fact::Traffic { step: 0, place, counts });
        let proof = &run.judge().proofs[0];
        assert_eq!(proof.seen, seen, "{proof:?}");
    }
}

#[test]
fn a_part_that_was_frozen_and_lived_on_is_not_said_never_to_have_served_again() {
    let freeze = step(0, "partner", Condition::Frozen, Hold::For(SEC));
    let mut run = struck(freeze, "partner-1", GONE);
    run.life("partner-1", MS, 2 * MS);
    linked(&mut run, "worker", "partner");
    let clock = &run.judge().clocks[0];
    assert_eq!((clock.serving, clock.expected), (None, false));
    // Ended by the freeze and not back, it is.
    let mut ended = run;
    ended.exit("partner-1", 7 * SEC + 500 * MS, false);
    let clock = &ended.judge().clocks[0];
    assert_eq!((clock.serving, clock.expected), (None, true));
}
