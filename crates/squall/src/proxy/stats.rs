//! What a proxy has seen and done: the evidence that a condition took effect.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use squall_core::event::Untouched;
use squall_core::protocol::{Counts, Request, form};

/// So many sorts of requests are told apart; what comes of others is only counted.
const SORTS: usize = 256;
/// So many of them are told.
const TOLD: usize = 12;

/// Counts since the proxy was opened. All but `open` only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections accepted from clients. One that a refusing cut turned away is not among them:
    /// the kernel answers it and the proxy never learns of it.
    pub accepted: u64,
    /// Connections reset because of a condition, including those that lost bytes in a black hole.
    pub cut: u64,
    /// Connections reset because the upstream could not be reached.
    pub upstream_failures: u64,
    /// Bytes delivered to the upstream.
    pub bytes_up: u64,
    /// Bytes delivered to clients.
    pub bytes_down: u64,
    /// Bytes that vanished in a black hole, in either direction.
    pub bytes_swallowed: u64,
    /// Bytes that a delay held, in either direction. Those it lets go at once are not among them.
    pub bytes_delayed: u64,
    /// Bytes that had to wait for a rate. Those for which it was wide enough are not among them.
    pub bytes_throttled: u64,
    /// Bytes that were changed.
    pub bytes_corrupted: u64,
    /// How often everything stood still as if a packet were lost.
    pub stalls: u64,
    /// Pieces that were cut off what was read.
    pub slices: u64,
    /// Ends of streams that were held back.
    pub slow_closes: u64,
    /// Connections that were closed after so many bytes.
    pub truncated: u64,
    /// Requests that were told apart.
    pub requests: u64,
    /// Requests that failed, waited or lost their reply.
    pub intercepted: u64,
    /// Connections on which no request could be told from another.
    pub foreign: u64,
    /// How often a delay held so many bytes that one direction stopped reading for a while.
    pub full_lines: u64,
    /// Connections open now.
    pub open: u64,
}

/// Why a connection was reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// A condition demanded it.
    Condition,
    /// The upstream could not be reached.
    Upstream,
    /// One of the two ends broke off.
    Peer,
}

/// The counters behind [`Stats`], shared by all connections of a proxy.
#[derive(Debug, Default)]
pub(super) struct Counters {
    accepted: AtomicU64,
    closed: AtomicU64,
    cut: AtomicU64,
    upstream_failures: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
    bytes_swallowed: AtomicU64,
    bytes_delayed: AtomicU64,
    bytes_throttled: AtomicU64,
    bytes_corrupted: AtomicU64,
    stalls: AtomicU64,
    slices: AtomicU64,
    slow_closes: AtomicU64,
    truncated: AtomicU64,
    requests: AtomicU64,
    intercepted: AtomicU64,
    foreign: AtomicU64,
    full_lines: AtomicU64,
    untouched: Mutex<BTreeMap<(String, Option<String>), u64>>,
}

impl Counters {
    /// Counts a connection and returns its number, from 0.
    pub(super) fn accepted(&self) -> u64 {
        self.accepted.fetch_add(1, Relaxed)
    }

    /// Counts the end of a connection, which was orderly unless there is a cause.
    pub(super) fn closed(&self, cause: Option<Cause>) {
        match cause {
            Some(Cause::Condition) => _ = self.cut.fetch_add(1, Relaxed),
            Some(Cause::Upstream) => _ = self.upstream_failures.fetch_add(1, Relaxed),
            Some(Cause::Peer) | None => {}
        }
        self.closed.fetch_add(1, Relaxed);
    }

    pub(super) fn delivered(&self, up: bool, bytes: usize) {
        let counter = if up { &self.bytes_up } else { &self.bytes_down };
        counter.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn swallowed(&self, bytes: usize) {
        self.bytes_swallowed.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn delayed(&self, bytes: usize) {
        self.bytes_delayed.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn throttled(&self, bytes: usize) {
        self.bytes_throttled.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn corrupted(&self, bytes: u64) {
        self.bytes_corrupted.fetch_add(bytes, Relaxed);
    }

    pub(super) fn stalled(&self) {
        self.stalls.fetch_add(1, Relaxed);
    }

    pub(super) fn sliced(&self, pieces: u64) {
        self.slices.fetch_add(pieces, Relaxed);
    }

    pub(super) fn slow_closed(&self) {
        self.slow_closes.fetch_add(1, Relaxed);
    }

    pub(super) fn truncated(&self) {
        self.truncated.fetch_add(1, Relaxed);
    }

    /// Counts what reading along has shown since it was last asked.
    pub(super) fn read_along(&self, before: &Counts, now: &Counts) {
        self.requests.fetch_add(now.requests - before.requests, Relaxed);
        self.intercepted
            .fetch_add(now.intercepted - before.intercepted, Relaxed);
        self.foreign.fetch_add(now.foreign - before.foreign, Relaxed);
    }

    /// Notes a request that was looked at and passes as it is.
    pub(super) fn untouched(&self, request: &Request) {
        let sort = (request.command.clone(), request.path.as_deref().map(form));
        let mut all = self.untouched.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < SORTS || all.contains_key(&sort) {
            *all.entry(sort).or_default() += 1;
        }
    }

    /// Those noted since they were forgotten last, the most frequent first.
    pub(super) fn all_untouched(&self) -> Vec<Untouched> {
        let all = self.untouched.lock().unwrap_or_else(PoisonError::into_inner);
        let one = |((command, path), count): (&(String, Option<String>), &u64)| Untouched {
            command: command.clone(),
            path: path.clone(),
            count: *count,
        };
        let mut all: Vec<Untouched> = all.iter().map(one).collect();
        all.sort_by_key(|of| std::cmp::Reverse(of.count));
        all.truncate(TOLD);
        all
    }

    pub(super) fn forget_untouched(&self) {
        self.untouched.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) fn line_filled(&self) {
        self.full_lines.fetch_add(1, Relaxed);
    }

    pub(super) fn read(&self) -> Stats {
        // Read before `accepted`, so that the difference is never negative.
        let closed = self.closed.load(Relaxed);
        let accepted = self.accepted.load(Relaxed);
        Stats {
            accepted,
            cut: self.cut.load(Relaxed),
            upstream_failures: self.upstream_failures.load(Relaxed),
            bytes_up: self.bytes_up.load(Relaxed),
            bytes_down: self.bytes_down.load(Relaxed),
            bytes_swallowed: self.bytes_swallowed.load(Relaxed),
            bytes_delayed: self.bytes_delayed.load(Relaxed),
            bytes_throttled: self.bytes_throttled.load(Relaxed),
            bytes_corrupted: self.bytes_corrupted.load(Relaxed),
            stalls: self.stalls.load(Relaxed),
            slices: self.slices.load(Relaxed),
            slow_closes: self.slow_closes.load(Relaxed),
            truncated: self.truncated.load(Relaxed),
            requests: self.requests.load(Relaxed),
            intercepted: self.intercepted.load(Relaxed),
            foreign: self.foreign.load(Relaxed),
            full_lines: self.full_lines.load(Relaxed),
            open: accepted.saturating_sub(closed),
        }
    }
}
