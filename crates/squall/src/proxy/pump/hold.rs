//! The delaying path: bytes leave when they are due, in order, and never early.

use std::future::pending;
use std::io;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;

use super::{Pump, Turn};
use crate::proxy::line::End;
use crate::proxy::rule::{Delay, draw};

/// Delays what is read by the sum of `delays`. Without any, writes what is still held, reads
/// nothing and leaves the rest to the healthy path.
pub(super) async fn run(pump: &mut Pump<'_>, delays: &[Delay]) -> io::Result<Turn> {
    let mut alarm = None;
    while !pump.orders.outdated() {
        let due = pump.line.next_due();
        let ripe = due.is_some_and(|due| due <= Instant::now());
        if ripe && let Some(end) = pump.line.end_reached() {
            return pump.finish(end).await;
        }
        if delays.is_empty() && pump.line.is_empty() {
            break;
        }
        if !ripe {
            set_alarm(&mut alarm, due, pump);
        }
        let reads = !delays.is_empty() && !pump.line.has_ended() && pump.line.has_room();
        tokio::select! {
            // In no fixed order, so that neither reading nor writing starves the other.
            written = pump.sink.write(pump.line.front()), if ripe => {
                let count = written?;
                pump.line.advance(count);
                pump.delivered(count);
            }
            () = ring(&mut alarm), if !ripe => alarm = None,
            read = pump.source.read(&mut pump.buffer), if reads => take_in(pump, delays, read),
            () = pump.orders.changed() => break,
        }
    }
    Ok(Turn::Choose)
}

type Alarm = Option<(Instant, oneshot::Receiver<()>)>;

/// Sets the alarm to `due` unless it already is: most rounds read more behind the same head.
fn set_alarm(alarm: &mut Alarm, due: Option<Instant>, pump: &Pump<'_>) {
    if due != alarm.as_ref().map(|(due, _)| *due) {
        *alarm = due.map(|due| (due, pump.link.clock.at(due)));
    }
}

async fn ring(alarm: &mut Alarm) {
    match alarm {
        // Resolves with an error only if the clock is gone, and then the loop asks the time itself.
        Some((_, bell)) => _ = bell.await,
        None => pending().await,
    }
}

/// Puts what was read into the line, to leave after a delay drawn for it.
fn take_in(pump: &mut Pump<'_>, delays: &[Delay], read: io::Result<usize>) {
    let due = Instant::now() + draw(delays, &mut pump.rng);
    match read {
        Ok(0) => pump.line.push_end(due, End::Fin),
        Err(_) => pump.line.push_end(due, End::Reset),
        Ok(count) => {
            pump.line.push(due, &pump.buffer[..count]);
            pump.link.counters.delayed(count);
            if !pump.line.has_room() {
                pump.link.counters.line_filled();
            }
            pump.grow(count);
        }
    }
}
