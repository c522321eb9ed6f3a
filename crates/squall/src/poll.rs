//! Waiting for sockets and for the clock at once, to the nanosecond: epoll, and a bell others ring.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, Event, EventData};
use rustix::event::{EventfdFlags, Timespec, eventfd};
use squall_core::time::{Nanos, SECOND};

/// What an event says.
pub(crate) use rustix::event::epoll::EventFlags as Flags;

/// The key of the bell's events.
pub(crate) const BELL: u64 = u64::MAX;
/// So many events are taken at once.
const AT_ONCE: usize = 256;

/// Wakes a thread that waits, from another thread.
#[derive(Debug)]
pub(crate) struct Bell(OwnedFd);

impl Bell {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes the thread.
    pub(crate) fn ring(&self) {
        // It can't fail but for having been rung 2⁶⁴ times.
        _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// The thread has heard, and won't be woken again.
    pub(crate) fn clear(&self) {
        _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

/// What is waited for. More may be added while somebody waits.
#[derive(Debug, Clone)]
pub(crate) struct Sockets(Arc<OwnedFd>);

/// What is waited for, and what has come.
pub(crate) struct Poll {
    sockets: Sockets,
    events: Vec<Event>,
}

impl Sockets {
    /// Only the bell.
    pub(crate) fn new(bell: &Bell) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &bell.0, EventData::new_u64(BELL), Flags::IN)?;
        Ok(Self(Arc::new(epoll)))
    }

    /// From now on each change of a socket is an event that carries `key`, until the socket is closed.
    pub(crate) fn watch(&self, socket: &impl AsFd, key: u64) -> io::Result<()> {
        // By edges: asked for once, and no call for each request.
        let flags = Flags::IN | Flags::OUT | Flags::RDHUP | Flags::ET;
        Ok(epoll::add(&*self.0, socket, EventData::new_u64(key), flags)?)
    }
}

impl Poll {
    pub(crate) fn new(bell: &Bell) -> io::Result<Self> {
        Ok(Self::on(Sockets::new(bell)?))
    }

    /// Waits for what others add. Events stay on the thread that takes them, and so has this to be made there.
    pub(crate) fn on(sockets: Sockets) -> Self {
        let events = Vec::with_capacity(AT_ONCE);
        Self { sockets, events }
    }

    /// What is waited for.
    pub(crate) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Waits for events, at most so many nanoseconds if a number is given. Where nothing is due it had better not
    /// be: the kernel sets a timer for each wait that has an end, and that is a tenth of what a small message costs.
    pub(crate) fn wait(&mut self, most: Option<Nanos>) -> io::Result<()> {
        self.events.clear();
        let most = most.map(|most| Timespec {
            tv_sec: i64::try_from(most / SECOND).unwrap_or(i64::MAX),
            tv_nsec: (most % SECOND).cast_signed(),
        });
        match epoll::wait(&*self.sockets.0, spare_capacity(&mut self.events), most.as_ref()) {
            Err(rustix::io::Errno::INTR) | Ok(_) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// How many events have come.
    pub(crate) fn len(&self) -> usize {
        self.events.len()
    }

    /// The key and what it says of one event.
    pub(crate) fn event(&self, number: usize) -> (u64, Flags) {
        let Event { flags, data } = self.events[number];
        (data.u64(), flags)
    }
}
