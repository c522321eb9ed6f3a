//! The floor: a session-wide lock around claims that is never given back, as it happens when an advisory lock is taken
//! for the session instead of for the transaction. Part of the planted bug `one-worker-hoards`.

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::Mutex;

use crate::db::Db;

/// The lock's number; nothing else in this database takes advisory locks by it.
const FLOOR: i64 = 0x7461_736b;

/// One worker's try for the floor.
pub struct Floor {
    db: Db,
    held: Mutex<Option<PgConnection>>,
}

impl Floor {
    /// Nothing is tried before the first claim.
    pub fn new(db: Db) -> Self {
        Self {
            db,
            held: Mutex::new(None),
        }
    }

    /// Whether this worker may claim: it has had the floor, or nobody has and it takes it.
    pub async fn mine(&self) -> bool {
        let mut held = self.held.lock().await;
        if let Some(mut connection) = held.take()
            && connection.ping().await.is_ok()
        {
            *held = Some(connection);
            return true;
        }
        let Ok(mut connection) = self.db.address().connect().await else {
            return false;
        };
        let took = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)").bind(FLOOR);
        if !took.fetch_one(&mut connection).await.unwrap_or(false) {
            return false;
        }
        *held = Some(connection);
        true
    }
}
