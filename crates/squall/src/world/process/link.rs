//! One link: its proxy, and what that has counted since each condition came into force there.

use std::io;
use std::sync::{Mutex, PoisonError};

use squall_core::event::LinkCounts;
use squall_core::place::Condition;

use crate::proxy::{Proxy, Stats};

/// What stands on a link.
pub(super) struct Link {
    pub(super) proxy: Proxy,
    /// The conditions in force, each with the proxy's counters from just before it was.
    before: Mutex<Vec<(Condition, Stats)>>,
    /// Held by whoever imposes.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Link {
    /// A healthy one.
    pub(super) fn new(proxy: Proxy) -> Self {
        Self {
            proxy,
            before: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Makes exactly `wanted` hold.
    ///
    /// # Errors
    /// As [`Proxy::impose`].
    pub(super) async fn impose(&self, wanted: &[Condition]) -> io::Result<()> {
        {
            let now = self.proxy.stats();
            let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
            // What one did while another held is its own, and stays so when that comes back.
            before.retain(|(condition, _)| wanted.contains(condition));
            for condition in wanted {
                if before.iter().all(|(known, _)| known != condition) {
                    before.push((condition.clone(), now));
                    if matches!(condition, Condition::Intercepted(_)) {
                        self.proxy.forget_untouched();
                    }
                }
            }
        }
        self.proxy.impose(wanted).await
    }

    /// What was counted since a condition came into force; `None` while it is not.
    pub(super) fn counts(&self, condition: &Condition) -> Option<LinkCounts> {
        let all = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, before) = all.iter().find(|(known, _)| known == condition)?;
        let now = self.proxy.stats();
        Some(LinkCounts {
            opened: now.accepted - before.accepted,
            closed: now.cut - before.cut,
            swallowed: now.bytes_swallowed - before.bytes_swallowed,
            delayed: now.bytes_delayed - before.bytes_delayed,
            throttled: now.bytes_throttled - before.bytes_throttled,
            stalls: now.stalls - before.stalls,
            corrupted: now.bytes_corrupted - before.bytes_corrupted,
            slices: now.slices - before.slices,
            slow_closes: now.slow_closes - before.slow_closes,
            truncated: now.truncated - before.truncated,
            requests: now.requests - before.requests,
            intercepted: now.intercepted - before.intercepted,
            foreign: now.foreign - before.foreign,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use squall_core::place::{Impair, Impairment, Share, Spread, Way};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    fn all(what: Impair) -> Condition {
        Condition::Impaired(Impairment {
            what,
            way: Way::Both,
            share: Share::ALL,
        })
    }

    /// Sends something around, which the other end sends back.
    async fn used(stream: &mut TcpStream) {
        stream.write_all(&[1; 500]).await.unwrap();
        let mut bytes = [0; 500];
        let back = tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut bytes));
        back.await.expect("it comes back").unwrap();
    }

    #[tokio::test]
    async fn what_one_condition_did_is_not_the_next_ones_while_a_third_holds() {
        let upstream = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = upstream.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            let (mut stream, _) = upstream.accept().await.unwrap();
            let (mut from, mut to) = stream.split();
            _ = tokio::io::copy(&mut from, &mut to).await;
        });
        let proxy = Proxy::open("127.0.0.1:0".parse().unwrap(), addr, 1).await.unwrap();
        let mut stream = TcpStream::connect(proxy.addr()).await.unwrap();
        let link = Link::new(proxy);
        let rate = all(Impair::Rate { bytes: 20_000 });
        let delay = all(Impair::Delay {
            latency: Duration::from_millis(20),
            jitter: Duration::ZERO,
            spread: Spread::Uniform,
        });
        let both = [rate.clone(), delay.clone()];
        link.impose(&both).await.unwrap();
        used(&mut stream).await;
        let throttled = link.counts(&rate).unwrap().throttled;
        assert!(throttled > 0 && link.counts(&delay).unwrap().delayed > 0);
        link.impose(std::slice::from_ref(&rate)).await.unwrap();
        assert_eq!(link.counts(&delay), None, "it is over");
        link.impose(&both).await.unwrap();
        assert_eq!(link.counts(&delay), Some(LinkCounts::default()), "nobody used it since");
        assert_eq!(link.counts(&rate).unwrap().throttled, throttled, "the one that stayed");
        used(&mut stream).await;
        let until = Instant::now() + Duration::from_secs(20);
        while link.counts(&delay).unwrap().delayed == 0 {
            assert!(Instant::now() < until, "its own use is counted");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        link.proxy.close().await;
        echo.abort();
    }
}
