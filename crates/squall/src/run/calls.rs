//! Calls of the witness: whoever's work calls, its task is read back before the call is answered. A system that says
//! by then that it is done said so before the work was.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::stage::Stage;
use crate::probe::Visit;

/// A task that is not acknowledged by then may never be; and nobody's work shall wait for a system that hangs.
const PATIENCE: Duration = Duration::from_millis(400);

/// Looks at each until it is aborted.
pub(super) async fn answer(stage: Stage, mut visits: UnboundedReceiver<Visit>) {
    let mut looking = JoinSet::new();
    loop {
        tokio::select! {
            visit = visits.recv() => match visit {
                Some(visit) => drop(looking.spawn(look(stage.clone(), visit))),
                None => return,
            },
            _ = looking.join_next(), if !looking.is_empty() => {}
        }
    }
}

/// The visit is over when it is dropped here.
async fn look(stage: Stage, visit: Visit) {
    let read_back = async {
        let mut acks = stage.acks();
        loop {
            if let Some(task) = stage.marked(&visit.mark) {
                // What it says is in the journal; a system that gives no answer now gives one at the audit.
                stage.show(&task).await;
                return;
            }
            if acks.changed().await.is_err() {
                return;
            }
        }
    };
    let _ = timeout(PATIENCE, read_back).await;
}
