//! The healthy path: read, write, repeat.

use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Pump, Turn};
use crate::proxy::line::End;

/// Passes bytes on at once. Nothing is held when this begins.
pub(super) async fn run(pump: &mut Pump<'_>) -> io::Result<Turn> {
    while !pump.orders.outdated() {
        let count = tokio::select! {
            // Reading first keeps a busy stream from waiting on orders; the loop asks for them.
            biased;
            read = pump.source.read(&mut pump.buffer) => read?,
            () = pump.orders.changed() => break,
        };
        if count == 0 {
            return pump.finish(End::Fin).await;
        }
        let written = write(pump, count).await?;
        if written < count {
            pump.line.push(Instant::now(), &pump.buffer[written..count]);
            break;
        }
        pump.grow(count);
    }
    Ok(Turn::Choose)
}

/// Writes the first `count` bytes of the buffer, or as many as it can before a new order.
async fn write(pump: &mut Pump<'_>, count: usize) -> io::Result<usize> {
    let mut written = 0;
    while written < count && !pump.orders.outdated() {
        tokio::select! {
            biased;
            result = pump.sink.write(&pump.buffer[written..count]) => {
                let more = result?;
                pump.delivered(more);
                written += more;
            }
            () = pump.orders.changed() => break,
        }
    }
    Ok(written)
}
