//! Wall clocks that are wrong: what proves it, what does not, and what is excused by it.

use squall_core::event::{Answer, Fact, Role, Said, SaidBy, SkewLook, TaskEvent};
use squall_core::place::{Condition, Skew};
use squall_core::plan::Hold;
use squall_core::proof::seen_skewed;

use super::queue::Gone;
use super::run::{MS, Run, SEC, line, step};
use super::strikes::{proven, struck};

const GONE: Gone = Gone {
    from: 7 * SEC,
    to: 9 * SEC,
};

const HOUR: i64 = 3600 * SEC as i64;
const SECOND: i64 = SEC as i64;

/// The sound run with a clock of a service an hour ahead in place of its strikes, and what was seen of it.
fn with(service: &str, looks: &[SkewLook]) -> Run {
    let skewed = step(0, service, Condition::Skewed(Skew { by: HOUR }), Hold::For(2 * SEC));
    let mut run = struck(skewed, &format!("{service}-1"), GONE);
    for (at, look) in (1..).zip(looks) {
        run.add(GONE.from + at * 100 * MS, Fact::Skew { step: 0, look: *look });
    }
    run
}

/// A look at a service of one process.
fn look(replaced: bool, ran: bool, said: Option<Said>) -> SkewLook {
    SkewLook {
        replaced: replaced.into(),
        ran: ran.into(),
        said,
    }
}

fn date(ahead: i64) -> Option<Said> {
    Some(Said {
        by: SaidBy::Date,
        least: ahead - SECOND,
        most: ahead + SECOND,
    })
}

fn query(ahead: i64) -> Option<Said> {
    Some(Said {
        by: SaidBy::Query,
        least: ahead - SECOND / 1000,
        most: ahead + SECOND / 1000,
    })
}

#[test]
fn a_clock_that_said_itself_it_was_so_wrong_needs_no_other_proof() {
    for said in [date(HOUR), query(HOUR)] {
        let run = with("server", &[look(true, false, None), look(true, true, said)]);
        assert!(proven(&run));
        let proof = &run.judge().proofs[0];
        assert_eq!(proof.says, "server-1 was skewed: its clock was 1h ahead of squall's");
    }
}

#[test]
fn a_clock_that_was_not_wrong_or_wrong_otherwise_proves_nothing() {
    for looks in [
        vec![],
        // Nothing was written, whatever was run.
        vec![look(false, false, date(0))],
        vec![look(false, false, date(HOUR / 2))],
        // Written, and never run.
        vec![look(true, false, None)],
        vec![look(true, false, date(0))],
        // Run, but who is exact says otherwise.
        vec![look(true, true, query(0)), look(true, true, None)],
        vec![look(true, true, query(HOUR - SECOND))],
        // Its dates go on, and are right: it reads another clock.
        (0..30)
            .map(|at| look(true, true, date(-(at % 10) * SECOND / 10)))
            .collect(),
    ] {
        assert!(!proven(&with("server", &looks)), "{looks:?}");
    }
}

#[test]
fn where_nothing_is_said_of_it_the_replaced_clock_was_run_by_a_service_in_use() {
    let ran = look(true, true, None);
    assert!(proven(&with("worker", &[look(true, false, None), ran])));
    // A date may have been kept from before.
    assert!(proven(&with("server", &[look(true, true, date(0))])));
    let kept: Vec<SkewLook> = (0..20).map(|at| look(true, true, date(-at * SECOND / 10))).collect();
    assert!(proven(&with("server", &kept)));
    let mut idle = with("worker", &[ran]);
    idle.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.worker == "worker-1"));
    let proof = &idle.judge().proofs[0];
    assert!(
        !proof.seen && proof.says.ends_with("but nobody used it meanwhile"),
        "{proof:?}"
    );
}

#[test]
fn a_worker_that_ends_with_the_run_has_lived_through_it_and_one_that_ended_before_has_not() {
    let lived = |ends: u64| {
        let mut run = with("worker", &[look(true, true, None)]);
        run.add(GONE.to + 20 * MS, line("task-9", 1, "worker-1", TaskEvent::Start));
        run.exit("worker-1", ends, true);
        run.judge().clocks[0].serving
    };
    assert!(lived(40 * SEC).is_some_and(|serving| serving <= 30 * MS));
    assert_eq!(lived(GONE.to - SEC), None);
}

#[test]
fn an_offset_no_larger_than_what_is_known_is_not_told_from_none() {
    let half = Skew { by: SECOND / 2 };
    let said = |said| seen_skewed(half, &[((), look(true, false, said))]).is_ok();
    assert!(!said(date(SECOND / 2)), "the date would have been the same without");
    assert!(said(query(SECOND / 2)));
}

#[test]
fn a_service_with_a_wrong_clock_may_refuse_but_must_be_there() {
    let mut run = with("server", &[look(true, true, date(HOUR))]);
    let answered = |run: &mut Run, answer: Answer| {
        run.each(|_, fact| match fact {
            Fact::Op(op) if op.role == Role::Traffic && (GONE.from..GONE.to).contains(&op.due) => op.answer = answer,
            _ => {}
        });
    };
    answered(&mut run, Answer::Refused);
    run.finds(&[]);
    answered(&mut run, Answer::Down);
    run.finds(&["answered_correctly: wrong-answer"]);
}
