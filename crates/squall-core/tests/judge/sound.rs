//! Runs in which nothing is wrong.

use proptest::prelude::*;
use squall_core::check::Outcome as Came;
use squall_core::clock::Origin;
use squall_core::event::{Answer, Fact, Phase};
use squall_core::place::{Condition, Death};
use squall_core::plan::Hold;

use super::queue::{Gone, Model};
use super::run::{MS, Run, SEC};

#[test]
fn a_sound_run_passes_every_check() {
    let judgement = Run::sound().judge();
    for verdict in &judgement.verdicts {
        assert_eq!(verdict.outcome, Came::Pass, "{verdict:#?}");
        assert!(verdict.warnings.is_empty(), "{verdict:#?}");
    }
    assert_eq!(judgement.doubts, Vec::<String>::new());
    assert_eq!(judgement.outcome, Came::Pass);
}

#[test]
fn both_strikes_of_a_sound_run_are_proven() {
    let proofs = Run::sound().judge().proofs;
    let seen: Vec<bool> = proofs.iter().map(|proof| proof.seen).collect();
    assert_eq!(seen, [true, true], "{proofs:#?}");
    assert!(proofs[0].says.contains("worker-1 was killed"), "{}", proofs[0].says);
    assert!(proofs[0].says.contains("which never ended"), "{}", proofs[0].says);
}

#[test]
fn the_clocks_of_a_sound_run_show_when_each_part_served_again() {
    let clocks = Run::sound().judge().clocks;
    let figures: Vec<_> = clocks
        .iter()
        .map(|clock| {
            (
                clock.origin,
                clock.from,
                clock.detected,
                clock.serving,
                clock.steady,
                clock.expected,
            )
        })
        .collect();
    let worker = (Origin::Heal, 6_200 * MS, Some(2 * MS), Some(580 * MS), None, true);
    // Ready at 13.5 s and said so by the probe of 13.6 s; no answer due after the heal at 13.501 s was refused.
    let database = (
        Origin::Heal,
        13 * SEC,
        Some(2 * MS),
        Some(601 * MS),
        Some(501 * MS),
        true,
    );
    assert_eq!(figures, [worker, database]);
}

#[test]
fn workers_of_a_sound_queue_killed_all_the_time_are_no_hoarders() {
    for workers in 2..=4_usize {
        for takes in [200 * MS, 700 * MS, 2 * SEC] {
            let mut model = Model::plain(10 * workers, takes, workers, 4 * SEC);
            let mut at = 4 * SEC + 333 * MS;
            for n in 0..20 {
                let to = at + 300 * MS;
                model.workers[n % workers].push(Gone { from: at, to });
                at += 470 * MS + takes / 3;
            }
            let run = stormy(&model);
            assert_eq!(
                run.verdict("work_spread").outcome,
                Came::Pass,
                "{:?}",
                run.verdict("work_spread")
            );
            assert_eq!(run.findings(), [], "{workers} workers, {takes} ns");
        }
    }
}

/// A run of the model in which only workers die, as often as the model says.
pub fn stormy(model: &Model) -> Run {
    let audit = 400 * SEC;
    let mut run = Run::of(model, audit);
    run.keep(|at, fact| match fact {
        Fact::Task(_) | Fact::Closed { .. } => true,
        Fact::Op(op) => op.answer == Answer::Right,
        Fact::Record(_) => at > audit,
        Fact::Phase(phase) => !matches!(phase, Phase::Calm | Phase::Drain),
        _ => false,
    });
    run.add(390 * SEC, Fact::Phase(Phase::Calm));
    run.add(396 * SEC, Fact::Phase(Phase::Drain));
    run.start(model.workers.len());
    run.header.plan.steps.clear();
    run.header.plan.deadline = Some(380 * SEC);
    run.header.plan.api_every = None;
    for (worker, downs) in model.workers.iter().enumerate() {
        for gone in downs {
            let step = run.header.plan.steps.len();
            let kill = super::run::step(0, "worker", Condition::Down(Death::Kill), Hold::Restart(300 * MS));
            run.header.plan.steps.push(kill);
            run.kill(step, &format!("worker-{}", worker + 1), *gone);
        }
    }
    run
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn no_storm_of_kills_and_outages_makes_a_sound_queue_look_broken(
        workers in 2..=4_usize,
        tasks in 12..40_usize,
        takes in 40..800_u64,
        kills in prop::collection::vec((0..4_usize, 100..30_000_u64, 200..3_000_u64), 0..12),
        fails in prop::collection::vec(0..4_u64, 40),
        outage in prop::option::of((500..20_000_u64, 500..6_000_u64)),
    ) {
        let mut model = Model::plain(tasks, takes * 5 * MS, workers, 4 * SEC);
        for (job, fails) in model.jobs.iter_mut().zip(fails) {
            job.fails = if fails == 3 { 3 } else { 0 };
        }
        let mut last = vec![0; workers];
        for (worker, after, down) in kills {
            let worker = worker % workers;
            let from = (4 * SEC + after * MS).max(last[worker] + 100 * MS);
            let to = from + down * MS;
            last[worker] = to;
            model.workers[worker].push(Gone { from, to });
        }
        let outage = outage.map(|(after, length)| {
            let from = 4 * SEC + after * MS;
            Gone { from, to: from + length * MS }
        });
        model.database.extend(outage);
        let mut run = stormy(&model);
        run.header.plan.deadline = Some(385 * SEC);
        if let Some(gone) = outage {
            let step = run.header.plan.steps.len();
            let stop = super::run::step(1, "db", Condition::Down(Death::Stop), Hold::For(gone.to - gone.from));
            run.header.plan.steps.push(stop);
            run.kill(step, "db-1", gone);
        }
        let checks = ["completion", "deadline", "health_truthful"];
        run.header.plan.checks.retain(|demand| !checks.contains(&demand.name()));
        let judged = run.judge();
        for verdict in &judged.verdicts {
            prop_assert!(verdict.outcome != Came::Fail, "{verdict:#?}");
        }
        for check in ["no_task_lost", "no_task_completed_twice", "none_stuck", "retried", "dlq_accounted", "work_spread"] {
            let verdict = judged.verdicts.iter().find(|verdict| verdict.check == check);
            let verdict = verdict.expect("a verdict");
            prop_assert_eq!(verdict.outcome, Came::Pass, "{:#?}", verdict);
        }
    }
}
