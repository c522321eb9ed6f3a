//! What becomes of a condition that shall hold where another one holds already: one table for plans, storms and orders.

use super::{Condition, Death, Impair, Shortage};

/// What becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meeting {
    /// Both hold, and the effect of each can be told.
    Both,
    /// The new one takes the old one's place, which ends with that.
    Instead,
    /// Together they make no sense: the new one waits until the old one is over. Why.
    Turn(&'static str),
}

impl Condition {
    /// What becomes of `new` at the place where this holds.
    pub fn meets(&self, new: &Condition) -> Meeting {
        use Condition::{Cut, Damaged, Down, Frozen, Impaired, Intercepted, Replicas, Short, Skewed};
        match (self, new) {
            (Down(_), Down(_)) => Meeting::Turn("it is down already"),
            (Down(_), Frozen) => Meeting::Turn("what is down can't be frozen"),
            (Frozen, Down(_)) => Meeting::Turn("its end would end the freeze too soon to be felt"),
            (Frozen, Frozen) => Meeting::Turn("it is frozen already"),
            (Down(_), Short(_)) => Meeting::Turn("what is down is short of nothing"),
            (Frozen, Short(_)) => Meeting::Turn("what is frozen is short of nothing"),
            (Short(_), Frozen) => Meeting::Turn("frozen it would not show what it is short of"),
            (Short(Shortage::Disk), Down(Death::PowerLoss)) => Meeting::Turn("what fills its disk would be gone, too"),
            (Damaged(_), Down(Death::PowerLoss)) => Meeting::Turn("what was done to its files would be gone, too"),
            (Short(short), Down(_)) => outlives(short),
            (Short(held), Short(new)) => short_twice(held, new),
            (Down(_), Damaged(_)) => Meeting::Turn("what is down reads no file; `stopped` stops it for this alone"),
            (Frozen, Damaged(_)) => Meeting::Turn("what is frozen reads no file"),
            (Damaged(_), Damaged(_)) => Meeting::Turn("the effects of two of one kind can't be told apart"),
            (Damaged(damage), Frozen) if damage.stopped => {
                Meeting::Turn("what is frozen can't be stopped for its files")
            }
            (Damaged(damage), Short(short)) | (Short(short), Damaged(damage)) if damage.stopped => outlives(short),
            (Damaged(_), Down(_) | Frozen | Short(_)) | (Short(_), Damaged(_)) => Meeting::Both,
            (Down(_), Skewed(_)) => Meeting::Turn("what is down reads no clock"),
            (Frozen, Skewed(_)) | (Skewed(_), Frozen) => Meeting::Turn("what is frozen reads no clock"),
            (Skewed(_), Skewed(_)) => Meeting::Turn("a clock is wrong by one offset at a time"),
            (Skewed(_), Down(_) | Short(_) | Damaged(_)) | (Short(_) | Damaged(_), Skewed(_)) => Meeting::Both,
            (Cut(_), Cut(_) | Impaired(_) | Intercepted(_)) => {
                Meeting::Turn("a cut link carries nothing that could be hindered")
            }
            (Impaired(_), Cut(_)) => Meeting::Turn("of a link that is cut nobody can tell that it was hindered before"),
            (Intercepted(_), Cut(_)) => {
                Meeting::Turn("of a link that is cut nobody can tell that it was hindered before")
            }
            (Intercepted(_), Intercepted(_)) => Meeting::Turn("two can't pick the same requests out of one link"),
            (Intercepted(_), Impaired(impairment)) | (Impaired(impairment), Intercepted(_)) => {
                beside_silence(&impairment.what)
            }
            (Impaired(held), Impaired(new)) => hindered_twice(&held.what, &new.what),
            (Replicas(_), Replicas(_)) => Meeting::Instead,
            // They hold at places of different kinds, so they never meet.
            (
                Down(_) | Frozen | Short(_) | Damaged(_) | Skewed(_),
                Cut(_) | Impaired(_) | Intercepted(_) | Replicas(_),
            )
            | (
                Cut(_) | Impaired(_) | Intercepted(_),
                Down(_) | Frozen | Short(_) | Damaged(_) | Skewed(_) | Replicas(_),
            )
            | (
                Replicas(_),
                Down(_) | Frozen | Short(_) | Damaged(_) | Skewed(_) | Cut(_) | Impaired(_) | Intercepted(_),
            ) => Meeting::Both,
        }
    }
}

/// What is short and then brought down: what it was short of may be so for the next process, too.
fn outlives(held: &Shortage) -> Meeting {
    match held {
        Shortage::Cpu { .. } | Shortage::Disk | Shortage::SlowDisk { .. } => Meeting::Both,
        Shortage::Memory { .. } | Shortage::Fds { .. } => Meeting::Turn("its limit would end with its process"),
        Shortage::Connections { .. } => Meeting::Turn("the connections that are held would end with it"),
    }
}

/// Two things a copy is short of: each is looked at by itself, unless they are of one kind or one hides the other.
fn short_twice(held: &Shortage, new: &Shortage) -> Meeting {
    use Shortage::{Connections, Fds};
    match (held, new) {
        (Fds { .. }, Connections { .. }) | (Connections { .. }, Fds { .. }) => {
            Meeting::Turn("what can open nothing can refuse no connection")
        }
        _ if std::mem::discriminant(held) == std::mem::discriminant(new) => {
            Meeting::Turn("the effects of two of one kind can't be told apart")
        }
        _ => Meeting::Both,
    }
}

/// Two things that hinder the bytes of one link: each is counted by itself, unless they are of one kind or one lets none pass.
fn hindered_twice(held: &Impair, new: &Impair) -> Meeting {
    if silences(held) {
        Meeting::Turn("a silent link carries nothing that could be hindered")
    } else if silences(new) {
        Meeting::Turn("of a link that is silent nobody can tell that it was hindered before")
    } else if std::mem::discriminant(held) == std::mem::discriminant(new) {
        Meeting::Turn("the effects of two of one kind can't be told apart")
    } else {
        Meeting::Both
    }
}

/// Requests that are picked out of a link whose bytes are hindered: both, unless it lets none pass.
fn beside_silence(what: &Impair) -> Meeting {
    match silences(what) {
        true => Meeting::Turn("of a silent link nobody can tell what becomes of its requests"),
        false => Meeting::Both,
    }
}

/// Whether bytes get lost, which hides whatever else happens to them.
fn silences(what: &Impair) -> bool {
    match what {
        Impair::Silence | Impair::Timeout { .. } | Impair::Reset { .. } | Impair::Gaps { .. } => true,
        Impair::Delay { .. }
        | Impair::Rate { .. }
        | Impair::Stall { .. }
        | Impair::Corrupt { .. }
        | Impair::Slice { .. }
        | Impair::SlowClose { .. }
        | Impair::Truncate { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::{Cut, Damage, Death, Harm, Intercept, Share, Skew, Which};
    use crate::protocol::{Act, Protocol};
    use std::time::Duration;

    /// One condition of each kind that can hold at a link.
    fn of_links() -> Vec<Condition> {
        let (second, share) = (Duration::from_secs(1), Share::of(0.1));
        let impairs = [
            Impair::Rate { bytes: 1 },
            Impair::Stall { share, pause: second },
            Impair::Corrupt { share },
            Impair::Slice {
                bytes: 1,
                vary: 0,
                pause: second,
            },
            Impair::SlowClose { delay: second },
            Impair::Truncate { after: 1 },
            Impair::Silence,
        ];
        let others = impairs.map(|what| Condition::Impaired(what.into()));
        let first = [Condition::Cut(Cut::Reset), Condition::delay(second, second)];
        let intercepted = Condition::Intercepted(Intercept {
            protocol: Protocol::Http,
            command: None,
            path: None,
            which: Which::All,
            then: Act::HangUp,
        });
        first.into_iter().chain(others).chain([intercepted]).collect()
    }

    /// A row for each condition that holds, a letter for each that is new: b(oth), i(nstead), t(urn).
    fn matrix(all: &[Condition]) -> Vec<String> {
        let letter = |held: &Condition, new: &Condition| match held.meets(new) {
            Meeting::Both => 'b',
            Meeting::Instead => 'i',
            Meeting::Turn(why) => {
                assert!(!why.is_empty());
                't'
            }
        };
        let row = |held: &Condition| all.iter().map(|new| letter(held, new)).collect();
        all.iter().map(row).collect()
    }

    #[test]
    fn a_copy_that_does_not_run_is_nothing_else_and_is_short_of_several_things_that_can_be_told_apart() {
        let deaths = [Death::Kill, Death::Terminate, Death::Stop].map(Condition::Down);
        let shorts = [
            Shortage::Cpu { taken: Share::of(0.9) },
            Shortage::Memory { left: 1 },
            Shortage::Fds { left: 0 },
            Shortage::Disk,
            Shortage::Connections { evict: true },
        ];
        let shorts = shorts.map(Condition::Short);
        let all: Vec<Condition> = deaths.into_iter().chain([Condition::Frozen]).chain(shorts).collect();
        // killed, terminated, stopped, frozen; short of processors, memory, descriptors, disk, connections
        let rows = [
            "ttttttttt",
            "ttttttttt",
            "ttttttttt",
            "ttttttttt",
            "bbbttbbbb",
            "ttttbtbbb",
            "ttttbbtbt",
            "bbbtbbbtb",
            "ttttbbtbt",
        ];
        assert_eq!(matrix(&all), rows);
    }

    #[test]
    fn a_link_is_hindered_in_several_ways_at_once_but_not_twice_in_one_and_not_while_it_carries_nothing() {
        // cut, delayed, throttled, stalled, corrupted, sliced, slow to close, truncated, silenced, intercepted
        let all = [
            "tttttttttt",
            "ttbbbbbbtb",
            "tbtbbbbbtb",
            "tbbtbbbbtb",
            "tbbbtbbbtb",
            "tbbbbtbbtb",
            "tbbbbbtbtb",
            "tbbbbbbttb",
            "tttttttttt",
            "tbbbbbbbtt",
        ];
        assert_eq!(matrix(&of_links()), all);
    }

    #[test]
    fn damaged_files_outlive_their_process_and_it_is_stopped_for_them_only_where_it_loses_nothing_by_that() {
        let damaged = |stopped| {
            Condition::Damaged(Damage {
                files: "*".to_owned(),
                how: Harm::Truncate,
                spots: 1,
                stopped,
            })
        };
        let others = [
            Condition::Down(Death::Kill),
            Condition::Frozen,
            Condition::Short(Shortage::Disk),
            Condition::Short(Shortage::Fds { left: 0 }),
        ];
        let row = |stopped| {
            let own = damaged(stopped);
            let turns = |meeting: Meeting| matches!(meeting, Meeting::Turn(_));
            let each = others
                .iter()
                .map(|other| (turns(own.meets(other)), turns(other.meets(&own))));
            each.collect::<Vec<_>>()
        };
        assert_eq!(
            row(false),
            [(false, true), (false, true), (false, false), (false, false)]
        );
        assert_eq!(row(true), [(false, true), (true, true), (false, false), (true, true)]);
        assert_eq!(matrix(&[damaged(false)]), ["t"]);
    }

    #[test]
    fn a_wrong_clock_outlives_its_process_and_is_read_by_none_that_does_not_run() {
        let skewed = |by| Condition::Skewed(Skew { by });
        let stopped = Damage {
            files: "*".to_owned(),
            how: Harm::Truncate,
            spots: 1,
            stopped: true,
        };
        let all = [
            skewed(1),
            skewed(-1),
            Condition::Down(Death::Kill),
            Condition::Frozen,
            Condition::Short(Shortage::Connections { evict: true }),
            Condition::Damaged(stopped),
        ];
        let turns = |meeting: Meeting| matches!(meeting, Meeting::Turn(_));
        let met = all.clone().map(|other| turns(all[0].meets(&other)));
        assert_eq!(met, [true, true, false, true, false, false]);
        let meets = all.clone().map(|other| turns(other.meets(&all[0])));
        assert_eq!(meets, [true, true, true, true, false, false]);
    }

    #[test]
    fn what_loses_its_power_would_lose_what_was_done_to_its_disk_too() {
        let loss = Condition::Down(Death::PowerLoss);
        let damage = Condition::Damaged(Damage {
            files: "*".to_owned(),
            how: Harm::BitFlip,
            spots: 1,
            stopped: false,
        });
        let all = [
            loss,
            Condition::Down(Death::Kill),
            Condition::Short(Shortage::Disk),
            Condition::Short(Shortage::Cpu { taken: Share::of(0.9) }),
            damage,
        ];
        assert_eq!(matrix(&all), ["ttttt", "ttttt", "tbtbb", "bbbtb", "tbbbt"]);
    }

    #[test]
    fn another_number_of_copies_takes_the_place_of_the_one_before() {
        assert_eq!(matrix(&[Condition::Replicas(1), Condition::Replicas(2)]), ["ii"; 2]);
    }

    #[test]
    fn what_holds_at_places_of_different_kinds_never_meets() {
        let kinds = [
            Condition::Short(Shortage::Memory { left: 1 }),
            Condition::Cut(Cut::Reset),
            Condition::Replicas(1),
        ];
        assert_eq!(matrix(&kinds), ["tbb", "btb", "bbi"]);
    }
}
