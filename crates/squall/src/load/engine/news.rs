//! What happens on a connection, and what follows from it.

use std::io::{self, Read as _};

use super::connection::{Connection, Sent, Stage};
use super::{Engine, PIECE};
use crate::load::session::{Failed, Outcome, Session, Unknown};
use crate::load::wire::{Read, Wire};
use crate::poll::{BELL, Flags};

impl<S: Session> Engine<S> {
    /// Does what an event asks for.
    pub(super) fn heed(&mut self, number: usize) {
        let (key, flags) = self.poll.event(number);
        if key == BELL {
            self.halt.clear();
            self.halted = true;
            self.end = self.end.min(self.now.saturating_add(self.drain));
            return;
        }
        let index = Connection::<S::Wire>::index(key);
        if !self.is_current(key) {
            return;
        }
        match self.connections[index].stage {
            Stage::Closed => {}
            Stage::Connecting => self.connected(index, flags),
            Stage::Busy => {
                if flags.contains(Flags::OUT) && self.connections[index].has_more_to_send() {
                    self.send(index);
                }
                if self.is_current(key) {
                    self.read(index, flags);
                }
            }
            Stage::Idle => self.read(index, flags),
        }
    }

    /// Whether an event is about a connection that is still the one it was about.
    fn is_current(&self, key: u64) -> bool {
        let index = Connection::<S::Wire>::index(key);
        self.connections
            .get(index)
            .is_some_and(|connection| connection.key(index) == key)
    }

    /// A connection came about, or did not.
    fn connected(&mut self, index: usize, flags: Flags) {
        match self.connections[index].connected(flags) {
            Ok(false) => {}
            Ok(true) => {
                self.now = self.clock();
                self.send(index);
                self.read(index, flags);
            }
            Err(why) => {
                self.now = self.clock();
                self.finish(index, Outcome::Failed(why), false);
            }
        }
    }

    pub(super) fn send(&mut self, index: usize) {
        match self.connections[index].send(self.now) {
            Sent::Part | Sent::All => {}
            Sent::CutOff => self.cut_off(index),
        }
    }

    /// Reads what there is; one read where a reply comes in one piece.
    fn read(&mut self, index: usize, flags: Flags) {
        if !flags.intersects(Flags::IN | Flags::RDHUP | Flags::HUP | Flags::ERR) {
            return;
        }
        let is_ending = flags.intersects(Flags::RDHUP | Flags::HUP | Flags::ERR);
        loop {
            let connection = &mut self.connections[index];
            let Some(stream) = &mut connection.stream else {
                return;
            };
            match stream.read(&mut self.piece) {
                Ok(0) => {
                    self.now = self.clock();
                    return self.ended(index);
                }
                Ok(count) => {
                    self.now = self.clock();
                    self.feed(index, count);
                    // Another edge comes with whatever comes after a piece that was not full.
                    if count < PIECE && !is_ending {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    self.now = self.clock();
                    return self.cut_off(index);
                }
            }
        }
    }

    /// Has the wire read the first `count` bytes of the piece.
    fn feed(&mut self, index: usize, count: usize) {
        let connection = &mut self.connections[index];
        if connection.stage != Stage::Busy {
            // Nobody asked for this.
            return self.close(index);
        }
        match connection.wire.read(&self.piece[..count]) {
            Ok(Read::More) => {}
            Ok(Read::Done { used, reply }) => {
                let reuse = reply.reuse && used == count && !connection.has_more_to_send();
                connection.is_used |= reuse;
                self.finish(index, Outcome::Answered(reply.status), reuse);
            }
            Err(mistake) => self.finish(index, Outcome::Unknown(Unknown::Malformed(mistake)), false),
        }
    }

    /// The other side has sent all it will.
    fn ended(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        let reply = match connection.stage {
            Stage::Busy => connection.wire.end(),
            _ => None,
        };
        match reply {
            Some(reply) => self.finish(index, Outcome::Answered(reply.status), false),
            None => self.cut_off(index),
        }
    }

    /// The connection is gone, and its reply with it.
    fn cut_off(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        match connection.stage {
            Stage::Idle | Stage::Closed => self.close(index),
            // It was closed while nobody looked, before this request: that is no answer to it.
            _ if connection.sent.is_none() && connection.is_used => self.open(index),
            _ if connection.sent.is_none() => self.finish(index, Outcome::Failed(Failed::NotConnected), false),
            _ => self.finish(index, Outcome::Unknown(Unknown::CutOff), false),
        }
    }
}
