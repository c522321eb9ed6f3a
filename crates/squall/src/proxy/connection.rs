//! One client's connection and the upstream connection that goes with it.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use libc::EINPROGRESS;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use squall_core::protocol::Ending;

use super::exchange::{Exchange, Picking};
use super::port::uncongested;
use super::pump::{Pump, Side, Tools, Turn};
use super::rule::{Gate, Rules};
use super::stage::{Chance, Verdict};
use super::stats::Cause;
use crate::poll::Flags;

/// How long the upstream may take to accept a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// How long both ends may take to notice that they are being left.
const PARTING: Duration = Duration::from_secs(1);

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The upstream is to be called as soon as the link carries anything.
    Parked,
    /// It is being called.
    Connecting { until: Instant },
    /// Bytes pass.
    Open,
    /// Both ends were told that it is over.
    Parting { until: Instant },
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// In good order; because of an impairment if there is a cause.
    Closed(Option<Cause>),
    /// With a reset.
    Reset(Cause),
}

/// One client's connection and the upstream connection that goes with it.
pub(super) struct Connection {
    /// The link it belongs to.
    pub(super) link: u64,
    pub(super) phase: Phase,
    client: Side,
    upstream: Option<Side>,
    up: Pump,
    down: Pump,
    /// Who reads along, where requests are picked out.
    exchange: Option<Box<Exchange>>,
    gate: Gate,
    chance: Chance,
    /// Which of the upstream's addresses is tried next.
    pub(super) attempt: usize,
    /// When it is to be looked at again, as the engine was told.
    pub(super) alarm: Option<Instant>,
}

impl Connection {
    pub(super) fn new(link: u64, client: TcpStream, chance: Chance) -> Self {
        Self {
            link,
            phase: Phase::Parked,
            client: Side::new(client),
            upstream: None,
            up: Pump::new(true),
            down: Pump::new(false),
            exchange: None,
            gate: Gate::Open,
            chance,
            attempt: 0,
            alarm: None,
        }
    }

    pub(super) fn client(&self) -> &TcpStream {
        &self.client.stream
    }

    /// Takes up other rules.
    pub(super) fn obey(
        &mut self,
        (rules, picking): (&Rules, Option<&Arc<Picking>>),
        tools: &mut Tools<'_>,
    ) -> Result<(), Fate> {
        if matches!(self.phase, Phase::Parting { .. }) {
            return Ok(());
        }
        let chance = |key| self.chance.of(key);
        let before = std::mem::replace(&mut self.gate, rules.gate(chance));
        let mine: Vec<_> = rules.impairments(chance).collect();
        let cut = Fate::Reset(Cause::Condition);
        let lost = self.up.lost || self.down.lost;
        match (before, self.gate) {
            (_, Gate::Reset | Gate::Refuse) => return Err(cut),
            (Gate::BlackHole, Gate::Open) if lost => return Err(cut),
            // Nobody is at the other end any more, and the first byte that gets there is told so.
            (Gate::HalfOpen, Gate::Open | Gate::BlackHole) if lost || self.phase != Phase::Parked => return Err(cut),
            (_, Gate::HalfOpen) => self.leave_upstream(),
            _ => {}
        }
        if self.gate != Gate::Open {
            self.up.vanish(tools);
            self.down.vanish(tools);
        }
        self.read_along(picking, tools)?;
        let (now, reads) = (Instant::now(), self.exchange.is_some());
        for pump in [&mut self.up, &mut self.down] {
            match pump.obey((&mine, reads), (self.chance, now), tools) {
                Ok(()) => {}
                Err(Verdict::Reset) => return Err(cut),
                Err(Verdict::Close) => self.phase = Phase::Parting { until: now + PARTING },
            }
        }
        if let Phase::Parting { .. } = self.phase {
            self.part(now);
        }
        Ok(())
    }

    /// Takes up, or leaves off, reading along.
    fn read_along(&mut self, picking: Option<&Arc<Picking>>, tools: &mut Tools<'_>) -> Result<(), Fate> {
        match &mut self.exchange {
            Some(exchange) if !exchange.is_for(picking) => {
                let reads_on = exchange.turn_to(picking);
                if exchange.has_lost() || (!reads_on && exchange.has_hole()) {
                    return Err(Fate::Reset(Cause::Condition));
                }
                for pump in [&mut self.up, &mut self.down] {
                    pump.catch_up(exchange, reads_on, tools);
                }
                if !reads_on {
                    self.exchange = None;
                }
            }
            _ => {}
        }
        if let (None, Some(picking)) = (&self.exchange, picking) {
            // Bytes pass only once the upstream is there.
            let fresh = self.phase != Phase::Open;
            self.exchange = Some(Exchange::new(picking.clone(), fresh));
        }
        Ok(())
    }

    fn leave_upstream(&mut self) {
        if let Some(side) = self.upstream.take() {
            abort(&side.stream);
        }
    }

    /// Whether the upstream is to be called now.
    pub(super) fn wants_upstream(&self) -> bool {
        self.phase == Phase::Parked && self.gate == Gate::Open
    }

    /// Begins to call the upstream.
    pub(super) fn call(&mut self, addr: SocketAddr) -> io::Result<&TcpStream> {
        self.attempt += 1;
        self.upstream = None;
        let stream = connect(addr)?;
        let until = Instant::now() + CONNECTING;
        self.phase = Phase::Connecting { until };
        Ok(&self.upstream.insert(Side::new(stream)).stream)
    }

    /// Takes note of news of one of its ends.
    pub(super) fn hear(&mut self, upstream: bool, flags: Flags) {
        match (&mut self.upstream, upstream) {
            (Some(side), true) => side.hear(flags),
            (None, true) => {}
            (_, false) => self.client.hear(flags),
        }
        if let (Phase::Connecting { .. }, true, Some(side)) = (self.phase, upstream, &self.upstream) {
            self.phase = match connected(&side.stream, flags) {
                None => return,
                Some(true) => Phase::Open,
                Some(false) => Phase::Parked,
            };
            if self.phase == Phase::Parked {
                self.upstream = None;
                // A link that carries nothing lets no failure through, either: it is tried again.
                self.attempt = if self.gate == Gate::Open { self.attempt } else { 0 };
            }
        }
    }

    /// Does whatever can be done.
    pub(super) fn run(&mut self, tools: &mut Tools<'_>) -> Result<Turn, Fate> {
        tools.gate = self.gate;
        match self.phase {
            Phase::Parked => {
                if self.gate != Gate::Open {
                    self.up.swallow(&mut self.client, tools);
                }
                Ok(Turn::Waits)
            }
            Phase::Connecting { until } if Instant::now() >= until => Err(Fate::Reset(Cause::Upstream)),
            Phase::Connecting { .. } => Ok(Turn::Waits),
            Phase::Open => self.converse(tools),
            Phase::Parting { until } => self.see_off(until, tools),
        }
    }

    fn converse(&mut self, tools: &mut Tools<'_>) -> Result<Turn, Fate> {
        let Some(upstream) = &mut self.upstream else {
            // It is half open.
            self.up.swallow(&mut self.client, tools);
            return Ok(Turn::Waits);
        };
        tools.exchange = self.exchange.take();
        let up = self.up.run(&mut self.client, upstream, tools).map_err(Fate::Reset)?;
        if tools.exchange.is_some() {
            self.down.tell(tools);
        }
        let down = self.down.run(upstream, &mut self.client, tools).map_err(Fate::Reset)?;
        self.exchange = tools.exchange.take();
        if let Some(exchange) = &self.exchange
            && exchange.ending() == Some(Ending::Reset)
            && self.down.is_clear()
        {
            return Err(Fate::Reset(Cause::Condition));
        }
        let closes = up == Turn::Closes || down == Turn::Closes;
        let verdicts = [self.up.verdict(), self.down.verdict()];
        if verdicts.contains(&Some(Verdict::Reset)) {
            return Err(Fate::Reset(Cause::Condition));
        }
        if closes || verdicts.contains(&Some(Verdict::Close)) {
            self.part(Instant::now());
            return self.run(tools);
        }
        if self.up.done && self.down.done {
            return Err(Fate::Closed(None));
        }
        Ok(if up == Turn::More { up } else { down })
    }

    /// Tells both ends that it is over. What they have not read yet would be lost by closing at once while they
    /// still send: they are given a moment.
    fn part(&mut self, now: Instant) {
        self.phase = Phase::Parting { until: now + PARTING };
        for side in [Some(&self.client), self.upstream.as_ref()].into_iter().flatten() {
            _ = side.stream.shutdown(Shutdown::Write);
        }
    }

    fn see_off(&mut self, until: Instant, tools: &mut Tools<'_>) -> Result<Turn, Fate> {
        let mut over = true;
        for side in [Some(&mut self.client), self.upstream.as_mut()].into_iter().flatten() {
            let (vanished, ended) = side.drain(tools.buffers.scratch());
            tools.counters.swallowed(vanished);
            over &= ended;
        }
        match over || Instant::now() >= until {
            true => Err(Fate::Closed(Some(Cause::Condition))),
            false => Ok(Turn::Waits),
        }
    }

    /// When it is to be looked at although nothing has happened.
    pub(super) fn next_alarm(&self) -> Option<Instant> {
        match (self.phase, &self.upstream) {
            (Phase::Connecting { until } | Phase::Parting { until }, _) => Some(until),
            (Phase::Open, Some(upstream)) if self.gate == Gate::Open => {
                let alarms = [self.up.alarm(upstream), self.down.alarm(&self.client)];
                alarms.into_iter().flatten().min()
            }
            _ => None,
        }
    }

    /// The memory that what it holds takes.
    pub(super) fn cost(&self) -> usize {
        self.up.cost() + self.down.cost()
    }

    /// Ends it with a reset instead of an orderly end.
    pub(super) fn abort(&self) {
        abort(&self.client.stream);
        if let Some(upstream) = &self.upstream {
            abort(&upstream.stream);
        }
    }
}

fn abort(stream: &TcpStream) {
    // When it fails the connection is already gone.
    _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(
        Domain::for_address(addr),
        Type::STREAM.nonblocking(),
        Some(Protocol::TCP),
    )?;
    socket.set_tcp_nodelay(true)?;
    if addr.ip().is_loopback() {
        uncongested(&socket);
    }
    match socket.connect(&addr.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) && error.kind() != ErrorKind::WouldBlock => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Whether the upstream has answered a call; `None` when it has not said yet.
fn connected(stream: &TcpStream, flags: Flags) -> Option<bool> {
    if stream.take_error().ok().flatten().is_some() {
        return Some(false);
    }
    if !flags.intersects(Flags::OUT | Flags::ERR | Flags::HUP) {
        return None;
    }
    // The kernel may choose the port that is dialled as the one to dial from, and such a
    // connection reaches only itself. It happens when nobody listens there, so say that.
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(own), Ok(other)) => Some(own != other),
        _ => Some(false),
    }
}
