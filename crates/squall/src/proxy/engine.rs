//! The thread that carries every link of this process: accepts, reads, writes, and keeps time.
//!
//! It is one plain thread with an epoll of its own. Nobody touches a connection but who holds the engine: this thread,
//! or one with an order while it sleeps. So a new rule is in force everywhere the moment it has gone through the link's
//! connections; nothing can miss it, and nothing has to be waited for. Tokio's timer would make every delay late by a
//! millisecond.

mod handle;
mod slots;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::{SocketFlags, accept_with};
use squall_core::protocol::Protocol;
use tokio::sync::oneshot;

use super::buffers::Buffers;
use super::connection::{Connection, Fate, Phase};
use super::exchange::Picking;
use super::pump::{Tools, Turn};
use super::rule::{Gate, Rules};
use super::stage::Chance;
use super::stats::{Cause, Counters};
use crate::poll::{Flags, Sockets};
pub(super) use handle::Handle;
use slots::Slots;

/// So many clients are let in before others have their turn.
const AT_ONCE: usize = 64;
/// After so long a listener that was out of descriptors tries again: they come back when connections end.
const RETRY: Duration = Duration::from_millis(10);

/// The kinds of keys that events and alarms carry, in their upper two bits.
const UPSTREAM: u64 = 1 << 63;
const LISTENER: u64 = 1 << 62;

/// What the engine is told.
pub(super) enum Command {
    /// There is a link, on which nobody listens yet.
    Open(u64, Link),
    /// Clients of a link are let in. Answered when they are, or can't be.
    Listen(u64, TcpListener, oneshot::Sender<io::Result<()>>),
    /// Other rules hold on a link. Answered when they are in force.
    Obey(u64, Rules, oneshot::Sender<()>),
    /// A link leads elsewhere from now on; open connections stay where they are.
    Lead(u64, Vec<SocketAddr>),
    /// A link speaks this: what its new connections say is followed, so that requests can be picked out later.
    Follow(u64, Protocol),
    /// A link is no more. Answered when its connections have been reset.
    Close(u64, oneshot::Sender<()>),
    /// The thread is to end as if by a defect.
    #[cfg(test)]
    Fail,
}

/// What the connections of one link have in common.
pub(super) struct Link {
    /// The upstream's addresses, tried one after the other.
    pub(super) upstream: Vec<SocketAddr>,
    pub(super) seed: u64,
    pub(super) rules: Rules,
    pub(super) counters: Arc<Counters>,
    /// What it is known to speak, where requests will be picked out.
    pub(super) speaks: Option<Protocol>,
    /// The requests that are picked out, with how many there were.
    pub(super) picking: Option<Arc<Picking>>,
    pub(super) listener: Option<OwnedFd>,
}

impl Link {
    /// Takes up which requests are picked out; those that are already go on being counted.
    fn pick(&mut self) {
        let wanted = self.rules.intercept();
        if !self.picking.as_ref().is_some_and(|picking| picking.is(wanted)) {
            self.picking = Picking::of(wanted, self.speaks, self.seed);
        }
    }
}

struct Engine {
    sockets: Sockets,
    links: HashMap<u64, Link>,
    connections: Slots<Box<Connection>>,
    alarms: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Those with more to do that gave way to others.
    again: Vec<u64>,
    buffers: Buffers,
    /// When the thread wakes by itself, if it sleeps.
    wakes: Option<Instant>,
}

impl Engine {
    fn new(sockets: Sockets, budget: usize) -> Self {
        Self {
            sockets,
            links: HashMap::new(),
            connections: Slots::default(),
            alarms: BinaryHeap::new(),
            again: Vec::new(),
            buffers: Buffers::new(budget),
            wakes: None,
        }
    }

    /// Does what was put off, and what is due.
    fn go_on(&mut self) {
        for key in std::mem::take(&mut self.again) {
            self.serve(key);
        }
        self.ring_alarms();
    }

    /// When there is something to do although nothing happens.
    fn due(&mut self) -> Option<Instant> {
        if !self.again.is_empty() {
            return Some(Instant::now());
        }
        while let Some(Reverse((when, key))) = self.alarms.peek().copied() {
            if self.stands(when, key) {
                return Some(when);
            }
            self.alarms.pop();
        }
        None
    }

    /// Whether an alarm is still wanted: a connection has one at most.
    fn stands(&mut self, when: Instant, key: u64) -> bool {
        let asks = |connection: &mut Box<Connection>| connection.alarm == Some(when);
        key & LISTENER != 0 || self.connections.get(key).is_some_and(asks)
    }

    fn heed(&mut self, key: u64, flags: Flags) {
        if key & LISTENER != 0 {
            self.accept(key & !LISTENER);
        } else {
            if let Some(connection) = self.connections.get(key & !UPSTREAM) {
                connection.hear(key & UPSTREAM != 0, flags);
            }
            self.serve(key & !UPSTREAM);
        }
    }

    fn ring_alarms(&mut self) {
        while let Some(Reverse((when, key))) = self.alarms.peek().copied()
            && when <= Instant::now()
        {
            self.alarms.pop();
            if key & LISTENER != 0 {
                self.accept(key & !LISTENER);
            } else if self.stands(when, key) {
                if let Some(connection) = self.connections.get(key) {
                    connection.alarm = None;
                }
                self.serve(key);
            }
        }
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Open(id, link) => _ = self.links.insert(id, link),
            Command::Listen(id, listener, done) => _ = done.send(self.listen(id, listener.into())),
            Command::Lead(id, upstream) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.upstream = upstream;
                }
            }
            Command::Follow(id, speaks) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.speaks = Some(speaks);
                    link.pick();
                }
            }
            Command::Obey(id, rules, done) => {
                self.obey(id, rules);
                _ = done.send(());
            }
            Command::Close(id, done) => {
                self.obey(id, Rules::closed());
                self.links.remove(&id);
                _ = done.send(());
            }
            #[cfg(test)]
            Command::Fail => panic!("as it was told to"),
        }
    }

    fn listen(&mut self, id: u64, listener: OwnedFd) -> io::Result<()> {
        let link = self.links.get_mut(&id).ok_or(io::ErrorKind::NotFound)?;
        let why = |error: io::Error| io::Error::new(error.kind(), format!("cannot wait for clients: {error}"));
        self.sockets.watch(&listener, LISTENER | id).map_err(why)?;
        link.listener = Some(listener);
        Ok(())
    }

    /// Lets go of every client and every listener.
    fn abandon(&mut self) {
        self.links.clear();
        self.connections = Slots::default();
    }

    fn obey(&mut self, id: u64, rules: Rules) {
        let Some(link) = self.links.get_mut(&id) else { return };
        if rules.refuse() {
            link.listener = None;
        }
        if link.rules == rules {
            return;
        }
        link.rules = rules;
        link.pick();
        let keys: Vec<u64> = self.connections.keys(|connection| connection.link == id).collect();
        for key in keys {
            let (Some(link), Some(connection)) = (self.links.get(&id), self.connections.get(key)) else {
                continue;
            };
            let mut tools = tools(&mut self.buffers, &link.counters);
            match connection.obey((&link.rules, link.picking.as_ref()), &mut tools) {
                Ok(()) => self.serve(key),
                Err(fate) => self.end(key, fate),
            }
        }
    }

    fn accept(&mut self, id: u64) {
        for _ in 0..AT_ONCE {
            let Some((link, listener)) = self
                .links
                .get(&id)
                .and_then(|link| Some((link, link.listener.as_ref()?)))
            else {
                return;
            };
            match accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(client) => {
                    let chance = Chance::new(link.seed, link.counters.accepted());
                    self.admit(Connection::new(id, client.into(), chance));
                }
                Err(rustix::io::Errno::AGAIN) => return,
                Err(rustix::io::Errno::INTR | rustix::io::Errno::CONNABORTED) => {}
                Err(_) => return self.alarms.push(Reverse((Instant::now() + RETRY, LISTENER | id))),
            }
        }
        self.alarms.push(Reverse((Instant::now(), LISTENER | id)));
    }

    fn admit(&mut self, mut connection: Connection) {
        let Some(link) = self.links.get(&connection.link) else {
            return;
        };
        let mut tools = tools(&mut self.buffers, &link.counters);
        let obeyed = connection.obey((&link.rules, link.picking.as_ref()), &mut tools);
        let key = self.connections.put(Box::new(connection));
        let watched = self.connections.get(key).map(|connection| {
            _ = connection.client().set_nodelay(true);
            self.sockets.watch(connection.client(), key)
        });
        match (obeyed, watched) {
            (Ok(()), Some(Ok(()))) => self.serve(key),
            (Err(fate), _) => self.end(key, fate),
            (Ok(()), _) => self.end(key, Fate::Reset(Cause::Peer)),
        }
    }

    /// Does whatever can be done on a connection, and sees to it that it is looked at again.
    fn serve(&mut self, key: u64) {
        self.call_upstream(key);
        let Some(connection) = self.connections.get(key) else {
            return;
        };
        let Some(link) = self.links.get(&connection.link) else {
            return;
        };
        let mut tools = tools(&mut self.buffers, &link.counters);
        match connection.run(&mut tools) {
            Err(fate) => self.end(key, fate),
            Ok(Turn::More) => self.again.push(key),
            Ok(Turn::Waits | Turn::Closes) => {
                let next = connection.next_alarm();
                if next != connection.alarm {
                    connection.alarm = next;
                    self.alarms.extend(next.map(|next| Reverse((next, key))));
                }
            }
        }
    }

    /// Calls the upstream where that is the next thing to do, at the first of its addresses that takes a call.
    fn call_upstream(&mut self, key: u64) {
        loop {
            let Some(connection) = self.connections.get(key) else {
                return;
            };
            if !connection.wants_upstream() {
                return;
            }
            let Some(link) = self.links.get(&connection.link) else {
                return;
            };
            let Some(addr) = link.upstream.get(connection.attempt) else {
                return self.end(key, Fate::Reset(Cause::Upstream));
            };
            match connection.call(*addr) {
                Ok(stream) if self.sockets.watch(stream, UPSTREAM | key).is_ok() => return,
                _ => connection.phase = Phase::Parked,
            }
        }
    }

    fn end(&mut self, key: u64, fate: Fate) {
        let Some(connection) = self.connections.take(key) else {
            return;
        };
        let cause = match fate {
            Fate::Closed(cause) => cause,
            Fate::Reset(cause) => {
                connection.abort();
                Some(cause)
            }
        };
        let link = connection.link;
        self.buffers.release(connection.cost());
        // Only when the sockets are gone may it count as ended.
        drop(connection);
        if let Some(link) = self.links.get(&link) {
            link.counters.closed(cause);
        }
    }
}

fn tools<'a>(buffers: &'a mut Buffers, counters: &'a Counters) -> Tools<'a> {
    Tools {
        buffers,
        counters,
        gate: Gate::Open,
        exchange: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poll::Bell;
    use crate::proxy::buffers::BUDGET;

    #[test]
    fn a_listener_that_can_not_be_waited_for_is_an_error_of_whoever_asked() {
        let mut engine = Engine::new(Sockets::new(&Bell::new().unwrap()).unwrap(), BUDGET);
        let link = Link {
            upstream: Vec::new(),
            seed: 1,
            rules: Rules::default(),
            counters: Arc::default(),
            speaks: None,
            picking: None,
            listener: None,
        };
        engine.follow(Command::Open(1, link));
        let mut answer = |listener| {
            let (done, mut answer) = oneshot::channel();
            engine.follow(Command::Listen(1, listener, done));
            answer.try_recv().unwrap()
        };
        // The kernel lets nobody wait for a plain file.
        let file = OwnedFd::from(tempfile::tempfile().unwrap());
        let error = answer(file.into()).unwrap_err().to_string();
        assert!(error.starts_with("cannot wait for clients"), "{error}");
        answer(TcpListener::bind(("127.0.0.1", 0)).unwrap()).unwrap();
    }
}
