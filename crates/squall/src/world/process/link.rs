//! One link: its proxy, and what that has counted since the link was healthy last.

use std::io;
use std::sync::Mutex;

use squall_core::event::LinkCounts;
use squall_core::place::Condition;

use crate::proxy::{Proxy, Stats};

/// What stands on a link.
pub(super) struct Link {
    pub(super) proxy: Proxy,
    /// The proxy's counters when the link was last healthy, and whether it is.
    before: Mutex<(Stats, bool)>,
}

impl Link {
    /// A healthy one.
    pub(super) fn new(proxy: Proxy) -> Self {
        let before = Mutex::new((proxy.stats(), true));
        Self { proxy, before }
    }

    /// Makes exactly `wanted` hold.
    ///
    /// # Errors
    /// As [`Proxy::impose`].
    pub(super) async fn impose(&self, wanted: &[Condition]) -> io::Result<()> {
        if let Ok(mut before) = self.before.lock() {
            // What one fault did is not forgotten because another joins it.
            if before.1 {
                before.0 = self.proxy.stats();
                self.proxy.forget_untouched();
            }
            before.1 = wanted.is_empty();
        }
        self.proxy.impose(wanted).await
    }

    /// What was counted since it was healthy last.
    pub(super) fn counts(&self) -> Option<LinkCounts> {
        let before = self.before.lock().ok()?.0;
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
