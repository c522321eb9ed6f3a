//! A system kept up for people: started, waited for, and broken or mended as they order, until
//! they want it to end.

mod claims;
mod hands;
mod inject;
mod lift;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use squall_core::event::{End, Event, Fact};
use squall_core::place::Instance;
use squall_core::system::System;
use tokio::sync::watch;

use self::claims::Claims;
use self::hands::Hands;
use crate::control::{Answers, Ask, Health, Listener, Reply, Service, Sign, Status};
use crate::probe::Witness;
use crate::secrets::Secrets;
use crate::store::{Folder, Recorder, RunId};
use crate::world::process::{Cluster, Means, ProcessWorld};
use crate::world::{Setting, Trouble};

/// The journal of what is up: the same facts as a run's, but there is nothing to be judged by them.
const EVENTS: &str = "events.jsonl";

/// What shall be up.
#[derive(Debug)]
pub struct Order<'a> {
    /// The run's id.
    pub run: &'a RunId,
    /// The system, its `${…}` filled in.
    pub system: &'a System,
    /// The file it was read from.
    pub file: &'a Path,
    /// The run's folder.
    pub folder: &'a Folder,
    /// The prepared cluster, where the system needs one.
    pub cluster: Option<&'a Cluster>,
    /// The port the entry service shall have; any free one when absent.
    pub port: Option<u16>,
    /// What must never be written down.
    pub secrets: &'a Secrets,
    /// Turns true when someone wants it to stop.
    pub stop: watch::Receiver<bool>,
}

/// What is up.
struct Up {
    world: ProcessWorld,
    recorder: Recorder,
    system: System,
    run: String,
    file: PathBuf,
    folder: PathBuf,
    since: Instant,
    /// How often each copy was started again.
    restarts: Arc<Mutex<BTreeMap<Instance, u32>>>,
    hands: Hands,
    claims: Claims,
    /// Turns true when it shall end.
    down: watch::Sender<bool>,
}

/// Starts a system, calls `ready` when all of it is, and keeps it up until it shall stop.
///
/// # Errors
/// It could not be started, or nobody could be told that it is up.
pub async fn up(order: &Order<'_>, ready: impl FnOnce(&Status) -> io::Result<()>) -> Result<(), Trouble> {
    let path = order.folder.path().join(EVENTS);
    let recorder = Recorder::open(&path, order.secrets.clone()).map_err(Trouble::io(path.display().to_string()))?;
    let restarts = count_restarts(&recorder)?;
    let mut stop = order.stop.clone();
    let result = tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => Err(Trouble::Interrupted),
        up = start(order, &recorder, restarts) => up,
    };
    let result = match result {
        Ok((up, witness)) => {
            let result = keep(up, order, ready).await;
            drop(witness);
            result
        }
        Err(trouble) => Err(trouble),
    };
    let end = match &result {
        Ok(()) => End::Complete,
        Err(Trouble::Interrupted) => End::Interrupted,
        Err(trouble) => End::Broken {
            cause: order.secrets.mask(&trouble.to_string()),
        },
    };
    recorder.record(Fact::Closed { end });
    recorder.close().map_err(Trouble::io(path.display().to_string()))?;
    result
}

async fn start(
    order: &Order<'_>,
    recorder: &Recorder,
    restarts: Arc<Mutex<BTreeMap<Instance, u32>>>,
) -> Result<(Up, Witness), Trouble> {
    let witness = Witness::open(recorder.clone()).await?;
    let folder = order.folder.path();
    let sign = Sign {
        system: order.system.system.clone(),
        run: order.run.to_string(),
        file: absolute(order.file),
    };
    let text = serde_json::to_string(&sign).unwrap_or_default();
    order.folder.write(Sign::FILE, &text).map_err(Trouble::io(Sign::FILE))?;
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs).map_err(Trouble::io(logs.display().to_string()))?;
    let setting = Setting {
        run: order.run.clone(),
        logs,
        scratch: order.run.scratch().join("up"),
        port: order.port,
        witness: witness.url().to_owned(),
        filled: std::collections::BTreeSet::new(),
        slowed: std::collections::BTreeSet::new(),
        powered: std::collections::BTreeSet::new(),
        spoken: std::collections::BTreeMap::new(),
        seed: order.run.seed(),
    };
    let means = Means {
        recorder,
        cluster: order.cluster,
    };
    let world = ProcessWorld::start(order.system, &setting, means).await?;
    let up = Up {
        world,
        recorder: recorder.clone(),
        system: order.system.clone(),
        run: order.run.to_string(),
        file: absolute(order.file),
        folder: absolute(folder),
        since: Instant::now(),
        restarts,
        hands: Hands::default(),
        claims: Claims::default(),
        down: watch::Sender::new(false),
    };
    Ok((up, witness))
}

/// For readers that stand elsewhere.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// Keeps it up until somebody wants it to end.
async fn keep(up: Up, order: &Order<'_>, ready: impl FnOnce(&Status) -> io::Result<()>) -> Result<(), Trouble> {
    let up = Arc::new(up);
    let listener = Listener::open(&up.folder).map_err(Trouble::io("the control socket"))?;
    let mut down = up.down.subscribe();
    let asked = up.clone();
    let listening = tokio::spawn(listener.serve(move |ask, answers| asked.clone().answer(ask, answers)));
    ready(&up.status().await).map_err(Trouble::io("telling that it is up"))?;
    let mut stop = order.stop.clone();
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => {}
        _ = down.wait_for(|down| *down) => {}
    }
    listening.abort();
    let _ = listening.await;
    // An order that is being carried out may hold it: then it is swept with all the rest.
    if let Some(up) = Arc::into_inner(up) {
        up.world.end().await;
    }
    Ok(())
}

/// Counts from the events themselves: nobody else knows of a service that restarts by itself.
fn count_restarts(recorder: &Recorder) -> Result<Arc<Mutex<BTreeMap<Instance, u32>>>, Trouble> {
    let (sender, events) = std::sync::mpsc::channel::<Event>();
    recorder.watch(sender);
    let counts = Arc::<Mutex<BTreeMap<Instance, u32>>>::default();
    let into = counts.clone();
    std::thread::Builder::new()
        .name("restarts".to_owned())
        .spawn(move || {
            while let Ok(event) = events.recv() {
                if let Fact::Started { instance, restarts, .. } = event.fact {
                    let mut counts = into.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.insert(instance, restarts);
                }
            }
        })
        .map_err(Trouble::io("a thread"))?;
    Ok(counts)
}

impl Up {
    async fn answer(self: Arc<Self>, ask: Ask, answers: Answers) {
        let reply = match ask {
            Ask::Status => Reply::Status(Box::new(self.status().await)),
            Ask::Down => {
                answers.send(Reply::Done("it stops".to_owned())).await;
                self.down.send_replace(true);
                return;
            }
            Ask::Order(order) => self.obey(&order, &answers).await,
            Ask::Inject(wanted) => self.inject(&wanted, &answers).await,
        };
        answers.send(reply).await;
    }

    async fn status(&self) -> Status {
        let mut services = Vec::new();
        for instance in self.world.instances() {
            services.push(Service {
                pid: self.world.pid(&instance),
                port: self.port(&instance),
                health: self.health(&instance).await,
                restarts: {
                    let restarts = self.restarts.lock().unwrap_or_else(PoisonError::into_inner);
                    restarts.get(&instance).copied().unwrap_or(0)
                },
                log: self.folder.join("logs").join(format!("{instance}.log")),
                instance,
            });
        }
        Status {
            system: self.system.system.clone(),
            run: self.run.clone(),
            file: self.file.clone(),
            url: format!("http://{}", self.world.entry()),
            folder: self.folder.clone(),
            seconds: self.since.elapsed().as_secs(),
            squall: [nix::unistd::getppid().as_raw() as u32, std::process::id()],
            services,
            faults: self.claims.in_force(),
        }
    }

    async fn health(&self, instance: &Instance) -> Health {
        if self.world.pid(instance).is_none() {
            return Health::Down;
        }
        match self.world.ready(instance).await {
            Some(true) => Health::Ready,
            Some(false) => Health::NotReady,
            None => Health::Running,
        }
    }

    /// Every copy has a port of its own, but only some are told of it.
    fn port(&self, instance: &Instance) -> Option<u16> {
        let service = self.system.services.get(&instance.service)?;
        let mut texts = service.run.iter().chain(service.env.values());
        let told = |text: &String| text.contains("${self.addr}") || text.contains("${self.port}");
        let listens = service.preset.is_some() || texts.any(told);
        listens
            .then(|| self.world.addr(instance).map(|addr| addr.port()))
            .flatten()
    }
}
