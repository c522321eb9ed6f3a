//! What shows that a disk was full, or slow.

use std::time::Duration;

use crate::event::ShortageLook;
use crate::time::{nanos, words};

/// A write of squall's own was refused there.
pub(super) fn full<I: Copy>(looks: &[(I, ShortageLook)]) -> Result<(I, String), String> {
    let mut refused = looks
        .iter()
        .filter(|(_, seen)| matches!(seen, ShortageLook::Disk { refused: true, .. }));
    match refused.next() {
        Some((look, _)) => Ok((*look, "a write there was refused".to_owned())),
        None => Err("whatever was written there was taken".to_owned()),
    }
}

/// What it read, wrote and synced was held back as long as it was to be.
pub(super) fn slow<I: Copy>(looks: &[(I, ShortageLook)], latency: Duration) -> Result<(I, String), String> {
    let held = looks.iter().rev().find_map(|(look, seen)| match *seen {
        ShortageLook::SlowDisk { accesses, held_us } => Some((*look, accesses, held_us)),
        _ => None,
    });
    match held {
        None => Err("nobody looked at it meanwhile".to_owned()),
        Some((_, 0, _)) => Err("it read, wrote and synced nothing meanwhile".to_owned()),
        Some((look, accesses, held_us)) => {
            let each = Duration::from_micros(held_us / accesses);
            let says = format!(
                "{accesses} reads, writes and syncs took {} longer each on average",
                words(nanos(each))
            );
            // The last ones were let go before their time was over.
            match 2 * each < latency {
                true => Err(format!("{says} only")),
                false => Ok((look, says)),
            }
        }
    }
}
