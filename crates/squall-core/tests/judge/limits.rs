//! What a report adds to verdicts: advice on findings, signs that change nothing, and what limited a flood.

use std::collections::BTreeSet;

use squall_core::advice::classes;
use squall_core::demand::{Breaker, CATALOGUE, Demand};
use squall_core::event::{
    BreakerState, DatabaseLook, Fact, MachineLook, NoteKind, Role, State, TaskEvent, Usage, Work,
};
use squall_core::gauge::{Part, bottleneck, database_time, spells};
use squall_core::plan::FLOOD;
use squall_core::workload::PlannedFlood;

use super::run::{MS, Run, SEC, instance, line, op, record};

#[test]
fn every_class_a_check_can_find_has_advice_and_nothing_else_has() {
    let found = CATALOGUE.iter().flat_map(|(_, classes, _)| classes.split(", "));
    let found: BTreeSet<&str> = found.collect();
    let advised: Vec<&str> = classes().collect();
    let missing: Vec<_> = found.iter().filter(|class| !advised.contains(class)).collect();
    assert!(
        missing.is_empty(),
        "no advice on {missing:?}: add a row to the table in advice.rs"
    );
    let idle: Vec<_> = advised.iter().filter(|class| !found.contains(*class)).collect();
    assert!(
        idle.is_empty(),
        "no check finds {idle:?}: take its row out of the table in advice.rs"
    );
    let once: BTreeSet<&str> = advised.iter().copied().collect();
    assert_eq!(once.len(), advised.len(), "a class has two rows in advice.rs");
}

#[track_caller]
fn advises(run: &Run, check: &str, says: &[&str]) {
    let advice = run.verdict(check).advice.expect("advice on a finding");
    for part in says {
        assert!(advice.contains(part), "{advice}");
    }
}

#[test]
fn advice_speaks_of_what_the_journal_shows() {
    let mut lost = Run::sound();
    // The first one was acknowledged at 4 s; worker-1 died at 5.5 s.
    let task = lost.facts.iter().find_map(|(_, fact)| match fact {
        Fact::Task(line) => Some(line.task.clone()),
        _ => None,
    });
    let task = task.expect("a task");
    lost.each(|_, fact| {
        if let Fact::Record(record) = fact
            && record.task == task
        {
            record.state = None;
        }
    });
    advises(
        &lost,
        "no_task_lost",
        &[
            "worker-1 died 1.50 s after task",
            "durable before the answer?",
            "Remedy: answer only after the commit",
        ],
    );
    let mut hung = Run::sound();
    hung.each(|_, fact| {
        if let Fact::Op(op) = fact
            && op.role == Role::Traffic
            && (10 * SEC..12 * SEC).contains(&op.due)
        {
            op.answer = squall_core::event::Answer::Hung;
            op.ret = op.due + 3 * SEC;
        }
    });
    hung.facts.iter_mut().for_each(|(at, fact)| {
        if let Fact::Op(op) = fact {
            *at = op.ret;
        }
    });
    advises(&hung, "answers_in_time", &["db-1 was stopped then", "timeout"]);
    // What holds needs none.
    assert!(
        Run::sound()
            .judge()
            .verdicts
            .iter()
            .all(|verdict| verdict.advice.is_none())
    );
}

#[track_caller]
fn signs(run: &Run, wanted: &[&str]) {
    let signs = run.judge().signs;
    assert_eq!(signs.len(), wanted.len(), "{signs:#?}");
    for (sign, part) in signs.iter().zip(wanted) {
        assert!(sign.contains(part), "{sign}");
    }
}

#[test]
fn a_sound_run_shows_no_sign() {
    signs(&Run::sound(), &[]);
}

#[test]
fn a_start_that_takes_half_of_what_it_may_is_a_sign() {
    let mut run = Run::lasting(40 * SEC);
    run.life("server-1", 20 * SEC, 27_400 * MS);
    signs(&run, &[]);
    run.life("worker-1", 28 * SEC, 35_600 * MS);
    signs(
        &run,
        &["slow health check: `worker` was ready only 7.60 s after its start (once), of 15.0 s"],
    );
}

/// 20 tasks of the flaky kind from 16 s on, of which the first `dead` end dead after an attempt failed at `failed`.
fn flaky(dead: usize, failed: u64) -> Run {
    let mut run = Run::sound();
    for n in 0..20 {
        let id = format!("f-{n}");
        let mut create = op("create", Role::Create, 4 * SEC);
        create.work = Some(Work {
            kind: "flaky".to_owned(),
            task: Some(id.clone()),
            payload_crc32: 7,
            mark: id.clone(),
        });
        run.add(4 * SEC + 5 * MS, Fact::Op(create));
        if n < dead {
            run.add(failed, line(&id, 1, "worker-3", TaskEvent::Failed));
        }
        let state = if n < dead { State::Dead } else { State::Done };
        run.add(20 * SEC + 300 * MS, record(&id, Some(state)));
    }
    run
}

#[test]
fn tasks_that_die_with_nothing_broken_are_a_sign() {
    signs(
        &flaky(6, 18 * SEC),
        &["high task failure rate: 6 of 21 `flaky` tasks are dead (29 %)"],
    );
    signs(&flaky(2, 18 * SEC), &[]);
    // While the database was gone, failing was no wonder.
    signs(&flaky(6, 10 * SEC), &[]);
    // A check that wants them to fail has the last word.
    let mut wanted = flaky(6, 18 * SEC);
    wanted.header.plan.checks.push(Demand::Breaker(Breaker {
        kind: "flaky".to_owned(),
        closes: false,
        within: "3s".parse().expect("a duration"),
    }));
    signs(&wanted, &[]);
}

#[test]
fn memory_that_grows_is_a_sign_where_no_check_asks() {
    let grown = |step: u64| {
        let mut run = Run::sound();
        for n in 0..110 {
            run.add(
                4 * SEC + n * 100 * MS,
                Fact::Usage(Usage {
                    instance: instance("server-1"),
                    cpu_us: 1,
                    rss_kib: 20_000 + n * step,
                    fds: 9,
                }),
            );
        }
        run
    };
    signs(&grown(0), &[]);
    signs(&grown(1_000), &["memory grows: server-1 grew by"]);
    let mut asked = grown(1_000);
    asked.header.plan.checks.push(Demand::Stable);
    signs(&asked, &[]);
    asked.finds(&["stable: memory-growth"]);
}

#[test]
fn a_breaker_that_stays_open_is_a_sign() {
    let mut run = Run::lasting(40 * SEC);
    let tasks = run.header.system.tasks.as_mut().expect("tasks");
    tasks.types = [("flaky", "mail"), ("failing", "never")]
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .into();
    let breaker = |of: &str, state| Fact::Breaker {
        of: of.to_owned(),
        state,
    };
    run.add(14 * SEC, breaker("mail", BreakerState::Open));
    run.add(14 * SEC, breaker("never", BreakerState::Open));
    // The kind that always fails may well keep its breaker open.
    signs(&run, &["breaker not recovering: that of `mail` is still open"]);
    run.add(20 * SEC, breaker("mail", BreakerState::HalfOpen));
    signs(&run, &[]);
    run.keep(|_, fact| !matches!(fact, Fact::Breaker { .. }));
    run.add(35 * SEC, breaker("mail", BreakerState::Open));
    signs(&run, &[]);
}

/// A flood of 100/s for 8 s and then up to 300/s for 2 s, from 4 s on; of what is due at `at` only what `served` says is
/// acknowledged in time, and ended at once.
fn flooded(served: impl Fn(u64) -> bool, ends: bool) -> Run {
    let mut run = Run::sound();
    run.header.plan.checks.clear();
    let flood = PlannedFlood {
        kind: "work".to_owned(),
        ms: 10,
        rate: 100.0,
        lasts: 8 * SEC,
        up_to: Some((300.0, 2 * SEC)),
    };
    let schedule = flood.schedule(run.header.plan.seed).expect("a rate");
    run.header.plan.flood = Some(flood);
    for due in schedule.dues() {
        let at = 4 * SEC + due.at;
        let id = format!("flood-{}", due.k);
        let mut create = op(FLOOD, Role::Create, at);
        create.ret = at + if served(due.at) { 3 * MS } else { 3 * SEC };
        create.work = Some(Work {
            kind: "work".to_owned(),
            task: Some(id.clone()),
            payload_crc32: 7,
            mark: id.clone(),
        });
        run.add(create.ret, Fact::Op(create));
        if ends || due.k % 3 == 0 {
            run.add(at + 10 * MS, line(&id, 1, "worker-1", TaskEvent::Committed));
        }
    }
    run
}

/// Looks every 500 ms: the machine's busy share and the server's processor time, in hundredths; busy and open connections.
fn looks(run: &mut Run, (machine, server): (u64, u64), (busy, open): (u32, u32)) {
    for n in 0..24 {
        let at = 4 * SEC + n * 500 * MS;
        run.add(
            at,
            Fact::Machine(MachineLook {
                busy_us: 10_000 * machine,
                idle_us: 10_000 * (100 - machine),
                own_us: 1_000 * machine,
            }),
        );
        let instance = instance("server-1");
        let (cpu_us, rss_kib, fds) = (5_000 * server, 1, 1);
        run.add(
            at,
            Fact::Usage(Usage {
                instance,
                cpu_us,
                rss_kib,
                fds,
            }),
        );
        let instance = "db-1".parse().expect("an instance");
        run.add(
            at,
            Fact::Database(DatabaseLook {
                instance,
                busy,
                open,
                limit: 200,
                commits: 100 * n,
                active_us: Some(50_000 * n),
            }),
        );
    }
}

#[track_caller]
fn limited(run: &Run, found: bool, says: &str) {
    let journal = run.journal();
    let limit = bottleneck(&journal.history()).expect("a flood has an answer");
    assert_eq!(limit.found, found, "{}", limit.says);
    assert!(limit.says.contains(says), "{}", limit.says);
    assert!(!limit.evidence.is_empty());
}

#[test]
fn a_flood_names_the_part_that_was_used_up() {
    let run = |machine, server, pool| {
        let mut run = flooded(|at| at < 9 * SEC, true);
        looks(&mut run, (machine, server), pool);
        run
    };
    limited(
        &run(97, 60, (3, 10)),
        true,
        "the limit was the machine: its processors were 97 % busy",
    );
    limited(
        &run(70, 60, (10, 10)),
        true,
        "pool of connections to db-1: all 10 were busy",
    );
    limited(
        &run(70, 60, (3, 195)),
        true,
        "195 connections were open, as many as it allows",
    );
    limited(
        &run(70, 98, (3, 10)),
        true,
        "the limit was server-1: it used 98 % of one processor",
    );
    limited(&run(50, 60, (3, 10)), false, "the limit is waiting, not work");
    let mut late = run(97, 60, (3, 10));
    let (kind, text) = (NoteKind::Late, "the load was late".to_owned());
    late.add(18 * SEC, Fact::Note { kind, text });
    limited(&late, true, "squall's own load generator");
}

#[test]
fn a_flood_that_finds_no_limit_says_so() {
    let mut run = flooded(|_| true, true);
    looks(&mut run, (40, 30), (2, 10));
    limited(
        &run,
        false,
        "nothing saturated (the processors were 40 % busy, server-1 used 30 % of one, at most 2 of 10 connections",
    );
    // However busy the machine is: as long as answers keep up it limits nothing.
    let mut busy = flooded(|_| true, true);
    looks(&mut busy, (99, 98), (10, 10));
    limited(&busy, false, "nothing saturated (the processors were 99 % busy");
    let mut behind = flooded(|_| true, false);
    looks(&mut behind, (40, 30), (2, 10));
    limited(&behind, true, "the workers were the limit: they ended");
    let journal = Run::sound().journal();
    assert_eq!(bottleneck(&journal.history()), None);
}

#[test]
fn database_time_is_what_came_between_two_looks() {
    let mut run = Run::sound();
    looks(&mut run, (40, 30), (2, 10));
    // It crashed: its counters begin anew.
    run.each(|at, fact| {
        if let Fact::Database(look) = fact
            && at >= 10 * SEC
        {
            look.commits -= 1_200;
            look.active_us = look.active_us.map(|us| us - 600_000);
        }
    });
    let journal = run.journal();
    let history = journal.history();
    let times = database_time(&history, &spells(&history));
    // Looks from 4 s on; the first fault at 5.5 s; each 500 ms 100 transactions of 0.5 ms.
    let before = times[&Part::Before];
    assert_eq!((before.commits, before.each()), (200, Some(500_000)));
    let during = times[&Part::During];
    assert_eq!(during.each(), Some(500_000));
}
