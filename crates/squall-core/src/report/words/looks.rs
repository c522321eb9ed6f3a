//! What was counted on a link, and seen of an instance, in words.

use super::memory;
use crate::event::{Fact, LinkCounts, ShortageLook, SkewLook};
use crate::time::words;

/// What became of an instance: what it was short of, and its files.
pub(super) fn of_instance(fact: &Fact) -> String {
    match fact {
        Fact::Shortage { look, .. } => shortage(look),
        Fact::Skew { look, .. } => skew(look),
        Fact::Standstill(look) => format!(
            "{}: {} of {} processes stood still and had used {} ms",
            look.instance,
            look.stopped,
            look.processes,
            look.used_us / 1000
        ),
        Fact::Damaged { instance, spots } => format!("{instance}: files changed at {} spots", spots.len()),
        Fact::DamageRead { instance, spots } => format!("{instance}: read back, files were so at {spots} spots"),
        Fact::Repaired {
            instance,
            back,
            rewritten,
        } => format!("{instance}: {back} spots put back, {rewritten} written to since"),
        Fact::Outstayed { instance, grace } => {
            format!(
                "{instance} had not ended {} after it was asked to, and is killed",
                words(*grace)
            )
        }
        Fact::PowerLost { instance, says, .. } => {
            format!("{instance}: its disk is gone; to a write it answers: {says}")
        }
        Fact::PowerBack { instance, took } => format!("{instance}: its disk is back after {}", words(*took)),
        _ => String::new(),
    }
}

/// What a link's proxy counted: the three oldest counts always, the others where there was anything.
pub(super) fn traffic(counts: &LinkCounts) -> String {
    let mut text = format!(
        "{} connections cut, {} bytes swallowed, {} bytes delayed",
        counts.closed, counts.swallowed, counts.delayed
    );
    let others = [
        (counts.throttled, "bytes throttled"),
        (counts.stalls, "stalls"),
        (counts.corrupted, "bytes changed"),
        (counts.slices, "pieces cut off"),
        (counts.slow_closes, "ends held back"),
        (counts.truncated, "connections truncated"),
        (counts.requests, "requests read"),
        (counts.intercepted, "requests intercepted"),
        (counts.foreign, "connections not understood"),
    ];
    for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
        text += &format!(", {count} {what}");
    }
    text
}

fn skew(look: &SkewLook) -> String {
    let said = look.said.map_or(String::new(), |said| {
        format!("its clock was {} squall's; ", said.words())
    });
    format!(
        "{said}{} of {} processes ran the replaced clock functions",
        look.ran, look.replaced
    )
}

fn shortage(look: &ShortageLook) -> String {
    match *look {
        ShortageLook::Cpu {
            there_us,
            taken_us,
            waited_us,
            ..
        } => {
            let waited = waited_us.map_or(String::new(), |waited| {
                format!("; it waited {:.0} ms for its turn", waited as f64 / 1e3)
            });
            format!(
                "others took {:.0} of {:.0} ms of processor time{waited}",
                taken_us as f64 / 1e3,
                there_us as f64 / 1e3
            )
        }
        ShortageLook::Memory { limit, used, .. } => format!(
            "it had {} of memory and could have {}",
            memory(used as f64 / 1024.0),
            memory(limit as f64 / 1024.0)
        ),
        ShortageLook::Fds { open, free, waiting } => {
            format!("it had {open} descriptors and {free} to come; {waiting} connections waited for it")
        }
        ShortageLook::Disk { free, refused } => {
            let refused = if refused { "was refused" } else { "was taken" };
            format!("its disk had {free} bytes left; a write there {refused}")
        }
        ShortageLook::SlowDisk { accesses, held_us } => format!(
            "{accesses} reads, writes and syncs took {:.0} ms longer altogether",
            held_us as f64 / 1e3
        ),
        ShortageLook::Connections { held, refused } => {
            format!("squall held {held} connections, and {refused} more refused")
        }
    }
}
