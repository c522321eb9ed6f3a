//! What is likely to be behind a finding, and what to do: a table by class, refined by what the journal shows.

mod observed;

use crate::check::{Outcome, Verdict};
use crate::journal::History;

/// For each class: the likely cause, and a remedy.
const TABLE: &[(&str, &str, &str)] = &[
    (
        "wrong-answer",
        "an error of something behind it is passed on, or not handled",
        "answer 503 with a JSON error while a dependency is missing, and find the handler of the request named above",
    ),
    (
        "hung",
        "a call waits for a dependency without a time limit",
        "give every connect, query and call a timeout below the bound, and answer 503 when it strikes",
    ),
    (
        "unnoticed",
        "monitoring asks too rarely, averages for too long, or does not ask this at all",
        "alarm on what clients feel, and measure how long it takes from the loss to the alarm",
    ),
    (
        "false-alarm",
        "its bound lies within what is usual, or nothing resets it",
        "set the bound by what undisturbed runs show, and let it go silent by itself",
    ),
    (
        "health-lie",
        "readiness is answered from memory, or without asking what it depends on",
        "let `ready` ask its dependencies with a short timeout, and `live` ask nothing",
    ),
    (
        "lost-task",
        "the create is acknowledged before its row is committed, or a row is removed when a worker takes it",
        "answer only after the commit, and remove a task only in the transaction that records its end",
    ),
    (
        "phantom-done",
        "a task is marked done before its work has had its effect",
        "do the work first, then record it as done",
    ),
    (
        "phantom-task",
        "a create that was refused, or rolled back, had left something in the queue",
        "write the row and its place in the queue in one transaction",
    ),
    (
        "double-commit",
        "two workers hold the same task: one that lost its lease commits all the same, or two claim it at once",
        "claim with `for update skip locked`, and let the commit ask whether the attempt still holds the lease (fencing)",
    ),
    (
        "double-effect",
        "an attempt that was given up had its effect, and so had its successor",
        "make the effect idempotent by the task's id, or record it in the transaction that commits",
    ),
    (
        "stuck-task",
        "nothing takes back what a dead worker held",
        "give each claim a lease that is renewed while the work goes on, and let any worker take what has run out",
    ),
    (
        "missing-retry",
        "a failure is recorded without a next attempt",
        "put the task back with its backoff in the transaction that records the failure",
    ),
    (
        "dlq-leak",
        "attempts are counted wrongly: deaths as failures, or the last one not at all",
        "count failures and deaths apart, and compare with the maximum in one place",
    ),
    (
        "incomplete",
        "there is less capacity than work, or capacity that was lost does not come back soon enough",
        "compare workers times length with the deadline; then look at how long dead workers' tasks wait",
    ),
    (
        "no-recovery",
        "a connection that broke is never replaced, or a process that ended is never started",
        "take broken connections out of the pool and connect again with backoff, for ever",
    ),
    (
        "slow-recovery",
        "the way back is long: slow start, long backoff between attempts to connect, a crowd of clients at once",
        "cap the backoff at a second or two, add jitter, and do less before being ready",
    ),
    (
        "lost-ack",
        "it is acknowledged before it is durable, or kept in memory only",
        "answer after the commit with `synchronous_commit` and `fsync` on, and keep sessions in the database",
    ),
    (
        "lost-increment",
        "the value is read and written back in two steps, or answered before it is stored",
        "add in one step (`UPDATE … SET value = value + 1`, `INCR`), and answer after its commit",
    ),
    (
        "dup-increment",
        "a request whose answer was lost was sent again, by a client, a proxy or a queue",
        "repeat only what is idempotent: give each increment a key that is stored with it",
    ),
    (
        "mutex-violation",
        "a lock is given without asking, in the same step, whether it is another's; or its lease is shorter than was promised",
        "take it in one step that fails where it is held (`SET … NX PX`, a unique row), in a store that a failover does not roll back",
    ),
    (
        "token-regress",
        "tokens are counted in memory, or by a store that a failover rolls back",
        "count them where the lock is stored, in the step that gives it",
    ),
    (
        "unsafe-after-expiry",
        "a holder that stood still past its lease goes on, and what the lock guards does not ask whether it still is the holder",
        "send the fencing token with each write, and let what is guarded refuse one that is smaller than it has seen",
    ),
    (
        "lost-append",
        "it is acknowledged before it is durable, or a later writer replaces what it did not read",
        "answer after the commit, and append rather than write the whole",
    ),
    (
        "corruption",
        "the payload is changed, cut or mixed up between request and store",
        "store it as it came, and check a digest when it is read",
    ),
    (
        "hoarding",
        "one worker takes more tasks than it can work on, and the others wait",
        "claim one task at a time, or no more than there are free hands",
    ),
    (
        "no-adaptation",
        "new copies are not told of work, or the list of workers is made once",
        "let each worker ask for work itself",
    ),
    (
        "slow-adaptation",
        "copies ask for work rarely, or do not end when they are told to",
        "shorten the pause between two looks for work; on SIGTERM finish or hand back, and end",
    ),
    (
        "retry-storm",
        "calls that fail are repeated at once, and by every layer",
        "repeat in one layer only, with exponential backoff, jitter and a budget",
    ),
    (
        "never-opened",
        "failures are not counted for this kind of work, or the threshold is out of reach",
        "count failures in a row for each kind, and open at about five",
    ),
    (
        "no-fast-failure",
        "the breaker is asked after the call, or not at all",
        "ask it before the call is made, and fail the attempt at once while it is open",
    ),
    (
        "never-closed",
        "no trial is let through, or its success is not counted",
        "turn half-open after a pause, let one attempt through, and close when it succeeds",
    ),
    (
        "not-isolated",
        "kinds of work share a breaker, a pool of connections or the hands of one worker",
        "give each kind its own breaker, and what it waits for a limit of its own",
    ),
    (
        "degradation",
        "each restart has more to do than the one before: rows to repair, connections left over, files to read",
        "compare what is there after the first and the last cycle: rows, sessions, files",
    ),
    (
        "panic",
        "an error that can happen is treated as one that cannot",
        "handle the error at the line the log names",
    ),
    (
        "memory-growth",
        "something is kept for every request or task and never let go",
        "bound caches, queues and maps; take a heap profile under this load",
    ),
    (
        "descriptor-growth",
        "files or sockets are opened and not closed, most often on the way of an error",
        "look at /proc/PID/fd for what they are",
    ),
    (
        "connection-growth",
        "connections are opened past the pool, or not given back after an error",
        "take all from one bounded pool, and give them back on every way out",
    ),
    (
        "slow",
        "requests queue for something scarce: a lock, a connection, a processor",
        "see the bottleneck in the analysis; refuse early rather than queue",
    ),
    (
        "unserved",
        "more comes in than the system takes",
        "see the bottleneck in the analysis; shed load early with 429 or 503",
    ),
    (
        "error-burst",
        "something fails though nothing is broken: the way back is not clean, or errors are handled by writing them down",
        "follow the first line; what is normal should not be called an error",
    ),
    (
        "ack-gap",
        "writes stop altogether for a time: a failover, a pool full of dead connections, a lock",
        "see what ended the gap; shorten timeouts of connections and the pause before connecting again",
    ),
    (
        "over-budget",
        "each such fault costs more of the promised availability than may be spent",
        "shorten the outage (recovery) or serve something during it (caching, queueing, a replica)",
    ),
    (
        "died",
        "an error that running short of something brings (no memory, no room, no descriptor) ends the process",
        "bound what a request may take before it is taken, and answer 503 or go without where a write or a connection is refused",
    ),
    (
        "script-failed",
        "the command found what it looks for, or could not do its work",
        "its output is in the journal at the event named as evidence; run it by hand against `squall up`",
    ),
];

/// The classes there is advice on, in the order of the table.
pub fn classes() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(class, ..)| *class)
}

/// Advice on a finding, in one line; `None` for what did not fail.
pub fn advice(verdict: &Verdict, history: &History<'_>) -> Option<String> {
    let class = verdict.class.as_deref().filter(|_| verdict.outcome == Outcome::Fail)?;
    let (_, cause, remedy) = TABLE.iter().find(|(known, ..)| *known == class)?;
    let (cause, remedy) = observed::kept_too_little(class, history).unwrap_or((cause, remedy));
    let observed = observed::observed(class, verdict, history);
    let observed = observed.map_or(String::new(), |observed| match observed.ends_with('?') {
        true => format!("{observed} "),
        false => format!("{observed}. "),
    });
    Some(format!("{observed}Likely {cause}. Remedy: {remedy}."))
}
