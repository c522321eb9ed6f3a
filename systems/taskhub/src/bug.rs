//! Defects that can be switched on, one per process, to see whether a test tool finds them.
//!
//! Each is consulted at exactly one place, marked there by `Bug::…`. Without
//! `TASKHUB_BUG` the service is sound.

use clap::ValueEnum;

/// A planted defect, named in kebab case by `TASKHUB_BUG`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Bug {
    /// An unknown task is answered with 200 and `null`.
    WrongStatus,
    /// Tasks are acknowledged before they are stored, and every fifth never is.
    LostEnqueue,
    /// The health endpoints do not ask the database.
    HealthLies,
    /// Nothing that waits for the database is bounded.
    HangOnDbLoss,
    /// After the first lost connection the pool refuses for ever.
    NeverReconnects,
    /// Commits do not wait for the log to reach the disk.
    AckedNotDurable,
    /// Sessions live in the memory of one process.
    SessionsInMemory,
    /// A server with existing tasks takes 40 s to listen.
    SlowStart,
    /// Expired leases are never taken over.
    NoLease,
    /// A task is committed before its handler runs.
    DoneBeforeWork,
    /// Two workers may claim a task with the same attempt number.
    DoubleClaim,
    /// Leases and commits ignore the attempt number.
    UnfencedCommit,
    /// A failed attempt is put off for ever.
    NoRetry,
    /// The lock around claims is kept for the whole session: whoever has it first takes all the work.
    OneWorkerHoards,
    /// An exhausted task is cancelled without a reason instead of dead.
    DlqLeak,
    /// Every created task leaves memory behind.
    MemoryLeak,
    /// Some connections are never closed nor used again.
    ConnectionLeak,
    /// With several creations at once some are acknowledged and dropped.
    DropsUnderLoad,
    /// No number of failures opens a breaker.
    NeverOpens,
    /// An open breaker stays open.
    NeverCloses,
    /// All task types share one breaker.
    SharedBreaker,
    /// Each start of the server takes longer than the one before.
    SlowerEveryRestart,
    /// A worker that is told to stop deletes the task it holds.
    DropsOnSigterm,
    /// A worker sees only tasks younger than itself.
    IgnoresNewWorkers,
    /// The call to the partner may take for ever.
    NoTimeout,
    /// A failed call to the partner is repeated at once, many times.
    RetryStorm,
    /// The health check ends in a panic when the database goes away.
    PanicsOnOutage,
    /// Every tenth creation takes two seconds.
    SlowCreates,
    /// Request bodies of any size are read into memory.
    UnboundedMemory,
    /// The server ends when its access log can't be written.
    DiesOnDiskFull,
}
