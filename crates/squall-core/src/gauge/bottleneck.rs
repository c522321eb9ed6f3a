//! Which part of a flooded system was at its limit.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::flooded::Flooded;
use crate::event::{DatabaseLook, EventId, Fact, NoteKind};
use crate::journal::History;
use crate::place::Instance;
use crate::time::{Nanos, SECOND};

/// From this share on something counts as used up.
const USED_UP: f64 = 0.9;
/// A pool is at its limit when all its connections are busy in so many of all looks.
const MOSTLY: f64 = 0.8;
/// Fewer looks show nothing.
const FEWEST: usize = 3;
/// At least the last so long of a flood is looked at.
const SHORTEST: Nanos = 2 * SECOND;

/// What limited a flood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bottleneck {
    /// Whether something was used up.
    pub found: bool,
    /// Which part and by which figure; or that none was, and how close the closest came.
    pub says: String,
    /// The events that show it.
    pub evidence: Vec<EventId>,
}

/// What limited the run's flood, looked for where the system no longer kept up, or else at the flood's height; `None`
/// without a flood.
pub fn bottleneck(history: &History<'_>) -> Option<Bottleneck> {
    let flooded = Flooded::of(history)?;
    let saturated = flooded.saturated();
    let length = flooded.plan.lasts + flooded.plan.up_to.map_or(0, |(_, length)| length);
    let latest = length.saturating_sub(SHORTEST);
    let from = flooded.begin + saturated.map_or(latest, |(from, _)| from.min(latest));
    let looks = Looks::of(history, from, flooded.begin + length);
    // Whatever was busy limited nothing as long as answers kept up.
    let at_limit = saturated.and_then(|_| {
        looks
            .machine()
            .or_else(|| looks.pool())
            .or_else(|| looks.one_processor())
    });
    let at_limit = late(history)
        .or(at_limit)
        .or_else(|| workers(&flooded, history, (from, flooded.begin + length)));
    Some(at_limit.unwrap_or_else(|| {
        let closest = looks.closest();
        let says = match saturated {
            Some((_, rate)) => format!(
                "answers no longer kept up from about {rate:.0}/s on, though nothing that was looked at was used up \
                 ({closest}): the limit is waiting, not work"
            ),
            None => format!("nothing saturated ({closest})"),
        };
        Bottleneck {
            found: false,
            says,
            evidence: looks.last.into_iter().collect(),
        }
    }))
}

fn found(says: String, evidence: Vec<EventId>) -> Option<Bottleneck> {
    Some(Bottleneck {
        found: true,
        says,
        evidence,
    })
}

/// Squall's own load was the limit.
fn late(history: &History<'_>) -> Option<Bottleneck> {
    let mut events = history.events.iter();
    let note = events.find(|event| {
        matches!(
            event.fact,
            Fact::Note {
                kind: NoteKind::Late,
                ..
            }
        )
    })?;
    found(
        "the limit was squall's own load generator, which was late".to_owned(),
        vec![note.id],
    )
}

/// The workers fell behind what was taken in.
fn workers(flooded: &Flooded<'_>, history: &History<'_>, (from, to): (Nanos, Nanos)) -> Option<Bottleneck> {
    let taken = flooded.due(from - flooded.begin, to - flooded.begin);
    let taken = taken.filter(|(_, op)| Flooded::served(op)).count();
    let commits = history.tasks.values().filter_map(|task| task.first_commit());
    let ended: Vec<EventId> = commits
        .filter(|(_, at)| (from..to).contains(at))
        .map(|(event, _)| event)
        .collect();
    // Without a word from workers nothing is known of them.
    if ended.is_empty() || ended.len() as f64 >= USED_UP * taken as f64 {
        return None;
    }
    let seconds = (to - from) as f64 / SECOND as f64;
    let says = format!(
        "the workers were the limit: they ended {:.0} tasks a second of {:.0} taken in",
        ended.len() as f64 / seconds,
        taken as f64 / seconds
    );
    found(says, ended.into_iter().rev().take(1).collect())
}

/// The share of all processors' time that went neither to the system nor to squall; `None` where nobody looked.
pub fn neighbours(history: &History<'_>, from: Nanos, to: Nanos) -> Option<f64> {
    let looks = Looks::of(history, from, to);
    let all = looks.machine.0 + looks.machine.1;
    (all > 0).then(|| looks.others() as f64 / all as f64)
}

/// The looks at machine, processes and databases in the stretch that matters.
struct Looks<'a> {
    /// Busy, idle and squall's own time of all processors, with the events.
    machine: (u64, u64, u64, Vec<EventId>),
    /// Processor time and the time it was used in, with the events.
    processes: BTreeMap<&'a Instance, (u64, Nanos, Vec<EventId>)>,
    /// What databases were doing.
    databases: BTreeMap<&'a Instance, Vec<(EventId, &'a DatabaseLook)>>,
    last: Option<EventId>,
}

impl<'a> Looks<'a> {
    fn of(history: &History<'a>, from: Nanos, to: Nanos) -> Self {
        let mut looks = Self {
            machine: (0, 0, 0, Vec::new()),
            processes: BTreeMap::new(),
            databases: BTreeMap::new(),
            last: None,
        };
        let mut before: BTreeMap<&Instance, Nanos> = BTreeMap::new();
        for event in history.events.iter().filter(|event| event.at <= to) {
            let inside = event.at >= from;
            match &event.fact {
                Fact::Machine(look) if inside => {
                    looks.machine.0 += look.busy_us;
                    looks.machine.1 += look.idle_us;
                    looks.machine.2 += look.own_us;
                    looks.machine.3.push(event.id);
                }
                Fact::Usage(usage) => {
                    let last = before.insert(&usage.instance, event.at);
                    let Some(last) = last.filter(|_| inside) else { continue };
                    let process = looks.processes.entry(&usage.instance).or_default();
                    process.0 += usage.cpu_us;
                    process.1 += event.at - last;
                    process.2.push(event.id);
                }
                Fact::Database(look) if inside => {
                    let database = looks.databases.entry(&look.instance).or_default();
                    database.push((event.id, look));
                }
                _ => continue,
            }
            looks.last = Some(event.id);
        }
        looks
    }

    /// Processor time that went neither to the system nor to squall.
    fn others(&self) -> u64 {
        let used: u64 = self.processes.values().map(|process| process.0).sum();
        self.machine.0.saturating_sub(self.machine.2 + used)
    }

    /// All processors, and who used most of them.
    fn machine(&self) -> Option<Bottleneck> {
        let share = self.busy()?;
        if share < USED_UP {
            return None;
        }
        let (busy, _, own, events) = &self.machine;
        let of = |part: u64| 100.0 * part as f64 / (*busy).max(1) as f64;
        let mut shares = vec![
            ("squall itself".to_owned(), *own),
            ("others on this machine".to_owned(), self.others()),
        ];
        shares.extend(
            self.processes
                .iter()
                .map(|(instance, process)| (instance.to_string(), process.0)),
        );
        shares.sort_by_key(|(_, part)| std::cmp::Reverse(*part));
        let told = shares
            .iter()
            .take(2)
            .map(|(who, part)| format!("{:.0} % of that by {who}", of(*part)));
        let told: Vec<String> = told.collect();
        let says = format!(
            "the limit was the machine: its processors were {:.0} % busy, {}",
            100.0 * share,
            told.join(", ")
        );
        found(says, events.clone())
    }

    fn busy(&self) -> Option<f64> {
        let (busy, idle, _, events) = &self.machine;
        let all = busy + idle;
        (events.len() >= FEWEST && all > 0).then(|| *busy as f64 / all as f64)
    }

    /// All connections of a database busy, or as many open as it allows.
    fn pool(&self) -> Option<Bottleneck> {
        self.databases.iter().find_map(|(instance, looks)| {
            let often = |fits: fn(&DatabaseLook) -> bool| {
                let fitting = looks.iter().filter(|(_, look)| fits(look)).count();
                looks.len() >= FEWEST && fitting as f64 >= MOSTLY * looks.len() as f64
            };
            let open = looks.iter().map(|(_, look)| look.open).max()?;
            let events = looks.iter().map(|(event, _)| *event).collect();
            if often(|look| look.limit > 0 && f64::from(look.open) >= 0.95 * f64::from(look.limit)) {
                let says = format!("the limit was {instance}: {open} connections were open, as many as it allows");
                return found(says, events);
            }
            if often(|look| look.open >= 2 && look.busy >= look.open) {
                let says = format!("the limit was the pool of connections to {instance}: all {open} were busy");
                return found(says, events);
            }
            None
        })
    }

    /// A process that used one processor up while others were idle.
    fn one_processor(&self) -> Option<Bottleneck> {
        let (instance, share, events) = self.busiest()?;
        if !(USED_UP..1.1).contains(&share) || events.len() < FEWEST {
            return None;
        }
        let says = format!(
            "the limit was {instance}: it used {:.0} % of one processor, and others were idle",
            100.0 * share
        );
        found(says, events.to_vec())
    }

    fn busiest(&self) -> Option<(&'a Instance, f64, &[EventId])> {
        let shares = self.processes.iter().map(|(instance, (cpu_us, span, events))| {
            let share = *cpu_us as f64 * 1e3 / (*span).max(1) as f64;
            (*instance, share, events.as_slice())
        });
        shares.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The figures that came closest, in words.
    fn closest(&self) -> String {
        let mut told = Vec::new();
        told.extend(
            self.busy()
                .map(|share| format!("the processors were {:.0} % busy", 100.0 * share)),
        );
        let busiest = self.busiest();
        told.extend(busiest.map(|(instance, share, _)| format!("{instance} used {:.0} % of one", 100.0 * share)));
        told.extend(self.databases.iter().filter_map(|(instance, looks)| {
            let busy = looks.iter().map(|(_, look)| look.busy).max()?;
            let open = looks.iter().map(|(_, look)| look.open).max()?;
            Some(format!("at most {busy} of {open} connections to {instance} were busy"))
        }));
        match told.is_empty() {
            true => "nothing was looked at".to_owned(),
            false => told.join(", "),
        }
    }
}
