//! Telling idle workers that there is work.
//!
//! Notifications are sent apart from the inserts: PostgreSQL lets only one
//! transaction at a time commit with a notification, which would make every
//! insert wait for the disk alone.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::db::Db;
use crate::task::CHANNEL;

/// Least pause between two notifications.
const PAUSE: Duration = Duration::from_millis(5);

/// Rings for all workers; many rings close together become one.
#[derive(Clone)]
pub struct Bell(Arc<Notify>);

impl Bell {
    /// Starts the task that passes rings on.
    pub fn start(db: Db) -> Self {
        let notify = Arc::new(Notify::new());
        let rung = Arc::clone(&notify);
        tokio::spawn(async move {
            loop {
                rung.notified().await;
                // A lost ring costs one poll interval, so it is not repeated.
                let _ = db.execute(sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL)).await;
                sleep(PAUSE).await;
            }
        });
        Self(notify)
    }

    /// There is work.
    pub fn ring(&self) {
        self.0.notify_one();
    }
}
