//! What shows that a service was short of something: what was seen of it meanwhile, and that it was needed.

use super::{Proof, at_work, window};
use crate::event::{EventId, Fact, Op, PulseOf, ShortageLook};
use crate::journal::{History, Strike};
use crate::place::{Instance, Shortage};
use crate::time::Nanos;

/// Of what was to be taken of processors at least this share must have been: on a machine that is busy anyway others take
/// their turns, too.
const ENOUGH: f64 = 0.1;

/// What a process says when it can open nothing more.
const NO_DESCRIPTOR: &str = "too many open files";

/// An instance that is short of something.
pub(super) fn short(strike: &Strike<'_>, (instance, short): (&Instance, &Shortage), history: &History<'_>) -> Proof {
    let what = format!("{instance} was {}", short.word());
    let (seen, says) = match short {
        Shortage::Cpu { taken } => cpu(strike, taken.fraction()),
        Shortage::Memory { left } => return memory(strike, (&what, instance), *left, history),
        Shortage::Fds { .. } => return descriptors(strike, (&what, instance), history),
        Shortage::Disk => return disk(strike, (&what, instance), history),
        Shortage::Connections { .. } => connections(strike),
    };
    match seen {
        Some(event) => Proof::seen(format!("{what}: {says}"), vec![event]),
        None => Proof::unseen(format!("{what}, but {says}"), strike),
    }
}

/// Others took most of what they were to take, and its threads had to wait.
fn cpu(strike: &Strike<'_>, share: f64) -> (Option<EventId>, String) {
    let looks = strike.looks.iter().rev().filter_map(|(event, look)| match *look {
        ShortageLook::Cpu {
            there_us,
            taken_us,
            waited_us,
        } => Some((*event, there_us, taken_us, waited_us)),
        _ => None,
    });
    let Some((event, there, taken, waited)) = looks.into_iter().next() else {
        return (None, "nobody looked at it meanwhile".to_owned());
    };
    let ms = |us: u64| us as f64 / 1e3;
    let says = format!("others took {:.0} of {:.0} ms of its processors", ms(taken), ms(there));
    if (taken as f64) < ENOUGH * share * there as f64 || taken == 0 {
        return (None, format!("{says} only"));
    }
    match waited {
        Some(0) => (None, format!("{says}, and it never had to wait")),
        Some(waited) => (
            Some(event),
            format!("{says}, and it waited {:.0} ms for its turn", ms(waited)),
        ),
        None => (Some(event), says),
    }
}

/// The limit was in force, left no more than was planned, and the service was used under it.
fn memory(strike: &Strike<'_>, (what, instance): (&str, &Instance), left: u64, history: &History<'_>) -> Proof {
    let mut under = Vec::new();
    for (event, look) in &strike.looks {
        let ShortageLook::Memory { limit, used } = *look else {
            continue;
        };
        // Freed since, it may be had again: the limit stays where it was put.
        under.push((*event, limit.saturating_sub(used)));
    }
    let Some((event, room)) = under.iter().min_by_key(|(_, room)| *room).copied() else {
        return Proof::unseen(format!("{what}, but its limit was never seen in force"), strike);
    };
    let megabytes = room as f64 / 1e6;
    if room > left {
        return Proof::unseen(format!("{what}, but it could still get {megabytes:.1} MB"), strike);
    }
    felt(
        strike,
        (what, instance),
        (event, format!("it could get no more than {megabytes:.1} MB")),
        history,
    )
}

/// No descriptor was free, and a connection waited for one, or the process itself said so.
fn descriptors(strike: &Strike<'_>, (what, instance): (&str, &Instance), history: &History<'_>) -> Proof {
    let mut full = Vec::new();
    let mut waited = 0;
    for (event, look) in &strike.looks {
        if let ShortageLook::Fds { free: 0, waiting, .. } = *look {
            full.push(*event);
            waited = waited.max(waiting);
        }
    }
    if full.is_empty() {
        return Proof::unseen(
            format!("{what}, but it had descriptors to come whenever it was looked at"),
            strike,
        );
    }
    let (from, to) = window(strike, history);
    let said = history.events.iter().filter(|event| (from..=to).contains(&event.at));
    let said: Vec<EventId> = said
        .filter(|event| {
            matches!(&event.fact, Fact::Log { instance: who, line }
                if who == instance && line.to_lowercase().contains(NO_DESCRIPTOR))
        })
        .map(|event| event.id)
        .collect();
    if waited == 0 && said.is_empty() {
        return Proof::unseen(format!("{what}, but it opened nothing meanwhile"), strike);
    }
    let says = format!(
        "{what}: {waited} connections waited for it to take them, and {} lines of its log say so",
        said.len()
    );
    Proof::seen(says, full.into_iter().take(1).chain(said).collect())
}

/// A write of squall's own was refused there, and the service was used meanwhile.
fn disk(strike: &Strike<'_>, (what, instance): (&str, &Instance), history: &History<'_>) -> Proof {
    let refused = strike
        .looks
        .iter()
        .find(|(_, look)| matches!(look, ShortageLook::Disk { refused: true, .. }));
    match refused {
        Some((event, _)) => felt(
            strike,
            (what, instance),
            (*event, "a write there was refused".to_owned()),
            history,
        ),
        None => Proof::unseen(format!("{what}, but whatever was written there was taken"), strike),
    }
}

fn connections(strike: &Strike<'_>) -> (Option<EventId>, String) {
    let refused = strike.looks.iter().rev().find_map(|(event, look)| match *look {
        ShortageLook::Connections { held, refused } if refused > 0 && held > 0 => Some((*event, held, refused)),
        _ => None,
    });
    match refused {
        Some((event, held, refused)) => {
            let says = format!("{held} connections were held, and {refused} more were refused");
            (Some(event), says)
        }
        None => (None, "it never refused a connection".to_owned()),
    }
}

/// What was seen counts where somebody used the service meanwhile.
fn felt(
    strike: &Strike<'_>,
    (what, instance): (&str, &Instance),
    (event, says): (EventId, String),
    history: &History<'_>,
) -> Proof {
    let used = uses(strike, instance, history);
    match used.is_empty() {
        true => Proof::unseen(format!("{what}: {says}, but nobody used it meanwhile"), strike),
        false => {
            let says = format!("{what}: {says}, while it was used {} times", used.len());
            Proof::seen(says, [event].into_iter().chain(used).collect())
        }
    }
}

/// What tells that a service was used while it was short: requests and probes of the entry service or what that
/// needs, attempts a worker was at or began.
fn uses(strike: &Strike<'_>, instance: &Instance, history: &History<'_>) -> Vec<EventId> {
    let (from, to) = window(strike, history);
    let inside = |call: Nanos, ret: Nanos| call <= to && ret >= from;
    if history.works(&instance.service) {
        let begun = history.stints_begun(&instance.to_string(), from..to).iter();
        let begun = begun.filter_map(|stint| history.attempt(stint).first_event());
        let before = at_work(instance, from, history);
        let before = before.iter().filter_map(|(_, attempt)| attempt.first_event());
        return before.chain(begun).collect();
    }
    if history.strikes_entry(strike).is_none() {
        return Vec::new();
    }
    let asked = |op: &Op| inside(op.call, op.ret);
    let ops = history.ops.iter().filter(|(_, op)| asked(op)).map(|(id, _)| *id);
    let pulses = history
        .pulses
        .iter()
        .filter(|(_, at, pulse)| pulse.of == PulseOf::Ready && inside(pulse.call, *at));
    ops.chain(pulses.map(|(id, ..)| *id)).collect()
}
