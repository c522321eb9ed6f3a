//! A TCP proxy on one link, which makes that link slow, cuts it and heals it.
//!
//! A [`Proxy`] is told the whole list of conditions wanted on its link, as often as one likes; an
//! empty list means healthy. It needs no privileges, because it stands between the two ends
//! instead of changing the network. The price is that it acts on TCP streams, not on packets:
//!
//! - **Refusing** closes the listening socket and resets open connections. Healing listens on the
//!   same port, which stays reserved meanwhile.
//! - **Resetting** accepts a connection and resets it at once; open ones are reset too.
//! - **A black hole** keeps connections open and lets bytes vanish in both directions, also those
//!   under way. User space cannot suppress a handshake, so a new connection still succeeds and
//!   then stays silent. Nor does an end learn that the other has gone. On healing, connections
//!   that lost bytes are reset, since their streams have a hole; all others go on.
//! - **A delay** adds to every chunk that arrives, and to the end of the stream, in order, in both
//!   directions; several delays add up. Handshakes are not delayed. A direction holds 16 MiB at
//!   most and then exerts backpressure. When the delay changes, what is held leaves at once.
//!
//! Any cut wins over delays; of several cuts refusing wins, then resetting. A client whose
//! upstream cannot be reached sees its connection accepted and then reset.
//!
//! | module | knows |
//! |---|---|
//! | `rule` | what a list of conditions amounts to |
//! | `orders` | how a rule reaches everybody, and when it is in force |
//! | `port` | how an address is kept |
//! | `connection` | the two sockets of a connection |
//! | `pump` | one direction, and its paths: copy, hold, swallow |
//! | `line`, `clock` | when held bytes may leave |
//! | `stats` | what is counted |

mod clock;
mod connection;
mod line;
mod orders;
mod port;
mod pump;
mod rule;
mod stats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use squall_core::place::Condition;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use clock::Clock;
use connection::{Link, serve};
use orders::{Command, Feed, Orders};
use port::Port;
use rule::Rule;
use stats::Counters;

pub use stats::Stats;

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(1);

/// One listener in front of one upstream address. Dropping it ends its connections as well.
pub struct Proxy {
    port: Port,
    link: Arc<Link>,
    gate: Mutex<Gate>,
}

/// What imposing changes, one imposer at a time.
struct Gate {
    /// The task that accepts connections and owns the listener; none while they are refused.
    acceptor: JoinSet<()>,
    command: Command,
}

impl Proxy {
    /// Listens on `listen` and forwards to `upstream`. Port 0 lets the kernel choose one.
    ///
    /// `seed` determines the jitter of delays, connection by connection in order of acceptance.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the timer thread cannot be started.
    pub async fn open(listen: SocketAddr, upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        let port = Port::reserve(listen)?;
        let counters = Arc::new(Counters::default());
        let link = Arc::new(Link {
            upstream,
            seed,
            clock: Clock::shared()?,
            counters,
        });
        let command = Command::new(Rule::Flow(Vec::new()));
        let mut gate = Gate {
            acceptor: JoinSet::new(),
            command,
        };
        gate.listen(&port, &link).await?;
        Ok(Self {
            port,
            link,
            gate: Mutex::new(gate),
        })
    }

    /// Where clients connect. It stays the same for the proxy's life.
    pub fn addr(&self) -> SocketAddr {
        self.port.addr()
    }

    /// Makes `wanted`, and nothing else, hold on the link. Returns when it is in force on every
    /// connection: when what is to be reset has been, and no byte is treated as before.
    ///
    /// Asking for what already holds changes nothing.
    ///
    /// # Errors
    /// When a condition is not one for a link, and then nothing changes; when the port cannot be
    /// listened on again after a refusing cut, and then asking again tries again.
    pub async fn impose(&self, wanted: &[Condition]) -> io::Result<()> {
        let rule = Rule::of(wanted)?;
        let refuse = rule == Rule::Refuse;
        let mut gate = self.gate.lock().await;
        if refuse {
            gate.acceptor.shutdown().await;
        }
        gate.command.issue(rule).await;
        if !refuse && gate.acceptor.is_empty() {
            gate.listen(&self.port, &self.link).await?;
        }
        Ok(())
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.link.counters.read()
    }

    /// Stops listening and resets every connection. Takes a second at most.
    pub async fn close(self) {
        let refuse = async {
            let mut gate = self.gate.lock().await;
            gate.acceptor.shutdown().await;
            gate.command.issue(Rule::Refuse).await;
        };
        // Late connections are told to end all the same when the proxy is dropped.
        _ = timeout(CLOSING, refuse).await;
    }
}

impl Gate {
    async fn listen(&mut self, port: &Port, link: &Arc<Link>) -> io::Result<()> {
        let listener = port.listen().await?;
        self.acceptor
            .spawn(accept(listener, self.command.feed(), Arc::clone(link)));
        Ok(())
    }
}

async fn accept(listener: TcpListener, feed: Feed, link: Arc<Link>) {
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                let serial = link.counters.accepted();
                tokio::spawn(serve((client, serial), Orders::follow(&feed), Arc::clone(&link)));
            }
            // Out of descriptors, most likely: they come back when connections end.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}
