//! Following tasks whose workers report to nobody: they are read back until the system says that they ended.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::stage::Stage;

/// Between two looks at all that is open: as exact is what is known of the moment a task ended.
const EVERY: Duration = Duration::from_millis(100);
/// So many reads are under way at once.
const AT_ONCE: usize = 8;

/// Looks until it is aborted.
pub(super) async fn follow(stage: Stage) {
    loop {
        let mut reads = JoinSet::new();
        for known in stage.acknowledged() {
            if stage.live.finished(&known.task) {
                continue;
            }
            if reads.len() == AT_ONCE {
                reads.join_next().await;
            }
            let stage = stage.clone();
            reads.spawn(async move { stage.follow(&known.task).await });
        }
        while reads.join_next().await.is_some() {}
        sleep(EVERY).await;
    }
}
