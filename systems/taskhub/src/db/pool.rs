//! A small connection pool with one rule: a connection comes back only when
//! its user says that the exchange on it is complete.
//!
//! sqlx has a pool of its own. It asks the database on every return, without
//! a bound, so that each black-holed connection would hold a slot until TCP
//! gives up; and it retries refused connections, where this service wants to
//! answer "unavailable" at once.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::DbError;
use crate::bug::Bug;
use crate::settings::Settings;

/// A connection unused for longer than this is asked whether it still lives.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long it may take to say so.
const PING: Duration = Duration::from_millis(300);

/// At most `size` connections, opened when needed and kept for reuse.
pub struct Pool {
    address: PgConnectOptions,
    size: usize,
    acquire: Duration,
    slots: Semaphore,
    idle: Mutex<Vec<Idle>>,
    /// Counts outages: a connection opened before the last one is not reused.
    epoch: AtomicU64,
    refuses: AtomicBool,
    breaks_for_ever: bool,
    leaks: bool,
    returned: AtomicU64,
}

struct Idle {
    connection: PgConnection,
    epoch: u64,
    since: Instant,
}

/// A connection in use. Dropped without [`give_back`](Self::give_back), it is closed.
pub struct Checkout<'a> {
    pool: &'a Pool,
    connection: PgConnection,
    epoch: u64,
    _slot: SemaphorePermit<'a>,
}

impl Pool {
    /// An empty pool; nothing is connected before the first use.
    pub fn new(address: PgConnectOptions, settings: &Settings) -> Self {
        Self {
            address,
            size: settings.database.pool,
            acquire: settings.database.acquire,
            slots: Semaphore::new(settings.database.pool),
            idle: Mutex::default(),
            epoch: AtomicU64::new(0),
            refuses: AtomicBool::new(false),
            breaks_for_ever: settings.has(Bug::NeverReconnects),
            leaks: settings.has(Bug::ConnectionLeak),
            returned: AtomicU64::new(0),
        }
    }

    /// A live connection, within the acquire bound.
    pub async fn checkout(&self) -> Result<Checkout<'_>, DbError> {
        if self.refuses.load(Ordering::Relaxed) {
            return Err(DbError::Unavailable("the pool is broken".to_owned()));
        }
        let deadline = tokio::time::Instant::now() + self.acquire;
        let slot = tokio::time::timeout_at(deadline, self.slots.acquire()).await;
        // The semaphore is never closed, so the inner error can't happen.
        let Ok(Ok(slot)) = slot else {
            return Err(DbError::Busy(self.acquire));
        };
        match tokio::time::timeout_at(deadline, self.open()).await {
            Ok(Ok((connection, epoch))) => Ok(Checkout {
                pool: self,
                connection,
                epoch,
                _slot: slot,
            }),
            Ok(Err(error)) => Err(DbError::Unavailable(error.to_string())),
            Err(_) => Err(DbError::TimedOut(self.acquire)),
        }
    }

    /// Forgets every connection that was open until now: the database went away under them.
    pub fn outage(&self) {
        self.epoch.fetch_add(1, Ordering::Relaxed);
        self.idle().clear();
    }

    /// Notes that a connection broke in use.
    pub fn connection_lost(&self) {
        if self.breaks_for_ever {
            self.refuses.store(true, Ordering::Relaxed);
        }
    }

    /// Whether connections are given out at all.
    pub fn usable(&self) -> bool {
        !self.refuses.load(Ordering::Relaxed)
    }

    /// Connections in use, and idle.
    pub fn counts(&self) -> (usize, usize) {
        (self.size - self.slots.available_permits(), self.idle().len())
    }

    async fn open(&self) -> Result<(PgConnection, u64), sqlx::Error> {
        while let Some(mut idle) = self.pop() {
            let trusted = idle.since.elapsed() < TRUSTED_IDLE
                || matches!(timeout(PING, idle.connection.ping()).await, Ok(Ok(())));
            if trusted {
                return Ok((idle.connection, idle.epoch));
            }
        }
        let epoch = self.epoch.load(Ordering::Relaxed);
        Ok((self.address.connect().await?, epoch))
    }

    /// The most recently used connection: the others may age and be checked when needed.
    fn pop(&self) -> Option<Idle> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checkout<'_> {
    /// The connection itself.
    pub fn get(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Returns the connection for reuse; nothing may be pending on it.
    pub fn give_back(self) {
        let turn = self.pool.returned.fetch_add(1, Ordering::Relaxed);
        if self.pool.leaks && turn % 50 == 49 {
            std::mem::forget(self.connection);
            return;
        }
        if self.epoch == self.pool.epoch.load(Ordering::Relaxed) {
            self.pool.idle().push(Idle {
                connection: self.connection,
                epoch: self.epoch,
                since: Instant::now(),
            });
        }
    }
}
