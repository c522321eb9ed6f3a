//! Strikes: each step of the plan finds its target when its time comes, is written down, acts, holds, heals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use squall_core::event::Fact;
use squall_core::fault::Aim;
use squall_core::place::{Condition, Meeting, Place};
use squall_core::plan::{Hold, Start, Step};
use squall_core::time::Nanos;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::aim::Fit;
use super::stage::Stage;
use crate::world::{Phase, Trouble};

/// A target is looked for this often while none fits.
const LOOK: Duration = Duration::from_millis(5);
/// What is watched while it holds is looked at this often.
const SEE: Duration = Duration::from_millis(200);
/// Aimless steps wait this long for a target that is up.
const PATIENCE: Duration = Duration::from_secs(5);

/// All strikes of a storm.
pub(super) struct Strikes {
    pub(super) stage: Stage,
    begin: Instant,
    /// What shall hold where: overlapping faults fold into one list per place.
    wanted: Mutex<Wanted>,
    /// Entries of the scenario that were felt at least once.
    struck: Mutex<BTreeSet<usize>>,
    /// Turns true when repeated strikes have nothing left to show.
    decided: watch::Sender<bool>,
    /// For each step, whether it is over.
    over: Vec<watch::Sender<bool>>,
}

/// What shall hold at each place.
type Wanted = BTreeMap<Place, Vec<Held>>;

/// What a step wants to hold at a place.
pub(super) struct Held {
    pub(super) step: usize,
    pub(super) condition: Condition,
    phase: Phase,
}

impl Held {
    pub(super) fn new(step: usize, condition: Condition) -> Self {
        Self {
            step,
            condition,
            phase: Phase::Holding,
        }
    }
}

/// A target, and what made it one.
struct Target {
    place: Place,
    candidates: Vec<Place>,
    because: Option<String>,
}

impl Strikes {
    pub(super) fn new(stage: Stage, begin: Instant) -> Self {
        let over = stage.plan.steps.iter().map(|_| watch::Sender::new(false)).collect();
        Self {
            stage,
            begin,
            wanted: Mutex::default(),
            struck: Mutex::default(),
            decided: watch::Sender::new(false),
            over,
        }
    }

    /// Starts every step; each waits for its own time.
    pub(super) fn start(self: Arc<Self>) -> JoinSet<Result<(), Trouble>> {
        let mut all = JoinSet::new();
        for index in 0..self.stage.plan.steps.len() {
            let strikes = self.clone();
            all.spawn(async move {
                let result = strikes.step(index).await;
                strikes.over[index].send_replace(true);
                result
            });
        }
        all
    }

    /// Whether every entry of the scenario was felt at least once.
    pub(super) fn all_entries_struck(&self) -> bool {
        let struck = lock(&self.struck);
        self.stage.plan.steps.iter().all(|step| struck.contains(&step.entry))
    }

    /// Strikes at running work that have not begun need not any more.
    pub(super) fn skip_rest(&self) {
        self.decided.send_replace(true);
    }

    async fn step(&self, index: usize) -> Result<(), Trouble> {
        let step = &self.stage.plan.steps[index];
        let mut decided = self.decided.subscribe();
        // Only what is aimed at running work has nothing left to show when all work is done.
        let may_skip = matches!(step.aim, Some((Aim::TaskRunning, _)));
        let target = tokio::select! {
            biased;
            () = self.stage.stopped() => Err((true, "the storm was stopped".to_owned())),
            _ = decided.wait_for(|decided| *decided), if may_skip => Err((true, "all work was done".to_owned())),
            target = self.target(index, step) => target.map_err(|why| (false, why)),
        };
        let target = match target {
            Ok(target) => target,
            Err((decided, why)) => {
                self.stage.recorder.record(Fact::Missed {
                    step: index,
                    decided,
                    why,
                });
                return Ok(());
            }
        };
        match &target.place {
            Place::Service(service) => self.scale(index, step, service).await,
            _ => self.strike(index, step, target).await,
        }
    }

    async fn strike(&self, index: usize, step: &Step, target: Target) -> Result<(), Trouble> {
        let recorder = &self.stage.recorder;
        let journal = || Trouble::io("the journal");
        let Target {
            place,
            candidates,
            because,
        } = target;
        recorder.record(Fact::Aimed {
            step: index,
            candidates,
            chosen: place.clone(),
            because,
        });
        let condition = step.condition.clone();
        recorder
            .record_ahead(Fact::Imposing {
                step: index,
                place: place.clone(),
                condition: condition.clone(),
            })
            .map_err(journal())?;
        self.turn(index, &place, Phase::Holding);
        self.impose(&place).await?;
        recorder.record(Fact::Imposed { step: index });
        self.felt(step, &place);
        tokio::select! {
            () = self.stage.stopped() => {}
            () = self.hold(index, step, &place) => {}
        }
        if let Some(counts) = self.stage.world.counts(&place, &step.condition) {
            recorder.record(Fact::Traffic {
                step: index,
                place: place.clone(),
                counts,
            });
            let requests = self.stage.world.untouched(&place);
            if counts.intercepted == 0 && !requests.is_empty() {
                recorder.record(Fact::Untouched {
                    step: index,
                    place: place.clone(),
                    requests,
                });
            }
        }
        // Healed it is even where that can't be written down.
        let ahead = recorder.record_ahead(Fact::Healing {
            step: index,
            place: place.clone(),
        });
        self.turn(index, &place, Phase::Ending);
        self.impose(&place).await?;
        ahead.map_err(journal())?;
        recorder.record(Fact::Healed { step: index });
        self.fold(&place, |all| all.retain(|held| held.step != index));
        Ok(())
    }

    /// Waits as long as a step holds. What is watched is looked at meanwhile, and at last.
    async fn hold(&self, index: usize, step: &Step, place: &Place) {
        let until = Instant::now() + Duration::from_nanos(step.hold.nanos());
        if !step.condition.is_watched() {
            return sleep_until(until.into()).await;
        }
        loop {
            let over = Instant::now() >= until;
            if let Some(look) = self.stage.world.look(place, &step.condition, index).await {
                self.stage.recorder.record(look);
            }
            if over {
                break;
            }
            sleep_until((Instant::now() + SEE).min(until).into()).await;
        }
    }

    /// Changes what shall hold at a place.
    pub(super) fn fold(&self, place: &Place, change: impl FnOnce(&mut Vec<Held>)) {
        let mut wanted = lock(&self.wanted);
        change(wanted.entry(place.clone()).or_default());
        wanted.retain(|_, all| !all.is_empty());
    }

    fn turn(&self, step: usize, place: &Place, phase: Phase) {
        self.fold(place, |all| {
            let own = all.iter_mut().filter(|held| held.step == step);
            own.for_each(|held| held.phase = phase);
        });
    }

    /// Makes hold at a place what shall hold there when it comes to that.
    pub(super) async fn impose(&self, place: &Place) -> Result<(), Trouble> {
        let holding = || {
            let wanted = lock(&self.wanted);
            let all = wanted.get(place).into_iter().flatten();
            let holding = all.filter(|held| held.phase == Phase::Holding);
            holding.map(|held| held.condition.clone()).collect()
        };
        self.stage.world.impose(place, holding).await
    }

    /// The services whose number of copies is another than the system's own.
    pub(super) fn scaled(&self) -> Vec<Place> {
        let wanted = lock(&self.wanted);
        let services = wanted.keys().filter(|place| matches!(place, Place::Service(_)));
        services.cloned().collect()
    }

    /// Remembers that an entry struck; one aimed at running work only if it interrupted some.
    pub(super) fn felt(&self, step: &Step, place: &Place) {
        let worker = place.to_string();
        let interrupted = !self.stage.live.running(&worker).is_empty();
        if matches!(step.condition, Condition::Down(_)) {
            self.stage.live.died(&worker);
        }
        if interrupted || !matches!(step.aim, Some((Aim::TaskRunning, _))) {
            lock(&self.struck).insert(step.entry);
        }
    }

    /// Waits for the step's time and for a target that fits.
    async fn target(&self, index: usize, step: &Step) -> Result<Target, String> {
        match step.start {
            Start::At(at) => self.due(at, step.or_done).await,
            Start::After { step, gap } => {
                // Its sender lives as long as this: waiting can only end with the step.
                let _ = self.over[step].subscribe().wait_for(|over| *over).await;
                sleep(Duration::from_nanos(gap)).await;
            }
        }
        let patience = step
            .aim
            .map_or(PATIENCE, |(_, patience)| Duration::from_nanos(patience));
        let mut lacking = String::new();
        let found = timeout(patience, async {
            if let Some((Aim::WriteAcked, _)) = step.aim {
                let mut acks = self.stage.acks();
                acks.mark_unchanged();
                if acks.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            loop {
                match self.choose(index, step) {
                    Ok(target) => return target,
                    Err(why) => lacking = why,
                }
                sleep(LOOK).await;
            }
        });
        let found = found.await;
        found.map_err(|_| self.in_vain(step, patience, &lacking))
    }

    /// Waits for a time, or for a share of the main tasks to be done.
    async fn due(&self, at: Nanos, or_done: Option<f64>) {
        let until = self.begin + Duration::from_nanos(at);
        let Some(share) = or_done else {
            return sleep_until(until.into()).await;
        };
        while Instant::now() < until && self.stage.done_share() < share {
            sleep(LOOK).await;
        }
    }

    fn in_vain(&self, step: &Step, patience: Duration, lacking: &str) -> String {
        let copies = self
            .stage
            .world
            .instances()
            .iter()
            .filter(|instance| instance.service == step.service)
            .count();
        match copies {
            0 => format!("`{}` has no instance", step.service),
            _ => format!("waited {patience:?} for `{}` until {lacking}", step.service),
        }
    }

    /// The candidates at this moment, and the one the plan's rank falls on; it is taken at once, so that no other step
    /// takes what it may not be together with. What all of them lack, when there is none.
    fn choose(&self, index: usize, step: &Step) -> Result<Target, String> {
        if step.hold == Hold::Stays {
            let place = Place::Service(step.service.clone());
            return Ok(Target {
                candidates: vec![place.clone()],
                place,
                because: None,
            });
        }
        let mut wanted = lock(&self.wanted);
        let mut lacking = step.aim.map_or("a copy is up", |(aim, _)| aim.words()).to_owned();
        let mut candidates = Vec::new();
        let mut reasons = BTreeMap::new();
        for place in self.places(step) {
            if let Err(why) = self.is_free(step, &place, &wanted) {
                lacking = why;
                continue;
            }
            match self.fit(step, &place) {
                Fit::Any => {}
                Fit::Because(because) => drop(reasons.insert(place.clone(), because)),
                Fit::Not => continue,
            }
            candidates.push(place);
        }
        candidates.sort();
        let count = u64::try_from(candidates.len()).ok().filter(|count| *count > 0);
        let chosen = count.and_then(|count| usize::try_from(step.rank % count).ok());
        let place = chosen.map(|chosen| candidates[chosen].clone()).ok_or(lacking)?;
        wanted.entry(place.clone()).or_default().push(Held {
            phase: Phase::Taken,
            ..Held::new(index, step.condition.clone())
        });
        Ok(Target {
            because: reasons.remove(&place),
            place,
            candidates,
        })
    }

    /// The places a step may strike where somebody is up.
    fn places(&self, step: &Step) -> Vec<Place> {
        let instances = self.stage.world.instances().into_iter();
        if let Some(place) = &step.place {
            let (Place::Instance(copy) | Place::Link { from: copy, .. }) = place else {
                return Vec::new();
            };
            return if self.stage.world.runs(copy) {
                vec![place.clone()]
            } else {
                Vec::new()
            };
        }
        let up = instances.filter(|instance| instance.service == step.service && self.stage.world.runs(instance));
        let places = up.map(|instance| step.place_at(instance));
        places.collect()
    }

    /// Whether what holds now, there and elsewhere, lets a step's condition hold at a place; else what is waited for.
    fn is_free(&self, step: &Step, place: &Place, wanted: &Wanted) -> Result<(), String> {
        for held in wanted.get(place).into_iter().flatten() {
            if let Meeting::Turn(why) = held.condition.meets(&step.condition) {
                let name = self
                    .stage
                    .plan
                    .steps
                    .get(held.step)
                    .map_or("", |step| step.fault.as_str());
                return Err(format!("`{name}` is over there ({why})"));
            }
        }
        self.stage
            .facts
            .affords(place, wanted.keys())
            .map_err(|why| format!("others were over: {why}"))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
