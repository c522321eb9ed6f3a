//! Other strikes: what one of them explains shows nothing of another.

use crate::event::{Op, Pulse, PulseOf};
use crate::journal::{History, Strike};
use crate::place::{Condition, Impair, Instance, Place};
use crate::time::{Nanos, SECOND};

/// Whether another strike explains that the entry service left a request without an answer.
pub(super) fn explain_op(strike: &Strike<'_>, op: &Op, history: &History<'_>) -> bool {
    explain(strike, (op.call, op.ret), true, history)
}

/// The same of a probe that was answered at `at`. Whoever asks only whether it lives needs nothing but the service itself.
pub(super) fn explain_pulse(strike: &Strike<'_>, (pulse, at): (&Pulse, Nanos), history: &History<'_>) -> bool {
    explain(strike, (pulse.call, at), pulse.of == PulseOf::Ready, history)
}

fn explain(strike: &Strike<'_>, during: (Nanos, Nanos), needs: bool, history: &History<'_>) -> bool {
    let entry = history.header.system.entry.as_str();
    at_once(strike, during, history).any(|other| match other.place {
        Place::Instance(instance) if instance.service == entry => true,
        Place::Instance(instance) | Place::Link { from: instance, .. } => {
            needs && (instance.service == entry || history.needs(entry, &instance.service))
        }
        Place::Service(_) => false,
    })
}

/// Whether another strike explains that a worker's attempt failed at `at`.
pub(super) fn explain_failure(strike: &Strike<'_>, (worker, at): (&str, Nanos), history: &History<'_>) -> bool {
    let worker = worker.parse::<Instance>();
    worker.is_ok_and(|worker| at_once(strike, (at, at), history).any(|other| history.concerns(other, &worker)))
}

/// Whether another strike keeps a copy down at a moment.
pub(super) fn keep_down(strike: &Strike<'_>, copy: &Instance, at: Nanos, history: &History<'_>) -> bool {
    at_once(strike, (at, at), history).any(|other| {
        let here = matches!(other.place, Place::Instance(struck) if struck == copy);
        here && matches!(other.condition, Condition::Down(_))
    })
}

/// The other strikes in force at some moment of a time that may keep somebody from answering.
fn at_once<'h, 'a>(
    strike: &Strike<'_>,
    (from, to): (Nanos, Nanos),
    history: &'h History<'a>,
) -> impl Iterator<Item = &'h Strike<'a>> {
    let own = strike.index;
    history.strikes.iter().filter(move |other| {
        let meanwhile = other.imposing.1 <= to && other.healed.unwrap_or(history.until) >= from;
        other.index != own && meanwhile && withholds(other.condition)
    })
}

/// Whether a condition may keep somebody from answering at all, and does not only make it slower or its bytes others.
fn withholds(condition: &Condition) -> bool {
    match condition {
        Condition::Impaired(impairment) => match &impairment.what {
            Impair::Delay { latency, .. } => crate::time::nanos(*latency) >= SECOND / 2,
            Impair::Corrupt { .. } | Impair::Slice { .. } | Impair::SlowClose { .. } => false,
            _ => true,
        },
        Condition::Damaged(damage) => damage.stopped,
        Condition::Replicas(_) => false,
        _ => true,
    }
}
