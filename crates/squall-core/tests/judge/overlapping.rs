//! Strikes that hold at the same time: what one of them explains proves nothing of the other.

use squall_core::event::{Answer, Fact, PulseOf, Role};
use squall_core::place::{Condition, Cut, Death};
use squall_core::plan::{Hold, Step};
use squall_core::proof::Proof;

use super::queue::Gone;
use super::run::{MS, Run, SEC, place, step};
use super::strikes::{struck, unanswered};

const GONE: Gone = Gone {
    from: 7 * SEC,
    to: 8 * SEC,
};

/// Adds another strike, in force for so long.
fn also(run: &mut Run, condition: Condition, at: &str, gone: Gone) {
    let step = run.header.plan.steps.len();
    let mut planned: Step = super::run::step(step, "server", condition.clone(), Hold::For(gone.to - gone.from));
    planned.fault = "cut".to_owned();
    run.header.plan.steps.push(planned);
    let place = place(at);
    let imposing = Fact::Imposing {
        step,
        place: place.clone(),
        condition,
    };
    run.add(gone.from - MS, imposing);
    run.add(gone.from, Fact::Imposed { step });
    run.add(gone.to, Fact::Healing { step, place });
    run.add(gone.to + MS, Fact::Healed { step });
}

/// What shows that a strike at a place had an effect, in whatever order they struck.
fn proof(run: &Run, of: &str) -> Proof {
    let begins = format!("{of} was ");
    let proofs = run.judge().proofs;
    let of_it = proofs.iter().find(|proof| proof.says.starts_with(&begins));
    of_it.unwrap_or_else(|| panic!("no proof of {of}: {proofs:?}")).clone()
}

/// What needs the database hung; whether the server lives is answered all the while.
fn only_who_needs_the_database_hung(run: &mut Run, gone: Gone) {
    run.each(|_, fact| match fact {
        Fact::Pulse(pulse) if pulse.of == PulseOf::Ready && (gone.from..gone.to).contains(&pulse.call) => {
            pulse.answer = Answer::Hung;
        }
        Fact::Op(op) if op.role == Role::Traffic && (gone.from..gone.to).contains(&op.due) => op.answer = Answer::Hung,
        _ => {}
    });
}

#[test]
fn a_freeze_is_not_proven_by_requests_that_a_silent_database_left_without_an_answer() {
    let freeze = step(0, "server", Condition::Frozen, Hold::For(SEC));
    let alone = {
        let mut run = struck(freeze.clone(), "server-1", GONE);
        only_who_needs_the_database_hung(&mut run, GONE);
        run
    };
    assert!(proof(&alone, "server-1").seen);
    let silent = Condition::Cut(Cut::BlackHole);
    let around = Gone {
        from: GONE.from - 500 * MS,
        to: GONE.to + 500 * MS,
    };
    let mut both = alone.clone();
    also(&mut both, silent.clone(), "server-1->db", around);
    let vain = proof(&both, "server-1");
    assert!(!vain.seen, "{vain:?}");
    // That nobody even said that it lives is the freeze's doing, and none of the link's.
    unanswered(&mut both, GONE, Answer::Hung);
    assert!(proof(&both, "server-1").seen);
    // What hung after the link was healed, too.
    let mut longer = alone;
    let first = Gone {
        from: around.from,
        to: GONE.from + 500 * MS,
    };
    also(&mut longer, silent, "server-1->db", first);
    assert!(proof(&longer, "server-1").seen);
}

#[test]
fn a_kill_is_proven_by_who_was_refused_whatever_else_holds() {
    let kill = step(0, "server", Condition::Down(Death::Kill), Hold::For(SEC));
    let mut run = struck(kill, "server-1", GONE);
    unanswered(&mut run, GONE, Answer::Down);
    also(&mut run, Condition::Cut(Cut::BlackHole), "server-1->db", GONE);
    assert!(proof(&run, "server-1").seen);
    unanswered(&mut run, GONE, Answer::Hung);
    run.each(|_, fact| match fact {
        Fact::Pulse(pulse) if pulse.of == PulseOf::Live => pulse.answer = Answer::Right,
        _ => {}
    });
    assert!(!proof(&run, "server-1").seen);
}

#[test]
fn a_database_outage_is_not_proven_by_who_found_no_server() {
    let stop = step(0, "db", Condition::Down(Death::Stop), Hold::For(SEC));
    let mut run = struck(stop, "db-1", GONE);
    unanswered(&mut run, GONE, Answer::Down);
    assert!(proof(&run, "db-1").seen);
    let kill = Condition::Down(Death::Kill);
    let mut covered = run.clone();
    also(&mut covered, kill.clone(), "server-1", GONE);
    let seen = ["db-1", "server-1"].map(|name| proof(&covered, name).seen);
    assert_eq!(seen, [false, true]);
    // Before the server was killed, too, it went wrong.
    let later = Gone {
        from: GONE.from + 500 * MS,
        to: GONE.to,
    };
    also(&mut run, kill, "server-1", later);
    assert!(proof(&run, "db-1").seen);
}

#[test]
fn a_number_of_copies_is_reached_without_the_one_that_another_strike_keeps_down() {
    let scale = step(0, "worker", Condition::Replicas(2), Hold::Stays);
    let mut run = struck(scale, "worker (all)", GONE);
    run.exit("worker-3", GONE.from + 5 * MS, true);
    let gone = Condition::Down(Death::Terminate);
    let held = Gone {
        from: 6 * SEC,
        to: 12 * SEC,
    };
    run.exit("worker-1", held.from + 2 * MS, true);
    assert!(!proof(&run, "worker").seen, "worker-1 did not come");
    also(&mut run, gone, "worker-1", held);
    let scaled = proof(&run, "worker");
    assert!(scaled.seen, "{scaled:?}");
    assert!(scaled.says.contains("1 ended, 0 came"), "{}", scaled.says);
}
