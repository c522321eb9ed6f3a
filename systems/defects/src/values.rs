//! How the server keeps values: as they come, or under a checksum from end to end. TCP's own does not help where
//! something between the two ends, a proxy or a bad switch, changes bytes and sends them on with a new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep};

use crate::queue::{Queue, Shown};

/// What was damaged on the way is asked again for so long,
const WITHIN: Duration = Duration::from_secs(4);
/// so soon.
const AGAIN: Duration = Duration::from_millis(20);

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Values {
    /// As they come.
    Plain,
    /// The database takes only what has its checksum, the server only answers that have theirs; else it asks again.
    Checked,
}

/// The checksum of a text, as the table's own constraint has it.
pub(crate) fn checksum(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Values {
    /// Stores a job: its id.
    pub(crate) async fn add(self, queue: &Queue, payload: &Value) -> Result<i64, String> {
        if self == Values::Plain {
            return queue.add(payload).await;
        }
        // However often it is asked, it is one job.
        let key = key();
        again(|| queue.add_checked(payload, &key)).await
    }

    /// A job's state, attempts and payload.
    pub(crate) async fn show(self, queue: &Queue, id: i64) -> Result<Option<Shown>, String> {
        match self {
            Values::Plain => queue.show(id).await,
            Values::Checked => again(|| queue.show_checked(id)).await,
        }
    }
}

/// Asks until something comes that can be trusted.
async fn again<T, F>(ask: impl Fn() -> F) -> Result<T, String>
where
    F: Future<Output = Result<T, String>>,
{
    let until = Instant::now() + WITHIN;
    loop {
        match ask().await {
            Err(_) if Instant::now() < until => sleep(AGAIN).await,
            answer => return answer,
        }
    }
}

/// One that nobody else has.
fn key() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_nanos());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{}-{since}-{number}", std::process::id())
}
