//! What a proxy has seen and done: the evidence that a condition took effect.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

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
    /// Bytes that a delay held, in either direction.
    pub bytes_delayed: u64,
    /// How often a delay held so many bytes that one direction stopped reading for a while.
    pub full_lines: u64,
    /// Connections open now.
    pub open: u64,
}

/// The direction in which bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// From the client to the upstream.
    Up,
    /// From the upstream to the client.
    Down,
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
    full_lines: AtomicU64,
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

    pub(super) fn delivered(&self, way: Way, bytes: usize) {
        let counter = match way {
            Way::Up => &self.bytes_up,
            Way::Down => &self.bytes_down,
        };
        counter.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn swallowed(&self, bytes: usize) {
        self.bytes_swallowed.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn delayed(&self, bytes: usize) {
        self.bytes_delayed.fetch_add(bytes as u64, Relaxed);
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
            full_lines: self.full_lines.load(Relaxed),
            open: accepted.saturating_sub(closed),
        }
    }
}
