//! One thing that hinders one direction of one connection: when each piece may leave, and as what.
//!
//! A stage never waits. It is told when a piece comes and says at once when that piece may go, so a whole chain
//! of stages is passed the moment bytes are read, and only one line has to be watched.

mod chance;

use std::time::{Duration, Instant};

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use squall_core::place::Impair;

use super::line::End;
use super::stats::Counters;
pub(super) use chance::Chance;

/// No delay is longer than this, so that no deadline leaves the range of the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Who waits for less does not count as held: it can't be told from not waiting.
const NOTICED: Duration = Duration::from_micros(100);
/// What a packet carries, on most networks.
const PACKET: usize = 1460;
/// A rate makes up for so much time at most, as a late wake-up may take, and its pieces carry so much time's worth.
const QUANTUM: Duration = Duration::from_millis(5);
/// A rate's pieces are at least, and at most, so large.
const PIECE: (u64, u64) = (64, 64 << 10);

/// Bytes on their way, with the moment before which they must not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// When it was read.
    pub(super) at: Instant,
    pub(super) due: Instant,
    pub(super) bytes: Vec<u8>,
}

/// An impairment at work.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) key: u64,
    pub(super) what: Impair,
    rng: Xoshiro256PlusPlus,
    /// When it began to hold.
    began: Instant,
    /// The last piece's due moment. A rate is free again then, a stall over.
    last: Instant,
    /// Bytes that have come.
    seen: u64,
    /// Bytes until the next one that is changed.
    until_bad: u64,
    /// The first bytes, or the stream's end, came then.
    stirred: Option<Instant>,
    /// The chance drawn last.
    drawn: f64,
    /// Bytes of those that passed last which it made wait, by more than [`NOTICED`].
    pub(super) held: usize,
}

/// What a stage makes of a connection at some moment, whatever comes or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Close,
    Reset,
}

impl Stage {
    pub(super) fn new(key: u64, what: Impair, mut rng: Xoshiro256PlusPlus, now: Instant) -> Self {
        let until_bad = match what {
            Impair::Corrupt { share } => chance::gap(share.fraction(), &mut rng),
            _ => u64::MAX,
        };
        Self {
            key,
            what,
            rng,
            began: now,
            last: now,
            seen: 0,
            until_bad,
            stirred: None,
            drawn: 0.0,
            held: 0,
        }
    }

    /// Forgets what it has promised to pieces that are to pass it again.
    pub(super) fn start_over(&mut self, now: Instant) {
        self.last = now;
    }

    /// Whether the connection has to end when this no longer holds.
    pub(super) fn closes_when_removed(&self) -> bool {
        matches!(self.what, Impair::Timeout { .. })
    }

    /// Lets pieces pass. Returns an end that this stage puts after them.
    pub(super) fn pass(&mut self, pieces: &mut Vec<Piece>, counters: &Counters) -> Option<End> {
        match self.what {
            Impair::Corrupt { .. } => self.corrupt(pieces, counters),
            Impair::Truncate { after } => return self.truncate(after, pieces, counters),
            Impair::Silence | Impair::Timeout { .. } | Impair::Reset { .. } => {
                self.stirred = self.stirred.or(pieces.first().map(|piece| piece.at));
                counters.swallowed(pieces.drain(..).map(|piece| piece.bytes.len()).sum());
            }
            Impair::Gaps { share, correlation } => {
                pieces.retain(|piece| {
                    let fresh: f64 = self.rng.random();
                    let bound = correlation.fraction();
                    self.drawn = self.drawn * bound + fresh * (1.0 - bound);
                    let stays = self.drawn >= share.fraction();
                    counters.swallowed(if stays { 0 } else { piece.bytes.len() });
                    stays
                });
            }
            Impair::Slice { bytes, vary, .. } => self.slice((bytes, vary), pieces, counters),
            Impair::Rate { bytes } => split(quantum(bytes), pieces),
            Impair::Delay { .. } | Impair::Stall { .. } | Impair::SlowClose { .. } => {}
        }
        self.held = 0;
        for piece in &mut *pieces {
            let came = piece.due;
            let before = came.max(self.last);
            self.defer(piece);
            if piece.due >= came + NOTICED {
                self.held += piece.bytes.len();
            }
            if matches!(self.what, Impair::Stall { .. }) && piece.due > before {
                counters.stalled();
            }
        }
        None
    }

    /// Says anew when pieces may leave that have passed it, or its like, before.
    pub(super) fn defer(&mut self, piece: &mut Piece) {
        let (due, len) = (piece.due, piece.bytes.len());
        piece.due = match self.what {
            Impair::Delay {
                latency,
                jitter,
                spread,
            } => {
                let delay = chance::delay((latency, jitter, spread), &mut self.rng);
                (due + delay.min(LONGEST)).max(self.last)
            }
            Impair::Rate { bytes } => {
                // Each takes its time on the way, the first after a pause, too; one that came a moment late makes up for it.
                let lately = due.checked_sub(QUANTUM).is_none_or(|lately| self.last >= lately);
                let free = if lately { self.last } else { due };
                self.last = free + Duration::from_nanos(per(len as u64, bytes));
                self.last.max(due)
            }
            Impair::Stall { share, pause } => {
                let packets = len.div_ceil(PACKET) as i32;
                let lost = 1.0 - (1.0 - share.fraction()).powi(packets);
                match self.rng.random::<f64>() < lost {
                    true => due.max(self.last) + pause.min(LONGEST),
                    false => due.max(self.last),
                }
            }
            Impair::Slice { pause, .. } => due.max(self.last + pause.min(LONGEST)),
            _ => return,
        };
        if !matches!(self.what, Impair::Rate { .. }) {
            self.last = piece.due;
        }
    }

    /// When the end of the stream may be noticed, which may be `due`; `None` for not while this holds.
    pub(super) fn defer_end(&mut self, due: Instant) -> Option<Instant> {
        match self.what {
            Impair::Delay {
                latency,
                jitter,
                spread,
            } => {
                let delay = chance::delay((latency, jitter, spread), &mut self.rng);
                Some((due + delay.min(LONGEST)).max(self.last))
            }
            Impair::SlowClose { delay } => Some(due + delay.min(LONGEST)),
            Impair::Silence | Impair::Timeout { .. } | Impair::Reset { .. } => {
                self.stirred = self.stirred.or(Some(due));
                None
            }
            _ => Some(due.max(self.last)),
        }
    }

    /// Takes note that the end of the stream has come.
    pub(super) fn meet_end(&self, counters: &Counters) {
        if matches!(self.what, Impair::SlowClose { .. }) {
            counters.slow_closed();
        }
    }

    /// Whether nothing passes it.
    pub(super) fn is_silent(&self) -> bool {
        matches!(
            self.what,
            Impair::Silence | Impair::Timeout { .. } | Impair::Reset { .. }
        )
    }

    /// Whether it makes slices, which are written one by one.
    pub(super) fn slices(&self) -> bool {
        matches!(self.what, Impair::Slice { .. })
    }

    /// When it ends the connection, and how.
    pub(super) fn ends(&self) -> Option<(Instant, Verdict)> {
        match self.what {
            Impair::Timeout { after } => Some((self.began + after?.min(LONGEST), Verdict::Close)),
            Impair::Reset { after } => Some((self.stirred? + after.min(LONGEST), Verdict::Reset)),
            _ => None,
        }
    }

    /// How many bytes may be held for it before nothing more is read, if it has an opinion.
    pub(super) fn room(&self) -> Option<usize> {
        match self.what {
            // More would be taken from the sender than the link carries: it would believe them sent.
            Impair::Rate { bytes } => Some(usize::try_from(bytes / 20).unwrap_or(usize::MAX).max(2048)),
            _ => None,
        }
    }

    fn corrupt(&mut self, pieces: &mut [Piece], counters: &Counters) {
        let Impair::Corrupt { share } = self.what else { return };
        for piece in pieces {
            let mut rest = &mut piece.bytes[..];
            while let Ok(bad) = usize::try_from(self.until_bad)
                && bad < rest.len()
            {
                // Any other byte, each as likely as the next.
                rest[bad] ^= self.rng.random_range(1..=u8::MAX);
                counters.corrupted(1);
                rest = &mut rest[bad + 1..];
                self.until_bad = chance::gap(share.fraction(), &mut self.rng);
            }
            self.until_bad = self.until_bad.saturating_sub(rest.len() as u64);
        }
    }

    fn truncate(&mut self, after: u64, pieces: &mut Vec<Piece>, counters: &Counters) -> Option<End> {
        let mut cut = false;
        for piece in &mut *pieces {
            let left = usize::try_from(after - self.seen.min(after)).unwrap_or(usize::MAX);
            self.seen += piece.bytes.len() as u64;
            counters.swallowed(piece.bytes.len().saturating_sub(left));
            piece.bytes.truncate(left);
            cut |= self.seen >= after;
        }
        pieces.retain(|piece| !piece.bytes.is_empty());
        if cut {
            counters.truncated();
        }
        cut.then_some(End::Close)
    }

    fn slice(&mut self, (bytes, vary): (u64, u64), pieces: &mut Vec<Piece>, counters: &Counters) {
        let mut sliced = Vec::new();
        for piece in pieces.drain(..) {
            let mut rest = &piece.bytes[..];
            while !rest.is_empty() {
                let low = bytes.saturating_sub(vary).max(1);
                let size = self.rng.random_range(low..=bytes.saturating_add(vary).max(low));
                let (head, tail) = rest.split_at(usize::try_from(size).unwrap_or(usize::MAX).min(rest.len()));
                counters.sliced(u64::from(!tail.is_empty()));
                sliced.push(Piece {
                    bytes: head.to_vec(),
                    ..piece
                });
                rest = tail;
            }
        }
        *pieces = sliced;
    }
}

/// The nanoseconds that `bytes` take at a rate of so many per second.
fn per(bytes: u64, rate: u64) -> u64 {
    let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(rate.max(1));
    u64::try_from(nanos).unwrap_or(u64::MAX).min(LONGEST.as_nanos() as u64)
}

/// The size of a rate's pieces.
fn quantum(rate: u64) -> usize {
    let bytes = u128::from(rate) * QUANTUM.as_nanos() / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX).clamp(PIECE.0, PIECE.1) as usize
}

fn split(size: usize, pieces: &mut Vec<Piece>) {
    if pieces.iter().all(|piece| piece.bytes.len() <= size) {
        return;
    }
    let parts = pieces.drain(..).flat_map(|piece| {
        let parts: Vec<_> = piece.bytes.chunks(size).map(<[u8]>::to_vec).collect();
        parts.into_iter().map(move |bytes| Piece { bytes, ..piece })
    });
    *pieces = parts.collect();
}

#[cfg(test)]
mod tests;
