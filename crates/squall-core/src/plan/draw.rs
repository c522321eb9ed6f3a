//! Where the dice are thrown: one seed, one plan.

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::{Hold, Plan, Start, Step};
use crate::amount::{Dur, DurRange};
use crate::diagnostic::{Mistake, Mistakes, nearest};
use crate::document::Document;
use crate::fault::{Fault, Scale, Target, Timing};
use crate::time::{Nanos, nanos};

use crate::place::Condition;
use crate::scenario::Scenario;
use crate::system::Facts;

/// A shorter outage can't break a promise to answer within 2 s.
const SHORTEST_OUTAGE: Duration = Duration::from_secs(4);
/// What makes every byte late shows at once; it need not last as long as what must be noticed by silence.
const SHORTEST_HINDRANCE: Duration = Duration::from_secs(1);
/// After an outage answers need this long before another one can be told from it.
const SHORTEST_GAP: Duration = Duration::from_secs(4);
/// Sooner, what a service does without cannot be seen.
const SHORTEST_SHORTAGE: Duration = Duration::from_secs(2);
/// How long an aimed step waits for its moment.
const PATIENCE: Duration = Duration::from_secs(15);
/// Undisturbed traffic watched first, and the steady window, at pace 1.
const REFERENCE: Duration = Duration::from_secs(3);
/// Neither is ever shorter: fewer samples make no band.
const SHORTEST_REFERENCE: Duration = Duration::from_secs(1);

/// The same for the strikes of one entry.
const MOST_STRIKES: usize = 10_000;

/// What a plan is drawn for.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The level, 1 to 6.
    pub level: u8,
    /// The level's name.
    pub level_name: &'a str,
    /// What all randomness is drawn from.
    pub seed: u64,
    /// By how much planned durations are divided.
    pub pace: f64,
    /// How many scenarios run at once.
    pub jobs: u8,
    /// The command that asks for the same again.
    pub repeat: &'a str,
}

/// Draws the plan of a scenario whose `${…}` are filled in.
///
/// # Errors
/// Every line of `doc` that asks for something the system does not have.
pub fn plan(doc: &Document, scenario: &Scenario, facts: &Facts, request: Request<'_>) -> Result<Plan, Mistakes> {
    let mut drawer = Drawer {
        doc,
        facts,
        request,
        rng: ChaCha12Rng::seed_from_u64(request.seed),
        mistakes: Vec::new(),
    };
    let steps = drawer.steps(&scenario.storm);
    drawer.bounds(&steps);
    drawer.disks(&scenario.storm);
    drawer.replicas(scenario);
    let tasks = drawer.tasks(scenario);
    let clients = drawer.clients(&scenario.workload);
    let scripts = drawer.scripts(&scenario.storm);
    drawer.strikes(scenario, steps.len() + scripts.len());
    drawer.checks(&scenario.checks);
    drawer.stops(&scenario.stop_when);
    let load = scenario.workload.tasks.as_ref();
    let short = |length: Duration| nanos(paced(length, request.pace).max(SHORTEST_REFERENCE));
    let plan = Plan {
        scenario: scenario.scenario.clone(),
        hypothesis: scenario.hypothesis.clone(),
        level: request.level,
        level_name: request.level_name.to_owned(),
        seed: request.seed,
        pace: request.pace,
        jobs: request.jobs,
        repeat: request.repeat.to_owned(),
        tasks,
        main_kind: load.map(|load| load.kind.clone()),
        deadline: load
            .and_then(|load| load.deadline.as_ref())
            .map(|deadline| drawer.nanos(deadline)),
        writes: drawer.writes(scenario),
        flood: scenario.workload.flood.as_ref().map(|flood| drawer.flood(flood)),
        bulky: scenario.workload.bulky.as_ref().map(Drawer::bulky),
        clients,
        api_every: scenario.workload.api.as_ref().map(|api| drawer.spacing(&api.rate)),
        survey: scenario.workload.survey,
        reference: short(REFERENCE),
        steady: short(REFERENCE),
        lasts: scenario.lasts.as_ref().map_or(0, |lasts| drawer.nanos(lasts)),
        steps,
        scripts,
        replicas: scenario.replicas.clone(),
        stop_when: scenario.stop_when.clone(),
        checks: scenario.checks.clone(),
    };
    if drawer.mistakes.is_empty() {
        Ok(plan)
    } else {
        Err(doc.mistakes(drawer.mistakes))
    }
}

fn paced(length: Duration, pace: f64) -> Duration {
    length.div_f64(pace)
}

pub(super) struct Drawer<'a> {
    doc: &'a Document,
    pub(super) facts: &'a Facts,
    pub(super) request: Request<'a>,
    pub(super) rng: ChaCha12Rng,
    pub(super) mistakes: Vec<Mistake>,
}

impl Drawer<'_> {
    pub(super) fn nanos(&self, length: &Dur) -> Nanos {
        nanos(paced(length.get(), self.request.pace))
    }

    fn draw(&mut self, range: &DurRange) -> Nanos {
        let (low, high) = (nanos(range.low().get()), nanos(range.high().get()));
        let drawn = if low == high {
            low
        } else {
            self.rng.random_range(low..=high)
        };
        nanos(paced(Duration::from_nanos(drawn), self.request.pace))
    }

    pub(super) fn wrong(&mut self, pointer: &str, message: String, help: Option<String>) {
        self.mistakes.push(self.doc.mistake(pointer, message, help));
    }

    fn steps(&mut self, storm: &[Fault]) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        for (entry, fault) in storm.iter().enumerate() {
            let at = format!("/storm/{entry}/{}", fault.word());
            if let Fault::Partition(partition) = fault {
                self.part((entry, &at), (fault, partition), &mut steps);
                continue;
            }
            let (Some(condition), Some(target)) = (fault.condition(), fault.target()) else {
                continue;
            };
            let Some((service, link_to)) = self.target(&at, &target) else {
                continue;
            };
            if self.is_protected(&at, (&service, link_to.as_deref())) || !self.fits(&at, fault, &service) {
                continue;
            }
            let Some(hold) = self.hold(&at, fault, &service, link_to.as_deref()) else {
                continue;
            };
            let before = steps.last().is_some_and(|step: &Step| self.takes_away(step));
            for start in self.starts(&at, fault, (steps.len(), before)) {
                let rank = self.rng.random();
                steps.push(Step {
                    entry,
                    fault: fault.word().to_owned(),
                    start,
                    or_done: fault.or_done(),
                    aim: fault.timing().when.map(|aim| (aim, nanos(PATIENCE))),
                    service: service.clone(),
                    link_to: link_to.clone(),
                    place: None,
                    rank,
                    condition: condition.clone().paced(self.request.pace),
                    hold,
                });
            }
        }
        steps
    }

    /// The times of all strikes of one entry; `next` is the index its first step will have, and
    /// `outage_before` whether the step before it takes away what the entry service needs.
    pub(super) fn starts(&mut self, at: &str, fault: &Fault, (next, outage_before): (usize, bool)) -> Vec<Start> {
        let timing = fault.timing();
        let own = self.outage(fault);
        let most = [&timing.every, &timing.at]
            .into_iter()
            .flatten()
            .map(|range| range.high().get())
            .max();
        // Between an outage's answers and the next one's a client must have had the time to be right again.
        let floor = if own {
            nanos(most.unwrap_or(SHORTEST_GAP).min(SHORTEST_GAP))
        } else {
            0
        };
        let after = timing.after.as_ref().map(|gap| {
            let floor = if outage_before {
                gap.get().min(SHORTEST_GAP)
            } else {
                Duration::ZERO
            };
            self.nanos(gap).max(nanos(floor))
        });
        if after.is_some() && timing.at.is_some() {
            let help = Some("leave one of them out".to_owned());
            self.wrong(
                &format!("{at}/at"),
                "counts from the storm's start, and `after` from the strike before".to_owned(),
                help,
            );
            return Vec::new();
        }
        if let Some(gap) = after {
            return self.one_after_another((at, next), &timing, gap, floor);
        }
        let mut when = match (&timing.at, &timing.every) {
            (Some(range), _) | (None, Some(range)) => self.draw(range),
            (None, None) => 0,
        };
        let mut starts = vec![Start::At(when)];
        let until = timing.until.as_ref().map_or(Nanos::MAX, |until| self.nanos(until));
        let times = timing.times.map_or(usize::MAX, |times| times as usize);
        while let Some(every) = &timing.every {
            when += self.draw(every).max(1_000_000);
            if starts.len() >= times || when >= until {
                break;
            }
            if starts.len() == MOST_STRIKES {
                self.too_many(at);
                return Vec::new();
            }
            starts.push(Start::At(when));
        }
        starts.truncate(times);
        starts
    }

    /// Each strike so long after the end of the one before.
    fn one_after_another(
        &mut self,
        (at, next): (&str, usize),
        timing: &Timing,
        gap: Nanos,
        floor: Nanos,
    ) -> Vec<Start> {
        if next == 0 {
            self.wrong(
                &format!("{at}/after"),
                "nothing comes before the first entry".to_owned(),
                Some("use `at`".to_owned()),
            );
            return Vec::new();
        }
        let times = timing.times.unwrap_or(1) as usize;
        if times > MOST_STRIKES {
            self.too_many(at);
            return Vec::new();
        }
        (0..times)
            .map(|n| Start::After {
                step: next + n - 1,
                gap: if n == 0 {
                    gap
                } else {
                    self.gap(&timing.every, gap).max(floor)
                },
            })
            .collect()
    }

    fn too_many(&mut self, at: &str) {
        let help = "strike less often, or end sooner".to_owned();
        self.wrong(at, format!("too many strikes: at most {MOST_STRIKES}"), Some(help));
    }

    fn gap(&mut self, every: &Option<DurRange>, otherwise: Nanos) -> Nanos {
        every.as_ref().map_or(otherwise, |range| self.draw(range))
    }

    fn target(&mut self, at: &str, target: &Target<'_>) -> Option<(String, Option<String>)> {
        match *target {
            // Planned by itself.
            Target::Across(_) => None,
            Target::Service(service) if self.facts.services.contains_key(service) => Some((service.to_owned(), None)),
            Target::Service(service) => {
                self.missing(&format!("{at}/on"), service);
                None
            }
            Target::Link(from, to) => {
                let Some(service) = self.facts.services.get(from) else {
                    self.missing(&format!("{at}/from"), from);
                    return None;
                };
                if !service.links.iter().any(|link| link == to) {
                    let help = match service.links.as_slice() {
                        [] => format!("`{from}` links to nothing; a link is named in its `links:`"),
                        links => format!("`{from}` links to {}", links.join(", ")),
                    };
                    self.wrong(
                        &format!("{at}/to"),
                        format!("`{from}` has no link to `{to}`"),
                        Some(help),
                    );
                    return None;
                }
                Some((from.to_owned(), Some(to.to_owned())))
            }
        }
    }

    /// Says that there is no such service.
    pub(super) fn missing(&mut self, pointer: &str, name: &str) {
        let names: Vec<&str> = self.facts.services.keys().map(String::as_str).collect();
        let help = nearest(name, names.iter().copied()).map_or_else(
            || format!("the services are {}", names.join(", ")),
            |close| format!("did you mean `{close}`?"),
        );
        self.wrong(pointer, format!("the system has no service `{name}`"), Some(help));
    }

    pub(super) fn hold(&mut self, at: &str, fault: &Fault, service: &str, link_to: Option<&str>) -> Option<Hold> {
        if let Fault::Scale(scale) = fault {
            return self.scaled(at, scale);
        }
        let Some(asked) = fault.hold() else {
            let restart = self.facts.services.get(service).and_then(|facts| facts.restart_after);
            if restart.is_none() {
                self.wrong(
                    at,
                    format!("`{service}` would stay down: nothing starts it again"),
                    Some("add `down: DURATION` here, or `restart: { after: … }` to the service".to_owned()),
                );
            }
            return restart.map(Hold::Restart);
        };
        let short = self.nanos(&asked);
        let struck = link_to.unwrap_or(service);
        // A cut or a freeze that is over sooner can't break a client's promise to give up in time either.
        let parts = matches!(fault, Fault::Partition(parts) if parts.every.is_none());
        let silent =
            parts || matches!(fault, Fault::Cut(_)) || (matches!(fault, Fault::Freeze(_)) && self.called(struck));
        let floor = match fault.condition() {
            Some(condition) if condition.slows() => SHORTEST_HINDRANCE,
            _ if self.needed(struck) || silent => SHORTEST_OUTAGE,
            Some(Condition::Short(_)) => SHORTEST_SHORTAGE,
            _ => Duration::ZERO,
        };
        Some(Hold::For(
            short.max(nanos(asked.get().min(floor))).max(self.outlasts(fault)),
        ))
    }

    /// A service can't have more copies than were started: their ports and links are made at the start.
    fn scaled(&mut self, at: &str, scale: &Scale) -> Option<Hold> {
        let most = self.facts.services.get(&scale.on).map_or(0, |facts| facts.replicas);
        if scale.to > most {
            let message = format!(
                "`{}` has {most} copies, so it can't be scaled to {}",
                scale.on, scale.to
            );
            let help = format!(
                "start with more: `replicas: {{ {}: {} }}` in this scenario",
                scale.on, scale.to
            );
            self.wrong(&format!("{at}/to"), message, Some(help));
            return None;
        }
        Some(Hold::Stays)
    }

    /// Whether a fault takes something away that the entry service needs.
    fn outage(&self, fault: &Fault) -> bool {
        match fault.target() {
            Some(Target::Service(service)) => self.needed(service),
            Some(Target::Link(from, to)) => from == self.facts.entry && self.needed(to),
            Some(Target::Across(_)) => true,
            None => false,
        }
    }

    /// Whether anything calls `service`.
    fn called(&self, service: &str) -> bool {
        let mut services = self.facts.services.values();
        services.any(|other| other.links.iter().any(|link| link == service))
    }

    /// Whether the entry service can't do its work without `service`.
    pub(super) fn needed(&self, service: &str) -> bool {
        let entry = self.facts.services.get(&self.facts.entry);
        entry.is_some_and(|entry| entry.links.iter().any(|link| link == service))
    }
}
