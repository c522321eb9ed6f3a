//! Strikes: each step of the plan finds its target when its time comes, is written down, acts, holds, heals.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use squall_core::event::Fact;
use squall_core::fault::Aim;
use squall_core::place::{Condition, Instance, Place};
use squall_core::plan::{Hold, Start, Step};
use squall_core::time::Nanos;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use super::stage::Stage;
use crate::world::Trouble;

/// Of a running task, the share after which it is not aimed at any more.
const LATEST: f64 = 0.7;
/// A target is looked for this often while none fits.
const LOOK: Duration = Duration::from_millis(5);
/// What is short of something is looked at this often.
const SEE: Duration = Duration::from_millis(200);
/// Aimless steps wait this long for a target that is up.
const PATIENCE: Duration = Duration::from_secs(5);

/// All strikes of a storm.
pub(super) struct Strikes {
    pub(super) stage: Stage,
    begin: Instant,
    /// What shall hold where: overlapping faults fold into one list per place.
    wanted: Mutex<BTreeMap<Place, Vec<(usize, Condition)>>>,
    /// Entries of the scenario that were felt at least once.
    struck: Mutex<BTreeSet<usize>>,
    /// Turns true when repeated strikes have nothing left to show.
    decided: watch::Sender<bool>,
    /// For each step, whether it is over.
    over: Vec<watch::Sender<bool>>,
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
            _ = decided.wait_for(|decided| *decided), if may_skip => None,
            target = self.target(step) => Some(target),
        };
        let target = match target {
            Some(Ok(target)) => target,
            Some(Err(why)) => {
                self.stage.recorder.record(Fact::Missed {
                    step: index,
                    decided: false,
                    why,
                });
                return Ok(());
            }
            None => {
                let why = "all work was done".to_owned();
                self.stage.recorder.record(Fact::Missed {
                    step: index,
                    decided: true,
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
        let conditions = self.fold(&place, |all| all.push((index, condition)));
        self.stage.world.impose(&place, &conditions).await?;
        recorder.record(Fact::Imposed { step: index });
        self.felt(step, &place);
        self.hold(index, step, &place).await;
        if let Some(counts) = self.stage.world.counts(&place) {
            recorder.record(Fact::Traffic {
                step: index,
                place: place.clone(),
                counts,
            });
        }
        recorder
            .record_ahead(Fact::Healing {
                step: index,
                place: place.clone(),
            })
            .map_err(journal())?;
        let conditions = self.fold(&place, |all| all.retain(|(step, _)| *step != index));
        self.stage.world.impose(&place, &conditions).await?;
        recorder.record(Fact::Healed { step: index });
        Ok(())
    }

    /// Waits as long as a step holds. What is short of something is looked at meanwhile, and at last.
    async fn hold(&self, index: usize, step: &Step, place: &Place) {
        let until = Instant::now() + Duration::from_nanos(step.hold.nanos());
        let Condition::Short(shortage) = &step.condition else {
            return sleep_until(until.into()).await;
        };
        loop {
            let over = Instant::now() >= until;
            if let Some(look) = self.stage.world.look(place, shortage).await {
                self.stage.recorder.record(Fact::Shortage { step: index, look });
            }
            if over {
                break;
            }
            sleep_until((Instant::now() + SEE).min(until).into()).await;
        }
    }

    /// Changes what shall hold at a place, and answers all that then shall.
    pub(super) fn fold(&self, place: &Place, change: impl FnOnce(&mut Vec<(usize, Condition)>)) -> Vec<Condition> {
        let mut wanted = lock(&self.wanted);
        let all = wanted.entry(place.clone()).or_default();
        change(all);
        let conditions = all.iter().map(|(_, condition)| condition.clone()).collect();
        wanted.retain(|_, all| !all.is_empty());
        conditions
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
    async fn target(&self, step: &Step) -> Result<Target, String> {
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
        let found = timeout(patience, async {
            if let Some((Aim::WriteAcked, _)) = step.aim {
                let mut acks = self.stage.acks();
                acks.mark_unchanged();
                if acks.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            loop {
                if let Some(target) = self.choose(step) {
                    return target;
                }
                sleep(LOOK).await;
            }
        });
        found.await.map_err(|_| self.in_vain(step, patience))
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

    fn in_vain(&self, step: &Step, patience: Duration) -> String {
        let copies = self
            .stage
            .world
            .instances()
            .iter()
            .filter(|instance| instance.service == step.service)
            .count();
        let waited = match step.aim {
            _ if copies == 0 => return format!("`{}` has no instance", step.service),
            Some((aim, _)) => aim.words(),
            None => "a copy is up",
        };
        format!("waited {patience:?} for `{}` until {waited}", step.service)
    }

    /// The candidates at this moment, and the one the plan's rank falls on.
    fn choose(&self, step: &Step) -> Option<Target> {
        if step.hold == Hold::Stays {
            let place = Place::Service(step.service.clone());
            return Some(Target {
                candidates: vec![place.clone()],
                place,
                because: None,
            });
        }
        let struck: BTreeSet<Place> = lock(&self.wanted).keys().cloned().collect();
        let mut candidates = Vec::new();
        let mut reasons = BTreeMap::new();
        for instance in self
            .stage
            .world
            .instances()
            .into_iter()
            .filter(|instance| instance.service == step.service)
        {
            let place = match &step.link_to {
                Some(to) => Place::Link {
                    from: instance.clone(),
                    to: to.clone(),
                },
                None => Place::Instance(instance.clone()),
            };
            let up = self.stage.world.runs(&instance) && !struck.contains(&place);
            if !up {
                continue;
            }
            if let Some((Aim::TaskRunning, _)) = step.aim {
                let Some(because) = self.runs(&instance) else { continue };
                reasons.insert(place.clone(), because);
            }
            candidates.push(place);
        }
        candidates.sort();
        let count = u64::try_from(candidates.len()).ok().filter(|count| *count > 0)?;
        let place = candidates[usize::try_from(step.rank % count).ok()?].clone();
        let because = reasons.remove(&place);
        // Taken while still under no lock: two steps may choose the same copy only in the same 5 ms,
        // and then both conditions hold there.
        Some(Target {
            place,
            candidates,
            because,
        })
    }

    /// What an instance runs that can be interrupted: the storm's own work, where it has some.
    fn runs(&self, instance: &Instance) -> Option<String> {
        let main = self.stage.plan.main_kind.as_deref();
        let running = self.stage.live.running(&instance.to_string());
        let fits = running.into_iter().find(|running| {
            let (kind, takes) = self.stage.work(&running.task).unzip();
            // One that is nearly done may be over before the strike falls.
            let begun = takes.is_none_or(|takes| takes.is_zero() || running.since.elapsed() < takes.mul_f64(LATEST));
            begun && main.is_none_or(|main| kind.is_some_and(|kind| kind == main))
        })?;
        Some(format!("it runs task {} (attempt {})", fits.task, fits.attempt))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
