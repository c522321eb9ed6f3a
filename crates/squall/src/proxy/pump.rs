//! One direction of one connection: reads, lets what was read pass the stages, writes what is due.

mod pipe;

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use squall_core::place::{Impair, Impairment, Way};

use super::line::{CAPACITY, End, Line};
use super::rule::Gate;
use super::stage::{Chance, Piece, Stage, Verdict};
use super::stats::{Cause, Counters};
use crate::poll::Flags;
use pipe::Bypass;

/// So often is read before others have their turn.
const TURNS: usize = 16;
/// So much is read at once however slow the link.
const PACE: usize = 2048;

/// One end of a connection, and what is known of it without asking.
pub(super) struct Side {
    pub(super) stream: TcpStream,
    readable: bool,
    writable: bool,
    /// Its end has come, so a short read is not the last.
    ending: bool,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            readable: true,
            writable: true,
            ending: false,
        }
    }

    /// Takes note of what an event says.
    pub(super) fn hear(&mut self, flags: Flags) {
        let broken = flags.intersects(Flags::ERR | Flags::HUP);
        self.readable |= broken || flags.intersects(Flags::IN | Flags::RDHUP);
        self.writable |= broken || flags.contains(Flags::OUT);
        self.ending |= broken || flags.contains(Flags::RDHUP);
    }

    /// Reads what there is. `None` when there is nothing now.
    fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match (&self.stream).read(into) {
                Ok(count) => {
                    // A stream gives all it has: less than was asked for is the rest.
                    self.readable = self.ending || count == into.len();
                    return Ok(Some(count));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.readable = false;
                    return Ok(None);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes as much as goes.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut sent = 0;
        while sent < bytes.len() && self.writable {
            match (&self.stream).write(&bytes[sent..]) {
                Ok(count) => sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sent)
    }

    /// Reads to its end and lets it all vanish. Says how much there was, and whether that was all there will be.
    pub(super) fn drain(&mut self, scratch: &mut [u8]) -> (usize, bool) {
        let mut vanished = 0;
        while self.readable {
            match self.read(scratch) {
                Ok(Some(0)) | Err(_) => return (vanished, true),
                Ok(Some(count)) => vanished += count,
                Ok(None) => {}
            }
        }
        (vanished, false)
    }
}

/// What a pump may use while it runs.
pub(super) struct Tools<'a> {
    pub(super) scratch: &'a mut [u8],
    pub(super) counters: &'a Counters,
    pub(super) gate: Gate,
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
        all: &[(u64, Impairment)],
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
        if !self.stages.is_empty() {
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
        let held = self.line.vanish();
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
            let blocked = self.stages.is_empty() && !self.line.is_clear();
            if blocked || !from.readable || self.line.has_ended() || !self.line.has_room(self.room) {
                return Ok(Turn::Waits);
            }
            let most = tools.scratch.len().min(self.room.max(PACE));
            match from.read(&mut tools.scratch[..most]) {
                Ok(None) => return Ok(Turn::Waits),
                Ok(Some(0)) => self.end(End::Fin, tools),
                Ok(Some(count)) => self.take(count, to, tools)?,
                Err(_) => self.end(End::Reset, tools),
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
    fn flush(&mut self, to: &mut Side, tools: &Tools<'_>) -> Result<Option<Turn>, Cause> {
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
            let front = self.line.front();
            let sent = to.write(front).map_err(|_| Cause::Peer)?;
            let all = sent == front.len();
            self.line.advance(sent);
            tools.counters.delivered(self.up, sent);
            if !all {
                break;
            }
            match self.line.next_due() {
                Some(next) => due = next,
                None => break,
            }
        }
        Ok(None)
    }

    /// Passes on what was read: at once where nothing hinders it.
    fn take(&mut self, count: usize, to: &mut Side, tools: &mut Tools<'_>) -> Result<(), Cause> {
        let bytes = &tools.scratch[..count];
        if self.stages.is_empty() && self.line.is_clear() {
            let sent = to.write(bytes).map_err(|_| Cause::Peer)?;
            tools.counters.delivered(self.up, sent);
            self.bypass.note(count == tools.scratch.len() && sent == count);
            if sent < count {
                self.hold(&bytes[sent..]);
            }
            return Ok(());
        }
        let now = Instant::now();
        let (at, due, bytes) = (now, now, bytes.to_vec());
        let mut pieces = vec![Piece { at, due, bytes }];
        // Two delays hold the same bytes.
        if self
            .stages
            .iter()
            .any(|stage| matches!(stage.what, Impair::Delay { .. }))
        {
            tools.counters.delayed(count);
        }
        if self
            .stages
            .iter()
            .any(|stage| matches!(stage.what, Impair::Rate { .. }))
        {
            tools.counters.throttled(count);
        }
        let mut ends = None;
        for stage in &mut self.stages {
            self.lost |= stage.is_silent() && !pieces.is_empty();
            let end = stage.pass(&mut pieces, tools.counters);
            ends = ends.or(end);
        }
        pieces.into_iter().for_each(|piece| self.line.push(piece));
        if let Some(end) = ends {
            self.line.push_end(now, Some(now), end);
        }
        if !self.line.has_room(CAPACITY) {
            tools.counters.line_filled();
        }
        Ok(())
    }

    fn hold(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        let (at, due, bytes) = (now, now, bytes.to_vec());
        self.line.push(Piece { at, due, bytes });
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
            match from.read(tools.scratch) {
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
