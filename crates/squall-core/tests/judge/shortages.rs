//! Services that are short of something: what proves it, what is excused by it, and what ends.

use squall_core::check::Outcome as Came;
use squall_core::demand::Demand;
use squall_core::event::{Answer, Fact, Role, ShortageLook, TaskEvent};
use squall_core::place::{Condition, Share, Shortage};
use squall_core::plan::{Hold, Step};
use squall_core::workload::PlannedBulky;

use super::queue::Gone;
use super::run::{MS, Run, SEC, instance, line, op, place, step};
use super::strikes::{proven, struck};

const GONE: Gone = Gone {
    from: 7 * SEC,
    to: 9 * SEC,
};

fn short(service: &str, shortage: Shortage) -> Step {
    step(0, service, Condition::Short(shortage), Hold::For(2 * SEC))
}

/// The sound run with a shortage in place of its strikes, and what was seen of it.
fn with(service: &str, shortage: Shortage, looks: &[ShortageLook]) -> Run {
    let mut run = struck(short(service, shortage), &format!("{service}-1"), GONE);
    for (at, look) in (1..).zip(looks) {
        let fact = Fact::Shortage { step: 0, look: *look };
        run.add(GONE.from + at * 100 * MS, fact);
    }
    run
}

const CPU: Shortage = Shortage::Cpu { taken: Share::ALL };

fn cpu(taken_us: u64, waited_us: Option<u64>) -> ShortageLook {
    ShortageLook::Cpu {
        there_us: 1_000_000,
        taken_us,
        waited_us,
        usual_us: None,
        astray: None,
    }
}

/// The same, with what it would have waited otherwise, and threads that are bound nowhere.
fn compared(waited_us: Option<u64>, usual_us: Option<u64>, astray: u32) -> ShortageLook {
    let (there_us, taken_us, astray) = (1_000_000, 900_000, Some(astray));
    ShortageLook::Cpu {
        there_us,
        taken_us,
        waited_us,
        usual_us,
        astray,
    }
}

#[test]
fn processors_are_taken_when_others_had_them_and_it_waited() {
    for (looks, felt) in [
        (vec![], false),
        (vec![cpu(0, Some(0))], false),
        (vec![cpu(90_000, Some(9_000))], false),
        (vec![cpu(900_000, Some(0))], false),
        (vec![cpu(900_000, Some(9_000))], true),
        (vec![cpu(900_000, Some(1))], false),
        (vec![cpu(900_000, Some(999))], false),
        (vec![cpu(900_000, Some(1_000))], true),
        (vec![cpu(900_000, None)], false),
        (vec![compared(Some(9_000), Some(4_000), 0)], true),
        (vec![compared(Some(7_000), Some(5_000), 0)], false),
        (vec![compared(Some(610_000), Some(550_000), 0)], true),
        (vec![compared(Some(190_000), Some(950_000), 0)], true),
        (vec![compared(Some(45_000), Some(40_000), 0)], false),
        (vec![compared(Some(900), Some(0), 0)], false),
        (vec![compared(Some(9_000), Some(0), 1)], false),
        (vec![compared(None, None, 0)], true),
        (vec![compared(None, None, 1)], false),
        // The last look tells: both figures only grow.
        (vec![cpu(10, Some(1)), cpu(900_000, Some(9_000))], true),
    ] {
        assert_eq!(proven(&with("server", CPU, &looks)), felt, "{looks:?}");
    }
}

#[test]
fn where_waiting_is_not_counted_processors_are_taken_from_whoever_is_used() {
    let mut run = with("server", CPU, &[compared(None, None, 0)]);
    unused(&mut run);
    assert!(!run.judge().proofs[0].seen);
    let mut run = with("server", CPU, &[compared(Some(9_000), Some(0), 0)]);
    unused(&mut run);
    assert!(run.judge().proofs[0].seen, "it waited");
}

const MEMORY: Shortage = Shortage::Memory { left: 64_000_000 };

/// A look at one that got a good part of what was left under its limit.
fn memory(used: u64) -> ShortageLook {
    grown(used, Some(640_000))
}

fn grown(used: u64, grown: Option<u64>) -> ShortageLook {
    let limit = 100_000_000;
    ShortageLook::Memory { limit, used, grown }
}

/// Nobody asks for anything while it holds.
fn unused(run: &mut Run) {
    let inside = |at: u64| (GONE.from - SEC..GONE.to + SEC / 10).contains(&at);
    run.keep(|at, fact| !(inside(at) && matches!(fact, Fact::Op(_) | Fact::Pulse(_))));
}

#[test]
fn memory_is_short_when_the_limit_was_in_force_and_it_was_used_under_it() {
    assert!(!proven(&with("server", MEMORY, &[])));
    assert!(
        !proven(&with("server", MEMORY, &[memory(30_000_000)])),
        "more than planned was left"
    );
    let mut run = with("server", MEMORY, &[memory(36_000_000), memory(20_000_000)]);
    assert!(proven(&run));
    unused(&mut run);
    assert!(!run.judge().proofs[0].seen, "nobody used it");
    let worker = with("worker", MEMORY, &[memory(40_000_000)]);
    assert!(worker.judge().proofs[0].seen, "a worker is used by its work");
}

#[test]
fn memory_that_nobody_asked_for_is_not_missed() {
    // What any request needs is no sign that memory was short.
    for asked in [None, Some(0), Some(4096), Some(639_999)] {
        let looks = [grown(40_000_000, asked)];
        let quiet = with("server", MEMORY, &looks);
        let proof = &quiet.judge().proofs[0];
        assert!(
            !proof.seen && proof.says.ends_with("but nothing shows that it asked for much of it"),
            "{proof:?}"
        );
        // Its log, its end, its answers, or what was asked of it show that it did.
        let mut run = with("server", MEMORY, &looks);
        says(
            &mut run,
            GONE.to + SEC,
            "server-1",
            "memory allocation of 80 bytes failed",
        );
        assert!(!run.judge().proofs[0].seen, "not then");
        says(
            &mut run,
            GONE.from + SEC,
            "server-1",
            "memory allocation of 80 bytes failed",
        );
        assert!(run.judge().proofs[0].seen);
        let mut run = with("server", MEMORY, &looks);
        run.exit("server-1", GONE.from + SEC, false);
        assert!(run.judge().proofs[0].seen);
        let mut run = with("server", MEMORY, &looks);
        answered(&mut run, Answer::Refused);
        assert!(run.judge().proofs[0].seen);
        for (bytes, missed) in [(64_000_000, false), (65_000_000, true)] {
            let mut run = with("server", MEMORY, &looks);
            run.header.plan.bulky = Some(PlannedBulky { every: SEC, bytes });
            let mut bulky = op("POST /tasks", Role::Survey, GONE.from + SEC);
            bulky.name = "create of 65 MB".to_owned();
            run.add(GONE.from + SEC + 5 * MS, Fact::Op(bulky));
            assert_eq!(run.judge().proofs[0].seen, missed, "{:?}", run.judge().proofs[0]);
        }
    }
}

const FDS: Shortage = Shortage::Fds { left: 0 };

fn fds(free: u32, waiting: u32) -> ShortageLook {
    let open = 30;
    ShortageLook::Fds { open, free, waiting }
}

fn says(run: &mut Run, at: u64, who: &str, line: &str) {
    let (instance, line) = (instance(who), line.to_owned());
    run.add(at, Fact::Log { instance, line });
}

#[test]
fn descriptors_are_taken_when_none_was_free_and_somebody_waited_or_it_says_so() {
    assert!(!proven(&with("server", FDS, &[])));
    assert!(!proven(&with("server", FDS, &[fds(1, 3)])), "one was free");
    assert!(!proven(&with("server", FDS, &[fds(0, 0)])), "nobody came");
    assert!(proven(&with("server", FDS, &[fds(0, 2)])));
    let mut run = with("server", FDS, &[fds(0, 0)]);
    says(&mut run, GONE.from + SEC, "worker-1", "Too many open files");
    says(&mut run, GONE.to + SEC, "server-1", "Too many open files");
    assert!(!proven(&run), "not its own word, or not then");
    says(
        &mut run,
        GONE.from + SEC,
        "server-1",
        "accept error: Too many open files (os error 24)",
    );
    assert!(proven(&run));
}

#[test]
fn a_disk_is_full_when_a_write_was_refused_and_one_of_its_own_was_too() {
    let disk = |refused| ShortageLook::Disk { free: 0, refused };
    let full = "can't write the log: No space left on device (os error 28)";
    let mut run = with("server", Shortage::Disk, &[disk(false), disk(true)]);
    assert!(!proven(&run), "it was used, and may have written nothing");
    says(&mut run, GONE.from + SEC, "worker-1", full);
    says(&mut run, GONE.to + SEC, "server-1", full);
    assert!(!proven(&run), "not its own word, or not then");
    says(&mut run, GONE.from + SEC, "server-1", full);
    assert!(proven(&run));
    let mut free = with("server", Shortage::Disk, &[disk(false)]);
    says(&mut free, GONE.from + SEC, "server-1", full);
    assert!(!proven(&free), "there was room");
    let mut refusing = with("server", Shortage::Disk, &[disk(true)]);
    answered(&mut refusing, Answer::Refused);
    assert!(refusing.judge().proofs[0].seen);
}

#[test]
fn connections_are_taken_when_another_one_was_refused() {
    let shortage = Shortage::Connections { evict: true };
    let look = |held, refused| ShortageLook::Connections { held, refused };
    assert!(!proven(&with("db", shortage, &[])));
    assert!(!proven(&with("db", shortage, &[look(40, 0)])));
    assert!(!proven(&with("db", shortage, &[look(0, 3)])), "somebody else had them");
    let mut run = with("db", shortage, &[look(40, 1)]);
    assert!(proven(&run));
    unused(&mut run);
    assert!(!run.judge().proofs[0].seen, "nobody needed one");
}

/// The answers due while it holds, as `answer`.
fn answered(run: &mut Run, answer: Answer) {
    run.each(|_, fact| match fact {
        Fact::Op(op) if op.role == Role::Traffic && (GONE.from..GONE.to).contains(&op.due) => op.answer = answer,
        _ => {}
    });
}

#[test]
fn short_of_memory_it_may_refuse_but_must_be_there_and_out_of_descriptors_it_need_not() {
    let mut memory = with("server", MEMORY, &[memory(40_000_000)]);
    answered(&mut memory, Answer::Refused);
    memory.finds(&[]);
    answered(&mut memory, Answer::Down);
    memory.finds(&["answered_correctly: wrong-answer"]);
    answered(&mut memory, Answer::Hung);
    memory.finds(&["answered_correctly: wrong-answer", "answers_in_time: hung"]);
    let mut fds = with("server", FDS, &[fds(0, 2)]);
    answered(&mut fds, Answer::Hung);
    fds.finds(&[]);
}

#[test]
fn a_worker_that_lived_through_it_serves_again_with_its_next_line() {
    let mut run = with("worker", MEMORY, &[memory(40_000_000)]);
    run.add(GONE.to + 20 * MS, line("task-9", 1, "worker-1", TaskEvent::Start));
    let clock = &run.judge().clocks[0];
    assert!(clock.serving.is_some_and(|serving| serving <= 30 * MS), "{clock:?}");
}

fn stays_up(mut run: Run) -> Run {
    run.header.plan.checks = vec![Demand::StaysUp];
    run
}

#[test]
fn what_was_killed_or_stopped_may_end() {
    stays_up(Run::sound()).finds(&[]);
    stays_up(with("server", MEMORY, &[memory(40_000_000)])).finds(&[]);
}

#[test]
fn what_ends_because_it_is_short_of_something_has_died() {
    let mut run = stays_up(with("server", MEMORY, &[memory(40_000_000)]));
    run.exit("server-1", GONE.from + SEC, false);
    run.life("server-1", GONE.from + SEC + 200 * MS, GONE.from + SEC + 300 * MS);
    run.finds(&["stays_up: died"]);
    let verdict = run.verdict("stays_up");
    assert!(
        verdict
            .says
            .contains("server-1 ended by itself while it was short of memory"),
        "{}",
        verdict.says
    );
    // The same of what nothing was done to.
    let mut run = stays_up(with("server", MEMORY, &[memory(40_000_000)]));
    run.exit("worker-2", GONE.to + SEC, false);
    run.finds(&["stays_up: died"]);
}

#[test]
fn whether_anything_ended_is_not_known_of_a_run_that_broke_off() {
    let mut run = stays_up(Run::sound());
    run.keep(|_, fact| !matches!(fact, Fact::Closed { .. }));
    assert_eq!(run.verdict("stays_up").outcome, Came::Inconclusive);
    let mut run = stays_up(Run::sound());
    run.keep(|_, fact| !matches!(fact, Fact::Started { .. }));
    assert_eq!(run.verdict("stays_up").outcome, Came::Inconclusive);
}

#[test]
fn a_request_in_the_window_is_use_of_a_worker_only_through_its_work() {
    let mut run = with("worker", MEMORY, &[memory(40_000_000)]);
    run.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.worker == "worker-1"));
    let due = GONE.from + SEC;
    run.add(due + 5 * MS, Fact::Op(op("GET /tasks", Role::Traffic, due)));
    assert!(!run.judge().proofs[0].seen);
    assert_eq!(run.judge().proofs[0].evidence.len(), 1, "{:?}", place("worker-1"));
}
