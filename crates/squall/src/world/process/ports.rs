//! Ports for services: outside the range the kernel takes for outgoing connections, so that a
//! service that is down for a while finds its port free when it comes back.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::super::Trouble;

/// Where to look when the kernel's range can't be read.
const USUAL: (u16, u16) = (32768, 60999);
/// Below this, well-known services live.
const LOWEST: u16 = 15000;

/// The ports of all systems of this process: one whose service is down just now looks free, and is not.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

fn taken() -> MutexGuard<'static, BTreeSet<u16>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One system's ports; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Ports {
    next: u16,
    low: u16,
    high: u16,
    own: Vec<u16>,
}

impl Drop for Ports {
    fn drop(&mut self) {
        let mut taken = taken();
        for port in &self.own {
            taken.remove(port);
        }
    }
}

impl Ports {
    /// Starts looking at a place that depends on the seed and this process, so that runs side by side rarely meet.
    pub(super) fn new(seed: u64) -> Self {
        let (first, _) = ephemeral();
        let (low, high) = if first > LOWEST + 2000 {
            (LOWEST, first - 1)
        } else {
            (61000, 65000)
        };
        let spread = (seed ^ u64::from(std::process::id()).wrapping_mul(7919)) % u64::from(high - low);
        Self {
            next: low + spread as u16,
            low,
            high,
            own: Vec::new(),
        }
    }

    /// A free port on loopback: the one asked for, or any.
    pub(super) fn take(&mut self, asked: Option<u16>) -> Result<SocketAddr, Trouble> {
        if let Some(port) = asked {
            return self.claim(port).ok_or(Trouble::PortTaken { port });
        }
        for _ in self.low..self.high {
            let port = self.next;
            self.next = if self.next + 1 >= self.high {
                self.low
            } else {
                self.next + 1
            };
            if let Some(address) = self.claim(port) {
                return Ok(address);
            }
        }
        Err(Trouble::PortTaken { port: self.low })
    }

    fn claim(&mut self, port: u16) -> Option<SocketAddr> {
        (free(port) && taken().insert(port)).then(|| {
            self.own.push(port);
            SocketAddr::from(([127, 0, 0, 1], port))
        })
    }
}

/// Listens for a moment, as the service will: SO_REUSEADDR is set, so waiting connections don't count.
fn free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

fn ephemeral() -> (u16, u16) {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(low), Some(high)) => (low, high),
        _ => USUAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_refused_and_never_given() {
        let held = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = held.local_addr().unwrap().port();
        let mut ports = Ports::new(1);
        assert!(matches!(ports.take(Some(port)), Err(Trouble::PortTaken { .. })));
        let one = ports.take(None).unwrap();
        let other = ports.take(None).unwrap();
        assert_ne!(one, other);
        assert!(one.port() < ephemeral().0 || one.port() > 60999);
    }

    #[test]
    fn two_systems_of_one_seed_share_no_port_until_one_is_gone() {
        let (mut one, mut other) = (Ports::new(7), Ports::new(7));
        let address = one.take(None).unwrap();
        assert_ne!(address, other.take(None).unwrap());
        assert!(matches!(
            other.take(Some(address.port())),
            Err(Trouble::PortTaken { .. })
        ));
        drop(one);
        assert_eq!(other.take(Some(address.port())).unwrap(), address);
    }
}
