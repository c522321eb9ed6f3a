//! Checks that hold a figure below a stated bound: log lines, gaps without an acknowledgement, the error budget, a command's
//! exit code; and calls counted for the kinds that make them. Each finds what is planted and passes what is sound.

use squall_core::check::Outcome as Came;
use squall_core::demand::{Amplification, Demand, ErrorBudget, LogErrors, Within};
use squall_core::event::{Answer, Fact, NoteKind, Outcome, Role, ScriptEnd, ScriptOf, TaskEvent, Work};
use squall_core::place::{Condition, Cut};
use squall_core::plan::Hold;
use squall_core::report::report;
use squall_core::script::{PlannedScript, Script};
use squall_core::system::Preset;

use super::run::{MS, OUTAGE, Run, SEC, instance, line, op, place, step};

fn asking(demand: Demand) -> Run {
    let mut run = Run::sound();
    run.header.plan.checks = vec![demand];
    run
}

#[track_caller]
fn comes(run: &Run, outcome: Came, says: &str) {
    let verdict = run.judge().verdicts.remove(0);
    assert_eq!(verdict.outcome, outcome, "{}", verdict.says);
    assert!(verdict.says.contains(says), "{}", verdict.says);
}

fn log(run: &mut Run, at: u64, who: &str, line: &str) {
    let (instance, line) = (instance(who), line.to_owned());
    run.add(at, Fact::Log { instance, line });
}

#[test]
fn errors_in_a_log_count_where_nothing_is_broken() {
    let mut run = asking(Demand::LogErrors(LogErrors { at_most: 1 }));
    comes(
        &run,
        Came::Inconclusive,
        "none of the system's own services wrote a line",
    );
    log(&mut run, 2 * SEC, "server-1", "INFO ready");
    log(&mut run, 8_750 * MS, "server-1", "WARN slow");
    // Before the reference, during the kill and the outage, and in the 2 s after: all excused.
    for at in [500 * MS, 5_600 * MS, OUTAGE.from + SEC, OUTAGE.to + 1_900 * MS] {
        log(&mut run, at, "server-1", "ERROR the database is gone");
    }
    comes(
        &run,
        Came::Pass,
        "0 lines of an error and 1 warning outside outage windows, 3 lines of an error inside",
    );
    log(&mut run, 8_800 * MS, "worker-2", "ERROR odd");
    comes(&run, Came::Pass, "1 line of an error");
    // Nor does what is written while squall stops the system count.
    log(&mut run, 20_900 * MS, "server-1", "ERROR the database is gone");
    comes(&run, Came::Pass, "1 line of an error");
    let mut hidden = run.clone();
    log(&mut run, 18 * SEC, "worker-2", "ERROR again");
    run.finds(&["log_errors: error-burst"]);
    comes(&run, Came::Fail, "expected at most 1; the first: worker-2: ERROR odd");
    // A bound that seems kept is not known to be where lines are missing.
    let (kind, text) = (
        NoteKind::Unlogged,
        "40 lines of server-1 are only in its log file".to_owned(),
    );
    hidden.add(19 * SEC, Fact::Note { kind, text });
    comes(
        &hidden,
        Came::Inconclusive,
        "40 lines of server-1 are only in its log file",
    );
    assert_eq!(hidden.judge().doubts, [""; 0], "no other check reads those lines");
    // A database's own words are its business.
    let mut database = run;
    database.header.system.services.get_mut("db").expect("db").preset = Some(Preset::Postgres);
    database.each(|_, fact| {
        if let Fact::Log { instance: who, line } = fact
            && line == "ERROR again"
        {
            *who = instance("db-1");
        }
    });
    comes(&database, Came::Pass, "1 line of an error");
}

/// A write every 100 ms from 4 s to 15 s; those due while `fails` are refused after 20 ms.
fn writes(within: &str, fails: impl Fn(u64) -> bool) -> Run {
    let within = within.parse().expect("a duration");
    let mut run = asking(Demand::AckGap(Within { within }));
    run.keep(|_, fact| !matches!(fact, Fact::Op(op) if op.role == Role::Create));
    for (n, due) in (4 * SEC..15 * SEC).step_by(100 * MS as usize).enumerate() {
        let mut write = op("create", Role::Create, due);
        let id = format!("w-{n}");
        write.work = Some(Work {
            kind: "quick".to_owned(),
            task: Some(id.clone()),
            payload_crc32: 7,
            mark: id,
        });
        if fails(due) {
            (write.outcome, write.answer, write.status) = (Outcome::Failed, Answer::Refused, Some(503));
            write.ret = due + 20 * MS;
            write.work = None;
        }
        run.add(write.ret, Fact::Op(write));
    }
    run
}

#[test]
fn a_time_without_an_acknowledged_write_is_a_gap_only_while_one_is_asked_for() {
    comes(&writes("1s", |_| false), Came::Pass, "was 5 ms");
    let outage = |due: u64| (OUTAGE.from..OUTAGE.to).contains(&due);
    // From the first write refused, at 9 s, to the first acknowledged, at 13.505 s.
    comes(&writes("5s", outage), Came::Pass, "was 4.50 s (from 9.00 s to 13.5 s)");
    writes("4s", outage).finds(&["ack_gap: ack-gap"]);
    // The last ones of a stream that never come back are a gap too.
    writes("4s", |due| due >= 9 * SEC).finds(&["ack_gap: ack-gap"]);
    // Nobody asked for 4.5 s: no gap.
    let mut idle = writes("1s", |_| false);
    idle.keep(|_, fact| !matches!(fact, Fact::Op(op) if op.role == Role::Create && outage(op.due)));
    comes(&idle, Came::Pass, "was 5 ms");
    // One that hangs while others are acknowledged is none either.
    let mut hung = idle.clone();
    hung.each(|_, fact| {
        if let Fact::Op(op) = fact
            && op.role == Role::Create
            && op.due == 5 * SEC
        {
            (op.outcome, op.answer, op.ret) = (Outcome::Unknown, Answer::Hung, 8 * SEC);
        }
    });
    comes(&hung, Came::Pass, "was 105 ms");
    comes(&writes("1s", |due| due > 4_200 * MS), Came::Inconclusive, "too few");
    let reported = report(&[writes("5s", outage).journal()]);
    assert_eq!(reported.scenarios[0].ack_gap, Some(4_505 * MS));
}

fn budget(at_most: &str, window: &str) -> Run {
    asking(Demand::ErrorBudget(ErrorBudget {
        slo: "99.9%".parse().expect("a share"),
        window: window.parse().expect("a duration"),
        at_most: at_most.parse().expect("a share"),
    }))
}

#[test]
fn a_run_that_spends_more_of_the_error_budget_than_it_may_is_found() {
    // 4.5 s of refused traffic, over 3.6 s that 99.9 % leave of an hour.
    budget("100%", "1h").finds(&["error_budget: over-budget"]);
    comes(&budget("100%", "1h"), Came::Fail, "before 0.0 %");
    comes(&budget("1%", "720h"), Came::Pass, "during 0.");
    let mut cut_off = budget("1%", "720h");
    cut_off.keep(|_, fact| !matches!(fact, Fact::Closed { .. }));
    comes(&cut_off, Came::Inconclusive, "broke off");
    let report = report(&[budget("1%", "720h").journal()]);
    let parts = &report.scenarios[0].parts;
    let names: Vec<&str> = parts.iter().map(|figures| figures.spell.part.word()).collect();
    assert_eq!(names, ["before", "during", "recovering", "after"]);
    assert!(parts[0].budget == Some(0.0) && parts[1].budget > Some(0.0));
    // Without a promise the answers are counted all the same.
    let mut plain = budget("1%", "720h");
    plain.header.plan.checks.clear();
    let plain = squall_core::report::report(&[plain.journal()]);
    assert!(plain.scenarios[0].parts[1].spell.bad > 0 && plain.scenarios[0].parts[1].budget.is_none());
}

fn script() -> Script {
    Script {
        run: "./mine.sh --fast".to_owned(),
        within: "5s".parse().expect("a duration"),
    }
}

fn ended(run: &mut Run, of: ScriptOf, how: ScriptEnd) {
    let output = vec!["looked".to_owned(), "3 rows are missing".to_owned()];
    let (took, left_out) = (250 * MS, 0);
    run.add(
        20 * SEC + 500 * MS,
        Fact::ScriptEnded {
            of,
            how,
            took,
            output,
            left_out,
        },
    );
}

#[test]
fn a_command_that_does_not_end_well_is_a_finding() {
    let run = asking(Demand::Script(script()));
    comes(&run, Came::Inconclusive, "was not run to its end");
    let ends = [
        (
            ScriptEnd::Code(3),
            "ended with exit code 3 after 250 ms; its last line: 3 rows are missing",
        ),
        (ScriptEnd::Signal(11), "was killed by signal 11"),
        (ScriptEnd::Overran, "was killed at its bound"),
        (
            ScriptEnd::Unstarted("no such file".to_owned()),
            "could not be started: no such file",
        ),
    ];
    for (how, says) in ends {
        let mut failed = run.clone();
        ended(&mut failed, ScriptOf::Check(0), how);
        failed.finds(&["script: script-failed"]);
        comes(&failed, Came::Fail, says);
        assert_eq!(failed.judge().verdicts[0].evidence.len(), 1);
    }
    let mut well = run.clone();
    ended(&mut well, ScriptOf::Check(0), ScriptEnd::Code(0));
    comes(&well, Came::Pass, "ended with exit code 0");
    // Another command's end is not its own.
    let mut other = run;
    ended(&mut other, ScriptOf::Check(1), ScriptEnd::Code(0));
    comes(&other, Came::Inconclusive, "was not run to its end");
}

#[test]
fn a_command_of_the_storm_that_fails_leaves_the_run_inconclusive() {
    let mut run = asking(Demand::NoTaskLost);
    let (entry, at, script) = (2, SEC, script());
    run.header.plan.scripts.push(PlannedScript { entry, at, script });
    assert_eq!(
        run.judge().doubts,
        ["the storm's `./mine.sh --fast` was not run to its end"]
    );
    let mut failed = run.clone();
    ended(&mut failed, ScriptOf::Storm(0), ScriptEnd::Code(1));
    let judged = failed.judge();
    assert_eq!(judged.outcome, Came::Inconclusive);
    assert!(
        judged.doubts[0].contains("ended with exit code 1: 3 rows are missing"),
        "{:?}",
        judged.doubts
    );
    ended(&mut run, ScriptOf::Storm(0), ScriptEnd::Code(0));
    assert_eq!(run.judge().outcome, Came::Pass);
}

#[test]
fn attempts_of_kinds_that_never_call_do_not_dilute_the_calls() {
    let calls = |kinds: &[&str]| {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        let mut run = asking(Demand::Amplification(Amplification { at_most: 3.0, kinds }));
        for n in 0..24_u64 {
            let (id, at) = (format!("a-{n}"), 14 * SEC + n * 20 * MS);
            let kind = if n % 6 == 0 { "flaky" } else { "work" };
            let mut create = op("create", Role::Create, 13 * SEC);
            create.work = Some(Work {
                kind: kind.to_owned(),
                task: Some(id.clone()),
                payload_crc32: 7,
                mark: id.clone(),
            });
            run.add(13 * SEC + 5 * MS, Fact::Op(create));
            run.add(at, line(&id, 1, "worker-3", TaskEvent::Start));
            run.add(at + 5 * MS, line(&id, 1, "worker-3", TaskEvent::Failed));
        }
        let (condition, index) = (Condition::Cut(Cut::Reset), run.header.plan.steps.len());
        let cut = step(2, "worker", condition.clone(), Hold::For(SEC));
        run.header.plan.steps.push(cut);
        let link = place("worker-3->api");
        let (step, counts) = (
            index,
            squall_core::event::LinkCounts {
                opened: 40,
                closed: 40,
                ..Default::default()
            },
        );
        let place = link.clone();
        run.add(14 * SEC, Fact::Imposing { step, place, condition });
        run.add(14 * SEC, Fact::Imposed { step });
        let place = link.clone();
        run.add(15 * SEC - MS, Fact::Traffic { step, place, counts });
        run.add(15 * SEC - MS, Fact::Healing { step, place: link });
        run.add(15 * SEC, Fact::Healed { step });
        run
    };
    // 40 calls in 24 attempts, of which 4 can have called.
    calls(&[]).finds(&[]);
    calls(&["flaky"]).finds(&["amplification: retry-storm"]);
}
