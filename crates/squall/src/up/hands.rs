//! Hands: what is done to services when somebody orders it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use squall_core::diagnostic::nearest;
use squall_core::event::Fact;
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::proof::seen_outstayed;
use tokio::time::sleep;

use super::Up;
use crate::control::{Act, Answers, Order, Reply};
use crate::world::Trouble;

/// The rest of the system may take so long to be ready after a service is.
const REST: Duration = Duration::from_secs(30);
/// How often is looked whether it is.
const LOOK: Duration = Duration::from_millis(20);

/// What is kept between orders.
#[derive(Debug, Default)]
pub(super) struct Hands {
    /// Held while an order is carried out: two at once could not be told apart.
    at_work: tokio::sync::Mutex<()>,
    pub(super) orders: AtomicUsize,
}

impl Up {
    /// Carries out an order.
    pub(super) async fn obey(&self, order: &Order, answers: &Answers) -> Reply {
        let Ok(_at_work) = self.hands.at_work.try_lock() else {
            return refused("another order is being carried out", "wait until it is done");
        };
        let targets = match self.targets(order) {
            Ok(targets) => targets,
            Err(refusal) => return refusal,
        };
        let names = targets.iter().map(Instance::to_string).collect::<Vec<_>>().join(", ");
        let (death, word) = match order.act {
            Act::Start => return self.start_again(&targets).await,
            Act::Kill | Act::Restart => (Death::Kill, "killed"),
            Act::Stop | Act::DbStop | Act::DbRestart => (Death::Stop, "stopped"),
        };
        if let Err(taken) = self.claims.take_down(&targets) {
            return injected(&taken);
        }
        let step = self.hands.orders.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        if let Err(trouble) = self.bring_down(step, &targets, death).await {
            return Reply::Failed(self.recorder.secrets().mask(&trouble.to_string()));
        }
        let late = |target: &Instance| Some(format!(" ({})", seen_outstayed(target, self.world.outstayed(target)?)));
        let late: String = targets.iter().filter_map(late).collect();
        let Some(delay) = order.delay else {
            return Reply::Done(format!("{names} {word}{late}; down until `squall service start`"));
        };
        let seconds = delay as f64 / 1e3;
        let text = format!("{names} {word}{late}; started again in {seconds} s");
        answers.send(Reply::Said(text)).await;
        sleep(Duration::from_millis(delay).saturating_sub(began.elapsed())).await;
        match self.claims.let_up(&targets) {
            Ok(()) => done(self.bring_back(step, &targets).await),
            Err(taken) => injected(&taken),
        }
    }

    /// Which copies an order means.
    fn targets(&self, order: &Order) -> Result<Vec<Instance>, Reply> {
        let database = matches!(order.act, Act::DbStop | Act::DbRestart);
        let is_database = |instance: &Instance| {
            let service = self.system.services.get(&instance.service);
            service.is_some_and(|service| service.preset.is_some())
        };
        let all = self.world.instances();
        let Some(name) = &order.service else {
            let databases: Vec<Instance> = all.into_iter().filter(is_database).collect();
            return match (database, databases.is_empty()) {
                (true, false) => Ok(databases),
                (true, true) => Err(refused(
                    "this system has no database of squall's",
                    "name a service, and stop it",
                )),
                (false, _) => Err(refused("no service is named", "name one with --service")),
            };
        };
        let named = |instance: &Instance| instance.service == *name || instance.to_string() == *name;
        let named: Vec<Instance> = all.iter().filter(|instance| named(instance)).cloned().collect();
        if named.is_empty() {
            let names: BTreeSet<&str> = self.system.services.keys().map(String::as_str).collect();
            let remedy = nearest(name, names.iter().copied()).map_or_else(
                || {
                    format!(
                        "the services are {}",
                        names.iter().copied().collect::<Vec<_>>().join(", ")
                    )
                },
                |close| format!("did you mean `{close}`?"),
            );
            return Err(refused(&format!("there is no service `{name}`"), &remedy));
        }
        if database && !named.iter().all(is_database) {
            let remedy = "use stop, start and restart for it; db-… are for databases";
            return Err(refused(&format!("`{name}` is no database of squall's"), remedy));
        }
        Ok(named)
    }

    async fn start_again(&self, targets: &[Instance]) -> Reply {
        let held = self.claims.down();
        let down: Vec<Instance> = (targets.iter())
            .filter(|target| self.world.pid(target).is_none() || held.contains(*target))
            .cloned()
            .collect();
        if down.is_empty() {
            return Reply::Done("it runs already".to_owned());
        }
        if let Err(taken) = self.claims.let_up(&down) {
            return injected(&taken);
        }
        let step = self.hands.orders.fetch_add(1, Ordering::Relaxed);
        done(self.bring_back(step, &down).await)
    }

    async fn bring_down(&self, step: usize, targets: &[Instance], death: Death) -> Result<(), Trouble> {
        for target in targets {
            let (place, condition) = (Place::Instance(target.clone()), Condition::Down(death));
            self.recorder
                .record_ahead(Fact::Imposing { step, place, condition })
                .map_err(Trouble::io("the journal"))?;
        }
        self.impose(targets, |_| vec![Condition::Down(death)]).await?;
        self.recorder.record(Fact::Imposed { step });
        Ok(())
    }

    /// Starts again what is down, and waits until it, and then all of the system, is ready.
    async fn bring_back(&self, step: usize, targets: &[Instance]) -> Result<String, Trouble> {
        for target in targets {
            let place = Place::Instance(target.clone());
            // A disk that is full keeps nobody down: it is told of when all is up again.
            let _ = self.recorder.record_ahead(Fact::Healing { step, place });
        }
        let began = Instant::now();
        // They are free by now: what others want there since holds.
        self.impose(targets, |place| self.claims.wanted(place)).await?;
        let took = began.elapsed();
        for target in targets {
            let runs = self.world.pid(target).is_some();
            if !runs || self.world.ready(target).await == Some(false) {
                let text = format!("it did not become ready; see logs/{target}.log");
                return Err(Trouble::io(target.to_string())(std::io::Error::other(text)));
            }
        }
        self.recorder.record(Fact::Healed { step });
        let names = targets.iter().map(Instance::to_string).collect::<Vec<_>>().join(", ");
        let unwritten = Trouble::io(format!("{names} up again, but the journal"));
        self.recorder.flush().map_err(unwritten)?;
        let mut text = format!("{names} up again: recovery took {:.2} s", took.as_secs_f64());
        let held: Vec<String> = self.claims.down().iter().map(Instance::to_string).collect();
        if !held.is_empty() {
            return Ok(format!("{text}; {} is still down", held.join(", ")));
        }
        match self.all_ready(began).await {
            Ok(took) => text += &format!(", of the whole system {:.2} s", took.as_secs_f64()),
            Err(late) => text += &format!("; {late} was not ready {REST:?} after that"),
        }
        Ok(text)
    }

    /// Waits until every copy is ready: what broke because of another takes its time. Answers how
    /// long after `began`, or who was not.
    async fn all_ready(&self, began: Instant) -> Result<Duration, Instance> {
        let until = Instant::now() + REST;
        for instance in self.world.instances() {
            loop {
                let runs = self.world.pid(&instance).is_some();
                if runs && self.world.ready(&instance).await != Some(false) {
                    break;
                }
                if Instant::now() > until {
                    return Err(instance);
                }
                sleep(LOOK).await;
            }
        }
        Ok(began.elapsed())
    }

    /// Makes what is wanted hold at all of them, at once.
    async fn impose(&self, targets: &[Instance], wanted: impl Fn(&Place) -> Vec<Condition>) -> Result<(), Trouble> {
        let places: Vec<Place> = targets.iter().cloned().map(Place::Instance).collect();
        let all = join_all(places.iter().map(|place| self.world.impose(place, || wanted(place)))).await;
        // All were tried; the first that failed is told.
        all.into_iter().collect()
    }
}

fn done(result: Result<String, Trouble>) -> Reply {
    match result {
        Ok(text) => Reply::Done(text),
        Err(trouble) => Reply::Failed(trouble.to_string()),
    }
}

fn injected(taken: &Instance) -> Reply {
    let what = format!("an injected fault holds at {taken}");
    refused(
        &what,
        "wait until it is over, or end it with Ctrl-C where it was injected",
    )
}

pub(super) fn refused(what: &str, remedy: &str) -> Reply {
    Reply::Refused {
        what: what.to_owned(),
        remedy: remedy.to_owned(),
    }
}
