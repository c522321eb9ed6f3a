//! What every run needs around it: its folder, its secrets, squall's two processes, the system's build.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use squall_core::command;
use squall_core::place::Instance;
use squall_core::plan::Plan;
use squall_core::report::Report;
use squall_core::system::{Preset, System};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::watch;

use super::halt::Halt;
use super::reports::write_reports;
use super::say;
use super::view::View;
use crate::client::Address;
use crate::exit;
use crate::guard;
use crate::priority;
use crate::processes;
use crate::run::{Order, run as run_scenario};
use crate::secrets::Secrets;
use crate::store::{Folder, RunId, journals};
use crate::world::process::Cluster;
use crate::world::{Trouble, gate};

/// Says what went wrong around the run. Answers the exit code.
pub(super) fn environment(trouble: &Trouble) -> u8 {
    say::problem(&trouble.to_string(), &trouble.remedy());
    exit::ENVIRONMENT
}

/// What every run needs around it: folder, secrets, the two processes, the build.
pub(super) struct Workshop {
    pub(super) id: RunId,
    pub(super) folder: Folder,
    pub(super) secrets: Secrets,
    pub(super) stop: watch::Receiver<bool>,
    halt: Halt,
    runtime: tokio::runtime::Runtime,
}

/// One scenario to be run.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    pub(super) system: &'a System,
    pub(super) plan: &'a Plan,
    /// What its folders are called.
    pub(super) name: &'a str,
    /// Where the system is, if it runs already.
    pub(super) attach: Option<&'a Address>,
    pub(super) cluster: Option<&'a Cluster>,
    pub(super) port: Option<u16>,
    /// Whether no other scenario runs at the same time.
    pub(super) alone: bool,
}

impl Workshop {
    /// Makes the run's folder, and this process one that heals when its guard dies.
    pub(super) fn open(id: &RunId, output: &Path, how: (bool, &Halt)) -> Result<Self, Trouble> {
        Self::with(id, output, how, Folder::create)
    }

    /// The same in a folder that is no run's.
    pub(super) fn aside(id: &RunId, output: &Path, halt: &Halt) -> Result<Self, Trouble> {
        Self::with(id, output, (true, halt), Folder::aside)
    }

    fn with(
        id: &RunId,
        output: &Path,
        (guarded, halt): (bool, &Halt),
        make: impl FnOnce(&Path, &RunId) -> std::io::Result<Folder>,
    ) -> Result<Self, Trouble> {
        if guarded {
            // Before anything is made: a guard that dies now takes nothing with it.
            let (id, folder) = (id.clone(), Folder::of(output, id));
            guard::work_guarded(move || {
                gate::close();
                let clean = guard::sweep(&id).clean();
                folder.remove_partial();
                if clean {
                    folder.forget();
                }
                std::process::exit(i32::from(if clean { exit::ENVIRONMENT } else { exit::NOT_HEALED }));
            })
            .map_err(Trouble::io("standing apart from the guard"))?;
        }
        let folder = make(output, id).map_err(|cause| Trouble::Output { cause })?;
        folder.remember(id).map_err(Trouble::io("the run's heal.jsonl"))?;
        let scratch = id.scratch();
        gate::pass(|| std::fs::create_dir_all(&scratch)).map_err(Trouble::io(scratch.display().to_string()))?;
        // Every thread of the runtime has the priority of the one that makes it.
        priority::ahead();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .map_err(Trouble::io("the runtime"))?;
        let stop = halt.hear(&runtime)?;
        let secrets = Secrets::default();
        secrets.add_own_environment();
        Ok(Self {
            id: id.clone(),
            folder,
            secrets,
            stop,
            halt: halt.clone(),
            runtime,
        })
    }

    /// Says what went wrong around the run, without its secrets. Answers the exit code.
    pub(super) fn say(&self, trouble: &Trouble) -> u8 {
        let remedy = self.secrets.mask(&trouble.remedy());
        say::problem(&self.secrets.mask(&trouble.to_string()), &remedy);
        exit::ENVIRONMENT
    }

    /// Runs a future to its end.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Builds the system, and beside it prepares a database cluster where one is needed.
    pub(super) async fn prepare(&self, system: &System) -> Result<Option<Cluster>, Trouble> {
        self.spare(system);
        let needed = system
            .services
            .values()
            .any(|service| service.preset == Some(Preset::Postgres));
        let cluster = async {
            match needed {
                true => Cluster::prepare(&self.id, &self.secrets).await.map(Some),
                false => Ok(None),
            }
        };
        let mut stop = self.stop.clone();
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Err(Trouble::Interrupted),
            // The cluster first: a missing PostgreSQL is known before a long build.
            both = async { tokio::try_join!(cluster, self.build(system)) } => both.map(|(cluster, ())| cluster),
        }
    }

    /// What the system's parts are called is no secret, even where a password is the same word.
    pub(super) fn spare(&self, system: &System) {
        self.secrets.spare(&system.system);
        self.secrets.spare("postgres");
        for (name, service) in &system.services {
            self.secrets.spare(name);
            (1..=service.replicas).for_each(|index| self.secrets.spare(&Instance::new(name, index).to_string()));
        }
        let kinds = system.contracts.tasks.iter().flat_map(|tasks| tasks.kinds.keys());
        kinds.for_each(|kind| self.secrets.spare(kind));
    }

    async fn build(&self, system: &System) -> Result<(), Trouble> {
        let Some(line) = &system.build else { return Ok(()) };
        let words = command::words(line).map_err(|why| Trouble::io("the build")(std::io::Error::other(why)))?;
        let Some((program, args)) = words.split_first() else {
            return Ok(());
        };
        let mut command = tokio::process::Command::new(program);
        command
            .args(args)
            .env(processes::TAG, self.id.to_string())
            // A squall among them would take itself for the second process of this run.
            .env_remove(guard::CHILD);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0);
        let mut child = gate::spawn(|| command.spawn()).map_err(|cause| Trouble::Build {
            command: line.clone(),
            how: format!("can't be started: {cause}"),
            output: match cause.kind() {
                std::io::ErrorKind::NotFound => format!("there is no such program as `{program}` here or in PATH"),
                _ => String::new(),
            },
        })?;
        let progress = View::waiting(&format!("building: {line}"));
        let mut last = std::collections::VecDeque::new();
        if let Some(stderr) = child.stderr.take() {
            let mut lines = BufReader::new(stderr).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                let text = self.secrets.mask(&text);
                progress.tell(&text);
                if last.len() == 20 {
                    last.pop_front();
                }
                last.push_back(text);
            }
        }
        let status = child.wait().await.map_err(Trouble::io("the build"))?;
        progress.close();
        if status.success() {
            return Ok(());
        }
        let output = Vec::from(last).join("\n");
        Err(Trouble::Build {
            command: line.clone(),
            how: format!("ended with {status}"),
            output,
        })
    }

    /// Runs one scenario; its journal is in the run's folder.
    pub(super) async fn run(
        &self,
        work: Work<'_>,
        watcher: Option<std::sync::mpsc::Sender<squall_core::event::Event>>,
    ) -> Result<(), Trouble> {
        let folder = self
            .folder
            .scenario(work.name)
            .map_err(Trouble::io("the scenario's folder"))?;
        let system = work.system.with_replicas(&work.plan.replicas);
        let scratch = self.id.scratch().join(work.name);
        let order = Order {
            run: &self.id,
            scratch: &scratch,
            system: &system,
            attach: work.attach,
            plan: work.plan,
            folder,
            cluster: work.cluster,
            port: work.port,
            secrets: &self.secrets,
            watcher,
            stop: self.stop.clone(),
            halted: &|| self.halt.stops(),
        };
        let result = run_scenario(&order).await;
        if *self.stop.borrow() {
            // Nothing comes after it: what is left is swept at once.
            return result;
        }
        if work.alone {
            self.quiet(&scratch).await;
        }
        if guard::remove_scratch(&scratch).is_err() {
            return Err(Trouble::io(scratch.display().to_string())(std::io::Error::other(
                "could not be removed",
            )));
        }
        result
    }

    /// Keepers kill what they keep when they go; waits for that, so that the next scenario starts alone.
    async fn quiet(&self, scratch: &Path) {
        for _ in 0..200 {
            if processes::tagged(&self.id.to_string(), scratch, &[std::process::id()]).is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Ends it: what the run made goes now; the guard looks again.
    pub(super) fn close(self) {
        gate::close();
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        let clean = guard::sweep(&self.id).clean();
        self.folder.remove_partial();
        if clean {
            self.folder.forget();
        }
    }

    /// Judges all journals there are and writes every format of the report.
    pub(super) fn report(&self) -> Result<Report, Trouble> {
        let unreadable =
            |error: crate::store::Unreadable| Trouble::io("the journals")(std::io::Error::other(error.to_string()));
        write_reports(&self.folder, &journals(self.folder.path()).map_err(unreadable)?)
    }
}
