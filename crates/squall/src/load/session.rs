//! What is asked, and what is done with the answers.

use std::sync::mpsc::{Receiver, sync_channel};

use squall_core::schedule::Due;
use squall_core::time::Nanos;

use super::wire::{Http, Malformed, Parts, Requests, Wire};

/// What one thread of load asks, and who hears what came of it. It is called on that thread, between sends: while it
/// works nothing is sent, so whatever takes longer than some microseconds belongs elsewhere.
pub trait Session: Send + 'static {
    /// How replies are read.
    type Wire: Wire;

    /// A reader for a new connection.
    fn wire(&mut self) -> Self::Wire;

    /// Appends the bytes of the request that is due to `out`, and says what its reader has to know of it. Called once
    /// for each due, in their order.
    fn request(&mut self, due: &Due, out: &mut Vec<u8>) -> <Self::Wire as Wire>::Expect;

    /// Hears what came of a request: once for each that was taken up, in the order of their ends.
    fn done(&mut self, done: &Done<'_>);
}

/// What came of a request. Times count from the load's start.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// Which it was, and when it was due.
    pub due: Due,
    /// Just before its first byte was sent, if any was.
    pub sent: Option<Nanos>,
    /// After its reply was read, or it was given up.
    pub ret: Nanos,
    /// What came of it.
    pub outcome: Outcome,
    /// The beginning of the reply's body, as much of it as is kept; empty without a reply.
    pub body: &'a [u8],
}

/// What came of a request that was taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was answered, with this status.
    Answered(u16),
    /// Not a byte of it was sent, so it certainly had no effect.
    Failed(Failed),
    /// It was sent, wholly or in part, and not answered: nobody knows whether it took effect.
    Unknown(Unknown),
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failed {
    /// The connection was refused.
    Refused,
    /// No connection came about, for another reason or not in time.
    NotConnected,
    /// This machine had no socket left: it is the load's failure, not the target's.
    NoSocket,
}

/// Why nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unknown {
    /// No reply came in time, or before the load ended.
    TimedOut,
    /// The connection ended before its reply did.
    CutOff,
    /// What came was no reply.
    Malformed(Malformed),
}

/// HTTP requests from a thread of load.
pub struct HttpSession {
    source: Source,
    keep: usize,
    done: Option<OnDone>,
}

type Fill = Box<dyn FnMut(&Due, &mut Parts) + Send>;
type OnDone = Box<dyn FnMut(&Done<'_>) + Send>;

enum Source {
    Fixed(Vec<u8>, bool),
    Filled(Requests, Parts, Fill),
}

impl HttpSession {
    /// The same request every time.
    pub fn fixed(requests: &Requests, parts: &Parts) -> Self {
        let mut bytes = Vec::new();
        requests.write(parts, &mut bytes);
        Self::new(Source::Fixed(bytes, requests.to_head()))
    }

    /// Requests whose path and body `fill` puts into the empty [`Parts`] it is given.
    pub fn filled(requests: Requests, fill: impl FnMut(&Due, &mut Parts) + Send + 'static) -> Self {
        Self::new(Source::Filled(requests, Parts::default(), Box::new(fill)))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            keep: 0,
            done: None,
        }
    }

    /// Has `done` hear what came of each request, with at most `keep` bytes of each reply's body.
    #[must_use]
    pub fn heard(mut self, keep: usize, done: impl FnMut(&Done<'_>) + Send + 'static) -> Self {
        self.keep = keep;
        self.done = Some(Box::new(done));
        self
    }
}

impl std::fmt::Debug for HttpSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSession")
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

impl Session for HttpSession {
    type Wire = Http;

    fn wire(&mut self) -> Http {
        Http::new(self.keep)
    }

    fn request(&mut self, due: &Due, out: &mut Vec<u8>) -> bool {
        match &mut self.source {
            Source::Fixed(bytes, to_head) => {
                out.extend_from_slice(bytes);
                *to_head
            }
            Source::Filled(requests, parts, fill) => {
                parts.path.clear();
                parts.body.clear();
                fill(due, parts);
                requests.write(parts, out);
                requests.to_head()
            }
        }
    }

    fn done(&mut self, done: &Done<'_>) {
        if let Some(hear) = &mut self.done {
            hear(done);
        }
    }
}

/// What came of a request, to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// As in [`Done`].
    pub due: Due,
    /// As in [`Done`].
    pub sent: Option<Nanos>,
    /// As in [`Done`].
    pub ret: Nanos,
    /// As in [`Done`].
    pub outcome: Outcome,
    /// As in [`Done`].
    pub body: Vec<u8>,
}

impl From<&Done<'_>> for Record {
    fn from(done: &Done<'_>) -> Self {
        Self {
            due: done.due,
            sent: done.sent,
            ret: done.ret,
            outcome: done.outcome,
            body: done.body.to_vec(),
        }
    }
}

/// Carries what came of requests to another thread. It holds at most `capacity` records: then the load waits for
/// the receiver, for a record that is dropped is a promise forgotten. The wait shows as lateness, and the
/// receiver must be read or dropped for the load to end. There is no more to receive once every session that
/// delivers to it is dropped.
pub fn delivery(capacity: usize) -> (impl FnMut(&Done<'_>) + Clone + Send + 'static, Receiver<Record>) {
    let (to, from) = sync_channel(capacity);
    let send = move |done: &Done<'_>| {
        // Nobody listens any more once the receiver is gone.
        _ = to.send(Record::from(done));
    };
    (send, from)
}
