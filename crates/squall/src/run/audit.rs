//! The audit: everything acknowledged is read back, and the session too.

use std::sync::Arc;
use std::time::{Duration, Instant};

use squall_core::event::Role;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::stage::Stage;
use crate::client::Call;

/// So many reads are under way at once.
const AT_ONCE: usize = 8;
/// A read that is not answered is tried again until this is over.
const PATIENCE: Duration = Duration::from_secs(8);

/// Reads everything back once; what could not be read is said in the journal.
pub(super) async fn audit(stage: &Stage) {
    session(stage).await;
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let until = Instant::now() + PATIENCE;
    let mut reads = JoinSet::new();
    for known in stage.acknowledged() {
        let (stage, permits) = (stage.clone(), permits.clone());
        reads.spawn(async move {
            let _permit = permits.acquire_owned().await;
            loop {
                if stage.show(&known.task).await.is_some() {
                    return true;
                }
                if Instant::now() > until {
                    return false;
                }
                sleep(Duration::from_millis(100)).await;
            }
        });
    }
    let mut unread = 0;
    while let Some(read) = reads.join_next().await {
        unread += usize::from(!read.unwrap_or(false));
    }
    if unread > 0 {
        stage.blind(format!(
            "{unread} acknowledged tasks could not be read back within {PATIENCE:?}"
        ));
    }
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
