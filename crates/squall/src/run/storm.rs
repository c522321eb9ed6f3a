//! The storm: the work is created, the faults strike, and it ends when its outcome is decided.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::event::{Fact, NoteKind};
use squall_core::stop::Lookout;
use squall_core::workload::PlannedWrites;
use tokio::time::sleep;

use super::drain;
use super::flood::Flood;
use super::objects::Clients;
use super::script::Scripts;
use super::stage::Stage;
use super::strike::Strikes;
use super::traffic::Schedule;
use crate::world::Trouble;

/// So many creates are under way at once.
const AT_ONCE: usize = 4;
/// The outcome is looked at this often.
const LOOK: Duration = Duration::from_millis(25);

/// Runs the storm until all its faults are healed and nothing is left to decide. Answers why it was ended before that,
/// if it was.
///
/// # Errors
/// A fault could not be put in force or lifted.
pub(super) async fn storm(stage: &Stage) -> Result<Option<String>, Trouble> {
    let begin = Instant::now();
    let mut lookout = Lookout::new(&stage.plan.stop_when, stage.recorder.now());
    let mut stopped = None;
    let clients = Clients::start(stage).await?;
    let streams = streams(stage);
    let flood = Flood::start(stage, Instant::now()).await?;
    create_all(stage, begin).await;
    // The faults' times count from here: at a fast pace an outage would otherwise come before the work it is to meet.
    let struck_from = Instant::now();
    let mut scripts = Scripts::start(stage, struck_from);
    let strikes = Arc::new(Strikes::new(stage.clone(), struck_from));
    let mut striking = strikes.clone().start();

    let mut told = false;
    let mut look = Instant::now();
    loop {
        if stopped.is_none() {
            stopped = must_stop(stage, &mut lookout);
            if stopped.is_some() {
                flood.iter().for_each(Flood::stop);
            }
        }
        let decided = work_done(stage);
        if !decided && striking.is_empty() && look <= Instant::now() && quiet(stage) {
            look = Instant::now() + drain::LOOK;
            drain::read_back(stage, &drain::outstanding(stage), look).await;
        }
        if decided && !told && stopped.is_none() && !striking.is_empty() && strikes.all_entries_struck() {
            told = true;
            strikes.skip_rest();
            let text = "all work was done and every fault had struck: nothing was left to decide".to_owned();
            stage.recorder.record(Fact::Note {
                kind: NoteKind::Decided,
                text,
            });
        }
        let struck = striking.is_empty() && scripts.are_over();
        let past_deadline = stage
            .plan
            .deadline
            .is_none_or(|deadline| begin.elapsed() >= Duration::from_nanos(deadline));
        let long_enough = begin.elapsed() >= Duration::from_nanos(stage.plan.lasts);
        let flooded = flood.as_ref().is_none_or(Flood::is_over);
        if struck && flooded && (stopped.is_some() || (long_enough && (decided || past_deadline))) {
            break;
        }
        tokio::select! {
            ended = striking.join_next(), if !striking.is_empty() => match ended {
                Some(Ok(result)) => result?,
                Some(Err(panicked)) => return Err(Trouble::io("a fault")(std::io::Error::other(panicked))),
                None => {}
            },
            () = sleep(LOOK) => {}
        }
    }
    strikes.unscale().await?;
    clients.stop(stage).await;
    if let Some(flood) = flood {
        flood.end(stage).await?;
    }
    for (stream, what) in streams {
        stream.stop(stage, what).await;
    }
    Ok(stopped)
}

/// Looks whether a condition of the scenario ends the storm; if so, no fault begins any more, and all are healed.
fn must_stop(stage: &Stage, lookout: &mut Lookout) -> Option<String> {
    if stage.plan.stop_when.is_empty() {
        return None;
    }
    let runs = |service: &str| {
        let copies = stage.world.instances();
        let mut copies = copies.iter().filter(|instance| instance.service == service);
        copies.any(|instance| stage.world.runs(instance))
    };
    let why = stage.answers(|answers| lookout.look(stage.recorder.now(), answers, runs))?;
    stage.stop_storm();
    Some(why)
}

/// What is sent besides the work: small tasks, and creates that must be refused for their size.
fn streams(stage: &Stage) -> Vec<(Schedule, &'static str)> {
    let writes = stage.plan.writes.clone().into_iter().enumerate();
    let writes = writes.map(|(stream, writes)| {
        let sender = stage.clone();
        Schedule::start(Duration::from_nanos(writes.every), move |number, due| {
            let (stage, writes) = (sender.clone(), writes.clone());
            async move { burst(&stage, &writes, (stream, number), due).await }
        })
    });
    let bulky = stage.plan.bulky.clone().map(|bulky| {
        let sender = stage.clone();
        Schedule::start(Duration::from_nanos(bulky.every), move |_, due| {
            let (stage, bytes) = (sender.clone(), bulky.bytes);
            async move { stage.create_bulky(bytes, due).await }
        })
    });
    let writes = writes.map(|writes| (writes, "writes"));
    let bulky = bulky.map(|bulky| (bulky, "far too large creates"));
    writes.chain(bulky).collect()
}

/// Creates a burst of small tasks, all at once.
async fn burst(stage: &Stage, writes: &PlannedWrites, (stream, number): (usize, usize), due: Instant) {
    let mut creating = tokio::task::JoinSet::new();
    for part in 0..writes.burst {
        let (stage, kind) = (stage.clone(), writes.kind.clone());
        let mark = format!("w{:x}-{stream}-{number}-{part}", stage.plan.seed);
        creating.spawn(async move { stage.create(&kind, 0, &mark, due).await });
    }
    while creating.join_next().await.is_some() {}
}

/// Creates the planned tasks in their order, as fast as the system takes them.
async fn create_all(stage: &Stage, begin: Instant) {
    let next = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let mut creating = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (stage, next) = (stage.clone(), next.clone());
        creating.spawn(async move {
            loop {
                let index = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let Some(task) = stage.plan.tasks.get(index) else { break };
                stage.create(&task.kind, task.ms, &task.mark, begin).await;
            }
        });
    }
    while creating.join_next().await.is_some() {}
}

/// Whether no work was begun for longer than a lease: what is open then may have ended unheard.
fn quiet(stage: &Stage) -> bool {
    let lease = stage.contracts.tasks.as_ref().map(|tasks| tasks.lease.get());
    let last = stage.live.last_start().map(|last| last.elapsed());
    last.zip(lease).is_some_and(|(last, lease)| last > lease)
}

/// Whether every task of the storm's work is known to have ended.
fn work_done(stage: &Stage) -> bool {
    let Some(main) = &stage.plan.main_kind else { return true };
    let planned: BTreeSet<&str> = stage.plan.tasks.iter().map(|task| task.kind.as_str()).collect();
    let known = stage.acknowledged();
    let mut of_storm = known.iter().filter(|known| planned.contains(known.kind.as_str()));
    let some = known.iter().any(|known| known.kind == *main);
    some && of_storm.all(|known| stage.live.finished(&known.task))
}
