//! History: the runs that were, in one SQLite file beside their folders.
//!
//! The folders stay the truth: the file is an index that may be deleted. It holds every scenario's figures and verdicts,
//! so that runs can be listed, and sets of them compared, without judging them again.

mod finding;
mod row;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

pub use finding::{Finding, Sighting};
pub use row::{Filter, Row};

/// The file's name, in the folder that holds the runs' folders.
pub const FILE: &str = "history.db";

/// How long to wait for another run that writes. It writes for milliseconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// What makes each version of the file from the one before. Only ever added to.
const VERSIONS: [&str; 2] = [
    "
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    scenario TEXT NOT NULL,
    opened TEXT NOT NULL,
    at INTEGER NOT NULL, -- the same in nanoseconds since 1970, for sorting
    squall TEXT NOT NULL,
    system TEXT NOT NULL,
    level INTEGER NOT NULL,
    seed TEXT NOT NULL, -- beyond SQLite's integers
    pace REAL NOT NULL,
    label TEXT,
    outcome TEXT NOT NULL,
    headline TEXT NOT NULL,
    figures TEXT NOT NULL, -- JSON; null is never
    UNIQUE (run, scenario)
);
CREATE INDEX runs_at ON runs (at);
CREATE INDEX runs_label ON runs (label);
CREATE TABLE verdicts (
    row INTEGER NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    demand TEXT NOT NULL,
    outcome TEXT NOT NULL,
    class TEXT, -- of a finding
    says TEXT -- of a finding
);
CREATE INDEX verdicts_row ON verdicts (row);
",
    "ALTER TABLE runs ADD COLUMN jobs INTEGER NOT NULL DEFAULT 1",
];

/// The runs that were.
#[derive(Debug)]
pub struct History {
    connection: Connection,
    path: PathBuf,
}

/// A history that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A squall that knows more wrote it.
    #[error("{path}: a newer squall wrote it (version {version}, this one knows {known})", known = VERSIONS.len())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        version: i64,
    },
    /// What stands in it is not what squall writes.
    #[error("{path}: {what}")]
    Odd {
        /// Which file.
        path: PathBuf,
        /// What is odd.
        what: String,
    },
    /// It can't be read or written.
    #[error("{path}: {cause}")]
    Sqlite {
        /// Which file.
        path: PathBuf,
        /// Why.
        cause: rusqlite::Error,
    },
}

impl Unusable {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        let code = match self {
            Unusable::Newer { .. } => {
                return "use that squall, or move the file away: the next run begins a new one".into();
            }
            Unusable::Odd { .. } => None,
            Unusable::Sqlite { cause, .. } => cause.sqlite_error_code(),
        };
        match code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                "another program holds it: end that one, and try again".into()
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                "this user must be able to read and write it".into()
            }
            Some(ErrorCode::DiskFull) => "make room on the disk".into(),
            _ => "move the file away: the next run begins a new one, and the runs' folders stay as they are".into(),
        }
    }
}

impl History {
    /// Opens the history of the runs below `output`, and begins it where there is none.
    ///
    /// # Errors
    /// It can't be made or read, is held by another program for over 3 s, or a newer squall wrote it.
    pub fn open(output: &Path) -> Result<Self, Unusable> {
        Self::with(output.join(FILE), OpenFlags::SQLITE_OPEN_CREATE)
    }

    /// The same where there is one; nothing is made.
    ///
    /// # Errors
    /// As [`History::open`].
    pub fn find(output: &Path) -> Result<Option<Self>, Unusable> {
        let path = output.join(FILE);
        match path.exists() {
            true => Self::with(path, OpenFlags::empty()).map(Some),
            false => Ok(None),
        }
    }

    fn with(path: PathBuf, more: OpenFlags) -> Result<Self, Unusable> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
        let opened = Connection::open_with_flags(&path, flags).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => Self { connection, path }.upgraded(),
            Err(cause) => Err(Unusable::Sqlite { path, cause }),
        }
    }

    /// Brings it to the version this squall writes.
    fn upgraded(mut self) -> Result<Self, Unusable> {
        let known = VERSIONS.len() as i64;
        let mut version = self.version().map_err(|cause| self.unusable(cause))?;
        if version < known {
            // Somebody else may be at it: only who holds the file can tell what is still to be done.
            version = self.upgrade().map_err(|cause| self.unusable(cause))?;
        }
        match version > known {
            true => Err(Unusable::Newer {
                path: self.path,
                version,
            }),
            false => Ok(self),
        }
    }

    fn upgrade(&mut self) -> rusqlite::Result<i64> {
        let work = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let version: i64 = work.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let missing = VERSIONS.iter().skip(usize::try_from(version).unwrap_or(usize::MAX));
        for step in missing {
            work.execute_batch(step)?;
        }
        let version = version.max(VERSIONS.len() as i64);
        work.pragma_update(None, "user_version", version)?;
        work.commit()?;
        Ok(version)
    }

    fn version(&self) -> rusqlite::Result<i64> {
        self.connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
    }

    fn unusable(&self, cause: rusqlite::Error) -> Unusable {
        Unusable::Sqlite {
            path: self.path.clone(),
            cause,
        }
    }

    fn odd(&self, what: impl Into<String>) -> Unusable {
        Unusable::Odd {
            path: self.path.clone(),
            what: what.into(),
        }
    }
}

#[cfg(test)]
mod tests;
