//! One connection, and the request it works on.

use std::io::{self, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use libc::{EADDRNOTAVAIL, ECONNREFUSED, EINPROGRESS, EMFILE, ENFILE, ENOBUFS, ENOMEM};
use socket2::{Domain, Protocol, Socket, Type};
use squall_core::schedule::Due;
use squall_core::time::Nanos;

use crate::load::session::Failed;
use crate::load::wire::Wire;
use crate::poll::Flags;

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Closed,
    /// With a request that is sent once it is open.
    Connecting,
    /// Open, without a request.
    Idle,
    /// With a request that was put on it.
    Busy,
}

/// How far sending came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    All,
    /// The rest goes when there is room.
    Part,
    /// The connection does not take it.
    CutOff,
}

pub(super) struct Connection<W: Wire> {
    pub(super) stage: Stage,
    pub(super) stream: Option<TcpStream>,
    pub(super) wire: W,
    /// Counts how often it was opened and closed, so that news of an earlier one is told apart.
    generation: u32,
    /// Whether it has had a reply since it was opened.
    pub(super) is_used: bool,
    /// When its last request ended.
    pub(super) free_at: Nanos,
    /// Its deadline, or an earlier one of its own, is being watched.
    pub(super) is_watched: bool,
    /// When its request is given up.
    pub(super) deadline: Nanos,

    pub(super) due: Due,
    pub(super) request: Vec<u8>,
    expect: Option<W::Expect>,
    /// So many bytes of the request have gone.
    gone: usize,
    /// Just before the first of them went.
    pub(super) sent: Option<Nanos>,
    /// How late it was taken up, though it was due and the connection free.
    pub(super) own_lateness: Nanos,
}

impl<W: Wire> Connection<W> {
    pub(super) fn new(wire: W) -> Self {
        Self {
            stage: Stage::Closed,
            stream: None,
            wire,
            generation: 0,
            is_used: false,
            free_at: 0,
            is_watched: false,
            deadline: 0,
            due: Due {
                k: 0,
                stretch: 0,
                at: 0,
            },
            request: Vec::new(),
            expect: None,
            gone: 0,
            sent: None,
            own_lateness: 0,
        }
    }

    /// What its events carry. Different after it was closed.
    pub(super) fn key(&self, index: usize) -> u64 {
        (u64::from(self.generation) << 32) | index as u64
    }

    /// Whose event carries `key`.
    pub(super) fn index(key: u64) -> usize {
        (key & u64::from(u32::MAX)) as usize
    }

    pub(super) fn has_request(&self) -> bool {
        matches!(self.stage, Stage::Connecting | Stage::Busy)
    }

    pub(super) fn has_more_to_send(&self) -> bool {
        self.gone < self.request.len()
    }

    /// Takes up the request whose bytes are in `request`.
    pub(super) fn take_up(&mut self, due: Due, expect: W::Expect, now: Nanos) {
        self.due = due;
        self.expect = Some(expect);
        self.gone = 0;
        self.sent = None;
        self.own_lateness = now.saturating_sub(due.at.max(self.free_at));
    }

    /// Begins to open it, with a new reader.
    pub(super) fn open(&mut self, target: SocketAddr, wire: W) -> Result<(), Failed> {
        self.stage = Stage::Connecting;
        self.generation = self.generation.wrapping_add(1);
        self.is_used = false;
        self.wire = wire;
        // One that stood here goes before another comes, or there would be one too many.
        self.stream = None;
        self.stream = Some(connect(target).map_err(|error| why(&error))?);
        Ok(())
    }

    /// Whether it is open now; then the request has been put on it.
    pub(super) fn connected(&mut self, flags: Flags) -> Result<bool, Failed> {
        let stream = self.stream.as_ref().ok_or(Failed::NotConnected)?;
        if let Some(error) = stream.take_error().ok().flatten() {
            return Err(why(&error));
        }
        if !flags.contains(Flags::OUT) {
            return Ok(false);
        }
        // To a port of this machine where nobody listens the system may connect a socket with itself, should it pick
        // that very port for it. Whoever is not there has refused.
        let own = stream.local_addr().map_err(|_| Failed::NotConnected)?;
        let other = stream.peer_addr().map_err(|_| Failed::NotConnected)?;
        if own == other {
            return Err(Failed::Refused);
        }
        self.put_request();
        Ok(true)
    }

    /// The request is this connection's next.
    pub(super) fn put_request(&mut self) {
        self.stage = Stage::Busy;
        if let Some(expect) = self.expect {
            self.wire.expect(expect);
        }
    }

    /// Sends what has not gone of the request.
    pub(super) fn send(&mut self, now: Nanos) -> Sent {
        let Some(stream) = &mut self.stream else {
            return Sent::CutOff;
        };
        while self.gone < self.request.len() {
            match stream.write(&self.request[self.gone..]) {
                Ok(0) => return Sent::CutOff,
                Ok(count) => {
                    self.gone += count;
                    self.sent.get_or_insert(now);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Sent::Part,
                Err(_) => return Sent::CutOff,
            }
        }
        Sent::All
    }

    pub(super) fn close(&mut self) {
        self.stream = None;
        self.stage = Stage::Closed;
        self.generation = self.generation.wrapping_add(1);
    }
}

fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let kind = Type::STREAM.nonblocking().cloexec();
    let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    // Closed by a reset: thousands of sockets that linger beside a port slow its next server's start.
    socket.set_linger(Some(Duration::ZERO))?;
    match socket.connect(&target.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Why a connection did not come about.
fn why(error: &io::Error) -> Failed {
    match error.raw_os_error() {
        Some(ECONNREFUSED) => Failed::Refused,
        Some(EMFILE | ENFILE | ENOBUFS | ENOMEM | EADDRNOTAVAIL) => Failed::NoSocket,
        _ => Failed::NotConnected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_ports_or_descriptors_is_not_the_targets_failure() {
        let of = |code| why(&io::Error::from_raw_os_error(code));
        assert_eq!(of(EMFILE), Failed::NoSocket);
        assert_eq!(of(EADDRNOTAVAIL), Failed::NoSocket);
        assert_eq!(of(ECONNREFUSED), Failed::Refused);
        assert_eq!(of(libc::EHOSTUNREACH), Failed::NotConnected);
        assert_eq!(why(&ErrorKind::TimedOut.into()), Failed::NotConnected);
    }
}
