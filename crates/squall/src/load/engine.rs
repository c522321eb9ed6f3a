//! One thread of load: takes up what is due, and waits for connections in between.
//!
//! Requests that are due and find no connection wait in the schedule itself, in their order: there is no queue that
//! could grow. The clock is read again before every decision that depends on it; a reading costs tens of
//! nanoseconds, a request some microseconds.

mod connection;
mod deadlines;
mod effort;
mod news;

use std::io;
use std::iter::{Skip, StepBy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use squall_core::schedule::{Due, Dues};
use squall_core::time::{Nanos, nanos};

use super::Load;
use super::session::{Done, Failed, Outcome, Session, Unknown};
use super::tally::Tally;
use super::wire::Wire;
use crate::poll::{Bell, Poll};
use connection::{Connection, Stage};
use deadlines::Deadlines;
use effort::Stopwatch;

/// What is read at once.
const PIECE: usize = 64 << 10;
/// So many requests are taken up before connections are looked at again.
const AT_ONCE: usize = 64;

/// A thread's part of the load.
pub(super) struct Engine<S: Session> {
    session: S,
    target: SocketAddr,
    patience: Nanos,
    drain: Nanos,
    /// So many connections at most.
    most: usize,
    begin: Instant,
    /// The last reading of the clock, since `begin`.
    now: Nanos,
    /// Everything is given up then.
    end: Nanos,
    /// The next request, and those after it.
    next: Option<Due>,
    dues: StepBy<Skip<Dues>>,
    /// No more requests are taken up.
    halted: bool,
    halt: Arc<Bell>,
    poll: Poll,
    connections: Vec<Connection<S::Wire>>,
    /// Those that are open and take a request.
    idle: Vec<usize>,
    /// Those that are to be opened again.
    closed: Vec<usize>,
    /// How many wait for a connection or a reply.
    busy: usize,
    deadlines: Deadlines,
    piece: Box<[u8]>,
    tally: Tally,
}

impl<S: Session> Engine<S> {
    /// The part of the load that is due at `dues`, begun at a moment, until it is halted.
    pub(super) fn new(
        load: &Load,
        session: S,
        mut dues: StepBy<Skip<Dues>>,
        (begin, halt): (Instant, Arc<Bell>),
    ) -> io::Result<Self> {
        let poll = Poll::new(&halt)?;
        Ok(Self {
            session,
            target: load.target,
            patience: nanos(load.patience),
            drain: nanos(load.drain),
            most: load.connections.max(1),
            begin,
            now: 0,
            end: load.schedule.length().saturating_add(nanos(load.drain)),
            next: dues.next(),
            dues,
            halted: false,
            halt,
            poll,
            connections: Vec::new(),
            idle: Vec::new(),
            closed: Vec::new(),
            busy: 0,
            deadlines: Deadlines::default(),
            piece: vec![0; PIECE].into_boxed_slice(),
            tally: Tally::new(load.schedule.stretches().len()).map_err(io::Error::other)?,
        })
    }

    /// Sends until everything is answered or given up.
    pub(super) fn run(mut self) -> io::Result<(Tally, S)> {
        // Without it everything is up to 50 µs later, which is no reason not to run.
        _ = nix::sys::prctl::set_timerslack(1);
        let stopwatch = Stopwatch::start();
        self.wait_for_begin()?;
        while !self.is_over() {
            self.poll.wait(Some(self.patience()))?;
            self.now = self.clock();
            for number in 0..self.poll.len() {
                self.heed(number);
                self.take_up_dues();
            }
            self.take_up_dues();
            self.give_up_late();
        }
        for index in 0..self.connections.len() {
            self.give_up(index);
        }
        for due in self.next.into_iter().chain(self.dues) {
            self.tally.count_unsent(&due);
        }
        self.tally.efforts.extend(stopwatch.stop());
        Ok((self.tally, self.session))
    }

    fn wait_for_begin(&mut self) -> io::Result<()> {
        while let Some(ahead) = self.begin.checked_duration_since(Instant::now())
            && !ahead.is_zero()
            && !self.halted
        {
            self.poll.wait(Some(nanos(ahead)))?;
            // There are no connections yet: whatever there is, it is the halt.
            self.halted = self.poll.len() > 0;
        }
        Ok(())
    }

    fn clock(&self) -> Nanos {
        nanos(self.begin.elapsed())
    }

    fn is_over(&self) -> bool {
        let all_taken_up = self.halted || self.next.is_none();
        (all_taken_up && self.busy == 0) || self.now >= self.end
    }

    /// How long nothing is to be done unless a connection has news.
    fn patience(&self) -> Nanos {
        let has_room = !self.idle.is_empty() || !self.closed.is_empty() || self.connections.len() < self.most;
        let next = self.next.filter(|_| has_room && !self.halted).map(|due| due.at);
        let until = [next, self.deadlines.next()]
            .into_iter()
            .flatten()
            .fold(self.end, Nanos::min);
        until.saturating_sub(self.clock())
    }

    /// Takes up what is due, as long as there are connections for it.
    fn take_up_dues(&mut self) {
        for _ in 0..AT_ONCE {
            let Some(due) = self.next.filter(|_| !self.halted) else {
                return;
            };
            if due.at > self.now {
                self.now = self.clock();
                if due.at > self.now {
                    return;
                }
            }
            let Some(index) = self.free_connection() else {
                return;
            };
            self.next = self.dues.next();
            self.take_up(index, due);
        }
    }

    fn free_connection(&mut self) -> Option<usize> {
        // The one used last is the one whose memory is at hand.
        let free = self.idle.pop().or_else(|| self.closed.pop());
        if free.is_none() && self.connections.len() < self.most {
            self.connections.push(Connection::new(self.session.wire()));
            return Some(self.connections.len() - 1);
        }
        free
    }

    fn take_up(&mut self, index: usize, due: Due) {
        let connection = &mut self.connections[index];
        connection.request.clear();
        let expect = self.session.request(&due, &mut connection.request);
        self.now = nanos(self.begin.elapsed());
        self.busy += 1;
        connection.take_up(due, expect, self.now);
        connection.deadline = self.now.saturating_add(self.patience);
        if !std::mem::replace(&mut connection.is_watched, true) {
            self.deadlines.watch(index, connection.deadline);
        }
        if connection.stage == Stage::Idle {
            connection.put_request();
            self.send(index);
        } else {
            self.open(index);
        }
    }

    fn open(&mut self, index: usize) {
        let wire = self.session.wire();
        let connection = &mut self.connections[index];
        let opened = connection.open(self.target, wire).map(|()| connection.key(index));
        let watched = opened.and_then(|key| {
            let stream = connection.stream.as_ref().ok_or(Failed::NoSocket)?;
            self.poll.sockets().watch(stream, key).map_err(|_| Failed::NoSocket)
        });
        if let Err(why) = watched {
            self.finish(index, Outcome::Failed(why), false);
        }
    }

    /// Gives up what was not answered in time.
    fn give_up_late(&mut self) {
        while let Some(index) = self.deadlines.passed(self.now) {
            let connection = &mut self.connections[index];
            connection.is_watched = false;
            if !connection.has_request() {
                continue;
            }
            if connection.deadline <= self.now {
                self.give_up(index);
            } else {
                connection.is_watched = true;
                self.deadlines.watch(index, connection.deadline);
            }
        }
    }

    fn give_up(&mut self, index: usize) {
        let connection = &self.connections[index];
        if !connection.has_request() {
            return;
        }
        let outcome = match connection.sent {
            Some(_) => Outcome::Unknown(Unknown::TimedOut),
            None => Outcome::Failed(Failed::NotConnected),
        };
        self.finish(index, outcome, false);
    }

    /// Tells what came of a connection's request.
    fn finish(&mut self, index: usize, outcome: Outcome, reuse: bool) {
        let connection = &mut self.connections[index];
        connection.free_at = self.now;
        self.busy -= 1;
        let body = match outcome {
            Outcome::Answered(_) => connection.wire.body(),
            _ => &[],
        };
        let done = Done {
            due: connection.due,
            sent: connection.sent,
            ret: self.now,
            outcome,
            body,
        };
        self.tally.count(&done, connection.own_lateness);
        self.session.done(&done);
        if reuse {
            connection.stage = Stage::Idle;
            self.idle.push(index);
        } else {
            self.close(index);
        }
    }

    fn close(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        match connection.stage {
            Stage::Closed => return,
            Stage::Idle => self.idle.retain(|idle| *idle != index),
            Stage::Connecting | Stage::Busy => {}
        }
        connection.close();
        self.closed.push(index);
    }
}
