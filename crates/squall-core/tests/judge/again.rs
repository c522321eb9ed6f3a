//! What goes down again each time it has come back: what proves it, and which process counts as its way back.

use squall_core::check::Outcome as Came;
use squall_core::event::{Answer, Fact, PulseOf, Spot};
use squall_core::place::{Condition, Damage, Death, Harm};
use squall_core::plan::Hold;

use super::queue::Gone;
use super::run::{MS, Run, SEC, instance, step};
use super::strikes::{struck, unanswered};

const GONE: Gone = Gone {
    from: 7 * SEC,
    to: 10 * SEC,
};

/// The server goes down, comes back `lives` times, and for good at last.
fn down(death: Death, ready: bool, lives: u64) -> Run {
    let mut run = struck(
        step(0, "server", Condition::Down(death), Hold::For(3 * SEC)),
        "server-1",
        GONE,
    );
    run.exit("server-1", 7 * SEC + 2 * MS, true);
    for life in 1..=lives {
        let at = 7 * SEC + life * 500 * MS;
        match ready {
            true => run.life("server-1", at, at + 100 * MS),
            false => run.started("server-1", at),
        }
        run.exit("server-1", at + 110 * MS, true);
    }
    run.life("server-1", 10 * SEC - MS, 10 * SEC + 200 * MS);
    unanswered(&mut run, GONE, Answer::Down);
    run
}

const LOOP: Death = Death::Again {
    lives: std::time::Duration::ZERO,
    most: None,
};

#[test]
fn a_crash_loop_is_proven_by_those_it_left_alone_and_by_each_death_after_the_first() {
    let run = down(LOOP, true, 3);
    let judgement = run.judge();
    let proof = &judgement.proofs[0];
    assert!(proof.seen, "{proof:?}");
    assert!(
        proof.says.ends_with("; 3 times it came back and was killed"),
        "{}",
        proof.says
    );
    assert_eq!(
        judgement.outcome,
        Came::Pass,
        "{:?} {:?}",
        judgement.doubts,
        run.findings()
    );
    // Its way back is the process that stays.
    let clock = &judgement.clocks[0];
    assert!(clock.expected && clock.serving.is_some(), "{clock:?}");
}

#[test]
fn a_crash_loop_that_killed_once_was_none() {
    let proof = &down(LOOP, true, 0).judge().proofs[0];
    assert!(!proof.seen && proof.says.contains("0 times it came back"), "{proof:?}");
    // Starts that failed are another fault's.
    assert!(!down(LOOP, false, 3).judge().proofs[0].seen);
}

#[test]
fn starts_that_failed_prove_themselves_where_somebody_missed_the_service() {
    let death = Death::Unstartable { most: Some(2) };
    let proof = &down(death, false, 2).judge().proofs[0];
    assert!(proof.seen && proof.says.ends_with("; 2 starts failed"), "{proof:?}");
    assert!(!down(death, false, 0).judge().proofs[0].seen);
    let mut unmissed = down(death, false, 2);
    unanswered(&mut unmissed, GONE, Answer::Right);
    assert!(!unmissed.judge().proofs[0].seen);
}

#[test]
fn a_loss_of_power_is_proven_by_the_disk_that_took_no_write_and_by_those_it_left_alone() {
    let lost = |told: Option<u64>, answer: Answer| {
        let mut run = down(Death::PowerLoss, true, 0);
        unanswered(&mut run, GONE, answer);
        if told.is_some() {
            let lost = Fact::PowerLost {
                instance: instance("server-1"),
                says: "Input/output error".to_owned(),
                entries: told,
            };
            run.add(7 * SEC + 3 * MS, lost);
        }
        run.judge().proofs[0].clone()
    };
    let proof = lost(Some(1), Answer::Down);
    assert!(
        proof.seen
            && proof
                .says
                .ends_with("; to a write its disk answered: Input/output error"),
        "{proof:?}"
    );
    let untold = lost(None, Answer::Down);
    assert!(
        !untold.seen && untold.says.contains("not seen to be gone"),
        "{untold:?}"
    );
    assert!(!lost(Some(1), Answer::Right).seen);
    let elsewhere = lost(Some(0), Answer::Down);
    assert!(
        !elsewhere.seen && elsewhere.says.contains("nothing on its disk"),
        "{elsewhere:?}"
    );
}

#[test]
fn what_can_not_start_on_what_it_kept_is_told_with_its_own_words() {
    let mut run = down(Death::PowerLoss, true, 0);
    run.keep(|at, fact| !(at > 9 * SEC + 900 * MS && matches!(fact, Fact::Started { .. } | Fact::Ready { .. })));
    let (server, waited) = (instance("server-1"), 100 * MS);
    run.started("server-1", 10 * SEC);
    for (after, line) in [(10, "PANIC: no valid checkpoint record"), (20, "it is shut down")] {
        let (instance, line) = (server.clone(), line.to_owned());
        run.add(10 * SEC + after * MS, Fact::Log { instance, line });
    }
    run.exit("server-1", 10 * SEC + 30 * MS, false);
    let instance = server;
    run.add(10 * SEC + 31 * MS, Fact::NotReady { instance, waited });
    unanswered(&mut run, Gone { to: 60 * SEC, ..GONE }, Answer::Down);
    run.facts.iter_mut().for_each(|(at, fact)| {
        if matches!(fact, Fact::Closed { .. }) {
            *at = 60 * SEC;
        }
    });
    run.finds(&["recovery: no-recovery"]);
    let judgement = run.judge();
    let mut advice = judgement
        .verdicts
        .iter()
        .filter_map(|verdict| verdict.advice.as_deref());
    assert!(
        advice.any(
            |advice| advice.contains("ended before it was ready; it wrote: PANIC: no valid checkpoint record.")
                && advice.contains("`fsync`")
        ),
        "{:#?}",
        judgement.verdicts
    );
}

/// The database is stopped, damaged and started at 7 s; that start is given up on; it is stopped again and mended at 10 s.
fn rotten(spots: usize, late: bool) -> Run {
    let damage = Damage {
        files: "base/*".to_owned(),
        how: Harm::Truncate,
        spots: 1,
        stopped: true,
    };
    let damaged = step(0, "db", Condition::Damaged(damage), Hold::For(3 * SEC));
    let mut run = struck(damaged, "db-1", GONE);
    let (instance, waited) = (instance("db-1"), 100 * MS);
    let file = "base/1".to_owned();
    let (offset, bytes) = (0, 1);
    let found = spots;
    let spots = vec![Spot { file, offset, bytes }; spots];
    run.add(
        7 * SEC + MS / 2,
        Fact::Damaged {
            instance: instance.clone(),
            spots,
        },
    );
    run.add(
        7 * SEC + MS / 2 + 1,
        Fact::DamageRead {
            instance: instance.clone(),
            spots: found,
        },
    );
    run.exit("db-1", 7 * SEC + MS / 4, true);
    run.started("db-1", 7 * SEC + 10 * MS);
    run.add(
        7 * SEC + 110 * MS,
        Fact::NotReady {
            instance: instance.clone(),
            waited,
        },
    );
    run.exit("db-1", 10 * SEC - MS / 2, true);
    run.started("db-1", 10 * SEC - MS / 4);
    if late {
        run.add(
            10 * SEC + 50 * MS,
            Fact::NotReady {
                instance: instance.clone(),
                waited,
            },
        );
    }
    run.add(
        10 * SEC + 60 * MS,
        Fact::Ready {
            instance,
            took: 60 * MS,
        },
    );
    unanswered(&mut run, GONE, Answer::Refused);
    run.each(|_, fact| match fact {
        Fact::Pulse(pulse) if pulse.of == PulseOf::Live => pulse.answer = Answer::Right,
        _ => {}
    });
    run
}

#[test]
fn damaged_files_are_proven_by_spots_and_use_and_a_start_with_them_is_no_slow_way_back() {
    let judgement = rotten(1, false).judge();
    let proof = &judgement.proofs[0];
    assert!(
        proof.seen
            && proof
                .says
                .starts_with("db-1 was damaged: 1 files truncated, written and read back, while it was used "),
        "{proof:?}"
    );
    rotten(1, false).finds(&[]);
    // A start after they were mended is one.
    rotten(1, true).finds(&["recovery: slow-recovery"]);
    let proof = &rotten(0, false).judge().proofs[0];
    assert!(
        !proof.seen && proof.says.contains("no file of its own fits base/*"),
        "{proof:?}"
    );
    // What was announced and is not in the files, or was not looked for there, was not done.
    let mut gone = rotten(1, false);
    gone.each(|_, fact| {
        if let Fact::DamageRead { spots, .. } = fact {
            *spots = 0;
        }
    });
    assert!(!gone.judge().proofs[0].seen);
    gone.keep(|_, fact| !matches!(fact, Fact::DamageRead { .. }));
    assert!(!gone.judge().proofs[0].seen);
}

#[test]
fn what_came_back_only_to_be_killed_again_is_no_recovery() {
    let mut run = down(LOOP, true, 2);
    run.keep(|at, fact| !(at > 9 * SEC + 900 * MS && matches!(fact, Fact::Started { .. } | Fact::Ready { .. })));
    let forever = Gone { to: 60 * SEC, ..GONE };
    unanswered(&mut run, forever, Answer::Down);
    run.facts.iter_mut().for_each(|(at, fact)| {
        if matches!(fact, Fact::Closed { .. }) {
            *at = 60 * SEC;
        }
    });
    run.finds(&["recovery: no-recovery"]);
}

#[test]
fn what_did_not_end_when_asked_to_is_said_where_it_was_asked_and_nowhere_else() {
    let proof = |death, at| {
        let mut run = struck(
            step(0, "server", Condition::Down(death), Hold::For(3 * SEC)),
            "server-1",
            GONE,
        );
        let (instance, grace) = (instance("server-1"), 15 * SEC);
        run.add(at, Fact::Outstayed { instance, grace });
        run.exit("server-1", 7 * SEC + 2 * MS, true);
        run.life("server-1", 10 * SEC - MS, 10 * SEC + 200 * MS);
        unanswered(&mut run, GONE, Answer::Down);
        run.judge().proofs[0].clone()
    };
    let told = "; server-1 had not ended 15.0 s after it was asked to, and was killed";
    let late = proof(Death::Terminate, 7 * SEC);
    assert!(late.seen && late.says.ends_with(told), "{late:?}");
    // Before this strike: another one's.
    let other = proof(Death::Terminate, 6 * SEC);
    assert!(other.seen && !other.says.contains("asked"), "{other:?}");
}
