//! Clients that work objects: each asks for one thing after the other, and never looks at the clock.

mod program;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use squall_core::contract::{Contracts, Object, Verb};
use squall_core::event::{Act, Outcome, Touch, payload_crc32};
use squall_core::place::Instance;
use squall_core::workload::PlannedClients;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::stage::Stage;
use crate::client::{Client, Names, Operated, PATIENCE};
use crate::world::Trouble;

/// A client has so many requests in its turn at most.
const IN_A_TURN: u32 = 5;

/// Everybody who works objects during a storm.
pub(super) struct Clients {
    stop: watch::Sender<bool>,
    working: JoinSet<()>,
    longest: Duration,
}

/// A copy of the entry service, and how to ask it.
#[derive(Clone)]
struct Desk {
    copy: Option<Instance>,
    client: Client,
}

/// One client after the other: where the outcome of something is not known, the next one takes its place.
struct Session {
    stage: Stage,
    plan: Arc<PlannedClients>,
    desk: Desk,
    /// Numbers all sessions of the run.
    numbers: Arc<AtomicU64>,
    number: u64,
    /// What it said so far: makes its words unique.
    said: u64,
    stop: watch::Receiver<bool>,
}

/// An operation on one object.
struct Ask<'a> {
    key: &'static str,
    verb: &'a Verb,
    headers: &'a BTreeMap<String, String>,
    object: &'a str,
    names: Names,
}

impl Clients {
    /// Looks at every object, and starts its clients: they are spread over the copies of the entry service.
    ///
    /// # Errors
    /// The machine can't give what a client needs.
    pub(super) async fn start(stage: &Stage) -> Result<Self, Trouble> {
        let stop = watch::Sender::new(false);
        let (mut working, mut longest) = (JoinSet::new(), Duration::ZERO);
        let desks = desks(stage)?;
        let numbers = Arc::new(AtomicU64::new(0));
        for plan in &stage.plan.clients {
            for name in &plan.names {
                if !look(stage, plan.of, name).await {
                    let word = plan.of.word();
                    stage.blind(format!("{name} of {word} could not be looked at before it was worked"));
                }
            }
            longest = longest.max(Duration::from_nanos(plan.hold + plan.pause) + PATIENCE * IN_A_TURN);
            let plan = Arc::new(plan.clone());
            for (client, desk) in (0..plan.clients).zip(desks.iter().cycle()) {
                let session = Session {
                    stage: stage.clone(),
                    plan: plan.clone(),
                    desk: desk.clone(),
                    number: numbers.fetch_add(1, Ordering::Relaxed),
                    numbers: numbers.clone(),
                    said: 0,
                    stop: stop.subscribe(),
                };
                working.spawn(session.work(client as usize));
            }
        }
        Ok(Self { stop, working, longest })
    }

    /// Lets each end its turn.
    pub(super) async fn stop(mut self, stage: &Stage) {
        self.stop.send_replace(true);
        let ended = timeout(self.longest, async {
            while let Some(ended) = self.working.join_next().await {
                if let Err(died) = ended {
                    stage.blind(format!("a client of objects came to an end of its own: {died}"));
                }
            }
        });
        if ended.await.is_err() {
            stage.blind(format!("clients of objects did not end within {:?}", self.longest));
        }
    }
}

/// The copies that clients ask.
fn desks(stage: &Stage) -> Result<Vec<Desk>, Trouble> {
    let here = || Desk {
        copy: None,
        client: stage.client.clone(),
    };
    let Some(world) = stage.world.processes() else {
        return Ok(vec![here()]);
    };
    let copies = world
        .instances()
        .into_iter()
        .filter(|copy| copy.service == stage.facts.entry);
    copies
        .filter_map(|copy| world.addr(&copy).map(|addr| (copy, addr)))
        .map(|(copy, addr)| {
            let client = super::client(&format!("http://{addr}"))?;
            let copy = Some(copy);
            Ok(Desk { copy, client })
        })
        .collect()
}

/// Looks at an object as it is, and writes down what it shows; whether it was shown.
pub(super) async fn look(stage: &Stage, of: Object, name: &str) -> bool {
    let Some((key, verb, headers)) = looking(&stage.contracts, of) else {
        return false;
    };
    let names = stage.names().with("name", name);
    let due = Instant::now();
    let Ok(mut done) = stage.client.operate(verb, headers, &names).await else {
        return false;
    };
    let act = program::looked(of, &mut done, verb);
    let shown = done.judged.outcome == Outcome::Ok;
    let touch = Touch {
        of,
        name: name.to_owned(),
        session: None,
        to: None,
        act,
    };
    let title = format!("{}.{key}", of.word());
    stage.touched((&title, &done.call), due, (&done.reply, done.judged, touch));
    shown
}

/// The operation that shows an object of a kind.
fn looking(contracts: &Contracts, of: Object) -> Option<(&'static str, &Verb, &BTreeMap<String, String>)> {
    match of {
        Object::Counter => {
            let counters = contracts.counters.as_ref()?;
            Some(("read", &counters.read, &counters.headers))
        }
        Object::Lock => {
            let locks = contracts.locks.as_ref()?;
            Some(("ledger", &locks.ledger, &locks.headers))
        }
    }
}

impl Session {
    /// Turn after turn, until it shall stop.
    async fn work(mut self, client: usize) {
        let contracts = self.stage.contracts.clone();
        let pause = Duration::from_nanos(self.plan.pause);
        let plan = self.plan.clone();
        for turn in 0.. {
            let object = &plan.names[(turn + client) % plan.names.len()];
            match (plan.of, &contracts.counters, &contracts.locks) {
                (Object::Counter, Some(counters), _) => self.count(counters, object, turn).await,
                (Object::Lock, _, Some(locks)) => self.hold(locks, object).await,
                // The plan was refused without a contract.
                _ => return,
            }
            let mut stop = self.stop.clone();
            if timeout(pause, stop.wait_for(|stop| *stop)).await.is_ok() {
                return;
            }
        }
    }

    /// A text nobody else says in this run, nor in any other.
    fn word(&mut self) -> String {
        self.said += 1;
        let run = payload_crc32(&self.stage.run.to_string().into());
        format!("{run:08x}-{}-{}", self.number, self.said)
    }

    fn names(&self, object: &str) -> Names {
        self.stage.names().with("name", object)
    }

    /// Asks for one thing, and writes down what came of it. `act` says what it was, and must find in the answer what it
    /// needs of it. Who does not learn what came of it is heard of no more.
    async fn ask(&mut self, ask: Ask<'_>, act: impl FnOnce(&mut Operated) -> Act) -> (Outcome, Vec<Value>) {
        let due = Instant::now();
        let title = format!("{}.{}", self.plan.of.word(), ask.key);
        let mut done = match self.desk.client.operate(ask.verb, ask.headers, &ask.names).await {
            Ok(done) => done,
            Err(name) => {
                self.stage.blind(format!("{title} can't be asked for: {name}"));
                return (Outcome::Failed, Vec::new());
            }
        };
        let act = act(&mut done);
        let touch = Touch {
            of: self.plan.of,
            name: ask.object.to_owned(),
            session: Some(self.number),
            to: self.desk.copy.clone(),
            act,
        };
        let (outcome, shown) = (done.judged.outcome, done.shown);
        self.stage
            .touched((&title, &done.call), due, (&done.reply, done.judged, touch));
        if outcome == Outcome::Unknown {
            self.number = self.numbers.fetch_add(1, Ordering::Relaxed);
        }
        (outcome, shown)
    }
}

/// The locks that are held at this moment, for faults that are aimed at holders. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Holds(Arc<Mutex<BTreeMap<String, Held>>>);

struct Held {
    object: String,
    copy: Option<Instance>,
    since: Instant,
    hold: Duration,
}

impl Holds {
    fn begin(&self, owner: &str, held: Held) {
        self.lock().insert(owner.to_owned(), held);
    }

    fn end(&self, owner: &str) {
        self.lock().remove(owner);
    }

    /// A lock acquired from a copy and held for no more than this share of the time it will be, in words.
    pub(super) fn at(&self, copy: &Instance, latest: f64) -> Option<String> {
        let holds = self.lock();
        let here = holds.iter().filter(|(_, held)| held.copy.as_ref() == Some(copy));
        let mut fresh = here.filter(|(_, held)| held.since.elapsed() < held.hold.mul_f64(latest));
        fresh
            .next()
            .map(|(owner, held)| format!("{owner} holds {} by it", held.object))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
