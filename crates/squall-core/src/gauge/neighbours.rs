//! What else the machine was busy with.

use crate::event::Fact;
use crate::journal::History;
use crate::time::Nanos;

/// The share of all processors' time that went neither to the system nor to squall; `None` where nobody looked.
pub fn neighbours(history: &History<'_>, from: Nanos, to: Nanos) -> Option<f64> {
    let (mut busy, mut idle, mut known) = (0, 0, 0);
    for event in history.events.iter().filter(|event| (from..=to).contains(&event.at)) {
        match &event.fact {
            Fact::Machine(look) => {
                busy += look.busy_us;
                idle += look.idle_us;
                known += look.own_us;
            }
            Fact::Usage(usage) => known += usage.cpu_us,
            _ => {}
        }
    }
    let all = busy + idle;
    (all > 0).then(|| busy.saturating_sub(known) as f64 / all as f64)
}
