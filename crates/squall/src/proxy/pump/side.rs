//! One end of a connection.

use std::io::{self, ErrorKind, IoSlice, Read as _, Write as _};
use std::net::TcpStream;

use crate::poll::Flags;

/// One end of a connection, and what is known of it without asking.
pub(in crate::proxy) struct Side {
    pub(in crate::proxy) stream: TcpStream,
    pub(super) readable: bool,
    pub(super) writable: bool,
    /// Its end has come, so a short read is not the last.
    ending: bool,
}

impl Side {
    pub(in crate::proxy) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            readable: true,
            writable: true,
            ending: false,
        }
    }

    /// Takes note of what an event says.
    pub(in crate::proxy) fn hear(&mut self, flags: Flags) {
        let broken = flags.intersects(Flags::ERR | Flags::HUP);
        self.readable |= broken || flags.intersects(Flags::IN | Flags::RDHUP);
        self.writable |= broken || flags.contains(Flags::OUT);
        self.ending |= broken || flags.contains(Flags::RDHUP);
    }

    /// Reads what there is. `None` when there is nothing now.
    pub(super) fn read(&mut self, into: &mut [u8]) -> io::Result<Option<usize>> {
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
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
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

    /// Writes what of several pieces goes at once.
    pub(super) fn write_pieces(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        if let [piece] = pieces {
            return self.write(piece);
        }
        while self.writable {
            match (&self.stream).write_vectored(pieces) {
                Ok(count) => return Ok(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }

    /// Reads to its end and lets it all vanish. Says how much there was, and whether that was all there will be.
    pub(in crate::proxy) fn drain(&mut self, scratch: &mut [u8]) -> (usize, bool) {
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
