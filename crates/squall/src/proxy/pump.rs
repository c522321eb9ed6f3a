//! One direction of one connection: reads, lets what was read pass the stages, writes what is due.

mod pipe;
mod side;

use std::io::IoSlice;
use std::net::Shutdown;
use std::time::Instant;

use squall_core::place::{Impair, Impairment, Way};
use squall_core::protocol::Ending;

use super::buffers::{Buffers, SCANT};
use super::exchange::Exchange;
use super::line::{CAPACITY, End, Line};
use super::rule::Gate;
use super::stage::{Chance, Piece, Stage, Verdict};
use super::stats::{Cause, Counters};
use pipe::Bypass;
pub(super) use side::Side;

/// So often is read and written before others have their turn.
const TURNS: usize = 4;
/// So many reads are passed on together: each write of more than a little wakes the other end, and a gigabyte that
/// is written by the megabyte costs half of one that is written as it was read.
const TOGETHER: usize = 16;
/// So much is read at once however slow the link.
const PACE: usize = 2048;

/// What a pump may use while it runs.
pub(super) struct Tools<'a> {
    pub(super) buffers: &'a mut Buffers,
    pub(super) counters: &'a Counters,
    pub(super) gate: Gate,
    /// Who reads along, while a pump runs whose requests are picked out.
    pub(super) exchange: Option<Box<Exchange>>,
}

/// Where a run of a pump has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There is nothing to do before something happens.
    Waits,
    /// There is more to do, and others had better have their turn first.
    More,
    /// An impairment closes the connection.
    Closes,
}

/// One direction of one connection.
pub(super) struct Pump {
    up: bool,
    line: Line,
    stages: Vec<Stage>,
    /// Nothing hinders its bytes, and nobody reads along.
    plain: bool,
    /// Bytes that may be held before nothing more is read.
    room: usize,
    /// The end has been passed on.
    pub(super) done: bool,
    /// Bytes have vanished: the stream has a hole and must not go on after it.
    pub(super) lost: bool,
    bypass: Bypass,
}

impl Pump {
    pub(super) fn new(up: bool) -> Self {
        Self {
            up,
            line: Line::new(),
            stages: Vec::new(),
            plain: true,
            room: CAPACITY,
            done: false,
            lost: false,
            bypass: Bypass::default(),
        }
    }

    /// Takes up what hinders it from now on. What is held keeps its moment when something was added, and is
    /// scheduled anew when something no longer holds.
    ///
    /// # Errors
    /// When the connection must not go on under other rules than it had.
    pub(super) fn obey(
        &mut self,
        (all, reads): (&[(u64, Impairment)], bool),
        (chance, now): (Chance, Instant),
        tools: &mut Tools<'_>,
    ) -> Result<(), Verdict> {
        let mine = if self.up { Way::Up } else { Way::Down };
        let mine: Vec<_> = all
            .iter()
            .filter(|(_, it)| it.way == Way::Both || it.way == mine)
            .collect();
        let mut old = std::mem::take(&mut self.stages);
        for (key, it) in mine {
            let same = |stage: &Stage| stage.key == *key && stage.what == it.what;
            self.stages.push(match old.iter().position(same) {
                Some(index) => old.remove(index),
                None => Stage::new(*key, it.what, chance.rng(*key, self.up), now),
            });
        }
        self.plain = self.stages.is_empty() && !reads;
        if !self.plain {
            self.leave_bypass(tools);
        }
        let least = self.stages.iter().filter_map(Stage::room).min();
        self.room = least.unwrap_or(CAPACITY);
        let silent = self.stages.iter().any(Stage::is_silent);
        if old.iter().any(Stage::closes_when_removed) && !silent {
            return Err(Verdict::Close);
        }
        if old.iter().any(Stage::is_silent) && !silent && self.lost {
            return Err(Verdict::Reset);
        }
        if !old.is_empty() {
            self.reschedule(now);
        }
        Ok(())
    }

    fn reschedule(&mut self, now: Instant) {
        for stage in &mut self.stages {
            stage.start_over(now);
        }
        let stages = std::cell::RefCell::new(&mut self.stages);
        self.line.reschedule(
            |piece| stages.borrow_mut().iter_mut().for_each(|stage| stage.defer(piece)),
            |at| {
                stages
                    .borrow_mut()
                    .iter_mut()
                    .try_fold(at, |due, stage| stage.defer_end(due))
            },
        );
    }

    /// Lets what is held vanish, as a link does that carries nothing any more.
    pub(super) fn vanish(&mut self, tools: &mut Tools<'_>) {
        self.leave_bypass(tools);
        let held = self.line.vanish(tools.buffers);
        self.swallowed(held, tools.counters);
    }

    /// Reads and writes until there is nothing to do, or for long enough.
    ///
    /// # Errors
    /// When the connection is to be reset, and why.
    pub(super) fn run(&mut self, from: &mut Side, to: &mut Side, tools: &mut Tools<'_>) -> Result<Turn, Cause> {
        if tools.gate != Gate::Open {
            self.swallow(from, tools);
            return Ok(Turn::Waits);
        }
        for _ in 0..TURNS {
            if self.bypass.is_on() {
                match self.pass_by(from, to, tools)? {
                    Some(turn) => return Ok(turn),
                    None => continue,
                }
            }
            if let Some(turn) = self.flush(to, tools)? {
                return Ok(turn);
            }
            // Where nothing hinders, what is held waits for the other end alone: reading more would hide that.
            let blocked = self.plain && !self.line.is_clear();
            if blocked || !from.readable || self.line.has_ended() || !self.may_read(0, tools.buffers) {
                return Ok(Turn::Waits);
            }
            match self.plain {
                true => self.copy(from, to, tools)?,
                false => self.gather(from, tools),
            }
        }
        Ok(Turn::More)
    }

    /// When something is to be done although nothing has happened.
    pub(super) fn alarm(&self, to: &Side) -> Option<Instant> {
        let due = self.line.next_due().filter(|_| to.writable && !self.done);
        let ends = self.stages.iter().filter_map(Stage::ends).map(|(when, _)| when);
        ends.chain(due).min()
    }

    /// What the stages have made of the connection by now.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        let ends = self.stages.iter().filter_map(Stage::ends);
        let (when, verdict) = ends.min_by_key(|(when, _)| *when)?;
        (when <= Instant::now()).then_some(verdict)
    }

    /// Writes what is due. Returns a turn when that is all for now.
    fn flush(&mut self, to: &mut Side, tools: &mut Tools<'_>) -> Result<Option<Turn>, Cause> {
        if self.done {
            return Ok(Some(Turn::Waits));
        }
        let Some(mut due) = self.line.next_due() else {
            return Ok(None);
        };
        let now = Instant::now();
        while due <= now {
            match self.line.end_reached() {
                Some(End::Reset) => return Err(Cause::Peer),
                Some(how @ (End::Fin | End::Close)) => {
                    self.done = true;
                    // When it fails the other end has gone, and nobody is left to be told.
                    _ = to.stream.shutdown(Shutdown::Write);
                    return Ok(Some(if how == End::Close { Turn::Closes } else { Turn::Waits }));
                }
                None => {}
            }
            let mut pieces = [IoSlice::new(&[]); TOGETHER];
            // Slices are for the other end to see one by one.
            let apart = self.stages.iter().any(Stage::slices);
            let mut count = 0;
            let due_now = self.line.due(now).take(if apart { 1 } else { TOGETHER });
            for (place, piece) in pieces.iter_mut().zip(due_now) {
                *place = IoSlice::new(piece);
                count += 1;
            }
            let sent = to.write_pieces(&pieces[..count]).map_err(|_| Cause::Peer)?;
            self.line.advance(sent, tools.buffers);
            tools.counters.delivered(self.up, sent);
            if !to.writable {
                break;
            }
            match self.line.next_due() {
                Some(next) => due = next,
                None => break,
            }
        }
        Ok(None)
    }

    /// Reads, and passes on at once what nothing hinders.
    fn copy(&mut self, from: &mut Side, to: &mut Side, tools: &mut Tools<'_>) -> Result<(), Cause> {
        let scratch = tools.buffers.scratch();
        match from.read(scratch) {
            Ok(None) => {}
            Ok(Some(0)) => self.end(End::Fin, tools),
            Ok(Some(count)) => {
                let (bytes, full) = (&scratch[..count], count == scratch.len());
                let sent = to.write(bytes).map_err(|_| Cause::Peer)?;
                tools.counters.delivered(self.up, sent);
                self.bypass.note(full && sent == count);
                if sent < count {
                    let rest = bytes[sent..].to_vec();
                    self.hold(rest, tools);
                }
            }
            Err(_) => self.end(End::Reset, tools),
        }
        Ok(())
    }

    /// Reads what there is, within reason, and lets it pass the stages.
    fn gather(&mut self, from: &mut Side, tools: &mut Tools<'_>) {
        let (mut read, mut count, mut ending) = (Vec::new(), 0, None);
        while from.readable && ending.is_none() && read.len() < TOGETHER && self.may_read(count, tools.buffers) {
            let scant = !tools.buffers.have_room(count);
            let scratch = tools.buffers.scratch();
            let most = if scant { SCANT } else { scratch.len() }.min(self.room.max(PACE));
            match from.read(&mut scratch[..most]) {
                Ok(None) => {}
                Ok(Some(0)) => ending = Some(End::Fin),
                Ok(Some(bytes)) => {
                    count += bytes;
                    read.push(tools.buffers.keep(bytes));
                }
                Err(_) => ending = Some(End::Reset),
            }
        }
        // The moment after the last one was read, so that none leaves early.
        let now = Instant::now();
        if !read.is_empty() {
            let piece = |bytes| Piece {
                at: now,
                due: now,
                bytes,
            };
            let mut pieces = read.into_iter().map(piece).collect();
            if let Some(exchange) = &mut tools.exchange {
                pieces = exchange.read(self.up, pieces, tools.counters);
            }
            self.pass(pieces, tools);
        }
        if let Some(how) = ending {
            if let Some(rest) = tools.exchange.as_mut().and_then(|it| it.rest(self.up, tools.counters)) {
                self.pass(vec![rest], tools);
            }
            self.end(how, tools);
        }
    }

    /// Passes on what the client is told although the upstream has said nothing.
    pub(super) fn tell(&mut self, tools: &mut Tools<'_>) {
        let Some(exchange) = &mut tools.exchange else { return };
        let (told, ending) = (exchange.told(tools.counters), exchange.ending());
        if let Some(piece) = told {
            self.pass(vec![piece], tools);
        }
        if ending == Some(Ending::Close) {
            let now = Instant::now();
            self.line.push_end(now, Some(now), End::Close);
        }
    }

    /// Nothing is late any more on account of who read along so far; when they read no further, what they held goes on.
    pub(super) fn catch_up(&mut self, exchange: &mut Exchange, reads_on: bool, tools: &mut Tools<'_>) {
        let now = Instant::now();
        self.line.hasten(now);
        if !reads_on && let Some(rest) = exchange.rest(self.up, tools.counters) {
            self.pass(vec![rest], tools);
        }
        self.reschedule(now);
    }

    /// The memory that what is held takes.
    pub(super) fn cost(&self) -> usize {
        self.line.cost()
    }

    /// Whether nothing is held.
    pub(super) fn is_clear(&self) -> bool {
        self.line.is_clear()
    }

    fn pass(&mut self, mut pieces: Vec<Piece>, tools: &mut Tools<'_>) {
        // Two delays hold the same bytes, and the longer one most of them.
        let (mut delayed, mut throttled) = (0, 0);
        let mut ends = None;
        for stage in &mut self.stages {
            self.lost |= stage.is_silent() && !pieces.is_empty();
            let end = stage.pass(&mut pieces, tools.counters);
            ends = ends.or(end);
            match stage.what {
                Impair::Delay { .. } => delayed = stage.held.max(delayed),
                Impair::Rate { .. } => throttled = stage.held.max(throttled),
                _ => {}
            }
        }
        tools.counters.delayed(delayed);
        tools.counters.throttled(throttled);
        pieces
            .into_iter()
            .for_each(|piece| self.line.push(piece, tools.buffers));
        if let Some(end) = ends {
            let now = Instant::now();
            self.line.push_end(now, Some(now), end);
        }
        if !self.line.has_room(CAPACITY, 0) || !tools.buffers.have_room(0) {
            tools.counters.line_filled();
        }
    }

    /// Whether more may be read than has been, and than `more`.
    fn may_read(&self, more: usize, buffers: &Buffers) -> bool {
        // What holds something goes on when that leaves; what holds nothing has nothing to wait for.
        let idle = more == 0 && self.line.is_clear();
        self.line.has_room(self.room, more) && (idle || buffers.have_room(more))
    }

    fn hold(&mut self, bytes: Vec<u8>, tools: &mut Tools<'_>) {
        let now = Instant::now();
        let (at, due) = (now, now);
        self.line.push(Piece { at, due, bytes }, tools.buffers);
    }

    /// Takes note of the stream's end.
    fn end(&mut self, how: End, tools: &Tools<'_>) {
        let now = Instant::now();
        let due = self.stages.iter_mut().try_fold(now, |due, stage| {
            stage.meet_end(tools.counters);
            stage.defer_end(due)
        });
        self.line.push_end(now, due, how);
    }

    /// Lets everything vanish. The end is kept for when the link carries bytes again.
    pub(super) fn swallow(&mut self, from: &mut Side, tools: &mut Tools<'_>) {
        while from.readable && !self.line.has_ended() {
            match from.read(tools.buffers.scratch()) {
                Ok(None) => {}
                Ok(Some(0)) => self.end(End::Fin, tools),
                Ok(Some(count)) => self.swallowed(count, tools.counters),
                Err(_) => self.end(End::Reset, tools),
            }
        }
    }

    fn swallowed(&mut self, count: usize, counters: &Counters) {
        counters.swallowed(count);
        self.lost |= count > 0;
    }
}
