//! The black hole: whatever comes vanishes, and nothing tells either end.

use std::io;
use std::time::Instant;

use tokio::io::AsyncReadExt;

use super::{Pump, Turn};
use crate::proxy::line::End;

/// Lets all bytes vanish until there is a new order. Even the end of the stream must not be
/// noticed before; it is held, and passed on when no byte before it was lost.
pub(super) async fn run(pump: &mut Pump<'_>) -> io::Result<Turn> {
    let held = pump.line.vanish();
    note(pump, held);
    while !pump.orders.outdated() {
        let ended = pump.line.has_ended();
        tokio::select! {
            biased;
            () = pump.orders.changed() => break,
            read = pump.source.read(&mut pump.buffer), if !ended => match read {
                Ok(0) => pump.line.push_end(Instant::now(), End::Fin),
                Ok(count) => note(pump, count),
                Err(_) => pump.line.push_end(Instant::now(), End::Reset),
            }
        }
    }
    Ok(Turn::Choose)
}

fn note(pump: &mut Pump<'_>, vanished: usize) {
    pump.link.counters.swallowed(vanished);
    pump.lost |= vanished > 0;
}
