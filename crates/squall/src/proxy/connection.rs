//! One client's connection and the upstream connection that goes with it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::Xoshiro256PlusPlus;
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::clock::Clock;
use super::orders::Orders;
use super::pump::Pump;
use super::rule::Rule;
use super::stats::{Cause, Counters, Way};

/// How long the upstream may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What the connections of one proxy have in common.
pub(super) struct Link {
    pub(super) upstream: SocketAddr,
    pub(super) seed: u64,
    pub(super) clock: Clock,
    pub(super) counters: Arc<Counters>,
}

impl Link {
    /// The generator for one direction of the `serial`-th connection.
    fn rng(&self, serial: u64, way: Way) -> Xoshiro256PlusPlus {
        let stream = 2 * serial + u64::from(way == Way::Down);
        // Multiples of the golden ratio lie far apart, so that near seeds share no stream.
        Xoshiro256PlusPlus::seed_from_u64(self.seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }
}

/// Serves the `serial`-th accepted connection to its end.
pub(super) async fn serve((mut client, serial): (TcpStream, u64), mut orders: Orders, link: Arc<Link>) {
    let (cause, orders) = match establish(&mut client, &mut orders, &link).await {
        Err(cause) => {
            abort(client);
            (Some(cause), Some(orders))
        }
        Ok(upstream) => converse((client, upstream), orders, &link, serial).await,
    };
    link.counters.closed(cause);
    // Only now may a new order count as in force: the sockets are gone and all is counted.
    drop(orders);
}

/// Connects to the upstream as soon as the rule allows it.
async fn establish(client: &mut TcpStream, orders: &mut Orders, link: &Link) -> Result<TcpStream, Cause> {
    client.set_nodelay(true).map_err(|_| Cause::Peer)?;
    let mut lost = false;
    loop {
        match orders.rule() {
            Rule::Reset | Rule::Refuse => return Err(Cause::Condition),
            Rule::BlackHole => {
                lost |= be_silent(client, orders, &link.counters).await?;
                orders.obey(lost)?;
            }
            Rule::Flow(_) => match reach(link.upstream, orders).await {
                // A black hole lets no failure through. When it is healed, try again.
                Err(Cause::Upstream) if *orders.rule() == Rule::BlackHole => {}
                result => return result,
            },
        }
    }
}

/// Connects to `upstream`. Once begun this goes on whatever the orders, unless connections are to
/// end: the upstream may have seen the connection already, and a second one would confuse it.
async fn reach(upstream: SocketAddr, orders: &mut Orders) -> Result<TcpStream, Cause> {
    let mut connecting = pin!(connect(upstream));
    loop {
        tokio::select! {
            biased;
            () = orders.changed() => { orders.obey(false)?; }
            connected = &mut connecting => return connected.map_err(|_| Cause::Upstream),
        }
    }
}

/// Lets what the client sends vanish until there is a new order. Returns whether it sent any.
async fn be_silent(client: &mut TcpStream, orders: &mut Orders, counters: &Counters) -> Result<bool, Cause> {
    let mut buffer = [0; 4096];
    let (mut lost, mut ended) = (false, false);
    while !orders.outdated() {
        tokio::select! {
            biased;
            () = orders.changed() => break,
            read = client.read(&mut buffer), if !ended => {
                let count = read.map_err(|_| Cause::Peer)?;
                counters.swallowed(count);
                ended = count == 0;
                lost |= !ended;
            }
        }
    }
    Ok(lost)
}

async fn connect(upstream: SocketAddr) -> io::Result<TcpStream> {
    let socket = if upstream.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Given up half-way, the upstream must see a reset, not a client that came and left.
    socket.set_zero_linger()?;
    let stream = timeout(CONNECT_TIMEOUT, socket.connect(upstream)).await??;
    // The kernel may choose the port that is dialled as the one to dial from, and such a
    // connection reaches only itself. It happens when nobody listens there, so say that.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    SockRef::from(&stream).set_linger(None)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Passes bytes on in both directions until both have ended, or one has broken.
async fn converse(
    (mut client, mut upstream): (TcpStream, TcpStream),
    orders: Orders,
    link: &Link,
    serial: u64,
) -> (Option<Cause>, Option<Orders>) {
    let (client_out, client_in) = client.split();
    let (upstream_out, upstream_in) = upstream.split();
    let pump = |source, sink, orders, way| Pump::new((source, sink), orders, (link, way), link.rng(serial, way));
    let up = pump(client_out, upstream_in, orders.clone(), Way::Up);
    let down = pump(upstream_out, client_in, orders, Way::Down);
    match tokio::try_join!(up.run(), down.run()) {
        Ok(_) => (None, None),
        Err((cause, orders)) => {
            abort(client);
            abort(upstream);
            (Some(cause), Some(orders))
        }
    }
}

/// Closes a connection with a reset instead of an orderly end.
fn abort(stream: TcpStream) {
    // When it fails the connection is already gone.
    _ = stream.set_zero_linger();
}
