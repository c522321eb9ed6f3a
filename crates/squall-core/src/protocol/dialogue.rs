//! One connection's requests and replies: which reply is to which request, and what becomes of each.

mod ends;

use std::collections::VecDeque;
use std::time::Duration;

use super::{Act, Ask, Counts, Fare, Fate, HEAD, Owes, Protocol, Request, Said, Slot, http, resp};
use ends::{Client, Server};

/// A client that asks for so much before anything is answered is not understood.
const MOST_OWED: usize = 10_000;

/// The two ends of a connection, and what passes between them.
pub struct Dialogue {
    protocol: Protocol,
    client: Client,
    server: Server,
    owed: VecDeque<Slot>,
    /// The reply owed last has parts to come.
    open: bool,
    /// What came from the client and could not be told yet.
    up: Vec<u8>,
    /// The same from the server.
    down: Vec<u8>,
    /// The message under way is not passed on.
    swallows: bool,
    /// Bytes of a reply have been kept from the client.
    bitten: bool,
    state: State,
    ending: Option<Ending>,
    counts: Counts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was joined while it went on, and where a request begins is not known. `true`: nothing was answered since a
    /// beginning was looked for in vain.
    Joining { stale: bool, tried: bool },
    /// Every message is understood.
    Understood,
    /// What is said is no reply any more, and the client hears none of it.
    Deaf,
    /// Everything passes as it is.
    Left,
}

/// How a connection is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// In good order, once the client has been told all.
    Close,
    /// With a reset.
    Reset,
}

/// Bytes that are passed on to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// So much later than they came.
    pub later: Duration,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Dialogue {
    /// Of a connection that begins now, if `fresh`; else of one that has carried something before.
    pub fn new(protocol: Protocol, fresh: bool) -> Self {
        let (client, server) = ends::speak(protocol, fresh);
        let joining = State::Joining {
            stale: false,
            tried: false,
        };
        Self {
            protocol,
            client,
            server,
            owed: VecDeque::new(),
            open: false,
            up: Vec::new(),
            down: Vec::new(),
            swallows: false,
            bitten: false,
            state: if fresh { State::Understood } else { joining },
            ending: None,
            counts: Counts::default(),
        }
    }

    /// Takes what a client sent, asks of each request what is to be done with it, and says what goes on to the server.
    pub fn ask(&mut self, bytes: &[u8], judge: &mut dyn FnMut(&Request) -> Option<Act>) -> Vec<Passed> {
        let mut to = Vec::new();
        if let State::Left | State::Deaf | State::Joining { stale: true, .. } = self.state {
            // What was held when it was left to itself comes first.
            pass(&mut to, &std::mem::take(&mut self.up), Duration::ZERO);
            pass(&mut to, bytes, Duration::ZERO);
            return to;
        }
        self.up.extend(bytes);
        let held = std::mem::take(&mut self.up);
        let (mut input, mut later) = (&held[..], Duration::ZERO);
        loop {
            match self.client.next(input) {
                Ask::More if input.len() > 2 * HEAD => {
                    self.foreign();
                    break;
                }
                Ask::More => {
                    self.up.extend(input);
                    if self.client.is_whole() {
                        self.settle();
                    }
                    return to;
                }
                Ask::Rest(len) => {
                    if !self.swallows {
                        pass(&mut to, &input[..len], later);
                    }
                    input = &input[len..];
                }
                Ask::Message { len, request, owes } => {
                    self.begin();
                    self.settle();
                    self.owe(owes);
                    let act = request.and_then(|request| {
                        self.counts.requests += 1;
                        // What another request has done to their common reply can't be done again.
                        let free = self.owed.back().is_some_and(|slot| slot.fate == Fate::Pass);
                        Some((judge(&request).filter(|_| free)?, request))
                    });
                    later = later.max(self.act(act, &input[..len], &mut to, later));
                    input = &input[len..];
                }
                Ask::Over => {
                    self.leave();
                    break;
                }
                Ask::Foreign => {
                    self.foreign();
                    break;
                }
            }
            if self.owed.len() > MOST_OWED {
                self.foreign();
                break;
            }
        }
        pass(&mut to, input, later);
        to
    }

    /// What is owed for a message.
    fn owe(&mut self, owes: Owes) {
        let goes_on = self.open;
        self.open = owes == Owes::Part || (owes == Owes::Nothing && self.open);
        if owes == Owes::Nothing || (goes_on && matches!(owes, Owes::Part | Owes::LastPart)) {
            return;
        }
        let fate = Fate::Pass;
        self.owed.push_back(Slot { owes, fate });
    }

    /// Does what is to be done with a request. Returns by how much it is late.
    fn act(&mut self, act: Option<(Act, Request)>, head: &[u8], to: &mut Vec<Passed>, later: Duration) -> Duration {
        self.swallows = false;
        let Some((act, request)) = act else {
            pass(to, head, later);
            return later;
        };
        let fate = match act {
            Act::Delay(by) => {
                self.counts.intercepted += 1;
                pass(to, head, later.max(by));
                return by;
            }
            Act::DropReply | Act::HangUp => {
                pass(to, head, later);
                let hang_up = act == Act::HangUp;
                Fate::Lost { hang_up }
            }
            Act::Error { code } => {
                let code = code.as_deref().unwrap_or(self.protocol.usual_code());
                self.swallows = true;
                let (instead, fate) = match &self.client {
                    Client::Http(requests) => (Vec::new(), http::error(code, requests)),
                    Client::Resp(_) => (resp::instead(&request), resp::error(code)),
                    Client::Postgres(requests) => requests.instead(&request, code),
                };
                pass(to, &instead, later);
                fate
            }
        };
        if let Some(slot) = self.owed.back_mut() {
            slot.fate = fate;
            if let (Owes::Head, Fate::Answer { bytes, .. }) = (slot.owes, &mut slot.fate) {
                http::without_body(bytes);
            }
        }
        later
    }

    /// What was asked so far has come as a whole, and may be answered.
    fn settle(&mut self) {
        for slot in self.owed.iter_mut().rev() {
            match &mut slot.fate {
                Fate::Answer { ready: true, .. } => break,
                Fate::Answer { ready, .. } => *ready = true,
                _ => {}
            }
        }
    }

    /// What the client is told now although the server has said nothing.
    pub fn told(&mut self) -> Vec<u8> {
        let mut to = Vec::new();
        if self.state == State::Left {
            to.append(&mut self.down);
        }
        self.tell(&mut to);
        to
    }

    fn tell(&mut self, to: &mut Vec<u8>) {
        while self.ending.is_none()
            && let Some(Slot {
                fate:
                    Fate::Answer {
                        bytes,
                        ready: true,
                        closes,
                    },
                ..
            }) = self.owed.front()
        {
            to.extend(bytes);
            self.counts.intercepted += 1;
            if *closes {
                self.ending = Some(Ending::Close);
            }
            self.owed.pop_front();
        }
    }

    /// Takes what a server sent and says what the client is told.
    pub fn hear(&mut self, bytes: &[u8]) -> Vec<u8> {
        match &mut self.state {
            State::Left => return [std::mem::take(&mut self.down).as_slice(), bytes].concat(),
            State::Deaf => return Vec::new(),
            State::Joining { stale, .. } => {
                *stale = false;
                return bytes.to_vec();
            }
            State::Understood => {}
        }
        self.down.extend(bytes);
        let held = std::mem::take(&mut self.down);
        let (mut input, mut to) = (&held[..], Vec::new());
        while self.ending.is_none() {
            self.tell(&mut to);
            let slot = self.owed.front();
            let lost = match slot.map(|slot| &slot.fate) {
                Some(Fate::Lost { hang_up }) => Some(*hang_up),
                _ => None,
            };
            if lost == Some(false) && !input.is_empty() {
                self.counts.intercepted += 1;
                self.state = State::Deaf;
                return to;
            }
            match self.server.next(input, slot) {
                Said::More if input.len() > 2 * HEAD => self.foreign(),
                Said::More => {
                    self.down.extend(input);
                    return to;
                }
                Said::Bytes { len, fare, ends } => {
                    match fare {
                        _ if lost.is_some() => self.bitten = true,
                        Fare::Pass => to.extend(&input[..len]),
                        Fare::Skip => {}
                        Fare::Swap => self.swap(&mut to),
                    }
                    input = &input[len..];
                    if ends && lost.is_some() {
                        self.counts.intercepted += 1;
                        self.ending = Some(Ending::Reset);
                    }
                    if ends {
                        self.owed.pop_front();
                    }
                }
                Said::Over => self.leave(),
                Said::Foreign => self.foreign(),
            }
            if self.state == State::Left {
                to.extend(input);
                return to;
            }
        }
        to
    }

    fn swap(&mut self, to: &mut Vec<u8>) {
        if let Some(Slot {
            fate: Fate::Swap { error, .. },
            ..
        }) = self.owed.front()
        {
            to.extend(error);
            self.counts.intercepted += 1;
        }
    }

    /// The client sends no more: what was held of it.
    pub fn asked_all(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.up)
    }

    /// The server says no more: what was held of it.
    pub fn heard_all(&mut self) -> Vec<u8> {
        // Some replies end with their connection.
        if self.bitten && self.ending.is_none() {
            self.counts.intercepted += 1;
            self.ending = Some(Ending::Reset);
        }
        match self.bitten {
            true => Vec::new(),
            false => std::mem::take(&mut self.down),
        }
    }

    /// How the connection is to end, as soon as the client has been told what it was to be told.
    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Whether an end would miss something if the connection went on and nobody read along.
    pub fn has_hole(&self) -> bool {
        let whole = |slot: &Slot| matches!(slot.fate, Fate::Pass | Fate::Lost { .. });
        let cut = self.swallows && !self.client.is_whole();
        self.has_lost() || cut || !self.owed.iter().all(whole)
    }

    /// Whether an end has missed something already.
    pub fn has_lost(&self) -> bool {
        self.state == State::Deaf || self.bitten
    }

    /// What was seen and done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    fn begin(&mut self) {
        if let State::Joining { .. } = self.state {
            self.state = State::Understood;
        }
    }

    /// It goes on as something else.
    fn leave(&mut self) {
        self.state = State::Left;
        // Who was to be answered here is told, or would wait for ever.
        self.owed.retain(|slot| matches!(slot.fate, Fate::Answer { .. }));
        self.settle();
    }

    /// It can't be read.
    fn foreign(&mut self) {
        if let State::Joining { tried: false, .. } = self.state {
            let (stale, tried) = (true, true);
            self.state = State::Joining { stale, tried };
        } else {
            self.counts.foreign += 1;
            self.leave();
        }
    }
}

fn pass(to: &mut Vec<Passed>, bytes: &[u8], later: Duration) {
    match to.last_mut() {
        _ if bytes.is_empty() => {}
        Some(last) if last.later == later => last.bytes.extend(bytes),
        _ => {
            let bytes = bytes.to_vec();
            to.push(Passed { later, bytes });
        }
    }
}

#[cfg(test)]
mod tests;
