//! When an idle worker looks for work: when told to, and every poll interval.
//!
//! The notification makes work start at once; the poll alone suffices.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use crate::db::Db;
use crate::settings::WorkerSettings;
use crate::task::CHANNEL;

/// A listener that heard nothing for this long is renewed: it may be cut off.
const SILENCE: Duration = Duration::from_secs(15);
/// Bound on a new listener's connecting.
const CONNECT: Duration = Duration::from_secs(1);
/// Pause before a broken listener is renewed.
const RETRY: Duration = Duration::from_millis(200);

/// The poll and the bell in one.
pub struct Wakeup {
    bell: Arc<Notify>,
    poll: Duration,
}

impl Wakeup {
    /// Starts to listen in the background, if at all.
    pub fn start(db: Db, settings: &WorkerSettings) -> Self {
        let bell = Arc::new(Notify::new());
        if settings.listen {
            tokio::spawn(listen(db, Arc::clone(&bell)));
        }
        let poll = settings.poll;
        Self { bell, poll }
    }

    /// Waits for the bell or the poll interval, whichever is first.
    pub async fn wait(&self) {
        let _ = timeout(self.poll, self.bell.notified()).await;
    }
}

async fn listen(db: Db, bell: Arc<Notify>) {
    loop {
        db.health().wait_up().await;
        if let Err(error) = hear(&db, &bell).await {
            tracing::debug!(%error, "listener lost");
        }
        sleep(RETRY).await;
    }
}

/// Rings the bell for every notification, until the line is silent or broken.
async fn hear(db: &Db, bell: &Notify) -> Result<(), sqlx::Error> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(CONNECT)
        .connect_lazy_with(db.address().clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    // Left to itself it would reconnect without a word, and nobody would know what was missed.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    // What was rung before this moment nobody heard.
    bell.notify_one();
    while let Ok(heard) = timeout(SILENCE, listener.try_recv()).await {
        if heard?.is_none() {
            break;
        }
        bell.notify_one();
    }
    Ok(())
}
