//! The audit: everything acknowledged is read back, and the session too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use squall_core::contract::Object;
use squall_core::event::Role;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::objects;
use super::stage::Stage;
use crate::client::Call;

/// So many reads are under way at once.
const AT_ONCE: usize = 8;
/// No read takes longer; and when none was answered for so long, nobody answers any more.
const PATIENCE: Duration = Duration::from_secs(8);
/// For each task there is so much time besides: many that are slowly read are read all the same, but not for ever.
const EACH: Duration = Duration::from_millis(50);
/// Before a read that was not answered is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// So many of those that were not read are named.
const NAMED: usize = 5;

/// Reads everything back once; what could not be read is said in the journal.
pub(super) async fn audit(stage: &Stage) {
    session(stage).await;
    worked(stage).await;
    let tasks: Vec<String> = stage.acknowledged().into_iter().map(|known| known.task).collect();
    let (all, began) = (tasks.len(), Instant::now());
    let show = {
        let stage = stage.clone();
        move |task: String| {
            let stage = stage.clone();
            async move { stage.show(&task).await.is_some() }
        }
    };
    let unread = read_back(tasks, PATIENCE, show).await;
    if !unread.is_empty() {
        let named = first(&unread);
        let more = if unread.len() > NAMED { ", …" } else { "" };
        stage.blind(format!(
            "{} of {all} acknowledged tasks could not be read back within {:.1} s: {named}{more}",
            unread.len(),
            began.elapsed().as_secs_f64()
        ));
    }
}

/// Looks at every object clients worked.
async fn worked(stage: &Stage) {
    let plans = stage.plan.clients.iter();
    let worked = plans.flat_map(|plan| plan.names.iter().map(|name| (name.clone(), plan.of)));
    let kinds: Arc<BTreeMap<String, Object>> = Arc::new(worked.collect());
    let names: Vec<String> = kinds.keys().cloned().collect();
    let show = {
        let stage = stage.clone();
        move |name: String| {
            let (stage, kinds) = (stage.clone(), kinds.clone());
            async move { objects::look(&stage, kinds[&name], &name).await }
        }
    };
    let unread = read_back(names, PATIENCE, show).await;
    if !unread.is_empty() {
        let named = first(&unread);
        stage.blind(format!("could not be looked at at last: {named}"));
    }
}

/// Some names, as many as are worth saying.
fn first(names: &[String]) -> String {
    let few = names.get(..NAMED).unwrap_or(names);
    few.join(", ")
}

/// When reading back ends.
#[derive(Debug)]
struct Bound {
    patience: Duration,
    until: Instant,
    answered: Mutex<Instant>,
}

impl Bound {
    fn new(now: Instant, patience: Duration, tasks: usize) -> Self {
        Self {
            patience,
            until: now + patience + EACH * u32::try_from(tasks).unwrap_or(u32::MAX),
            answered: Mutex::new(now),
        }
    }

    fn answer(&self, now: Instant) {
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Whether no further read is begun: all time is used up, or nobody answers any more.
    fn over(&self, now: Instant) -> bool {
        let answered = *self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        now > self.until || now > answered + self.patience
    }
}

/// Reads each of `tasks` until `show` says that it was answered; those that never were. It ends at the latest one
/// `patience` after its bound.
async fn read_back<F>(
    tasks: Vec<String>,
    patience: Duration,
    show: impl Fn(String) -> F + Send + Sync + 'static,
) -> Vec<String>
where
    F: Future<Output = bool> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let bound = Arc::new(Bound::new(Instant::now(), patience, tasks.len()));
    let show = Arc::new(show);
    let mut reads = JoinSet::new();
    for task in tasks {
        let (permits, bound, show) = (permits.clone(), bound.clone(), show.clone());
        reads.spawn(async move {
            loop {
                let permit = permits.acquire().await;
                if bound.over(Instant::now()) {
                    return Some(task);
                }
                if timeout(patience, show(task.clone())).await.unwrap_or(false) {
                    bound.answer(Instant::now());
                    return None;
                }
                // One that is not answered takes nobody's place.
                drop(permit);
                sleep(PAUSE).await;
            }
        });
    }
    let mut unread: Vec<String> = reads.join_all().await.into_iter().flatten().collect();
    unread.sort();
    unread
}

/// Whether the session opened at the start still holds: it was acknowledged data too.
async fn session(stage: &Stage) {
    let Some(request) = &stage.contracts.session_check else {
        return;
    };
    let names = stage.names();
    let (Ok(path), Ok(headers)) = (names.text(&request.path), names.map(&request.headers)) else {
        return;
    };
    let call = Call {
        method: request.method,
        path,
        headers,
        json: None,
    };
    let reply = stage.client.send(&call).await;
    let judged = reply.judge(request.expect, None);
    let title = format!("{} {}", request.method.name(), request.path);
    stage.op((&title, &call), Role::Audit, reply.call, (&reply, judged, None));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(number: usize) -> Vec<String> {
        (0..number).map(|task| format!("task-{task:03}")).collect()
    }

    #[tokio::test]
    async fn a_system_that_hangs_is_not_asked_for_each_task() {
        let reading = read_back(tasks(200), Duration::from_millis(50), |_| std::future::pending());
        let unread = timeout(Duration::from_secs(30), reading).await.expect("it has a bound");
        assert_eq!(unread, tasks(200));
    }

    #[tokio::test]
    async fn those_that_are_never_answered_keep_no_other_from_being_read() {
        let show = |task: String| async move { task.as_str() >= "task-016" };
        let unread = read_back(tasks(200), Duration::from_secs(2), show).await;
        assert_eq!(unread, tasks(16));
    }

    #[test]
    fn reading_goes_on_while_there_are_answers_and_ends_all_the_same() {
        let (began, patience) = (Instant::now(), Duration::from_secs(8));
        let bound = Bound::new(began, patience, 1000);
        let at = |seconds| began + Duration::from_secs(seconds);
        assert!(!bound.over(at(8)) && bound.over(at(9)));
        bound.answer(at(7));
        assert!(!bound.over(at(15)) && bound.over(at(16)));
        bound.answer(at(58));
        assert!(!bound.over(at(58)) && bound.over(at(59)));
    }
}
