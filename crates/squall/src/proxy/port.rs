//! The address a proxy listens on, kept for as long as the proxy lives.
//!
//! While a cut refuses connections nobody may listen, and the kernel would soon hand the port to
//! somebody's outgoing connection. A second socket, bound to it but never listening, prevents
//! that: the kernel refuses connections to the port and gives it to nobody.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use rustix::net::sockopt::set_tcp_congestion;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::time::{Instant, sleep};

/// Connections the kernel completes before the proxy has accepted them.
const BACKLOG: i32 = 1024;

/// How long a port in use is asked for.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Port {
    addr: SocketAddr,
    _reservation: Socket,
}

impl Port {
    /// Reserves `wanted`; port 0 lets the kernel choose.
    pub(super) fn reserve(wanted: SocketAddr) -> io::Result<Self> {
        let reservation = bound(wanted)?;
        let addr = reservation.local_addr()?.as_socket();
        let addr = addr.ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self {
            addr,
            _reservation: reservation,
        })
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Starts to listen. Only one listener can exist at a time.
    ///
    /// # Errors
    /// Says so when somebody else still listens on the port after a second.
    pub(super) async fn listen(&self) -> io::Result<TcpListener> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match listener(self.addr) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    if Instant::now() >= deadline {
                        let why = format!("cannot listen on {} again: it is in use", self.addr);
                        return Err(io::Error::new(error.kind(), why));
                    }
                    sleep(Duration::from_millis(10)).await;
                }
                result => return result,
            }
        }
    }
}

/// Says that a socket's way stays on this machine, where nothing is ever congested. BBR, many systems' choice, sets a
/// timer for every burst all the same, which more than doubles what a gigabyte costs.
pub(super) fn uncongested(socket: &Socket) {
    // Reno is in every kernel and open to everybody. Without it bytes get there, too.
    _ = set_tcp_congestion(socket, "reno");
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = bound(addr)?;
    if addr.ip().is_loopback() {
        // Whoever is let in by it has the same.
        uncongested(&socket);
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket bound to `addr`. With address reuse several may be, as long as none of them listens.
fn bound(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}
