//! The drain: waits until everything acknowledged has ended, for as long as that can honestly take.

use std::time::{Duration, Instant};

use squall_core::event::{Fact, NoteKind, State};
use squall_core::time::Nanos;
use tokio::time::{sleep, timeout};

use super::stage::{Acknowledged, Stage};

/// Besides twice the remaining work over capacity, and the lease.
const MARGIN: Duration = Duration::from_secs(10);
/// However much is left, nobody waits twice as long as this.
const LONGEST: Duration = Duration::from_secs(600);
/// Between two looks at the news.
const NEWS: Duration = Duration::from_millis(20);
/// Between two looks at what no witness told of.
pub(super) const LOOK: Duration = Duration::from_millis(500);
/// So many are read back in one look.
const AT_ONCE: usize = 20;

/// Waits until every acknowledged task has ended, at most twice the remaining work over capacity
/// plus lease plus 10 s; then says what kept it. Capacity is also measured: by what ended since `since`.
pub(super) async fn drain(stage: &Stage, since: Nanos) {
    let left = outstanding(stage);
    let Some(promised) = stage.contracts.tasks.as_ref() else {
        return;
    };
    let lease = promised.lease.get() + promised.backoff.get();
    let remaining = work(stage, &left).max(backlog(stage, left.len(), since));
    let bound = remaining.saturating_mul(2) + lease + MARGIN;
    let began = Instant::now();
    let until = began + bound;
    let mut changes = stage.live.changes();
    let mut look = Instant::now() + LOOK;
    loop {
        let left = outstanding(stage);
        if left.is_empty() {
            return;
        }
        let stalled = stage
            .live
            .last_start()
            .is_some_and(|last| last.elapsed() > lease + MARGIN);
        if Instant::now() > until || (stalled && began.elapsed() > lease + MARGIN) {
            return overrun(stage, &left, bound, lease);
        }
        if Instant::now() >= look {
            read_back(stage, &left, until).await;
            look = Instant::now() + LOOK;
        }
        // News or the next look, whichever is first.
        let _ = timeout(look.saturating_duration_since(Instant::now()), changes.changed()).await;
        // Looking at everything is work, too: not for every single line of news.
        sleep(NEWS).await;
    }
}

/// Asks the system for work no witness told the end of: a worker can die between its commit and its report.
pub(super) async fn read_back(stage: &Stage, left: &[Acknowledged], until: Instant) {
    for known in left.iter().take(AT_ONCE) {
        if Instant::now() > until {
            break;
        }
        // A task the system does not know any more has nothing left to wait for either.
        if let Some(State::Done | State::Dead | State::Cancelled | State::Odd) = stage.show(&known.task).await {
            stage.live.finish(&known.task);
        }
    }
}

/// What is acknowledged and not known to have ended.
pub(super) fn outstanding(stage: &Stage) -> Vec<Acknowledged> {
    let mut known = stage.acknowledged();
    known.retain(|known| !stage.live.finished(&known.task));
    known
}

/// The remaining work over the capacity of all workers that were seen to work.
fn work(stage: &Stage, left: &[Acknowledged]) -> Duration {
    let main = stage.plan.main_kind.as_deref();
    let each: Nanos = stage
        .plan
        .tasks
        .iter()
        .find(|task| Some(task.kind.as_str()) == main)
        .map_or(0, |task| task.ms);
    let count = left.iter().filter(|known| Some(known.kind.as_str()) == main).count();
    let workers = stage.live.workers();
    Duration::from_millis(each) * u32::try_from(count.div_ceil(workers.max(1))).unwrap_or(u32::MAX)
}

/// How long what is left takes at the rate at which tasks ended since `since`.
fn backlog(stage: &Stage, left: usize, since: Nanos) -> Duration {
    let ended = stage.acknowledged().len().saturating_sub(left);
    let took = Duration::from_nanos(stage.recorder.now().saturating_sub(since));
    if ended == 0 {
        return Duration::ZERO;
    }
    took.mul_f64(left as f64 / ended as f64).min(LONGEST)
}

/// Work that still moves was not given the time it needs: nothing can be said. Work that stands
/// still is a finding, and the checks' own.
fn overrun(stage: &Stage, left: &[Acknowledged], bound: Duration, lease: Duration) {
    let moving = stage
        .live
        .last_start()
        .is_some_and(|last| last.elapsed() < lease + Duration::from_secs(2));
    if moving {
        let text = format!(
            "{} tasks had not ended after {bound:?} of draining, and work still went on",
            left.len()
        );
        stage.recorder.record(Fact::Note {
            kind: NoteKind::Overrun,
            text,
        });
    }
}
