//! The thread that carries every link of this process: accepts, reads, writes, and keeps time.
//!
//! It is one plain thread with an epoll of its own. Nothing else touches a connection, so a new rule is in force
//! everywhere the moment the thread has gone through the link's connections; nothing can miss it, and nothing has to
//! be waited for. Tokio's timer would make every delay late by a millisecond.

mod slots;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::{SocketFlags, accept_with};
use squall_core::time::nanos;
use tokio::sync::oneshot;

use super::buffers::Buffers;
use super::connection::{Connection, Fate, Phase};
use super::pump::{Tools, Turn};
use super::rule::{Gate, Rules};
use super::stage::Chance;
use super::stats::{Cause, Counters};
use crate::poll::{BELL, Bell, Flags, Poll};
use slots::Slots;

/// So many clients are let in before others have their turn.
const AT_ONCE: usize = 64;
/// After so long a listener that was out of descriptors tries again: they come back when connections end.
const RETRY: Duration = Duration::from_millis(10);

/// The kinds of keys that events and alarms carry, in their upper two bits.
const UPSTREAM: u64 = 1 << 63;
const LISTENER: u64 = 1 << 62;

/// What the thread is told.
pub(super) enum Command {
    /// There is a link, on which nobody listens yet.
    Open(u64, Link),
    /// Clients of a link are let in.
    Listen(u64, TcpListener),
    /// Other rules hold on a link. Answered when they are in force.
    Obey(u64, Rules, oneshot::Sender<()>),
    /// A link leads elsewhere from now on; open connections stay where they are.
    Lead(u64, Vec<SocketAddr>),
    /// A link is no more. Answered when its connections have been reset.
    Close(u64, oneshot::Sender<()>),
}

/// What the connections of one link have in common.
pub(super) struct Link {
    /// The upstream's addresses, tried one after the other.
    pub(super) upstream: Vec<SocketAddr>,
    pub(super) seed: u64,
    pub(super) rules: Rules,
    pub(super) counters: Arc<Counters>,
    pub(super) listener: Option<OwnedFd>,
}

/// How the thread is spoken to.
#[derive(Clone)]
pub(super) struct Handle(Arc<Inbox>);

struct Inbox {
    commands: Mutex<Vec<Command>>,
    bell: Bell,
}

impl Handle {
    /// The one engine of this process; the first call starts its thread.
    pub(super) fn shared() -> io::Result<Self> {
        static ENGINE: Mutex<Option<Handle>> = Mutex::new(None);
        let mut slot = ENGINE.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = &*slot {
            return Ok(engine.clone());
        }
        let inbox = Arc::new(Inbox {
            commands: Mutex::default(),
            bell: Bell::new()?,
        });
        let (tell, started) = sync_channel(1);
        let own = Arc::clone(&inbox);
        let run = move || match Engine::new(own) {
            Ok(engine) => {
                _ = tell.send(Ok(()));
                engine.run();
            }
            Err(error) => _ = tell.send(Err(error)),
        };
        thread::Builder::new().name("squall-proxy".to_owned()).spawn(run)?;
        started.recv().map_err(io::Error::other)??;
        Ok(slot.insert(Self(inbox)).clone())
    }

    /// Tells the thread something, which it takes up at once.
    pub(super) fn tell(&self, command: Command) {
        let commands = self.0.commands.lock();
        commands.unwrap_or_else(PoisonError::into_inner).push(command);
        self.0.bell.ring();
    }
}

struct Engine {
    poll: Poll,
    inbox: Arc<Inbox>,
    links: HashMap<u64, Link>,
    connections: Slots<Box<Connection>>,
    alarms: BinaryHeap<Reverse<(Instant, u64)>>,
    /// Those with more to do that gave way to others.
    again: Vec<u64>,
    buffers: Buffers,
}

impl Engine {
    fn new(inbox: Arc<Inbox>) -> io::Result<Self> {
        Ok(Self {
            poll: Poll::new(&inbox.bell)?,
            inbox,
            links: HashMap::new(),
            connections: Slots::default(),
            alarms: BinaryHeap::new(),
            again: Vec::new(),
            buffers: Buffers::new(),
        })
    }

    fn run(mut self) {
        // Without it alarms are up to 50 µs later, which is no reason not to run.
        _ = nix::sys::prctl::set_timerslack(1);
        loop {
            let patience = self.patience();
            if self.poll.wait(patience.map(nanos)).is_err() {
                // There is nothing it could fail for but memory, which may come back.
                thread::sleep(RETRY);
                continue;
            }
            for number in 0..self.poll.len() {
                let (key, flags) = self.poll.event(number);
                self.heed(key, flags);
            }
            for key in std::mem::take(&mut self.again) {
                self.serve(key);
            }
            self.ring_alarms();
        }
    }

    /// How long there is nothing to do unless something happens; `None` for ever.
    fn patience(&mut self) -> Option<Duration> {
        if !self.again.is_empty() {
            return Some(Duration::ZERO);
        }
        while let Some(Reverse((when, key))) = self.alarms.peek().copied() {
            if self.stands(when, key) {
                return Some(when.saturating_duration_since(Instant::now()));
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
        if key == BELL {
            self.inbox.bell.clear();
            let commands = self.inbox.commands.lock();
            let commands = std::mem::take(&mut *commands.unwrap_or_else(PoisonError::into_inner));
            commands.into_iter().for_each(|command| self.follow(command));
        } else if key & LISTENER != 0 {
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
            Command::Listen(id, listener) => self.listen(id, listener.into()),
            Command::Lead(id, upstream) => {
                if let Some(link) = self.links.get_mut(&id) {
                    link.upstream = upstream;
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
        }
    }

    fn listen(&mut self, id: u64, listener: OwnedFd) {
        if self.poll.watch(&listener, LISTENER | id).is_ok()
            && let Some(link) = self.links.get_mut(&id)
        {
            link.listener = Some(listener);
        }
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
        let keys: Vec<u64> = self.connections.keys(|connection| connection.link == id).collect();
        for key in keys {
            let (Some(link), Some(connection)) = (self.links.get(&id), self.connections.get(key)) else {
                continue;
            };
            let mut tools = tools(&mut self.buffers, &link.counters);
            match connection.obey(&link.rules, &mut tools) {
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
        let obeyed = connection.obey(&link.rules, &mut tools);
        let key = self.connections.put(Box::new(connection));
        let watched = self.connections.get(key).map(|connection| {
            _ = connection.client().set_nodelay(true);
            self.poll.watch(connection.client(), key)
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
                Ok(stream) if self.poll.watch(stream, UPSTREAM | key).is_ok() => return,
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
        // Only when the sockets are gone may it count as ended.
        drop(connection);
        if let Some(link) = self.links.get(&link) {
            link.counters.closed(cause);
        }
    }
}

fn tools<'a>(buffers: &'a mut Buffers, counters: &'a Counters) -> Tools<'a> {
    let gate = Gate::Open;
    Tools {
        buffers,
        counters,
        gate,
    }
}
