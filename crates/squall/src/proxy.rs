//! A TCP proxy on one link, which makes that link bad in many ways and heals it.
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
//! - **Half open**: the same for the client, but the upstream's side is reset, as if it had restarted.
//!   On healing every connection that had an upstream is reset.
//! - **Impairments** ([`squall_core::place::Impair`]) act on each direction in order. Handshakes are not
//!   touched. A direction holds 32 MiB at most, and all of a process 256 MiB; then they exert backpressure.
//!   When an impairment is removed, what is held is scheduled anew under the rest; with none left it leaves at once.
//!
//! Any cut wins over impairments; of several cuts refusing wins, then resetting. A client whose
//! upstream cannot be reached sees its connection accepted and then reset.
//!
//! | module | knows |
//! |---|---|
//! | `rule` | what a list of conditions amounts to |
//! | `stats` | what is counted |
//! | `stage` | one impairment at work: when each piece may leave, and as what |
//! | `buffers` | what is read into, used again |
//! | `exchange` | requests that are picked out, on links where that is wanted |
//! | `line` | held bytes, in order |
//! | `pump` | one direction: copied, held, or through a pipe past everything |
//! | `connection` | the two sockets of a connection |
//! | `engine` | the one thread that carries all links |
//! | `port` | how an address is kept |

mod buffers;
mod connection;
mod engine;
mod exchange;
mod line;
mod port;
mod pump;
mod rule;
mod stage;
mod stats;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use squall_core::event::Untouched;
use squall_core::place::Condition;
use squall_core::protocol::Protocol;
use tokio::sync::{Mutex, oneshot};
use tokio::time::timeout;

use engine::{Command, Handle, Link};
use port::Port;
use rule::Rules;
use stats::Counters;

pub use rule::{Wanted, What};
pub use stats::Stats;

/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(1);

/// One listener in front of one upstream address. Dropping it ends its connections as well.
pub struct Proxy {
    id: u64,
    port: Port,
    engine: Handle,
    counters: Arc<Counters>,
    /// Whether somebody listens; one imposer at a time.
    listens: Mutex<bool>,
}

impl Proxy {
    /// Listens on `listen` and forwards to `upstream`. Port 0 lets the kernel choose one.
    ///
    /// `seed` determines all that is left to chance, connection by connection in order of acceptance.
    ///
    /// # Errors
    /// When the address cannot be listened on, or the proxies' thread cannot be started.
    pub async fn open(listen: SocketAddr, upstream: SocketAddr, seed: u64) -> io::Result<Self> {
        let proxy = Self::reserve(listen, vec![upstream], seed)?;
        proxy.apply(Rules::default()).await?;
        Ok(proxy)
    }

    /// The same, for an upstream with several addresses, tried in turn; nobody listens before something is imposed.
    ///
    /// # Errors
    /// As [`Proxy::open`].
    pub fn reserve(listen: SocketAddr, upstream: Vec<SocketAddr>, seed: u64) -> io::Result<Self> {
        Self::on(Handle::shared()?, listen, upstream, seed)
    }

    fn on(engine: Handle, listen: SocketAddr, upstream: Vec<SocketAddr>, seed: u64) -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let port = Port::reserve(listen)?;
        let counters = Arc::new(Counters::default());
        let id = u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let link = Link {
            upstream,
            seed,
            rules: Rules::default(),
            counters: Arc::clone(&counters),
            speaks: None,
            picking: None,
            listener: None,
        };
        engine.tell(Command::Open(id, link));
        Ok(Self {
            id,
            port,
            engine,
            counters,
            listens: Mutex::new(false),
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
    /// listened on again after a refusing cut, and then asking again tries again; when the thread that carries all
    /// links has ended, by a defect, and then nothing can be imposed any more.
    pub async fn impose(&self, wanted: &[Condition]) -> io::Result<()> {
        self.apply(Rules::of(wanted)?).await
    }

    /// The same for one who keeps their order, in which bytes meet them, and their keys.
    ///
    /// # Errors
    /// When the port cannot be listened on again, or the thread that carries all links has ended.
    pub async fn arrange(&self, wanted: &[Wanted]) -> io::Result<()> {
        self.apply(Rules::ordered(wanted)).await
    }

    /// Leads new connections to other addresses.
    pub fn lead_to(&self, upstream: Vec<SocketAddr>) {
        self.engine.tell(Command::Lead(self.id, upstream));
    }

    /// Follows what new connections say from their beginning, for requests that will be picked out: a statement that
    /// was prepared before is known then by its name. Only such a link pays for it.
    pub fn follow(&self, speaks: Protocol) {
        self.engine.tell(Command::Follow(self.id, speaks));
    }

    async fn apply(&self, rules: Rules) -> io::Result<()> {
        let refuse = rules.refuse();
        let mut listens = self.listens.lock().await;
        self.ask(|done| Command::Obey(self.id, rules, done)).await?;
        if refuse {
            *listens = false;
        } else if !*listens {
            let listener = self.port.listen().await?;
            self.ask(|done| Command::Listen(self.id, listener, done)).await??;
            *listens = true;
        }
        Ok(())
    }

    /// Tells the engine something, and waits for the answer.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> io::Result<T> {
        let (done, answered) = oneshot::channel();
        self.engine.tell(command(done));
        let gone = "the proxies' thread has ended: its links carry nothing until squall is started anew";
        answered.await.map_err(|_| io::Error::other(gone))
    }

    /// What has happened so far.
    pub fn stats(&self) -> Stats {
        self.counters.read()
    }

    /// The requests that were looked at and passed as they were, by their sort; the most frequent first.
    pub fn untouched(&self) -> Vec<Untouched> {
        self.counters.all_untouched()
    }

    /// From now on they are noted anew.
    pub fn forget_untouched(&self) {
        self.counters.forget_untouched();
    }

    /// Stops listening and resets every connection. Takes a second at most.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        self.engine.tell(Command::Close(self.id, done));
        _ = timeout(CLOSING, closed).await;
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Connections must not outlive their proxy. After closing there are none.
        self.engine.tell(Command::Close(self.id, oneshot::channel().0));
    }
}
