//! Waiting for connections and for the clock at once, to the nanosecond.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use squall_core::time::{Nanos, SECOND};

/// What an event says.
pub(super) use rustix::event::epoll::EventFlags as Flags;

/// The key of the halt's events.
pub(super) const HALT: u64 = u64::MAX;
/// So many events are taken at once.
const AT_ONCE: usize = 256;

/// Has a thread of load stop, from another thread.
#[derive(Debug)]
pub(in crate::load) struct Halt(OwnedFd);

impl Halt {
    pub(in crate::load) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes the thread.
    pub(in crate::load) fn call(&self) {
        // It can't fail but for having been called 2⁶⁴ times.
        _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// The thread has heard, and won't be woken again.
    pub(super) fn clear(&self) {
        _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// What is waited for, and what has come.
pub(super) struct Poll {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Poll {
    pub(super) fn new(halt: &Halt) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &halt.0, EventData::new_u64(HALT), Flags::IN)?;
        Ok(Self {
            epoll,
            events: Vec::with_capacity(AT_ONCE),
        })
    }

    /// From now on each change of a connection is an event that carries `key`, until the connection is closed.
    pub(super) fn watch(&self, connection: Option<&impl AsFd>, key: u64) -> io::Result<()> {
        let connection = connection.ok_or(io::ErrorKind::NotConnected)?;
        // By edges: asked for once, and no call for each request.
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET;
        Ok(epoll::add(&self.epoll, connection, EventData::new_u64(key), flags)?)
    }

    /// Waits for events, at most so long.
    pub(super) fn wait(&mut self, most: Nanos) -> io::Result<()> {
        self.events.clear();
        let most = Timespec {
            tv_sec: i64::try_from(most / SECOND).unwrap_or(i64::MAX),
            tv_nsec: (most % SECOND).cast_signed(),
        };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&most)) {
            Err(rustix::io::Errno::INTR) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many events have come.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// The key and what it says of one event.
    pub(super) fn event(&self, number: usize) -> (u64, Flags) {
        let Event { flags, data } = self.events[number];
        (data.u64(), flags)
    }
}
