//! One direction of one connection.
//!
//! A pump always runs one of three paths: [`copy`] passes bytes on at once, [`hold`] keeps them
//! for a while, [`swallow`] lets them vanish. A path returns when there is a new order, or when
//! another path must take over; [`Pump::run`] then chooses again. A faster path is one more file.

mod copy;
mod hold;
mod swallow;

use std::io;

use rand::rngs::Xoshiro256PlusPlus;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::connection::Link;
use super::line::{End, Line};
use super::orders::Orders;
use super::rule::Rule;
use super::stats::{Cause, Way};

/// The size of a read buffer at first, so that idle connections stay small.
const SMALL: usize = 4 << 10;
/// The size to which full reads make it grow.
const LARGE: usize = 64 << 10;

/// Why a path returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// There is a new order, or the path has done its part.
    Choose,
    /// Everything has been passed on, the end of the stream included.
    Done,
}

/// One direction of one connection, with all that it keeps from path to path.
pub(super) struct Pump<'a> {
    source: ReadHalf<'a>,
    sink: WriteHalf<'a>,
    orders: Orders,
    link: &'a Link,
    way: Way,
    rng: Xoshiro256PlusPlus,
    buffer: Vec<u8>,
    /// Read and not yet written. Whatever path runs, this goes first.
    line: Line,
    /// Whether bytes have vanished: the stream has a hole and must not go on after it.
    lost: bool,
}

impl<'a> Pump<'a> {
    /// Will pass bytes from `source` to `sink`.
    pub(super) fn new(
        (source, sink): (ReadHalf<'a>, WriteHalf<'a>),
        orders: Orders,
        (link, way): (&'a Link, Way),
        rng: Xoshiro256PlusPlus,
    ) -> Self {
        let (buffer, line) = (vec![0; SMALL], Line::new());
        Self {
            source,
            sink,
            orders,
            link,
            way,
            rng,
            buffer,
            line,
            lost: false,
        }
    }

    /// Pumps until the stream ends.
    ///
    /// # Errors
    /// When the connection is to be reset: why, and the order which that reset leaves behind.
    pub(super) async fn run(mut self) -> Result<(), (Cause, Orders)> {
        loop {
            let turn = match self.orders.rule() {
                Rule::Flow(delays) if delays.is_empty() && self.line.is_empty() => copy::run(&mut self).await,
                Rule::Flow(delays) => {
                    let delays = delays.clone();
                    hold::run(&mut self, &delays).await
                }
                Rule::BlackHole => swallow::run(&mut self).await,
                Rule::Reset | Rule::Refuse => return Err((Cause::Condition, self.orders)),
            };
            match turn {
                Ok(Turn::Done) => return Ok(()),
                Ok(Turn::Choose) => {
                    if let Err(cause) = self.obey() {
                        return Err((cause, self.orders));
                    }
                }
                Err(_) => return Err((Cause::Peer, self.orders)),
            }
        }
    }

    /// Takes up the newest order; what is held under another rule need not wait any longer.
    fn obey(&mut self) -> Result<(), Cause> {
        if self.orders.obey(self.lost)? {
            self.line.release();
        }
        Ok(())
    }

    /// Counts bytes as delivered.
    fn delivered(&self, count: usize) {
        self.link.counters.delivered(self.way, count);
    }

    /// Makes room for more after a read that filled the buffer.
    fn grow(&mut self, count: usize) {
        if count == self.buffer.len() && count < LARGE {
            self.buffer.resize(2 * count, 0);
        }
    }

    /// Passes the end of the stream on.
    async fn finish(&mut self, end: End) -> io::Result<Turn> {
        match end {
            End::Fin => self.sink.shutdown().await.map(|()| Turn::Done),
            End::Reset => Err(io::ErrorKind::ConnectionReset.into()),
        }
    }
}
