//! Who does the work: a system's workers, what each was doing, and when it could have taken more.
//!
//! A worker is *free* while its process is up, runs no attempt, and nothing it needs is struck.
//! Late starts and stuck tasks are only ever held against a system whose workers were free, so a
//! long queue behind few workers is never mistaken for a defect.

use super::{Attempt, History, Life, Strike};
use crate::place::{Condition, Instance, Place};
use crate::time::{Nanos, SECOND};

/// A started process is given this long before it could have claimed anything.
const STARTUP: Nanos = SECOND / 2;
/// After its needs are back, a worker is given this long (and a lease: an outage can orphan a claim).
const SETTLE: Nanos = 2 * SECOND;
/// An attempt nobody heard the end of is taken to run no longer than its work, a lease and this.
const SILENCE: Nanos = 5 * SECOND;

/// A stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// From.
    pub from: Nanos,
    /// To; never before `from`.
    pub to: Nanos,
}

impl Span {
    /// How long it is.
    pub fn length(self) -> Nanos {
        self.to - self.from
    }

    /// What it shares with another.
    pub fn and(self, other: Span) -> Option<Span> {
        let (from, to) = (self.from.max(other.from), self.to.min(other.to));
        (from < to).then_some(Span { from, to })
    }
}

/// The workers and the times in which each was free.
#[derive(Debug)]
pub struct Crew<'a> {
    /// Each worker with its free times, in order and apart from each other.
    pub free: Vec<(&'a Instance, Vec<Span>)>,
}

impl Crew<'_> {
    /// The longest stretch inside `from..to` in which some worker was free.
    pub fn longest_free(&self, from: Nanos, to: Nanos) -> Nanos {
        let asked = Span { from, to: to.max(from) };
        let spans = self.free.iter().flat_map(|(_, spans)| {
            let before = spans.partition_point(|span| span.to <= asked.from);
            spans[before..].iter().take_while(|span| span.from < asked.to)
        });
        spans
            .filter_map(|span| span.and(asked))
            .map(Span::length)
            .max()
            .unwrap_or(0)
    }
}

impl Attempt<'_> {
    /// When it was first heard of. A worker's report of its start may be lost, so any line will do.
    pub fn began(&self) -> Option<Nanos> {
        let effect = self.effects.first().map(|effect| effect.1);
        let commit = self.commits.first().map(|commit| commit.1);
        let start = self.start.map(|start| start.1);
        [start, effect, commit, self.failed.map(|failed| failed.1)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl<'a> History<'a> {
    /// Whether a service does the tasks' work: a copy of it reported to the witness, or clients and
    /// other services have no use for it.
    pub fn works(&self, service: &str) -> bool {
        let facts = &self.header.system;
        if service == facts.entry {
            return false;
        }
        let reports = self.index.workers().any(|worker| {
            let instance = worker.parse::<Instance>();
            instance.is_ok_and(|instance| instance.service == service)
        });
        let linked = |other: &crate::system::ServiceFacts| other.links.iter().any(|link| link == service);
        reports || !facts.services.values().any(linked)
    }

    /// Whether a service needs another, directly or through others.
    pub fn needs(&self, service: &str, other: &str) -> bool {
        self.index.needs(service).is_some_and(|needs| needs.contains(other))
    }

    /// Whether a strike hits an instance itself, its links, or something it needs.
    pub fn concerns(&self, strike: &Strike<'_>, instance: &Instance) -> bool {
        match strike.place {
            Place::Instance(struck) => struck == instance || self.needs(&instance.service, &struck.service),
            Place::Link { from, .. } => from == instance || self.needs(&instance.service, &from.service),
            // Fewer copies take nothing away from those that are left.
            Place::Service(_) => false,
        }
    }

    /// The process of a worker that an attempt ran in.
    pub fn life_of(&self, attempt: &Attempt<'_>) -> Option<&Life> {
        let instance: Instance = attempt.worker.parse().ok()?;
        let began = attempt.began()?;
        let lives = self.lives.get(&instance)?;
        let after = lives.partition_point(|life| life.started.1 <= began);
        lives[..after].last()
    }

    /// Whether a process ended by itself: squall did not mean it to, and no strike hit this very process.
    pub fn crashed(&self, instance: &Instance, life: &Life) -> bool {
        let Some((_, at, wanted)) = life.exited else {
            return false;
        };
        let hit = |strike: &Strike<'_>| {
            let here = matches!(strike.place, Place::Instance(struck) if struck == instance);
            let (from, to) = (strike.imposing.1, strike.healed.unwrap_or(self.until));
            // What was in force when it was started is what it came back from.
            here && (life.started.1..=at).contains(&from) && at <= to
        };
        !wanted && !self.strikes.iter().any(hit)
    }

    /// Whether a process ended by itself before it had been ready for the steady time: it never served. Nobody
    /// can say so while something it needs was struck: to end then and be started again is one way to cope.
    pub fn fell_at_once(&self, instance: &Instance, life: &Life) -> bool {
        let Some((_, at, _)) = life.exited.filter(|_| self.crashed(instance, life)) else {
            return false;
        };
        let excused = self.strikes.iter().any(|strike| {
            let own = matches!(strike.place, Place::Instance(struck) if struck == instance);
            let back = strike.healed.unwrap_or(self.until).saturating_add(SETTLE);
            !own && self.concerns(strike, instance) && strike.imposing.1 <= at && at <= back
        });
        let lasted = |ready: Nanos| at.saturating_sub(ready) >= self.header.plan.steady;
        !excused && !life.ready.is_some_and(|ready| lasted(ready.1))
    }

    /// The longest a planned task takes.
    pub fn longest_task(&self) -> Nanos {
        let tasks = self.header.plan.tasks.iter();
        tasks.map(|task| task.ms.saturating_mul(1_000_000)).max().unwrap_or(0)
    }

    /// The workers, and when each was free.
    pub fn crew(&self) -> Crew<'a> {
        let workers = self
            .lives
            .keys()
            .copied()
            .filter(|instance| self.works(&instance.service));
        Crew {
            free: workers.map(|instance| (instance, self.free(instance))).collect(),
        }
    }

    fn free(&self, instance: &Instance) -> Vec<Span> {
        let mut taken = self.busy(&instance.to_string());
        let lease = self.header.system.tasks.as_ref().map_or(0, |tasks| tasks.lease);
        for strike in self.strikes.iter().filter(|strike| self.concerns(strike, instance)) {
            let back = strike.healed.unwrap_or(self.until);
            // Its own death leaves nothing to settle: the next process is given its start-up below.
            let own = matches!(strike.place, Place::Instance(struck) if struck == instance);
            let died = own && matches!(strike.condition, Condition::Down(_));
            let settled = if died { 0 } else { SETTLE.saturating_add(lease) };
            taken.push(Span {
                from: strike.imposing.1,
                to: back.saturating_add(settled),
            });
        }
        taken.sort();
        let mut free = Vec::new();
        for life in self.lives.get(instance).into_iter().flatten() {
            let Some((_, ready)) = life.ready else { continue };
            let end = life.exited.map_or(self.until, |exited| exited.1);
            let mut from = ready.saturating_add(STARTUP);
            for span in &taken {
                if span.to <= from || span.from >= end {
                    continue;
                }
                if span.from > from {
                    free.push(Span { from, to: span.from });
                }
                from = span.to;
            }
            if from < end {
                free.push(Span { from, to: end });
            }
        }
        free
    }

    /// When a worker was at an attempt, as far as anyone can tell.
    fn busy(&self, worker: &str) -> Vec<Span> {
        let stints = self.stints(worker);
        let lease = self.header.system.tasks.as_ref().map_or(0, |tasks| tasks.lease);
        let silence = self.longest_task().saturating_add(lease).saturating_add(SILENCE);
        let spans = stints.iter().map(|stint| {
            let (from, heard) = (stint.began, stint.heard);
            if stint.ended {
                return Span { from, to: heard };
            }
            let next = stints.get(stints.partition_point(|other| other.began <= heard));
            let died = self.life_of(self.attempt(stint)).and_then(|life| life.exited);
            let quiet = heard.saturating_add(silence);
            let ends = [next.map(|next| next.began), died.map(|exited| exited.1)];
            let to = ends.into_iter().flatten().fold(quiet, Nanos::min);
            Span { from, to: to.max(from) }
        });
        spans.collect()
    }
}
