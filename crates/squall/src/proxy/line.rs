//! The delay line of one direction: what has been read and is not yet to be written.

use std::collections::VecDeque;
use std::time::Instant;

/// How many bytes one direction holds before it stops reading. The sender then feels
/// backpressure, as it would on a long link with a full window; nothing is lost.
const CAPACITY: usize = 16 << 20;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its sender said that no more will come.
    Fin,
    /// It broke off.
    Reset,
}

/// Chunks in arrival order, each with the moment before which it must not be written.
pub(super) struct Line {
    chunks: VecDeque<Chunk>,
    /// Bytes in `chunks`.
    held: usize,
    /// No later chunk is due before this, so that jitter never changes the order.
    last_due: Instant,
    end: Option<(Instant, End)>,
}

struct Chunk {
    due: Instant,
    bytes: Vec<u8>,
    /// How many of `bytes` have left.
    sent: usize,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            chunks: VecDeque::new(),
            held: 0,
            last_due: Instant::now(),
            end: None,
        }
    }

    /// Appends bytes that may leave at `due`, or when the bytes before them may if that is later.
    pub(super) fn push(&mut self, due: Instant, bytes: &[u8]) {
        self.last_due = self.last_due.max(due);
        self.held += bytes.len();
        self.chunks.push_back(Chunk {
            due: self.last_due,
            bytes: bytes.to_vec(),
            sent: 0,
        });
    }

    /// Appends the end of the stream, which travels like a chunk.
    pub(super) fn push_end(&mut self, due: Instant, end: End) {
        self.last_due = self.last_due.max(due);
        self.end = Some((self.last_due, end));
    }

    /// When the first thing held may leave.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let end = self.end.map(|(due, _)| due);
        self.chunks.front().map(|chunk| chunk.due).or(end)
    }

    /// The bytes to write next; empty when none are held.
    pub(super) fn front(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| &chunk.bytes[chunk.sent..])
    }

    /// Removes the first `count` bytes of [`Line::front`].
    pub(super) fn advance(&mut self, count: usize) {
        let Some(chunk) = self.chunks.front_mut() else {
            return;
        };
        chunk.sent += count;
        self.held -= count;
        if chunk.sent == chunk.bytes.len() {
            self.chunks.pop_front();
        }
    }

    /// The end of the stream, if nothing is held before it.
    pub(super) fn end_reached(&self) -> Option<End> {
        self.end.filter(|_| self.chunks.is_empty()).map(|(_, end)| end)
    }

    /// Whether the end of the stream has been read.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// Whether neither bytes nor an end are held.
    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.end.is_none()
    }

    /// Whether there is room for another chunk.
    pub(super) fn has_room(&self) -> bool {
        self.held < CAPACITY
    }

    /// Makes all that is held due at once.
    pub(super) fn release(&mut self) {
        let now = Instant::now();
        self.last_due = now;
        for chunk in &mut self.chunks {
            chunk.due = now;
        }
        if let Some((due, _)) = &mut self.end {
            *due = now;
        }
    }

    /// Lets all held bytes vanish and says how many they were. The end of the stream stays.
    pub(super) fn vanish(&mut self) -> usize {
        self.chunks.clear();
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_chunk_drawn_earlier_than_the_one_before_it_waits_for_it() {
        let start = Instant::now();
        let mut line = Line::new();
        line.push(start + Duration::from_secs(9), b"first");
        line.push(start + Duration::from_secs(3), b"second");
        line.advance(5);
        assert_eq!(line.front(), b"second");
        assert_eq!(line.next_due(), Some(start + Duration::from_secs(9)));
    }

    #[test]
    fn the_end_comes_after_every_byte() {
        let due = Instant::now() + Duration::from_secs(9);
        let mut line = Line::new();
        line.push(due, b"ab");
        line.push_end(due, End::Fin);
        assert_eq!(line.end_reached(), None);
        line.advance(1);
        assert_eq!((line.front(), line.end_reached()), (&b"b"[..], None));
        line.advance(1);
        assert_eq!(line.end_reached(), Some(End::Fin));
        assert!(!line.is_empty());
    }

    #[test]
    fn what_is_released_is_due_at_once() {
        let mut line = Line::new();
        line.push(Instant::now() + Duration::from_secs(9), b"a");
        line.release();
        assert!(line.next_due().unwrap() <= Instant::now());
    }

    #[test]
    fn a_full_line_has_no_room_until_its_bytes_leave() {
        let mut line = Line::new();
        line.push(Instant::now(), &vec![0; CAPACITY]);
        assert!(!line.has_room());
        assert_eq!(line.vanish(), CAPACITY);
        assert!(line.has_room() && line.is_empty());
    }
}
