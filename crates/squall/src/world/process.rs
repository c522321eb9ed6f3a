//! The process world: plain child processes on this machine, squall's own proxy on every link.
//!
//! Nothing here needs privileges, but a disk that is to lose its power. Every process carries the run's tag and stands in the run's tree.

mod damage;
mod files;
mod instance;
mod keep;
mod link;
mod logs;
mod ports;
mod postgres;
mod power;
mod ready;
mod short;
mod skew;

pub use postgres::{Cluster, Postgres};
pub use short::disk::Disk;
pub use short::{MakeDisk, burn, hold, within};
pub use skew::{Clock, tell};

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;

use futures_util::future::join_all;
use squall_core::command;
use squall_core::event::{Fact, LinkCounts, Untouched};
use squall_core::expr::fill;
use squall_core::place::{Condition, Instance, Place};
use squall_core::system::{Preset, System};
use squall_core::time::Nanos;

use self::damage::Damages;
use self::files::disk_folder;
use self::instance::{Command, Keeper};
use self::link::Link;
use self::ports::Ports;
use self::short::{Shorts, Target};
use self::skew::Skews;
use super::{Setting, Trouble, gate};
use crate::proxy::Proxy;
use crate::store::Recorder;

/// A system running as plain processes.
pub struct ProcessWorld {
    system: System,
    keepers: BTreeMap<Instance, Keeper>,
    links: HashMap<Place, Link>,
    clusters: BTreeMap<Instance, Postgres>,
    disks: BTreeMap<Instance, Disk>,
    shorts: Shorts,
    damages: Damages,
    skews: Skews,
    /// The folders squall made for what instances keep.
    folders: BTreeMap<Instance, PathBuf>,
    recorder: Recorder,
    seed: u64,
    run: String,
    addresses: BTreeMap<Instance, SocketAddr>,
    entry: SocketAddr,
    /// Kept for as long as the system is.
    _ports: Ports,
}

/// What starting needs besides the system and the setting.
#[derive(Debug, Clone, Copy)]
pub struct Means<'a> {
    /// Where facts go.
    pub recorder: &'a Recorder,
    /// The prepared cluster `postgres` services are copied from.
    pub cluster: Option<&'a Cluster>,
}

impl ProcessWorld {
    /// Starts every service, each after those it links to, and waits until all are ready.
    ///
    /// # Errors
    /// The first thing that could not be done. What was started by then is stopped when the
    /// world is dropped, and by the guard.
    pub async fn start(system: &System, setting: &Setting, means: Means<'_>) -> Result<Self, Trouble> {
        gate::pass(|| std::fs::create_dir_all(&setting.scratch))
            .map_err(Trouble::io(setting.scratch.display().to_string()))?;
        let mut ports = Ports::new(setting.seed);
        let mut addresses = BTreeMap::new();
        for (name, service) in &system.services {
            for index in 1..=service.replicas {
                let asked = setting.port.filter(|_| *name == system.entry && index == 1);
                addresses.insert(Instance::new(name, index), ports.take(asked)?);
            }
        }
        let entry = Instance::new(&system.entry, 1);
        let entry_addr = addresses
            .get(&entry)
            .copied()
            .ok_or(Trouble::NoPlace(Place::Instance(entry)))?;
        let mut world = Self {
            system: system.clone(),
            keepers: BTreeMap::new(),
            links: HashMap::new(),
            clusters: BTreeMap::new(),
            disks: BTreeMap::new(),
            shorts: Shorts::default(),
            damages: Damages::default(),
            skews: Skews::default(),
            folders: BTreeMap::new(),
            recorder: means.recorder.clone(),
            seed: setting.seed,
            run: setting.run.to_string(),
            addresses: addresses.clone(),
            entry: entry_addr,
            _ports: ports,
        };
        for name in system.start_order() {
            let mut fresh = Vec::new();
            for (instance, addr) in addresses.iter().filter(|(instance, _)| instance.service == name) {
                world.open_links(instance, &addresses, setting).await?;
                world.make_disk(instance, setting)?;
                let command = world.command(instance, *addr, setting, means).await?;
                let keeper = Keeper::start(instance.clone(), command, setting.logs.clone(), means.recorder.clone())?;
                fresh.push(instance.clone());
                world.keepers.insert(instance.clone(), keeper);
            }
            for instance in fresh {
                world.keepers[&instance].first_ready().await?;
            }
        }
        world.settle(setting)?;
        Ok(world)
    }

    /// One proxy for each service this instance links to. Several copies of the callers spread over those of the called.
    async fn open_links(
        &mut self,
        from: &Instance,
        addresses: &BTreeMap<Instance, SocketAddr>,
        setting: &Setting,
    ) -> Result<(), Trouble> {
        let service = &self.system.services[&from.service];
        for to in &service.links {
            let copies = addresses.keys().filter(|instance| instance.service == *to).count();
            let called = from.called(to, u32::try_from(copies).unwrap_or(u32::MAX));
            let Some(upstream) = called.and_then(|called| addresses.get(&called)) else {
                continue;
            };
            let place = Place::Link {
                from: from.clone(),
                to: to.clone(),
            };
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let seed = setting.seed ^ u64::from(from.index);
            let proxy = Proxy::open(any, *upstream, seed)
                .await
                .map_err(Trouble::io(format!("the proxy on {place}")))?;
            let ends = (from.service.clone(), to.clone());
            if let Some(speaks) = setting.spoken.get(&ends) {
                proxy.follow(*speaks);
            }
            self.links.insert(place, Link::new(proxy));
        }
        Ok(())
    }

    async fn command(
        &mut self,
        instance: &Instance,
        addr: SocketAddr,
        setting: &Setting,
        means: Means<'_>,
    ) -> Result<Command, Trouble> {
        let service = &self.system.services[&instance.service];
        let within = service
            .ready
            .as_ref()
            .map_or(std::time::Duration::from_secs(15), |ready| ready.within.get());
        let restart = service.restart.map(|restart| restart.after.get());
        if service.preset == Some(Preset::Postgres) {
            let cluster = means.cluster.ok_or_else(Cluster::missing)?;
            let (folder, data) = self.cluster_folder(instance, setting);
            let postgres = cluster.copy(&setting.run, (&folder, &data), addr).await?;
            self.folders.insert(instance.clone(), folder);
            let mut command = postgres.command(setting, &service.settings, (within, restart));
            if let Some(disk) = self.disks.get(instance) {
                command.inside(disk);
            }
            self.clusters.insert(instance.clone(), postgres);
            return Ok(command);
        }
        let secrets = means.recorder.secrets();
        let names = |name: &str| self.name(name, instance, addr, setting);
        let wrong = |cause: String| Trouble::Template {
            instance: instance.clone(),
            cause,
        };
        let text = service.run.as_deref().unwrap_or_default();
        let mut words = Vec::new();
        // Split first, fill in afterwards: a value with a blank in it stays one argument.
        for word in &command::words(text).map_err(|why| wrong(format!("the command {why}")))? {
            words.push(fill(word, &names).map_err(|cause| wrong(cause.to_string()))?);
        }
        let mut env = Vec::new();
        for (name, template) in &service.env {
            let value = fill(template, &names).map_err(|cause| wrong(format!("{name}: {cause}")))?;
            // Names squall itself gives are no secrets; everything else may be one.
            if !template.starts_with("${self.") && !template.starts_with("${run.") {
                secrets.add_variable(name, &value);
            }
            env.push((name.clone(), value));
        }
        let mut command = Command {
            words,
            env,
            tag: setting.run.to_string(),
            user: None,
            folder: None,
            stop: nix::sys::signal::Signal::SIGTERM,
            ready: ready::Condition::of(service, addr),
            within,
            restart,
        };
        if let Some(disk) = self.disks.get(instance) {
            command.inside(disk);
        }
        Ok(command)
    }

    /// What `${…}` stands for when an instance is started.
    fn name(&self, name: &str, instance: &Instance, addr: SocketAddr, setting: &Setting) -> Option<String> {
        match name {
            "self.addr" => return Some(addr.to_string()),
            "self.host" => return Some(addr.ip().to_string()),
            "self.port" => return Some(addr.port().to_string()),
            "self.name" => return Some(instance.to_string()),
            "self.index" => return Some(instance.index.to_string()),
            "witness.url" => return Some(setting.witness.clone()),
            "run.id" => return Some(setting.run.to_string()),
            "run.scratch" => return Some(setting.scratch.display().to_string()),
            "self.disk" => return Some(disk_folder(instance, setting).display().to_string()),
            _ => {}
        }
        let (to, what) = name.strip_prefix("links.")?.rsplit_once('.')?;
        let place = Place::Link {
            from: instance.clone(),
            to: to.to_owned(),
        };
        let addr = self.links.get(&place)?.proxy.addr();
        match what {
            "addr" => Some(addr.to_string()),
            "host" => Some(addr.ip().to_string()),
            "port" => Some(addr.port().to_string()),
            "url" => Some(
                match self.clusters.iter().find(|(instance, _)| instance.service == to) {
                    Some((_, postgres)) => postgres.url(addr),
                    None => format!("http://{addr}"),
                },
            ),
            _ => None,
        }
    }

    /// The address clients talk to.
    pub fn entry(&self) -> SocketAddr {
        self.entry
    }

    /// The instances, sorted.
    pub fn instances(&self) -> Vec<Instance> {
        self.keepers.keys().cloned().collect()
    }

    /// The links, sorted.
    pub fn links(&self) -> Vec<Place> {
        let mut links: Vec<Place> = self.links.keys().cloned().collect();
        links.sort();
        links
    }

    /// The database clusters, with their instances.
    pub fn clusters(&self) -> impl Iterator<Item = (&Instance, &Postgres)> {
        self.clusters.iter()
    }

    /// The process of an instance, while it runs.
    pub fn pid(&self, instance: &Instance) -> Option<u32> {
        self.keepers.get(instance)?.pid()
    }

    /// Where an instance listens, if it listens at all.
    pub fn addr(&self, instance: &Instance) -> Option<SocketAddr> {
        self.addresses.get(instance).copied()
    }

    /// Whether an instance is ready at this moment, looked at for at most half a second; `None`
    /// where nothing says when it is.
    pub async fn ready(&self, instance: &Instance) -> Option<bool> {
        self.keepers.get(instance)?.ready().await
    }

    /// Makes exactly what is `wanted` hold at `place`: the desired state, not a change. None means healthy.
    /// Returns when it is in force; healing a process waits until it is ready or given up on.
    ///
    /// Who imposes at one place does so in turn, and what is wanted is asked in one's turn: a list that was made earlier
    /// would undo what another wants since. A service that does not become ready keeps nobody from their turn.
    ///
    /// # Errors
    /// There is no such place, or the condition did not come into force within its bound.
    pub async fn impose(&self, place: &Place, wanted: impl Fn() -> Vec<Condition>) -> Result<(), Trouble> {
        match place {
            Place::Instance(instance) => {
                let keeper = self
                    .keepers
                    .get(instance)
                    .ok_or_else(|| Trouble::NoPlace(place.clone()))?;
                let target = self.target(instance, keeper);
                let turn = keeper.turn.lock().await;
                let now = wanted();
                // Lifted before it is started again, and held once it runs. One that is not lifted keeps nothing else broken.
                let lifted = self.shorts.lift(instance, &now, &target).await;
                let right = self.skews.lift(instance, &now, keeper.pids()).await;
                let written = self.damage(instance, &now, keeper).await;
                self.go_dark(instance, &now, keeper).await?;
                self.come_back(instance, &now)?;
                let ordered = keeper.order(&now).await?;
                drop(turn);
                keeper.obeyed(ordered).await?;
                let _turn = keeper.turn.lock().await;
                let now = wanted();
                self.skews.hold(instance, &now, keeper.pids()).await?;
                self.shorts.hold(instance, &now, &target).await?;
                lifted.and(right).and(written)
            }
            Place::Link { .. } => {
                let link = self.links.get(place).ok_or_else(|| Trouble::NoPlace(place.clone()))?;
                let _turn = link.turn.lock().await;
                link.impose(&wanted()).await.map_err(Trouble::io(place.to_string()))
            }
            // Copies come and go one by one: whoever scales says which.
            Place::Service(_) => Err(Trouble::NoPlace(place.clone())),
        }
    }

    /// What is seen of an instance while a step's condition holds there, where that is watched; puts it in force for what
    /// was started meanwhile, too.
    pub async fn look(&self, instance: &Instance, condition: &Condition, step: usize) -> Option<Fact> {
        let keeper = self.keepers.get(instance)?;
        match condition {
            Condition::Short(shortage) => {
                let target = self.target(instance, keeper);
                let look = self.shorts.look(instance, shortage, &target).await?;
                Some(Fact::Shortage { step, look })
            }
            Condition::Skewed(_) => {
                let look = self.skews.look(instance, keeper.pids(), keeper.said()).await?;
                Some(Fact::Skew { step, look })
            }
            _ => None,
        }
    }

    /// An instance as shortages see it.
    fn target<'a>(&'a self, instance: &Instance, keeper: &Keeper) -> Target<'a> {
        Target {
            pid: keeper.watched(),
            addr: self.addr(instance),
            disk: self.disks.get(instance),
            url: self.clusters.get(instance).map(Postgres::direct_url),
            tag: &self.run,
        }
    }

    /// How often an instance went down again, or failed to start, since it was first brought down for that.
    pub fn falls(&self, instance: &Instance) -> usize {
        self.keepers.get(instance).map_or(0, Keeper::falls)
    }

    /// The grace an instance was given to end by itself, where it had not when that was over.
    pub fn outstayed(&self, instance: &Instance) -> Option<Nanos> {
        self.keepers.get(instance)?.outstayed()
    }

    /// What a link's proxy counted since a condition came into force there; `None` while it is not.
    pub fn counts(&self, place: &Place, condition: &Condition) -> Option<LinkCounts> {
        self.links.get(place)?.counts(condition)
    }

    /// The requests that passed a link as they were, where some were looked for, since it was healthy last.
    pub fn untouched(&self, place: &Place) -> Vec<Untouched> {
        self.links.get(place).map_or(Vec::new(), |link| link.proxy.untouched())
    }

    /// Ends everything at once: all that could be learned was read back by now.
    pub async fn end(self) {
        join_all(self.keepers.values().map(Keeper::end)).await;
        for (_, link) in self.links {
            link.proxy.close().await;
        }
    }
}

#[cfg(test)]
mod tests;
