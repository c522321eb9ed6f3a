//! What shows that a service was short of something: what was seen of it meanwhile, and that it was needed.

use super::disk;
use super::work::at_work;
use super::{Proof, bad_answers, window};
use crate::event::{EventId, Fact, Op, Outcome, PulseOf, Role, ShortageLook};
use crate::journal::{History, Strike};
use crate::place::{Damage, Instance, Shortage};
use crate::time::{Nanos, SECOND};

/// Of what was to be taken of processors at least this share must have been: on a machine that is busy anyway others take
/// their turns, too.
const ENOUGH: f64 = 0.1;

/// Its threads must have waited half as long again as they would have otherwise, and so much longer, in millionths of a second.
const LONGER: u64 = 1000;
/// Or for this part of the processor time there was, however long that was before: what is usual on a machine that is busy anyway
/// changes from moment to moment.
const PART: u64 = 20;

/// Of the memory that was left it must have got one part in so many: less than that any request takes, and nobody misses it.
const ASKED: u64 = 100;

/// What a process says when it can open nothing more.
const NO_DESCRIPTOR: &[&str] = &["too many open files"];
/// What programs say when they get no memory, in several languages.
const NO_MEMORY: &[&str] = &[
    "out of memory",
    "cannot allocate memory",
    "memory allocation of",
    "bad_alloc",
    "memoryerror",
];
/// What they say when their disk is full.
const NO_ROOM: &[&str] = &["no space left", "enospc", "not enough space"];

/// What a create is called that is far larger than any sound one.
const BULKY: &str = "create of ";

/// An instance that is short of something.
pub(super) fn short(strike: &Strike<'_>, (instance, short): (&Instance, &Shortage), history: &History<'_>) -> Proof {
    let what = format!("{instance} was {}", short.word());
    match (short, seen_short(short, &strike.looks)) {
        (Shortage::Fds { .. }, seen) => descriptors(strike, (&what, instance), seen, history),
        // These two are withheld quietly: nobody may have asked for any.
        (Shortage::Memory { left }, _) => memory_missed(strike, (&what, instance), *left, history),
        (Shortage::Disk, Ok(seen)) => match signs(strike, instance, NO_ROOM, history) {
            Some(signs) => Proof::seen(format!("{what}: {}, and {}", seen.1, signs.0), with(seen.0, signs.1)),
            None => {
                let says = format!("{what}: {}, but nothing shows that one of its own was", seen.1);
                Proof::unseen(says, strike)
            }
        },
        (_, Err(says)) => Proof::unseen(format!("{what}, but {says}"), strike),
        // Where nobody counts how long it waited, what it did meanwhile must do.
        (Shortage::Cpu { .. }, Ok(seen)) if !counted(strike) => felt(strike, (&what, instance), seen, history),
        // That none is left is seen by squall itself: somebody must have needed one.
        (Shortage::Connections { .. }, Ok(seen)) => felt(strike, (&what, instance), seen, history),
        (_, Ok((event, says))) => Proof::seen(format!("{what}: {says}"), vec![event]),
    }
}

/// An instance whose files are not what it wrote: they were changed, read back so, and it was used with them.
pub(super) fn damaged(strike: &Strike<'_>, (instance, damage): (&Instance, &Damage), history: &History<'_>) -> Proof {
    let what = format!("{instance} was damaged");
    let word = damage.how.word();
    let vain = match (strike.damaged, strike.read_back) {
        (None, _) => "no file was seen to be changed".to_owned(),
        (Some((_, 0)), _) => format!("no file of its own fits {}", damage.files),
        (Some(_), None) => "nobody read back what was written".to_owned(),
        (Some((_, count)), Some((_, 0))) => format!("of {count} {word} nothing was there when it was read back"),
        (Some(_), Some((event, found))) => {
            let says = format!("{found} {word}, written and read back");
            return felt(strike, (&what, instance), (event, says), history);
        }
    };
    Proof::unseen(format!("{what}, but {vain}"), strike)
}

/// The look that shows a shortage and what it shows; else what was seen instead.
///
/// # Errors
/// None shows it.
pub fn seen_short<I: Copy>(short: &Shortage, looks: &[(I, ShortageLook)]) -> Result<(I, String), String> {
    match short {
        Shortage::Cpu { taken } => cpu(looks, taken.fraction()),
        Shortage::Memory { left } => {
            let (_, says) = memory(looks, *left)?;
            let (look, more) = grown(looks, *left)
                .ok_or_else(|| format!("{says}, but it was not seen to get much of that meanwhile"))?;
            Ok((look, format!("{says}, and {more}")))
        }
        Shortage::Fds { .. } => waiters(looks),
        Shortage::Disk => disk::full(looks),
        Shortage::SlowDisk { latency } => disk::slow(looks, *latency),
        Shortage::Connections { .. } => connections(looks),
    }
}

/// Whether the kernel said how long its threads waited.
fn counted(strike: &Strike<'_>) -> bool {
    let mut looks = strike.looks.iter();
    looks.any(|(_, look)| matches!(look, ShortageLook::Cpu { waited_us: Some(_), .. }))
}

/// Others took part of what they were to take where it was bound, and its threads had to wait longer than before.
fn cpu<I: Copy>(looks: &[(I, ShortageLook)], share: f64) -> Result<(I, String), String> {
    let last = looks.iter().rev().find_map(|(look, seen)| match *seen {
        ShortageLook::Cpu {
            there_us,
            taken_us,
            waited_us,
            usual_us,
            astray,
        } => Some((*look, [there_us, taken_us], [waited_us, usual_us], astray)),
        _ => None,
    });
    let Some((look, [there, taken], waits, astray)) = last else {
        return Err("nobody looked at it meanwhile".to_owned());
    };
    let ms = |us: u64| us as f64 / 1e3;
    let says = format!("others took {:.0} of {:.0} ms of its processors", ms(taken), ms(there));
    if (taken as f64) < ENOUGH * share * there as f64 || taken == 0 {
        return Err(format!("{says} only"));
    }
    let enough = |usual: u64| {
        usual
            .saturating_add((usual / 2).max(LONGER))
            .min(there / PART)
            .max(LONGER)
    };
    let [waited, usual] = waits;
    if let Some(astray @ 1..) = astray {
        return Err(format!("{says}, and {astray} threads might run on others"));
    }
    match waited {
        Some(0) => Err(format!("{says}, and it never had to wait")),
        Some(waited) => {
            let than = usual.map_or(String::new(), |usual| {
                format!(", where {:.1} ms would have been usual", ms(usual))
            });
            let says = format!("{says}, and it waited {:.1} ms for its turn{than}", ms(waited));
            // Where nobody knows what would have been usual, it must be more than a moment.
            match waited < usual.map_or(LONGER, enough) {
                true => Err(says),
                false => Ok((look, says)),
            }
        }
        None if astray.is_some() => Ok((
            look,
            format!("{says}, to which it was bound; nobody here counts how long it waited"),
        )),
        None => Err(format!("{says}, and nobody saw whether it had to wait")),
    }
}

/// The limit was in force, and left no more than was planned.
fn memory<I: Copy>(looks: &[(I, ShortageLook)], left: u64) -> Result<(I, String), String> {
    let under = looks.iter().filter_map(|(look, seen)| match *seen {
        // Freed since, it may be had again: the limit stays where it was put.
        ShortageLook::Memory { limit, used, .. } => Some((*look, limit.saturating_sub(used))),
        _ => None,
    });
    let Some((look, room)) = under.min_by_key(|(_, room)| *room) else {
        return Err("its limit was never seen in force".to_owned());
    };
    let megabytes = room as f64 / 1e6;
    if room > left {
        return Err(format!("it could still get {megabytes:.1} MB"));
    }
    Ok((look, format!("it could get no more than {megabytes:.1} MB")))
}

/// It got a good part of what was left under its limit: the look that saw the most, and how much.
fn grown<I: Copy>(looks: &[(I, ShortageLook)], left: u64) -> Option<(I, String)> {
    let grown = looks.iter().filter_map(|(look, seen)| match *seen {
        ShortageLook::Memory { grown, .. } => Some((*look, grown?)),
        _ => None,
    });
    let (look, more) = grown.max_by_key(|(_, more)| *more)?;
    let says = format!("under that limit it got {:.2} MB", more as f64 / 1e6);
    (more > 0 && more >= left / ASKED).then_some((look, says))
}

/// The limit was in force, and it asked for memory: it got some, was asked for more than it could have, or shows signs.
fn memory_missed(strike: &Strike<'_>, (what, instance): (&str, &Instance), left: u64, history: &History<'_>) -> Proof {
    let (event, says) = match memory(&strike.looks, left) {
        Ok(seen) => seen,
        Err(says) => return Proof::unseen(format!("{what}, but {says}"), strike),
    };
    if let Some((signs, events)) = signs(strike, instance, NO_MEMORY, history) {
        return Proof::seen(format!("{what}: {says}, and {signs}"), with(event, events));
    }
    if let Some((look, more)) = grown(&strike.looks, left) {
        return felt(strike, (what, instance), (look, format!("{says}, and {more}")), history);
    }
    let (from, to) = window(strike, history);
    let bulky = history.header.plan.bulky.as_ref().filter(|bulky| bulky.bytes > left);
    let answered = |op: &Op| op.role == Role::Survey && op.name.starts_with(BULKY) && op.outcome != Outcome::Unknown;
    let ops = history
        .ops
        .iter()
        .filter(|(_, op)| answered(op) && op.call >= from && op.ret <= to);
    let ops: Vec<EventId> = ops.map(|(id, _)| *id).collect();
    match bulky.filter(|_| history.strikes_entry(strike) == Some(true) && !ops.is_empty()) {
        Some(bulky) => {
            let (count, megabytes) = (ops.len(), bulky.bytes as f64 / 1e6);
            let says =
                format!("{what}: {says}, and {count} requests of {megabytes:.0} MB, more than that, were answered");
            Proof::seen(says, with(event, ops))
        }
        None => Proof::unseen(
            format!("{what}: {says}, but nothing shows that it asked for much of it"),
            strike,
        ),
    }
}

/// Signs that an instance asked for what was withheld and did not get it: its log says so, it ended by itself, or answers
/// of those who need it went wrong that had not before.
fn signs(
    strike: &Strike<'_>,
    instance: &Instance,
    words: &[&str],
    history: &History<'_>,
) -> Option<(String, Vec<EventId>)> {
    let said = said(strike, instance, words, history);
    if !said.is_empty() {
        return Some((format!("{} lines of its log say so", said.len()), said));
    }
    let (from, to) = window(strike, history);
    let exits = history
        .lives
        .get(instance)
        .into_iter()
        .flatten()
        .filter_map(|life| life.exited);
    let ended: Vec<EventId> = exits
        .filter(|(_, at, wanted)| !wanted && (from..=to).contains(at))
        .map(|(id, ..)| id)
        .collect();
    if !ended.is_empty() {
        return Some((format!("it ended by itself {} times", ended.len()), ended));
    }
    history.strikes_entry(strike)?;
    let bad = bad_answers(strike, history);
    let inside = |range: std::ops::RangeInclusive<Nanos>| bad.iter().filter(move |bad| range.contains(&bad.at));
    if inside(from.saturating_sub(SECOND)..=from).next().is_some() {
        return None;
    }
    let own = inside(from..=to).filter(|bad| !bad.explained);
    let wrong: Vec<EventId> = own.map(|bad| bad.id).collect();
    let says = format!(
        "{} requests and probes went wrong, none in the second before",
        wrong.len()
    );
    (!wrong.is_empty()).then_some((says, wrong))
}

/// The lines an instance wrote meanwhile that hold one of some words.
fn said(strike: &Strike<'_>, instance: &Instance, words: &[&str], history: &History<'_>) -> Vec<EventId> {
    let (from, to) = window(strike, history);
    let inside = history.events.iter().filter(|event| (from..=to).contains(&event.at));
    let said = inside.filter(|event| match &event.fact {
        Fact::Log { instance: who, line } if who == instance => {
            let line = line.to_lowercase();
            words.iter().any(|word| line.contains(word))
        }
        _ => false,
    });
    said.map(|event| event.id).collect()
}

fn with(first: EventId, others: Vec<EventId>) -> Vec<EventId> {
    std::iter::once(first).chain(others).collect()
}

/// No descriptor was free, and a connection waited for one.
fn waiters<I: Copy>(looks: &[(I, ShortageLook)]) -> Result<(I, String), String> {
    let full = looks.iter().filter_map(|(look, seen)| match *seen {
        ShortageLook::Fds { free: 0, waiting, .. } => Some((*look, waiting)),
        _ => None,
    });
    match full.max_by_key(|(_, waiting)| *waiting) {
        None => Err("it had descriptors to come whenever it was looked at".to_owned()),
        Some((_, 0)) => Err("it opened nothing meanwhile".to_owned()),
        Some((look, waiting)) => Ok((look, format!("{waiting} connections waited for it to take them"))),
    }
}

/// The same, or while none was free the process itself said so.
fn descriptors(
    strike: &Strike<'_>,
    (what, instance): (&str, &Instance),
    waited: Result<(EventId, String), String>,
    history: &History<'_>,
) -> Proof {
    let full = strike.looks.iter().find_map(|(event, look)| match look {
        ShortageLook::Fds { free: 0, .. } => Some(*event),
        _ => None,
    });
    let said = said(strike, instance, NO_DESCRIPTOR, history);
    match (waited, full) {
        (Ok((event, says)), _) => Proof::seen(
            format!("{what}: {says}, and {} lines of its log say so", said.len()),
            [event].into_iter().chain(said).collect(),
        ),
        (Err(_), Some(full)) if !said.is_empty() => Proof::seen(
            format!("{what}: {} lines of its log say so", said.len()),
            [full].into_iter().chain(said).collect(),
        ),
        (Err(says), _) => Proof::unseen(format!("{what}, but {says}"), strike),
    }
}

fn connections<I: Copy>(looks: &[(I, ShortageLook)]) -> Result<(I, String), String> {
    let refused = looks.iter().rev().find_map(|(look, seen)| match *seen {
        ShortageLook::Connections { held, refused } if refused > 0 && held > 0 => Some((*look, held, refused)),
        _ => None,
    });
    match refused {
        Some((look, held, refused)) => Ok((
            look,
            format!("{held} connections were held, and {refused} more refused"),
        )),
        None => Err("it never refused a connection".to_owned()),
    }
}

/// What was seen counts where somebody used the service meanwhile.
pub(super) fn felt(
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
