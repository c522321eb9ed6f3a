//! The run: start, reference, storm, calm, drain, audit. Acts as the plan says and writes down what it sees.

mod aim;
mod audit;
mod calls;
mod calm;
mod drain;
mod flood;
mod follow;
mod objects;
mod recent;
mod scale;
mod script;
mod stage;
mod storm;
mod strike;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use squall_core::contract::Alarm;
use squall_core::demand::Demand;
use squall_core::event::{End, Event, Fact, Header, NoteKind, Phase};
use squall_core::place::{Condition, Death, Shortage};
use squall_core::plan::Plan;
use squall_core::protocol::Protocol;
use squall_core::system::{Facts, System};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::stage::Stage;
use crate::client::{Address, Client};
use crate::probe::{Witness, alarms, breakers, pulses, usages};
use crate::secrets::Secrets;
use crate::store::{JOURNAL, Recorder, RunId};
use crate::world::process::{Cluster, Means, ProcessWorld};
use crate::world::{Setting, Trouble, World};

/// What is to be run.
pub struct Order<'a> {
    /// The run's id.
    pub run: &'a RunId,
    /// Where what is only for a while goes.
    pub scratch: &'a Path,
    /// The system, its `${…}` filled in.
    pub system: &'a System,
    /// Where the system is, if it runs already: then nothing of it is started.
    pub attach: Option<&'a Address>,
    /// The plan.
    pub plan: &'a Plan,
    /// The scenario's folder.
    pub folder: PathBuf,
    /// The prepared cluster, where the system needs one.
    pub cluster: Option<&'a Cluster>,
    /// The port the entry service shall have.
    pub port: Option<u16>,
    /// What must never be written down.
    pub secrets: &'a Secrets,
    /// Who watches.
    pub watcher: Option<std::sync::mpsc::Sender<Event>>,
    /// Turns true when someone wants it to stop.
    pub stop: watch::Receiver<bool>,
    /// Why it was stopped, where more is known than that someone wanted it.
    pub halted: &'a (dyn Fn() -> Option<String> + Send + Sync),
}

impl Order<'_> {
    /// What judging needs to know of the system.
    fn facts(&self) -> Facts {
        let facts = self.system.facts();
        match self.attach {
            Some(address) => facts.attached(address.base().to_owned()),
            None => facts,
        }
    }
}

/// Runs one scenario. What it showed is in the journal; an error is one of the environment, and is
/// in the journal too.
///
/// # Errors
/// The journal can't be written, the system does not start, or the world fails to do what it must.
pub async fn run(order: &Order<'_>) -> Result<(), Trouble> {
    let path = order.folder.join(JOURNAL);
    let recorder = Recorder::open(&path, order.secrets.clone()).map_err(Trouble::io(path.display().to_string()))?;
    if let Some(watcher) = &order.watcher {
        recorder.watch(watcher.clone());
    }
    recorder.record(Fact::Opened(Box::new(Header {
        run: order.run.to_string(),
        squall: env!("CARGO_PKG_VERSION").to_owned(),
        opened: jiff::Timestamp::now().to_string(),
        system: order.facts(),
        plan: order.plan.clone(),
    })));
    let mut stop = order.stop.clone();
    let result = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => Ok((order.halted)().map_or(End::Interrupted, |why| End::Stopped { why })),
        result = all_parts(order, &recorder) => result.map(|stopped| match stopped {
            Some(why) => End::Stopped { why },
            None => End::Complete,
        }),
    };
    let end = match &result {
        Ok(end) => end.clone(),
        Err(trouble) => End::Broken {
            cause: order.secrets.mask(&trouble.to_string()),
        },
    };
    recorder.record(Fact::Closed { end });
    recorder.close().map_err(Trouble::io(path.display().to_string()))?;
    result.map(drop)
}

/// All parts of the run. Answers why its storm was ended before its plan did, if it was.
async fn all_parts(order: &Order<'_>, recorder: &Recorder) -> Result<Option<String>, Trouble> {
    let phase = |phase: Phase| -> Result<(), Trouble> {
        recorder.record(Fact::Phase(phase));
        recorder.sync().map_err(Trouble::io("the journal"))
    };
    phase(Phase::Start)?;
    let witness = Witness::open(recorder.clone()).await?;
    let world = Arc::new(world(order, recorder, &witness).await?);
    let client = client(&world.base())?;
    if let Some(address) = order.attach
        && client.deserted().await
    {
        let base = address.base().to_owned();
        return Err(Trouble::Nobody { base });
    }
    let stage = Stage::new(order, recorder.clone(), world.clone(), client, &witness);
    let mut probes = Probes::default();
    probes.start(usages(world.clone(), recorder.clone()));
    probes.start(calls::answer(stage.clone(), witness.visits()));
    if order.facts().tasks.is_some_and(|tasks| !tasks.witnessed) {
        probes.start(follow::follow(stage.clone()));
    }
    stage.open_session().await?;
    look_on(order, &world, recorder, &mut probes)?;

    phase(Phase::Reference)?;
    stage.warm_up().await;
    stage.survey().await;
    let traffic = traffic::Traffic::start(&stage);
    tokio::time::sleep(Duration::from_nanos(order.plan.reference)).await;

    let reference = stage.samples_since(0);

    phase(Phase::Storm)?;
    let stormed = recorder.now();
    let why = storm::storm(&stage).await?;
    phase(Phase::Calm)?;
    calm::calm(&stage, &reference, recorder.now()).await;
    traffic.stop(&stage).await;
    phase(Phase::Drain)?;
    drain::drain(&stage, stormed).await;
    phase(Phase::Audit)?;
    stage.survey().await;
    audit::audit(&stage).await;
    script::checks(&stage).await;
    probes.stop().await;
    drop(stage);
    match Arc::try_unwrap(world) {
        Ok(world) => world.end().await,
        // A probe still holds it: the guard stops what is left, and the journal says so.
        Err(_) => {
            let text = "the system was left to the guard to stop".to_owned();
            recorder.record(Fact::Note {
                kind: NoteKind::Aside,
                text,
            });
        }
    }
    Ok(why)
}

/// The system, started, or where it is.
async fn world(order: &Order<'_>, recorder: &Recorder, witness: &Witness) -> Result<World, Trouble> {
    if let Some(address) = order.attach {
        return Ok(World::Attached(address.base().to_owned()));
    }
    let setting = Setting {
        run: order.run.clone(),
        logs: order.folder.join("logs"),
        scratch: order.scratch.to_owned(),
        port: order.port,
        witness: witness.url().to_owned(),
        seed: order.plan.seed,
        filled: struck(order.plan, |condition| *condition == Condition::Short(Shortage::Disk)),
        powered: struck(order.plan, |condition| *condition == Condition::Down(Death::PowerLoss)),
        slowed: struck(order.plan, |condition| {
            matches!(condition, Condition::Short(Shortage::SlowDisk { .. }))
        }),
        spoken: spoken(order.plan),
    };
    let means = Means {
        recorder,
        cluster: order.cluster,
    };
    let started = ProcessWorld::start(order.system, &setting, means).await?;
    Ok(World::Processes(Box::new(started)))
}

/// The services a plan strikes so.
fn struck(plan: &Plan, is: fn(&Condition) -> bool) -> BTreeSet<String> {
    let so = plan.steps.iter().filter(|step| is(&step.condition));
    so.map(|step| step.service.clone()).collect()
}

/// The links whose requests a plan picks out, and what they speak.
fn spoken(plan: &Plan) -> BTreeMap<(String, String), Protocol> {
    let steps = plan
        .steps
        .iter()
        .filter_map(|step| match (&step.condition, &step.link_to) {
            (Condition::Intercepted(what), Some(to)) => Some(((step.service.clone(), to.clone()), what.protocol)),
            _ => None,
        });
    steps.collect()
}

/// A client of what is at an address.
fn client(at: &str) -> Result<Client, Trouble> {
    Client::new(at).map_err(|error| Trouble::io("the client")(std::io::Error::other(error)))
}

/// Starts what asks the entry service how it is, all through the run.
fn look_on(order: &Order<'_>, world: &World, recorder: &Recorder, probes: &mut Probes) -> Result<(), Trouble> {
    // Where squall breaks nothing there is no way back to be timed, and no need to ask a hundred times a second.
    let clocked = world.processes();
    if let (Some(health), Some(processes)) = (&order.system.contracts.health, clocked) {
        let pulses = pulses(processes.entry(), health, recorder.clone());
        probes.start(pulses.map_err(|error| Trouble::io("the health probe")(std::io::Error::other(error)))?);
    }
    if let Some(contract) = &order.system.contracts.breakers {
        probes.start(breakers(client(&world.base())?, contract.clone(), recorder.clone()));
    }
    // Where squall breaks nothing there is nothing to be told of; and nobody is asked for what no check wants to know.
    let wanted = |alarm: &&Alarm| {
        let by = |check: &Demand| matches!(check, Demand::Alarmed(wanted) if wanted.by == alarm.name);
        clocked.is_some() && order.plan.checks.iter().any(by)
    };
    for alarm in order.system.contracts.alarms.iter().filter(wanted) {
        let page = client(&format!("{}{}", world.base(), alarm.path))?;
        probes.start(alarms(page, alarm.clone(), recorder.clone()));
    }
    Ok(())
}

/// Tasks that look on until they are stopped; dropped with the run, however it ends.
#[derive(Debug, Default)]
struct Probes(Vec<JoinHandle<()>>);

impl Probes {
    fn start(&mut self, probe: impl Future<Output = ()> + Send + 'static) {
        self.0.push(tokio::spawn(probe));
    }

    async fn stop(mut self) {
        for probe in self.0.drain(..) {
            probe.abort();
            // Its end by abortion is what was asked for.
            let _ = probe.await;
        }
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        for probe in &self.0 {
            probe.abort();
        }
    }
}
