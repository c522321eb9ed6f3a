//! The health endpoints tell the truth, and soon.
//!
//! Class `health-lie`. Four lies: *ready while gone* (3 or more right `ready` answers asked for later
//! than the bound after a dependency of the entry service was down or cut, and answered before it was
//! lifted), *silent while gone* (3 or more `ready` asked for in that time, with the entry service's own
//! process up and unstruck, that no answer came to: an answer in time is part of the promise), *not ready* (2 or more `ready` answers in a row that are not right outside outage windows;
//! a window lasts until the bound after its heal), *not live* (2 or more `live` answers in a row that
//! are not right while the entry service's process lives and is not struck itself). Grace: the bound,
//! also after each start; one odd answer alone; times in which a dependency ended by itself. Delays
//! and freezes of a dependency take nothing away for certain and are not asked about.
//! Inconclusive without probes, when the run broke off, or when an outage longer than the bound was
//! planned and none was looked at.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::demand::{Demand, Within};
use crate::event::{Answer, EventId, PulseOf};
use crate::journal::{History, Span, Strike};
use crate::place::{Condition, Instance, Place};
use crate::time::{Nanos, SECOND, nanos, words};

/// So many right answers about something gone are no slip.
const LIES: usize = 3;
/// So many wrong answers in a row are no slip.
const IN_A_ROW: usize = 2;
/// An end may be noticed this much later than clients feel it.
const NOTICE: Nanos = SECOND;

/// One answer of a probe.
#[derive(Clone, Copy)]
struct Look {
    id: EventId,
    call: Nanos,
    at: Nanos,
    right: bool,
    hung: bool,
}

pub(super) fn judge(demand: &Demand, wanted: &Within, history: &History<'_>) -> Verdict {
    let (ready, live) = (looks(PulseOf::Ready, history), looks(PulseOf::Live, history));
    if ready.is_empty() {
        return Verdict::inconclusive(demand, "the readiness probe never looked");
    }
    let within = nanos(wanted.within.get());
    let quiet = Quiet::of(within, history);
    let (mut says, mut evidence, outages) = while_gone(&ready, &quiet.live(), within, history);
    let rows = [(&ready, quiet.ready(), "ready"), (&live, quiet.live(), "live")];
    for (looks, spans, word) in rows {
        for row in bad_rows(looks, &spans) {
            says.push(describe(&row, word, history));
            evidence.extend(row.iter().map(|look| look.id));
        }
    }
    if !says.is_empty() {
        let more = says.len() - 1;
        let first = says.swap_remove(0);
        let says = match more {
            0 => first,
            more => format!("{first}; and {}", count(more, "further lie")),
        };
        return Verdict::fail(demand, "health-lie", evidence, says);
    }
    let looked = count(ready.len() + live.len(), "answer");
    if !history.complete() {
        return Verdict::inconclusive(demand, format!("{looked} were truthful, but the run broke off"));
    }
    if outages == 0 && outage_planned(within, history) {
        return Verdict::inconclusive(demand, "no answer was asked for in any of the planned outages");
    }
    let says = format!(
        "{looked} were truthful, through {} of what it needs",
        count(outages, "outage")
    );
    Verdict::pass(demand, ready.len() + live.len(), says)
}

/// The lies told while something the entry service needs was gone: what they are, their events, and the
/// number of such outages that were looked at. `up` is when the entry service itself has no excuse.
fn while_gone(ready: &[Look], up: &[Span], within: Nanos, history: &History<'_>) -> (Vec<String>, Vec<EventId>, usize) {
    let (mut says, mut evidence, mut outages) = (Vec::new(), Vec::new(), 0);
    for strike in &history.strikes {
        let Some(gone) = gone(strike, within, history) else {
            continue;
        };
        let asked: Vec<&Look> = ready
            .iter()
            .filter(|look| look.call >= gone.from && look.call < gone.to)
            .collect();
        // Whoever hangs is silent until after the heal, so only what came must have come before it.
        let before = |look: &&&Look| look.at < gone.to;
        outages += usize::from(asked.iter().any(|look| before(&look)));
        let lies = asked.iter().filter(before).filter(|look| look.right);
        let lies: Vec<EventId> = lies.map(|look| look.id).collect();
        let hung = asked.iter().filter(|look| look.hung && inside(look, up));
        let hung: Vec<EventId> = hung.map(|look| look.id).collect();
        let gone = format!("while {} was {}", strike.place, strike.condition.word());
        if lies.len() >= LIES {
            let (times, within) = (count(lies.len(), "time"), words(within));
            says.push(format!(
                "ready was said {times} {gone}, later than {within} after its loss"
            ));
            evidence.extend(lies);
        }
        if hung.len() >= LIES {
            says.push(format!("`ready` did not answer {} {gone}", count(hung.len(), "time")));
            evidence.extend(hung);
        }
    }
    (says, evidence, outages)
}

fn describe(row: &[Look], word: &str, history: &History<'_>) -> String {
    let (Some(first), Some(last)) = (row.first(), row.last()) else {
        return String::new();
    };
    let healed = history.strikes.iter().filter_map(|strike| strike.healed);
    let since = healed.filter(|healed| *healed <= first.call).max();
    let after = since.map_or_else(String::new, |healed| {
        format!(", from {} after the last heal before it", words(first.call - healed))
    });
    format!(
        "`{word}` failed {} in a row ({}) with nothing broken{after}",
        count(row.len(), "time"),
        words(last.at.saturating_sub(first.call))
    )
}

fn looks(of: PulseOf, history: &History<'_>) -> Vec<Look> {
    let pulses = history.pulses.iter().filter(|(_, _, pulse)| pulse.of == of);
    let mut found: Vec<Look> = pulses
        .map(|(id, at, pulse)| Look {
            id: *id,
            call: pulse.call,
            at: *at,
            right: pulse.answer == Answer::Right,
            hung: pulse.answer == Answer::Hung,
        })
        .collect();
    found.sort_by_key(|look| look.call);
    found
}

/// When a dependency of the entry service was gone for certain and the bound had passed.
fn gone(strike: &Strike<'_>, within: Nanos, history: &History<'_>) -> Option<Span> {
    if history.strikes_entry(strike) != Some(false) || !takes_away(strike.condition) {
        return None;
    }
    let from = strike.imposed?.saturating_add(within);
    let lifted = strike
        .healing
        .map(|healing| healing.1)
        .or(strike.healed)
        .unwrap_or(history.until);
    let to = match strike.place {
        Place::Instance(instance) => {
            let facts = history.header.system.services.get(&instance.service)?;
            // With another copy left the entry service may serve on.
            if facts.replicas > 1 {
                return None;
            }
            let mut lives = history.lives.get(instance).into_iter().flatten();
            let reborn = lives.find(|life| life.started.1 >= strike.imposing.1);
            reborn.map_or(lifted, |life| lifted.min(life.started.1))
        }
        Place::Link { .. } | Place::Service(_) => lifted,
    };
    (from < to).then_some(Span { from, to })
}

fn takes_away(condition: &Condition) -> bool {
    matches!(condition, Condition::Down(_) | Condition::Cut(_))
}

fn outage_planned(within: Nanos, history: &History<'_>) -> bool {
    let facts = &history.header.system;
    let links = facts
        .services
        .get(&facts.entry)
        .map_or(&[][..], |entry| entry.links.as_slice());
    history.header.plan.steps.iter().any(|step| {
        let hit = match &step.link_to {
            Some(_) => step.service == facts.entry,
            None => links.contains(&step.service),
        };
        hit && takes_away(&step.condition) && step.hold.nanos() > within
    })
}

/// Whether an answer lies wholly inside one of `spans`.
fn inside(look: &Look, spans: &[Span]) -> bool {
    let next = spans.partition_point(|span| span.from <= look.call);
    let span = next.checked_sub(1).and_then(|index| spans.get(index));
    span.is_some_and(|span| look.at <= span.to)
}

/// The rows of answers that are not right, each answer wholly inside one of `spans`.
fn bad_rows(looks: &[Look], spans: &[Span]) -> Vec<Vec<Look>> {
    let mut rows: Vec<Vec<Look>> = vec![Vec::new()];
    for look in looks {
        match (inside(look, spans) && !look.right, rows.last_mut()) {
            (true, Some(row)) => row.push(*look),
            _ => rows.push(Vec::new()),
        }
    }
    rows.retain(|row| row.len() >= IN_A_ROW);
    rows
}

/// When nothing excuses the entry service.
struct Quiet {
    /// Its process lives, is ready, and the bound has passed since.
    alive: Vec<Span>,
    /// It is struck itself.
    struck: Vec<Span>,
    /// Something it needs is struck, or ended by itself.
    missing: Vec<Span>,
}

impl Quiet {
    fn of(within: Nanos, history: &History<'_>) -> Self {
        let entry = &history.header.system.entry;
        let mut quiet = Quiet {
            alive: Vec::new(),
            struck: Vec::new(),
            missing: gaps(within, history),
        };
        let lives = history.lives.iter().filter(|(instance, _)| instance.service == *entry);
        for life in lives.flat_map(|(_, lives)| lives) {
            let Some((_, ready)) = life.ready else { continue };
            let to = life
                .exited
                .map_or(history.until, |exited| exited.1.saturating_sub(NOTICE));
            let from = ready.saturating_add(within);
            if from < to {
                quiet.alive.push(Span { from, to });
            }
        }
        for outage in history.outages() {
            let span = Span {
                from: outage.from,
                to: outage
                    .to
                    .saturating_add(within.saturating_sub(crate::journal::GRACE_AFTER_HEAL)),
            };
            match outage.entry {
                true => quiet.struck.push(span),
                false => quiet.missing.push(span),
            }
        }
        quiet
    }

    fn ready(&self) -> Vec<Span> {
        without(&self.alive, &[self.struck.as_slice(), &self.missing].concat())
    }

    fn live(&self) -> Vec<Span> {
        without(&self.alive, &self.struck)
    }
}

/// When something the entry service needs had ended, until the bound after it was ready again.
fn gaps(within: Nanos, history: &History<'_>) -> Vec<Span> {
    let entry = &history.header.system.entry;
    let needed = |instance: &&Instance| history.needs(entry, &instance.service);
    let mut found = Vec::new();
    for lives in history
        .lives
        .iter()
        .filter(|(instance, _)| needed(instance))
        .map(|(_, lives)| lives)
    {
        for (index, life) in lives.iter().enumerate() {
            let Some((_, exited, _)) = life.exited else { continue };
            let later = lives.get(index + 1..).unwrap_or(&[]);
            let back = later.iter().find_map(|life| life.ready);
            found.push(Span {
                from: exited.saturating_sub(NOTICE),
                to: back.map_or(Nanos::MAX, |back| back.1.saturating_add(within)),
            });
        }
    }
    found
}

/// What is left of `spans` without `holes`, in order.
fn without(spans: &[Span], holes: &[Span]) -> Vec<Span> {
    let mut holes = holes.to_vec();
    holes.sort();
    let mut left = Vec::new();
    for span in spans {
        let mut from = span.from;
        for hole in holes.iter().filter(|hole| hole.from < span.to) {
            if hole.from > from {
                left.push(Span { from, to: hole.from });
            }
            from = from.max(hole.to);
        }
        if from < span.to {
            left.push(Span { from, to: span.to });
        }
    }
    left.sort();
    left
}
