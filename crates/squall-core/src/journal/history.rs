//! The events of a journal by subject, built in one pass.

use std::collections::BTreeMap;

use super::Journal;
use super::index::Index;
use super::task::{Attempt, TaskHistory};
use crate::event::{
    AlarmState, BreakerState, Call, End, Event, EventId, Fact, Header, LinkCounts, Op, Outcome, Phase, Pulse, Role,
    ShortageLook, SkewLook, TaskEvent, TaskFact, Untouched,
};
use crate::place::{Condition, Death, Instance, Place};
use crate::plan::Step;
use crate::time::Nanos;

/// After a heal the system is given this long before its answers count again.
pub const GRACE_AFTER_HEAL: Nanos = 2_000_000_000;

/// A journal's events by subject.
#[derive(Debug)]
pub struct History<'a> {
    /// What the run was.
    pub header: &'a Header,
    /// All events.
    pub events: &'a [Event],
    /// When each part began.
    pub phases: Vec<(Phase, Nanos)>,
    /// How it ended; `None` when the journal was cut off.
    pub end: Option<&'a End>,
    /// Time of the last event.
    pub until: Nanos,
    /// The faults that were put in force, in order.
    pub strikes: Vec<Strike<'a>>,
    /// The steps that were not: event, step, whether the run was decided, why.
    pub missed: Vec<(EventId, usize, bool, &'a str)>,
    /// All requests, in order of their answers.
    pub ops: Vec<(EventId, &'a Op)>,
    /// Everything known of each task, by id.
    pub tasks: BTreeMap<&'a str, TaskHistory<'a>>,
    /// Creates without an id: not acknowledged.
    pub unacknowledged: Vec<(EventId, &'a Op)>,
    /// The calls of work that carries the witness's address: event, time, call.
    pub calls: Vec<(EventId, Nanos, &'a Call)>,
    /// The looks of the recovery probe; the time is that of the answer.
    pub pulses: Vec<(EventId, Nanos, &'a Pulse)>,
    /// The changes of circuit breakers that were seen: event, time, type of task, state.
    pub breakers: Vec<(EventId, Nanos, &'a str, BreakerState)>,
    /// The changes of alarms that were seen: event, time, name, state.
    pub alarms: Vec<(EventId, Nanos, &'a str, AlarmState)>,
    /// Each instance's processes, in order.
    pub lives: BTreeMap<&'a Instance, Vec<Life>>,
    pub(super) index: Index<'a>,
}

/// A fault in force.
#[derive(Debug, Clone)]
pub struct Strike<'a> {
    /// Its index in the plan.
    pub index: usize,
    /// The step.
    pub step: &'a Step,
    /// Where it struck.
    pub place: &'a Place,
    /// What held there.
    pub condition: &'a Condition,
    /// `imposing` was written.
    pub imposing: (EventId, Nanos),
    /// It was in force.
    pub imposed: Option<Nanos>,
    /// Lifting began.
    pub healing: Option<(EventId, Nanos)>,
    /// It was lifted; for a process: it was ready again, or given up on.
    pub healed: Option<Nanos>,
    /// What the link's proxy counted meanwhile.
    pub counts: Option<(EventId, LinkCounts)>,
    /// What passed that link where requests were looked for and none was taken.
    pub untouched: &'a [Untouched],
    /// Files were changed, at so many spots.
    pub damaged: Option<(EventId, usize)>,
    /// The disk of what lost its power was gone: what it answered.
    pub dark: Option<(EventId, &'a str, Option<u64>)>,
    /// They were read back, and so at so many spots.
    pub read_back: Option<(EventId, usize)>,
    /// Whether it was seen to stand still: when it was told to, and when it was about to go on.
    pub still: Vec<(EventId, bool)>,
    /// What was seen of it being short of something.
    pub looks: Vec<(EventId, ShortageLook)>,
    /// What was seen of its wall clock being wrong.
    pub clocks: Vec<(EventId, SkewLook)>,
}

impl Strike<'_> {
    /// Whether a process that came back meanwhile was brought down again by the same strike.
    pub fn ended(&self, life: &Life) -> bool {
        let lifted = self.healing.map_or(Nanos::MAX, |healing| healing.1);
        let until = match self.condition {
            Condition::Down(death) if death.recurs() => lifted,
            // It is stopped once more, to be healed.
            Condition::Damaged(damage) if damage.stopped => self.healed.unwrap_or(Nanos::MAX),
            _ => return false,
        };
        let came = (self.imposing.1..=lifted).contains(&life.started.1);
        came && life.exited.is_some_and(|exited| exited.2 && exited.1 <= until)
    }

    /// Whether what is struck itself can't be asked to answer meanwhile: it is gone, stands still, or can take no connection.
    pub fn silences(&self) -> bool {
        match self.condition {
            Condition::Short(shortage) => shortage.silences(),
            Condition::Damaged(damage) => damage.stopped,
            Condition::Skewed(_) => false,
            _ => true,
        }
    }
}

/// One process of an instance.
#[derive(Debug, Clone, Default)]
pub struct Life {
    /// Started.
    pub started: (EventId, Nanos),
    /// Became ready.
    pub ready: Option<(EventId, Nanos)>,
    /// Was given up on before it was ready.
    pub not_ready: Option<(EventId, Nanos)>,
    /// Ended: when, and whether squall meant it to.
    pub exited: Option<(EventId, Nanos, bool)>,
    /// Had not ended when its grace was over: when, and what that was.
    pub outstayed: Option<(EventId, Nanos, Nanos)>,
}

/// A time in which the entry service's clients may be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// The step that made it.
    pub step: usize,
    /// From: the fault is about to be put in force.
    pub from: Nanos,
    /// To: healed and [`GRACE_AFTER_HEAL`] gone by; the journal's end when it never healed.
    pub to: Nanos,
    /// Whether the entry service itself was struck, so that nobody may be there to answer.
    pub entry: bool,
}

impl Window {
    /// Whether any of `from..=to` lies in it.
    pub fn overlaps(&self, from: Nanos, to: Nanos) -> bool {
        from <= self.to && to >= self.from
    }
}

impl<'a> History<'a> {
    /// The history of a journal.
    pub fn of(journal: &'a Journal) -> Self {
        let mut history = History {
            header: journal.header(),
            events: journal.events(),
            phases: Vec::new(),
            end: None,
            until: journal.events().last().map_or(0, |event| event.at),
            strikes: Vec::new(),
            missed: Vec::new(),
            ops: Vec::new(),
            tasks: BTreeMap::new(),
            unacknowledged: Vec::new(),
            calls: Vec::new(),
            pulses: Vec::new(),
            breakers: Vec::new(),
            alarms: Vec::new(),
            lives: BTreeMap::new(),
            index: Index::default(),
        };
        for event in journal.events() {
            history.take(event);
        }
        history.assign_calls();
        history.index = Index::of(&history.tasks, &history.header.system);
        history
    }

    fn take(&mut self, event: &'a Event) {
        let (id, at) = (event.id, event.at);
        match &event.fact {
            Fact::Phase(phase) => self.phases.push((*phase, at)),
            Fact::Started { instance, .. } => {
                self.lives.entry(instance).or_default().push(Life {
                    started: (id, at),
                    ..Life::default()
                });
            }
            Fact::Ready { instance, .. } => self.life(instance, |life| life.ready = Some((id, at))),
            Fact::NotReady { instance, .. } => self.life(instance, |life| life.not_ready = Some((id, at))),
            Fact::Exited { instance, wanted, .. } => self.life(instance, |life| life.exited = Some((id, at, *wanted))),
            Fact::Outstayed { instance, grace } => {
                self.life(instance, |life| life.outstayed = Some((id, at, *grace)));
            }
            Fact::Missed { step, decided, why } => self.missed.push((id, *step, *decided, why)),
            Fact::Imposing { step, place, condition } => self.strike(event, *step, place, condition),
            Fact::Imposed { step } => self.struck(*step, |strike| strike.imposed = Some(at)),
            Fact::Healing { step, .. } => self.struck(*step, |strike| strike.healing = Some((id, at))),
            Fact::Healed { step } => self.struck(*step, |strike| strike.healed = Some(at)),
            Fact::Traffic { step, counts, .. } => self.struck(*step, |strike| strike.counts = Some((id, *counts))),
            Fact::Untouched { step, requests, .. } => self.struck(*step, |strike| strike.untouched = requests),
            Fact::Damaged { instance, spots } => {
                let damage = |held: &Condition| matches!(held, Condition::Damaged(_));
                self.struck_at(instance, damage, |strike| strike.damaged = Some((id, spots.len())));
            }
            Fact::PowerLost {
                instance,
                says,
                entries,
            } => {
                let loss = |held: &Condition| *held == Condition::Down(Death::PowerLoss);
                self.struck_at(instance, loss, |strike| strike.dark = Some((id, says, *entries)));
            }
            Fact::Skew { step, look } => self.struck(*step, |strike| strike.clocks.push((id, *look))),
            Fact::DamageRead { instance, spots } => {
                let damage = |held: &Condition| matches!(held, Condition::Damaged(_));
                self.struck_at(instance, damage, |strike| strike.read_back = Some((id, *spots)));
            }
            Fact::Shortage { step, look } => self.struck(*step, |strike| strike.looks.push((id, *look))),
            Fact::Standstill(look) => {
                let frozen = |held: &Condition| *held == Condition::Frozen;
                self.struck_at(&look.instance, frozen, |strike| strike.still.push((id, look.holds())));
            }
            Fact::Op(op) => self.op(id, op),
            Fact::Task(fact) => self.task(id, at, fact),
            Fact::Call(call) => self.calls.push((id, at, call)),
            Fact::Record(record) => {
                self.tasks
                    .entry(&record.task)
                    .or_default()
                    .records
                    .push((id, at, record));
            }
            Fact::Pulse(pulse) => self.pulses.push((id, at, pulse)),
            Fact::Breaker { of, state } => self.breakers.push((id, at, of, *state)),
            Fact::Alarm { of, state } => self.alarms.push((id, at, of, *state)),
            Fact::Closed { end } => self.end = Some(end),
            Fact::Opened(_) | Fact::Aimed { .. } | Fact::Usage(_) | Fact::Connections { .. } | Fact::Machine(_) => {}
            Fact::Database(_) => {}
            Fact::ScriptBegan { .. } | Fact::ScriptEnded { .. } => {}
            Fact::Log { .. } | Fact::Note { .. } | Fact::Repaired { .. } | Fact::PowerBack { .. } => {}
        }
    }

    fn life(&mut self, instance: &'a Instance, change: impl FnOnce(&mut Life)) {
        if let Some(life) = self.lives.get_mut(instance).and_then(|lives| lives.last_mut()) {
            change(life);
        }
    }

    fn strike(&mut self, event: &Event, index: usize, place: &'a Place, condition: &'a Condition) {
        // A journal that names a step its plan does not have is damaged; the step then proves nothing.
        let Some(step) = self.header.plan.steps.get(index) else {
            return;
        };
        let imposing = (event.id, event.at);
        self.strikes.push(Strike {
            index,
            step,
            place,
            condition,
            imposing,
            imposed: None,
            healing: None,
            healed: None,
            counts: None,
            untouched: &[],
            damaged: None,
            dark: None,
            read_back: None,
            still: Vec::new(),
            looks: Vec::new(),
            clocks: Vec::new(),
        });
    }

    fn struck(&mut self, index: usize, change: impl FnOnce(&mut Strike<'a>)) {
        if let Some(strike) = self.strikes.iter_mut().rev().find(|strike| strike.index == index) {
            change(strike);
        }
    }

    /// The last one at an instance that is of a kind and holds there still: what is over is shown by nothing that comes later.
    fn struck_at(
        &mut self,
        instance: &Instance,
        kind: impl Fn(&Condition) -> bool,
        change: impl FnOnce(&mut Strike<'a>),
    ) {
        let mine = |strike: &&mut Strike<'_>| {
            let here = matches!(strike.place, Place::Instance(place) if place == instance);
            here && strike.healed.is_none() && kind(strike.condition)
        };
        if let Some(strike) = self.strikes.iter_mut().rev().find(mine) {
            change(strike);
        }
    }

    fn op(&mut self, id: EventId, op: &'a Op) {
        self.ops.push((id, op));
        if op.role != Role::Create {
            return;
        }
        match op.work.as_ref().and_then(|work| work.task.as_deref()) {
            Some(task) => self.tasks.entry(task).or_default().created = Some((id, op)),
            None => self.unacknowledged.push((id, op)),
        }
    }

    fn task(&mut self, id: EventId, at: Nanos, fact: &'a TaskFact) {
        let task = self.tasks.entry(&fact.task).or_default();
        let found = task
            .attempts
            .iter()
            .position(|attempt| attempt.number == fact.attempt && attempt.worker == fact.worker);
        let index = found.unwrap_or_else(|| {
            task.attempts.push(Attempt {
                number: fact.attempt,
                worker: &fact.worker,
                ..Attempt::default()
            });
            task.attempts.len() - 1
        });
        let attempt = &mut task.attempts[index];
        match fact.event {
            TaskEvent::Start => attempt.start = attempt.start.or(Some((id, at))),
            TaskEvent::Effect => attempt.effects.push((id, at, fact.payload_crc32)),
            TaskEvent::Committed => attempt.commits.push((id, at)),
            TaskEvent::Failed => {
                attempt.failed = Some((id, at, fact.reason.as_deref().unwrap_or(""), fact.dead.unwrap_or(false)));
            }
        }
    }

    /// The tasks the system acknowledged: id, what is known of it, the create's event and the create.
    pub fn acknowledged(&self) -> impl Iterator<Item = (&'a str, &TaskHistory<'a>, EventId, &'a Op)> {
        self.tasks.iter().filter_map(|(id, task)| {
            let (event, op) = task.created?;
            (op.outcome == Outcome::Ok).then_some((*id, task, event, op))
        })
    }

    /// When a part began; `None` when the run did not come that far.
    pub fn began(&self, phase: Phase) -> Option<Nanos> {
        self.phases.iter().find(|(found, _)| *found == phase).map(|(_, at)| *at)
    }

    /// When a part ended: the next one began, or the journal ended.
    pub fn ended(&self, phase: Phase) -> Option<Nanos> {
        let index = self.phases.iter().position(|(found, _)| *found == phase)?;
        Some(self.phases.get(index + 1).map_or(self.until, |(_, at)| *at))
    }

    /// Whether all parts were run.
    pub fn complete(&self) -> bool {
        self.end == Some(&End::Complete)
    }

    /// Whether a strike takes away something the entry service needs: itself (`Some(true)`) or what it links to (`Some(false)`).
    pub fn strikes_entry(&self, strike: &Strike<'_>) -> Option<bool> {
        let facts = &self.header.system;
        let needs = |name: &str| {
            facts
                .services
                .get(&facts.entry)
                .is_some_and(|entry| entry.links.iter().any(|link| link == name))
        };
        match strike.place {
            Place::Instance(instance) if instance.service == facts.entry => Some(true),
            Place::Instance(instance) => needs(&instance.service).then_some(false),
            Place::Link { from, .. } => (from.service == facts.entry).then_some(false),
            Place::Service(_) => None,
        }
    }

    /// The times in which the entry service's clients may be refused, one for each strike that makes one.
    pub fn outages(&self) -> Vec<Window> {
        let windows = self.strikes.iter().filter_map(|strike| {
            let entry = self.strikes_entry(strike)?;
            let healed = strike.healed.unwrap_or(self.until);
            // The entry service's own way back is judged as recovery; until it serves, nobody can answer.
            let back = if entry {
                self.serving_since(healed).unwrap_or(self.until)
            } else {
                healed
            };
            Some(Window {
                step: strike.index,
                from: strike.imposing.1,
                to: back + GRACE_AFTER_HEAL,
                entry: entry && strike.silences(),
            })
        });
        windows.collect()
    }
}
