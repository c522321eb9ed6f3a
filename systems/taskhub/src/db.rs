//! The database as the rest of the service sees it: bounded statements, and
//! one true answer to whether it is there.

pub mod health;
mod migrate;
mod monitor;
mod pool;

use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow, Postgres};
use sqlx::query::{Query, QueryAs};
use tokio::time::timeout;

use crate::bug::Bug;
use crate::settings::{Role, Settings};
use health::Health;
use pool::{Checkout, Pool};

/// Why a statement has no result.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// There is no connection to the database, or it broke.
    #[error("the database is not reachable: {0}")]
    Unavailable(String),
    /// The database did not answer in time.
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
    /// All connections are in use and none came free in time.
    #[error("no database connection was free within {0:?}")]
    Busy(Duration),
    /// The database answered, with an error.
    #[error("the database refused: {0}")]
    Refused(sqlx::Error),
}

/// A handle to the database; clones share one pool.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    pool: Pool,
    health: Health,
    address: PgConnectOptions,
    statement: Duration,
    probe: Duration,
    fail_fast: bool,
    panics: bool,
}

impl Db {
    /// Prepares a pool and starts the health check; connects to nothing yet.
    pub fn start(settings: &Settings) -> Self {
        let address = connect_options(settings);
        let limits = &settings.database;
        let db = Self(Arc::new(Inner {
            pool: Pool::new(address.clone(), settings),
            health: Health::new(),
            address,
            statement: limits.statement,
            probe: limits.probe,
            fail_fast: limits.fail_fast,
            panics: settings.has(Bug::PanicsOnOutage),
        }));
        tokio::spawn(monitor::run(db.clone()));
        db
    }

    /// What the health check last saw.
    pub fn health(&self) -> &Health {
        &self.0.health
    }

    /// How to reach the database outside the pool, for connections with a life of their own.
    pub fn address(&self) -> &PgConnectOptions {
        &self.0.address
    }

    /// Connections of the pool: in use, and idle.
    pub fn connections(&self) -> (usize, usize) {
        self.0.pool.counts()
    }

    /// All rows of a query.
    pub async fn fetch_all<T>(&self, query: QueryAs<'_, Postgres, T, PgArguments>) -> Result<Vec<T>, DbError>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut connection = self.checkout().await?;
        let outcome = timeout(self.0.statement, query.fetch_all(connection.get())).await;
        self.settle(connection, outcome)
    }

    /// The first row of a query, if there is one.
    pub async fn fetch_optional<T>(&self, query: QueryAs<'_, Postgres, T, PgArguments>) -> Result<Option<T>, DbError>
    where
        T: for<'r> sqlx::FromRow<'r, PgRow> + Send + Unpin,
    {
        let mut connection = self.checkout().await?;
        let outcome = timeout(self.0.statement, query.fetch_optional(connection.get())).await;
        self.settle(connection, outcome)
    }

    /// Runs a statement and returns the number of rows it touched.
    pub async fn execute(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, DbError> {
        let mut connection = self.checkout().await?;
        let outcome = timeout(self.0.statement, query.execute(connection.get())).await;
        let done = self.settle(connection, outcome)?;
        Ok(done.rows_affected())
    }

    async fn checkout(&self) -> Result<Checkout<'_>, DbError> {
        if let Some(reason) = self.0.health.outage() {
            if self.0.fail_fast {
                return Err(DbError::Unavailable(reason));
            }
            self.0.health.wait_up().await;
        }
        let outcome = self.0.pool.checkout().await;
        if outcome.is_err() {
            self.0.health.suspect();
        }
        outcome
    }

    /// Returns the connection only if the exchange on it is complete: one that
    /// was given up half-way would hand its late answer to the next user.
    fn settle<T, E>(&self, connection: Checkout<'_>, outcome: Result<Result<T, sqlx::Error>, E>) -> Result<T, DbError> {
        let error = match outcome {
            Ok(Ok(value)) => {
                connection.give_back();
                return Ok(value);
            }
            Ok(Err(error)) => error,
            Err(_) => {
                self.0.health.suspect();
                return Err(DbError::TimedOut(self.0.statement));
            }
        };
        if lost_connection(&error) {
            self.0.pool.connection_lost();
            self.0.health.suspect();
            return Err(DbError::Unavailable(error.to_string()));
        }
        connection.give_back();
        Err(DbError::Refused(error))
    }
}

/// Whether an error says that the connection, not the statement, is at fault.
fn lost_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => true,
        // Class 57P: the server ends this session because it shuts down, crashed or starts.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("57P")),
        _ => false,
    }
}

fn connect_options(settings: &Settings) -> PgConnectOptions {
    let limits = &settings.database;
    let name = match settings.role {
        Role::Server => "taskhub-server",
        Role::Worker => "taskhub-worker",
    };
    let statement_timeout = limits.statement.as_millis().to_string();
    let mut options = limits
        .address
        .clone()
        .application_name(name)
        .options([("statement_timeout", statement_timeout.as_str())])
        .disable_statement_logging();
    if settings.has(Bug::AckedNotDurable) {
        options = options.options([("synchronous_commit", "off")]);
    }
    options
}
