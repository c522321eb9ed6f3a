//! What instances keep on disk: where, and what is done to it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use squall_core::event::Fact;
use squall_core::place::{Condition, Death, Instance};

use super::damage::Task;
use super::instance::Keeper;
use super::short::disk::{Kind, Make};
use super::{Disk, ProcessWorld};
use crate::world::{Setting, Trouble, gate};

/// A cluster on a disk of its own finds room for so many bytes; the file takes what is used.
const CLUSTER: u64 = 1_000_000_000;
/// Its folder there.
const DATA: &str = "data";

impl ProcessWorld {
    /// Changes files of an instance as is wanted, or puts them back; stopped for it, it is started by whoever imposes.
    ///
    /// # Errors
    /// A file could not be changed or put back. An instance that was stopped for it is to be started all the same.
    pub(super) async fn damage(
        &self,
        instance: &Instance,
        wanted: &[Condition],
        keeper: &Keeper,
    ) -> Result<(), Trouble> {
        let stop = [Condition::Down(Death::Stop)];
        match self.damages.task(instance, wanted).await {
            Task::Nothing => {}
            Task::Repair { stopped } => {
                if stopped {
                    keeper.impose(&stop).await?;
                }
                let (back, rewritten, failed) = self.damages.repair(instance).await;
                self.recorder.record(Fact::Repaired {
                    instance: instance.clone(),
                    back,
                    rewritten,
                });
                failed.map_err(Trouble::io(format!("{instance} is still damaged")))?;
            }
            Task::Inflict(damage) => {
                let Some(folder) = self.folders.get(instance) else {
                    return Ok(());
                };
                if damage.stopped {
                    keeper.impose(&stop).await?;
                }
                let ahead = |spots| {
                    let instance = instance.clone();
                    self.recorder
                        .record_ahead(Fact::Damaged { instance, spots })
                        .map(|_| ())
                };
                let inflicted = self.damages.inflict((instance, damage), (folder, self.seed), ahead);
                let spots = inflicted
                    .await
                    .map_err(Trouble::io(format!("the files of {instance}")))?;
                self.recorder.record(Fact::DamageRead {
                    instance: instance.clone(),
                    spots,
                });
            }
        }
        Ok(())
    }

    /// Where a cluster's files are to be put, and where it finds them itself.
    pub(super) fn cluster_folder(&self, instance: &Instance, setting: &Setting) -> (PathBuf, PathBuf) {
        match self.disks.get(instance) {
            Some(disk) => (disk.seen_from_outside().join(DATA), disk.folder().join(DATA)),
            None => {
                let folder = setting.scratch.join(instance.to_string());
                (folder.clone(), folder)
            }
        }
    }

    /// At how many spots an instance's files are, read now, as squall changed them.
    pub async fn damaged(&self, instance: &Instance) -> usize {
        self.damages.spots(instance).await
    }

    /// A folder for what an instance writes; a disk of its own where a fault will fill it.
    pub(super) fn make_disk(&mut self, instance: &Instance, setting: &Setting) -> Result<(), Trouble> {
        let service = &self.system.services[&instance.service];
        let is = |among: &BTreeSet<String>| among.contains(&instance.service);
        let (filled, powered, slow) = (is(&setting.filled), is(&setting.powered), is(&setting.slowed));
        let kind = match (powered, filled) {
            (true, _) => Kind::File,
            (false, true) => Kind::Memory,
            (false, false) => Kind::Folder,
        };
        let bytes = match (service.disk, service.preset) {
            (Some(disk), _) => u64::from(disk.megabytes.get()) * 1_000_000,
            (None, Some(_)) if powered || slow => CLUSTER,
            (None, _) => return Ok(()),
        };
        let folder = disk_folder(instance, setting);
        let what = || format!("the disk of {instance}");
        if filled || powered || slow {
            let disk = Disk::make(&folder, Make { kind, bytes, slow }, &self.run).map_err(Trouble::io(what()))?;
            self.folders.insert(instance.clone(), disk.seen_from_outside());
            self.disks.insert(instance.clone(), disk);
            return Ok(());
        }
        self.folders.insert(instance.clone(), folder.clone());
        gate::pass(|| std::fs::create_dir_all(&folder)).map_err(Trouble::io(what()))
    }
}

/// What `${self.disk}` stands for.
pub(super) fn disk_folder(instance: &Instance, setting: &Setting) -> PathBuf {
    setting.scratch.join(format!("{instance}-disk"))
}
