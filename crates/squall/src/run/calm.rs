//! The calm: all is healed; traffic goes on until the system is as it was before the storm.

use std::time::Duration;

use squall_core::demand::Demand;
use squall_core::event::Answer;
use squall_core::time::{Nanos, nanos};
use tokio::time::sleep;

use super::stage::Stage;

/// How long the calm lasts at most where no recovery is demanded.
const LONGEST: Duration = Duration::from_secs(30);
/// Looked at this often.
const LOOK: Duration = Duration::from_millis(50);
/// Added at the end, so that judging sees the whole window.
const MARGIN: Duration = Duration::from_millis(300);

/// Waits until traffic was right for the whole steady window, at most as long as recovery may take.
pub(super) async fn calm(stage: &Stage, began: Nanos) {
    let demanded = stage.plan.checks.iter().find_map(|demand| match demand {
        Demand::Recovery(recovery) => Some(recovery.within.get()),
        _ => None,
    });
    let bound = nanos(demanded.unwrap_or(LONGEST)) + stage.plan.steady;
    if stage.plan.api_every.is_none() {
        return sleep(Duration::from_nanos(stage.plan.steady)).await;
    }
    while stage.recorder.now() < began + bound && !steady(stage, began) {
        sleep(LOOK).await;
    }
    sleep(MARGIN).await;
}

fn steady(stage: &Stage, began: Nanos) -> bool {
    let now = stage.recorder.now();
    let from = now.saturating_sub(stage.plan.steady);
    from >= began && stage.all_right_since(from)
}

impl Stage {
    /// Whether every request of the traffic due since `from` that was answered, was answered right.
    fn all_right_since(&self, from: Nanos) -> bool {
        let recent = self.recent();
        let mut seen = recent.iter().filter(|(due, _)| *due >= from).peekable();
        seen.peek().is_some() && seen.all(|(_, answer)| *answer == Answer::Right)
    }
}
