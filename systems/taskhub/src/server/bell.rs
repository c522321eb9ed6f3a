//! Telling idle workers that there is work.
//!
//! PostgreSQL lets only one transaction at a time commit with a notification. So an insert notifies by itself when
//! nobody did for a while, which is the quickest way; of inserts close together one notification is sent for all that
//! came after the first, apart from them, lest each waits for the disk alone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use crate::db::Db;
use crate::task::CHANNEL;

/// Least pause between two notifications.
const PAUSE: Duration = Duration::from_millis(5);

/// Rings for all workers; many rings close together become one.
#[derive(Clone)]
pub struct Bell {
    rung: Arc<Notify>,
    /// From when on the next notification may be sent.
    next: Arc<Mutex<Instant>>,
}

impl Bell {
    /// Starts the task that passes rings on.
    pub fn start(db: Db) -> Self {
        let bell = Self {
            rung: Arc::default(),
            next: Arc::new(Mutex::new(Instant::now())),
        };
        let passing = bell.clone();
        tokio::spawn(async move {
            loop {
                passing.rung.notified().await;
                while let Err(next) = passing.turn() {
                    sleep_until(next).await;
                }
                // A lost ring costs one poll interval, so it is not repeated.
                let _ = db.execute(sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL)).await;
            }
        });
        bell
    }

    /// There is work.
    pub fn ring(&self) {
        self.rung.notify_one();
    }

    /// Takes the turn to notify, and nobody else has one for the length of the
    /// pause; or says when it may be asked for again.
    pub fn turn(&self) -> Result<(), Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if now < *next {
            return Err(*next);
        }
        *next = now + PAUSE;
        Ok(())
    }
}
