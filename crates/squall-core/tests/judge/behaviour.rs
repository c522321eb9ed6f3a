//! Checks of how a system behaves under faults: breakers, isolation, calls, trends, scaling. Each finds what is
//! planted, passes what is sound, and says so where too little was seen.

use squall_core::check::Outcome as Came;
use squall_core::demand::{Amplification, AtLeast, Breaker, CreateLatency, Demand, Kinds, Within};
use squall_core::event::{Answer, BreakerState, Fact, LinkCounts, MachineLook, Outcome, Role, TaskEvent, Usage, Work};
use squall_core::place::{Condition, Cut, Death, Place};
use squall_core::plan::{FLOOD, Hold};
use squall_core::workload::PlannedFlood;

use super::queue::Gone;
use super::run::{MS, OUTAGE, Run, SEC, instance, line, op, place, step};

fn asking(demands: &[Demand]) -> Run {
    let mut run = Run::sound();
    run.header.plan.checks = demands.to_vec();
    run.header.system.breakers = true;
    let tasks = run.header.system.tasks.as_mut().expect("tasks");
    tasks.types = [("flaky".to_owned(), "flaky-type".to_owned())].into();
    run
}

fn within(text: &str) -> Within {
    Within {
        within: text.parse().expect("a duration"),
    }
}

#[track_caller]
fn unsure(run: &Run, check: &str) {
    assert_eq!(
        run.verdict(check).outcome,
        Came::Inconclusive,
        "{}",
        run.verdict(check).says
    );
}

/// A task of a kind, acknowledged at `at`.
fn task(run: &mut Run, kind: &str, id: &str, at: u64) {
    let mut create = op("create", Role::Create, at - 5 * MS);
    create.work = Some(Work {
        kind: kind.to_owned(),
        task: Some(id.to_owned()),
        payload_crc32: 7,
        mark: id.to_owned(),
    });
    run.add(at, Fact::Op(create));
}

/// An attempt of worker-3 that fails.
fn failure(run: &mut Run, id: &str, from: u64, takes: u64) {
    run.add(from, line(id, 1, "worker-3", TaskEvent::Start));
    run.add(from + takes, line(id, 1, "worker-3", TaskEvent::Failed));
}

fn breaker(run: &mut Run, at: u64, state: BreakerState) {
    let of = "flaky-type".to_owned();
    run.add(at, Fact::Breaker { of, state });
}

fn breaks(closes: bool) -> Demand {
    Demand::Breaker(Breaker {
        kind: "flaky".to_owned(),
        closes,
        within: "3s".parse().expect("a duration"),
    })
}

/// 6 failures in a row from 10 s on, the last three after 10.4 s.
fn failing(run: &mut Run, takes: u64) {
    for n in 0..6 {
        let id = format!("hook-{n}");
        task(run, "flaky", &id, 9 * SEC);
        failure(run, &id, 10 * SEC + n * 150 * MS, takes);
    }
}

#[test]
fn a_breaker_that_never_opens_is_found_and_one_that_had_no_cause_is_not_judged() {
    let mut run = asking(&[breaks(false)]);
    unsure(&run, "breaker");
    failing(&mut run, 10 * MS);
    // A probe that saw no breaker at all can't say that one stayed shut.
    unsure(&run, "breaker");
    breaker(&mut run, 5 * SEC, BreakerState::Closed);
    run.finds(&["breaker: never-opened"]);
    breaker(&mut run, 10 * SEC + 400 * MS, BreakerState::Open);
    run.finds(&[]);
    assert_eq!(run.verdict("breaker").outcome, Came::Pass);
}

#[test]
fn an_open_breaker_fails_fast_and_closes_after_the_heal() {
    let mut slow = asking(&[breaks(false)]);
    failing(&mut slow, 900 * MS);
    breaker(&mut slow, 10 * SEC + 100 * MS, BreakerState::Open);
    slow.finds(&["breaker: no-fast-failure"]);

    let mut open = asking(&[breaks(true)]);
    failing(&mut open, 10 * MS);
    breaker(&mut open, 10 * SEC + 400 * MS, BreakerState::Open);
    open.finds(&["breaker: never-closed"]);
    let mut closed = open.clone();
    breaker(&mut closed, 14 * SEC, BreakerState::HalfOpen);
    breaker(&mut closed, 15 * SEC, BreakerState::Closed);
    closed.finds(&[]);
    // The last heal is at 13.5 s: what closes after 3 s more is late, and what was watched for less is not told.
    let mut late = open.clone();
    breaker(&mut late, 17 * SEC, BreakerState::Closed);
    late.finds(&["breaker: never-closed"]);
    // What closed before anything was healed says nothing about afterwards.
    let mut early = open.clone();
    breaker(&mut early, 12 * SEC, BreakerState::Closed);
    unsure(&early, "breaker");
    open.keep(|at, _| at < 16 * SEC);
    unsure(&open, "breaker");
}

#[test]
fn an_open_breaker_that_nothing_met_shows_nothing() {
    let mut run = asking(&[breaks(false)]);
    breaker(&mut run, 10 * SEC, BreakerState::Open);
    unsure(&run, "breaker");
    // A quick success is no quick failure.
    task(&mut run, "flaky", "trial", 9 * SEC);
    run.add(11 * SEC, line("trial", 1, "worker-3", TaskEvent::Start));
    run.add(11 * SEC + 5 * MS, line("trial", 1, "worker-3", TaskEvent::Committed));
    unsure(&run, "breaker");
}

#[test]
fn work_that_needs_nothing_of_what_is_broken_must_not_fail() {
    let demand = Demand::Isolated(Kinds {
        kinds: vec!["quick".to_owned()],
    });
    let mut run = asking(&[demand]);
    unsure(&run, "isolated");
    breaker(&mut run, 14 * SEC, BreakerState::Open);
    task(&mut run, "quick", "quick-0", 14 * SEC);
    run.add(14 * SEC + 100 * MS, line("quick-0", 1, "worker-3", TaskEvent::Start));
    unsure(&run, "isolated");
    run.add(
        14 * SEC + 110 * MS,
        line("quick-0", 1, "worker-3", TaskEvent::Committed),
    );
    assert_eq!(run.verdict("isolated").outcome, Came::Pass);
    task(&mut run, "quick", "quick-1", 14 * SEC);
    failure(&mut run, "quick-1", 14 * SEC + 200 * MS, 5 * MS);
    run.finds(&["isolated: not-isolated"]);
    // During the database's outage its failing is no wonder.
    run.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.task == "quick-1"));
    failure(&mut run, "quick-1", 10 * SEC, 5 * MS);
    run.finds(&[]);
}

/// A cut of worker-3's link from 14 s to 15 s, over which `opened` connections were opened.
fn cut(run: &mut Run, opened: u64) {
    let condition = Condition::Cut(Cut::Reset);
    let index = run.header.plan.steps.len();
    run.header
        .plan
        .steps
        .push(step(2, "worker", condition.clone(), Hold::For(SEC)));
    let link = place("worker-3->api");
    let (step, place) = (index, link.clone());
    run.add(14 * SEC, Fact::Imposing { step, place, condition });
    run.add(14 * SEC + MS, Fact::Imposed { step });
    let counts = LinkCounts {
        opened,
        closed: opened,
        ..LinkCounts::default()
    };
    let place = link.clone();
    run.add(15 * SEC - MS, Fact::Traffic { step, place, counts });
    run.add(15 * SEC - MS, Fact::Healing { step, place: link });
    run.add(15 * SEC, Fact::Healed { step });
}

#[test]
fn calls_that_are_repeated_without_measure_are_a_storm() {
    let mut run = asking(&[Demand::Amplification(Amplification {
        at_most: 3.0,
        kinds: Vec::new(),
    })]);
    unsure(&run, "amplification");
    for n in 0..4 {
        failure(&mut run, &format!("hook-{n}"), 14 * SEC + n * 100 * MS, 50 * MS);
    }
    let mut mild = run.clone();
    cut(&mut mild, 4);
    assert_eq!(mild.verdict("amplification").outcome, Came::Pass);
    // Attempts that ended unheard long ago don't dilute it.
    let mut diluted = run.clone();
    for n in 0..20 {
        diluted.add(
            4 * SEC + n * 100 * MS,
            line(&format!("old-{n}"), 1, "worker-3", TaskEvent::Start),
        );
    }
    cut(&mut diluted, 60);
    diluted.finds(&["amplification: retry-storm"]);
    cut(&mut run, 200);
    run.finds(&["amplification: retry-storm"]);
}

#[test]
fn attempts_that_go_on_too_long_hang_unless_their_worker_was_struck() {
    let mut run = asking(&[Demand::AttemptsInTime(within("2s"))]);
    assert_eq!(run.verdict("attempts_in_time").outcome, Came::Pass);
    task(&mut run, "flaky", "hook-0", 15 * SEC);
    failure(&mut run, "hook-0", 15 * SEC, 2_100 * MS);
    run.finds(&["attempts_in_time: hung"]);
    run.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.task == "hook-0"));
    // Only the time of a strike is left out, and a second after it: the database was back soon after this began.
    run.add(OUTAGE.to - 100 * MS, line("hook-0", 1, "worker-3", TaskEvent::Start));
    run.add(OUTAGE.to + 4 * SEC, line("hook-0", 1, "worker-3", TaskEvent::Failed));
    run.finds(&["attempts_in_time: hung"]);
    run.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.task == "hook-0"));
    // One without an end counts as long as its worker lives.
    run.add(14 * SEC, line("hook-0", 1, "worker-3", TaskEvent::Start));
    run.finds(&["attempts_in_time: hung"]);
    run.keep(|_, fact| !matches!(fact, Fact::Task(line) if line.task == "hook-0"));
    // worker-1 was killed at 5.5 s.
    run.add(5 * SEC, line("hook-0", 1, "worker-1", TaskEvent::Start));
    run.add(8 * SEC, line("hook-0", 1, "worker-1", TaskEvent::Failed));
    run.finds(&[]);
}

/// Kills of the server from 14 s on, one every 500 ms; the n-th time it serves again after `took(n)`.
fn cycles(count: u64, took: impl Fn(u64) -> u64) -> Run {
    let mut run = asking(&[Demand::NoDegradation]);
    let first = run.header.plan.steps.len();
    for n in 0..count {
        let killed = step(2, "server", Condition::Down(Death::Kill), Hold::Restart(200 * MS));
        run.header.plan.steps.push(killed);
        let from = 14 * SEC + n * 500 * MS;
        let to = from + took(n);
        run.kill(first + n as usize, "server-1", Gone { from, to });
        run.each(|at, fact| {
            if let Fact::Pulse(pulse) = fact
                && (from..to).contains(&at)
            {
                pulse.answer = squall_core::event::Answer::Down;
            }
        });
    }
    run
}

#[test]
fn recovery_that_takes_longer_each_time_is_found_from_six_cycles_on() {
    let slower = cycles(7, |n| 100 * MS + n * 50 * MS);
    slower.finds(&["no_degradation: degradation"]);
    // The same beside something that takes most of the machine may be that one's doing.
    let busy = |own_us| {
        let (mut run, busy_us, idle_us) = (slower.clone(), 900_000, 100_000);
        run.add(
            9 * SEC,
            Fact::Machine(MachineLook {
                busy_us,
                idle_us,
                own_us,
            }),
        );
        run
    };
    unsure(&busy(300_000), "no_degradation");
    busy(600_000).finds(&["no_degradation: degradation"]);
    let few = cycles(5, |n| 100 * MS + n * 50 * MS);
    few.finds(&[]);
    assert!(few.verdict("no_degradation").says.contains("from 6 cycles on"));
    cycles(7, |n| 200 * MS + (n % 2) * 50 * MS).finds(&[]);
    let mut none = asking(&[Demand::NoDegradation]);
    none.keep(|_, fact| !matches!(fact, Fact::Imposing { .. }));
    unsure(&none, "no_degradation");
}

#[test]
fn a_panic_is_found_and_an_error_is_none() {
    let mut run = asking(&[Demand::NoPanics]);
    unsure(&run, "no_panics");
    let log = |text: &str| Fact::Log {
        instance: instance("server-1"),
        line: text.to_owned(),
    };
    run.add(10 * SEC, log("ERROR: the database is gone"));
    assert_eq!(run.verdict("no_panics").outcome, Came::Pass);
    run.add(10 * SEC, log("thread 'main' panicked at src/main.rs:1:1"));
    run.finds(&["no_panics: panic"]);
}

/// The server's memory and descriptors, and the database's connections, every 100 ms of the storm.
fn usage(values: impl Fn(u64) -> (u64, u32, u32)) -> Run {
    let mut run = asking(&[Demand::Stable]);
    for n in 0..110 {
        let (rss_kib, fds, open) = values(n);
        let at = 4 * SEC + n * 100 * MS;
        for name in ["db-1", "server-1", "worker-1", "worker-2", "worker-3"] {
            let still = name != "server-1";
            let usage = Usage {
                instance: instance(name),
                cpu_us: 1,
                rss_kib: if still { 9_000 } else { rss_kib },
                fds: if still { 9 } else { fds },
            };
            run.add(at, Fact::Usage(usage));
        }
        let instance = instance("db-1");
        run.add(at, Fact::Connections { instance, open });
    }
    run
}

#[test]
fn what_grows_without_end_is_found_and_what_warms_up_is_not() {
    unsure(&asking(&[Demand::Stable]), "stable");
    let still = usage(|n| (20_000 + n % 7 * 100, 30 + (n % 3) as u32, 5));
    assert_eq!(still.verdict("stable").outcome, Came::Pass);
    // What nobody looked at is not known to hold still.
    let mut unseen = still.clone();
    unseen.keep(|_, fact| !matches!(fact, Fact::Usage(usage) if usage.instance.to_string() == "worker-2"));
    unsure(&unseen, "stable");
    usage(|n| (20_000 + n * 1_000, 30, 5)).finds(&["stable: memory-growth"]);
    usage(|n| (20_000, 30 + n as u32, 5)).finds(&["stable: descriptor-growth"]);
    usage(|n| (20_000, 30, 5 + n as u32 / 4)).finds(&["stable: connection-growth"]);
    // Full after the first third.
    usage(|n| (20_000 + n.min(35) * 2_000, 30 + n.min(35) as u32, 5)).finds(&[]);
    // A little, for ever.
    usage(|n| (20_000 + n * 50, 30 + n as u32 / 20, 5)).finds(&[]);
}

/// worker-3 goes at 7 s and is back at 14 s, by two changes of the number of copies.
fn scaled() -> Run {
    let mut run = asking(&[Demand::Adaptation(within("1s"))]);
    let all = Place::Service("worker".to_owned());
    for (index, (at, copies)) in [(7 * SEC, 2), (14 * SEC, 3)].into_iter().enumerate() {
        let condition = Condition::Replicas(copies);
        let step = run.header.plan.steps.len();
        run.header
            .plan
            .steps
            .push(super::run::step(2 + index, "worker", condition.clone(), Hold::Stays));
        let place = all.clone();
        run.add(at, Fact::Imposing { step, place, condition });
        run.add(at + MS, Fact::Imposed { step });
    }
    run.keep(|at, fact| !matches!(fact, Fact::Task(line) if line.worker == "worker-3" && at > 7 * SEC));
    run.life("worker-3", 14 * SEC, 14 * SEC + 100 * MS);
    // Something waits from before the copy came until long after.
    task(&mut run, "work", "waiting", 13 * SEC);
    run.add(18 * SEC, line("waiting", 1, "worker-1", TaskEvent::Start));
    run
}

#[test]
fn copies_that_come_must_take_work_and_copies_that_go_must_be_gone() {
    unsure(&asking(&[Demand::Adaptation(within("1s"))]), "adaptation");
    let mut idle = scaled();
    idle.exit("worker-3", 7 * SEC + 50 * MS, true);
    idle.finds(&["adaptation: no-adaptation"]);
    let mut slow = idle.clone();
    slow.add(16 * SEC, line("other", 1, "worker-3", TaskEvent::Start));
    slow.finds(&["adaptation: slow-adaptation"]);
    let mut soon = idle.clone();
    soon.add(14 * SEC + 200 * MS, line("other", 1, "worker-3", TaskEvent::Start));
    soon.finds(&[]);
    assert_eq!(soon.verdict("adaptation").outcome, Came::Pass);
    // A copy that never became ready adapted to nothing.
    let mut unready = scaled();
    unready.exit("worker-3", 7 * SEC + 50 * MS, true);
    unready.keep(|_, fact| !matches!(fact, Fact::Ready { instance, took } if instance.to_string() == "worker-3" && *took == 100 * MS));
    unready.finds(&["adaptation: no-adaptation"]);
    let mut stays = scaled();
    stays.add(14 * SEC + 200 * MS, line("other", 1, "worker-3", TaskEvent::Start));
    stays.exit("worker-3", 13 * SEC, true);
    stays.finds(&["adaptation: slow-adaptation"]);
}

/// A flood of 100/s for 10 s from 4 s on, of which the k-th create took `took(k)`; `None` was never answered, and what
/// `sent` refuses was never sent.
fn flooded(took: impl Fn(u64) -> Option<u64>, sent: impl Fn(u64) -> bool) -> Run {
    let p99 = "1s".parse().expect("a duration");
    let at_least = "95%".parse().expect("a share");
    let mut run = asking(&[
        Demand::CreateLatency(CreateLatency { p99 }),
        Demand::Throughput(AtLeast { at_least }),
    ]);
    let flood = PlannedFlood {
        kind: "work".to_owned(),
        ms: 10,
        rate: 100.0,
        lasts: 10 * SEC,
        up_to: None,
    };
    let schedule = flood.schedule(run.header.plan.seed).expect("a rate");
    run.header.plan.flood = Some(flood);
    for due in schedule.dues().filter(|due| sent(due.k)) {
        let at = 4 * SEC + due.at;
        let mut create = op(FLOOD, Role::Create, at);
        create.ret = at + took(due.k).unwrap_or(5 * SEC);
        if took(due.k).is_none() {
            (create.answer, create.outcome, create.status) = (Answer::Hung, Outcome::Unknown, None);
        }
        run.add(create.ret, Fact::Op(create));
    }
    run
}

#[test]
fn a_flood_that_is_taken_slowly_or_not_at_all_is_found() {
    let quick = flooded(|_| Some(3 * MS), |_| true);
    quick.finds(&[]);
    assert!(quick.verdict("throughput").says.contains("(100.0 %)"));
    let both = ["create_latency: slow", "throughput: unserved"];
    flooded(|k| Some(if k % 10 == 0 { 2 * SEC } else { 3 * MS }), |_| true).finds(&both);
    // Hung ones count as the slowest there are, not as none.
    flooded(|k| (k % 30 != 0).then_some(3 * MS), |_| true).finds(&both[..1]);
    // So do those that were never sent: open-loop load hides none.
    flooded(|_| Some(3 * MS), |k| k % 10 != 0).finds(&both);
    let none = asking(&[Demand::Throughput(AtLeast {
        at_least: "95%".parse().expect("a share"),
    })]);
    unsure(&none, "throughput");
}
