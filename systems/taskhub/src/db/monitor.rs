//! The health check: a real query, ten times a second, on a connection of its own.
//!
//! Its own connection keeps the verdict apart from a pool that is merely busy.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::time::{sleep, timeout};

use super::{Db, migrate};

/// Pause between two checks when nobody doubts the last one.
const EVERY: Duration = Duration::from_millis(100);
/// Least pause between two checks, however many doubts there are.
const AT_MOST_EVERY: Duration = Duration::from_millis(10);
/// Bound on setting up the schema, which happens once in the life of a database.
const MIGRATION: Duration = Duration::from_secs(30);

/// Checks until the process ends, and keeps [`Health`](super::health::Health) true.
pub async fn run(db: Db) {
    let mut probe = Probe {
        connection: None,
        migrated: false,
    };
    loop {
        let verdict = probe.check(&db).await;
        if verdict.is_err() {
            probe.connection = None;
        }
        if db.health().record(verdict) {
            if db.0.panics {
                std::panic::panic_any("the database is gone");
            }
            db.0.pool.outage();
            db.0.pool.connection_lost();
        }
        sleep(AT_MOST_EVERY).await;
        let _ = timeout(EVERY - AT_MOST_EVERY, db.health().suspected()).await;
    }
}

struct Probe {
    connection: Option<PgConnection>,
    migrated: bool,
}

impl Probe {
    async fn check(&mut self, db: &Db) -> Result<(), String> {
        let bound = db.0.probe;
        match timeout(bound, self.ask(db)).await {
            Ok(answer) => answer.map_err(|error| error.to_string())?,
            Err(_) => return Err(format!("no answer within {bound:?}")),
        }
        if !self.migrated {
            self.migrate().await?;
            self.migrated = true;
        }
        if db.0.pool.usable() {
            Ok(())
        } else {
            Err("no usable connection".to_owned())
        }
    }

    async fn ask(&mut self, db: &Db) -> Result<(), sqlx::Error> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => db.0.address.connect().await?,
        };
        // Only the start asks for the schema; that query proves the connection as well.
        let connection = self.connection.insert(connection);
        if self.migrated { connection.ping().await } else { Ok(()) }
    }

    async fn migrate(&mut self) -> Result<(), String> {
        let Some(connection) = &mut self.connection else {
            return Err("no connection".to_owned());
        };
        match timeout(MIGRATION, migrate::ensure(connection)).await {
            Ok(outcome) => outcome.map_err(|error| format!("migration failed: {error}")),
            Err(_) => Err("migration took too long".to_owned()),
        }
    }
}
