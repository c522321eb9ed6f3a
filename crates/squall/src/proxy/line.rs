//! The delay line of one direction: what has been read and is not yet to be written.

use std::collections::VecDeque;
use std::time::Instant;

use super::buffers::Buffers;
use super::stage::Piece;

/// How many bytes one direction holds before it stops reading: what 10 ms take at 25 Gbit/s, so that it is not the line
/// that makes a machine's own links slow. The sender then feels backpressure, as it would on a long link with a full
/// window; nothing is lost.
pub(super) const CAPACITY: usize = 32 << 20;

/// How a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its sender said that no more will come.
    Fin,
    /// It broke off.
    Reset,
    /// An impairment closes the connection.
    Close,
}

/// Pieces in arrival order, each with the moment before which it must not be written.
pub(super) struct Line {
    pieces: VecDeque<Piece>,
    /// How many bytes of the first piece have left.
    sent: usize,
    /// Bytes in `pieces` that have not left.
    held: usize,
    /// The memory that `pieces` take.
    cost: usize,
    /// No later piece is due before this, so that jitter never changes the order.
    last_due: Option<Instant>,
    end: Option<Ending>,
}

/// The end of a stream on its way.
#[derive(Debug, Clone, Copy)]
struct Ending {
    at: Instant,
    /// When it may be noticed; `None` for not under the present rules.
    due: Option<Instant>,
    how: End,
}

impl Line {
    pub(super) fn new() -> Self {
        Self {
            pieces: VecDeque::new(),
            sent: 0,
            held: 0,
            cost: 0,
            last_due: None,
            end: None,
        }
    }

    /// Appends a piece, which leaves when it is due, or when those before it are if that is later.
    pub(super) fn push(&mut self, mut piece: Piece, buffers: &mut Buffers) {
        piece.due = piece.due.max(self.last_due.unwrap_or(piece.due));
        self.last_due = Some(piece.due);
        self.held += piece.bytes.len();
        self.cost += cost(&piece);
        buffers.hold(cost(&piece));
        self.pieces.push_back(piece);
    }

    /// Appends the end of the stream, which travels like a piece. The first end is the one that counts.
    pub(super) fn push_end(&mut self, at: Instant, due: Option<Instant>, how: End) {
        let due = due.map(|due| due.max(self.last_due.unwrap_or(due)));
        self.end.get_or_insert(Ending { at, due, how });
    }

    /// When the first thing held may leave.
    pub(super) fn next_due(&self) -> Option<Instant> {
        match self.pieces.front() {
            Some(piece) => Some(piece.due),
            None => self.end.and_then(|end| end.due),
        }
    }

    /// The bytes to write next, piece by piece.
    pub(super) fn due(&self, now: Instant) -> impl Iterator<Item = &[u8]> {
        let due = self.pieces.iter().take_while(move |piece| piece.due <= now);
        let first = std::iter::once(self.sent).chain(std::iter::repeat(0));
        due.zip(first).map(|(piece, from)| &piece.bytes[from..])
    }

    /// Removes the first `count` bytes, and gives back the buffers that held nothing else.
    pub(super) fn advance(&mut self, count: usize, buffers: &mut Buffers) {
        self.sent += count;
        self.held -= count;
        while self.pieces.front().is_some_and(|piece| piece.bytes.len() <= self.sent)
            && let Some(piece) = self.pieces.pop_front()
        {
            self.sent -= piece.bytes.len();
            self.cost -= cost(&piece);
            buffers.release(cost(&piece));
            buffers.give_back(piece.bytes);
        }
    }

    /// The end of the stream, if nothing is held before it.
    pub(super) fn end_reached(&self) -> Option<End> {
        self.end.filter(|_| self.pieces.is_empty()).map(|end| end.how)
    }

    /// Whether the end of the stream has been read.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some()
    }

    /// The memory that what is held takes.
    pub(super) fn cost(&self) -> usize {
        self.cost
    }

    /// Whether no bytes are held.
    pub(super) fn is_clear(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Whether there is room for another piece where `room` bytes are, `more` of which are taken already.
    pub(super) fn has_room(&self, room: usize, more: usize) -> bool {
        self.held + more < room
    }

    /// Says anew when each thing held may leave, given when it came.
    pub(super) fn reschedule(
        &mut self,
        mut piece_due: impl FnMut(&mut Piece),
        end_due: impl FnOnce(Instant) -> Option<Instant>,
    ) {
        self.last_due = None;
        for piece in &mut self.pieces {
            piece.due = piece.at;
            piece_due(piece);
            piece.due = piece.due.max(self.last_due.unwrap_or(piece.due));
            self.last_due = Some(piece.due);
        }
        if let Some(end) = &mut self.end {
            let due = end_due(end.at);
            end.due = due.map(|due| due.max(self.last_due.unwrap_or(due)));
        }
    }

    /// Lets what was to come later count as come by now.
    pub(super) fn hasten(&mut self, now: Instant) {
        self.pieces.iter_mut().for_each(|piece| piece.at = piece.at.min(now));
    }

    /// Lets all held bytes vanish and says how many they were. The end of the stream stays.
    pub(super) fn vanish(&mut self, buffers: &mut Buffers) -> usize {
        self.pieces.clear();
        buffers.release(std::mem::take(&mut self.cost));
        self.sent = 0;
        std::mem::take(&mut self.held)
    }
}

/// The memory a piece takes: of many small ones more than their bytes.
fn cost(piece: &Piece) -> usize {
    piece.bytes.capacity() + size_of::<Piece>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::buffers::BUDGET;
    use std::time::Duration;

    fn buffers() -> Buffers {
        Buffers::new(BUDGET)
    }

    fn piece(due: Instant, bytes: &[u8]) -> Piece {
        let (at, bytes) = (Instant::now(), bytes.to_vec());
        Piece { at, due, bytes }
    }

    /// What is to be written when everything is due.
    fn next(line: &Line) -> Vec<&[u8]> {
        line.due(Instant::now() + Duration::from_secs(60)).collect()
    }

    #[test]
    fn several_pieces_leave_at_once_and_what_is_left_begins_where_they_ended() {
        let mut line = Line::new();
        let mut buffers = buffers();
        for bytes in [&b"ab"[..], b"cd", b"ef"] {
            line.push(piece(Instant::now(), bytes), &mut buffers);
        }
        line.advance(3, &mut buffers);
        assert_eq!(next(&line), [&b"d"[..], b"ef"]);
        line.advance(3, &mut buffers);
        assert!(line.is_clear());
        assert_eq!(line.vanish(&mut buffers), 0);
        assert_eq!((line.cost(), buffers.held()), (0, 0));
    }

    #[test]
    fn a_piece_drawn_earlier_than_the_one_before_it_waits_for_it() {
        let start = Instant::now();
        let mut line = Line::new();
        let mut buffers = buffers();
        line.push(piece(start + Duration::from_secs(9), b"first"), &mut buffers);
        line.push(piece(start + Duration::from_secs(3), b"second"), &mut buffers);
        line.advance(5, &mut buffers);
        assert_eq!(next(&line), [b"second"]);
        assert_eq!(line.due(start).count(), 0);
        assert_eq!(line.next_due(), Some(start + Duration::from_secs(9)));
    }

    #[test]
    fn the_end_comes_after_every_byte() {
        let due = Instant::now() + Duration::from_secs(9);
        let mut line = Line::new();
        let mut buffers = buffers();
        line.push(piece(due, b"ab"), &mut buffers);
        line.push_end(due, Some(due), End::Fin);
        assert_eq!(line.end_reached(), None);
        line.advance(1, &mut buffers);
        assert_eq!((next(&line), line.end_reached()), (vec![&b"b"[..]], None));
        line.advance(1, &mut buffers);
        assert_eq!(line.end_reached(), Some(End::Fin));
        assert!(line.is_clear() && line.has_ended());
    }

    #[test]
    fn what_is_rescheduled_to_its_arrival_is_due_at_once() {
        let late = Instant::now() + Duration::from_secs(9);
        let mut line = Line::new();
        let mut buffers = buffers();
        line.push(piece(late, b"a"), &mut buffers);
        line.push_end(Instant::now(), None, End::Fin);
        line.reschedule(|_| {}, Some);
        assert!(line.next_due().unwrap() <= Instant::now());
        line.advance(1, &mut buffers);
        assert!(line.next_due().unwrap() <= Instant::now());
    }

    #[test]
    fn an_end_that_must_not_be_noticed_is_never_due() {
        let mut line = Line::new();
        line.push_end(Instant::now(), None, End::Fin);
        assert_eq!(line.next_due(), None);
    }

    #[test]
    fn a_full_line_has_no_room_until_its_bytes_leave() {
        let mut line = Line::new();
        let mut buffers = buffers();
        line.push(piece(Instant::now(), &vec![0; CAPACITY]), &mut buffers);
        assert!(!line.has_room(CAPACITY, 0));
        assert_eq!(line.vanish(&mut buffers), CAPACITY);
        assert!(line.has_room(CAPACITY, CAPACITY - 1) && line.is_clear());
        assert!(!line.has_room(CAPACITY, CAPACITY));
    }
}
