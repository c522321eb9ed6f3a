//! What instances keep on disk: where, and what is done to it.

use squall_core::event::Fact;
use squall_core::place::{Condition, Death, Instance};

use super::damage::Task;
use super::instance::Keeper;
use super::{Disk, ProcessWorld};
use crate::world::{Setting, Trouble, gate};

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

    /// At how many spots an instance's files are, read now, as squall changed them.
    pub async fn damaged(&self, instance: &Instance) -> usize {
        self.damages.spots(instance).await
    }

    /// A folder for what an instance writes; a disk of its own where a fault will fill it.
    pub(super) fn make_disk(&mut self, instance: &Instance, setting: &Setting) -> Result<(), Trouble> {
        let Some(disk) = self.system.services[&instance.service].disk else {
            return Ok(());
        };
        let folder = disk_folder(instance, setting);
        let what = || format!("the disk of {instance}");
        if setting.disks.contains(&instance.service) {
            let bytes = u64::from(disk.megabytes.get()) * 1_000_000;
            let disk = Disk::make(&folder, bytes, &self.run).map_err(Trouble::io(what()))?;
            self.folders.insert(instance.clone(), disk.seen_from_outside());
            self.disks.insert(instance.clone(), disk);
            return Ok(());
        }
        self.folders.insert(instance.clone(), folder.clone());
        gate::pass(|| std::fs::create_dir_all(&folder)).map_err(Trouble::io(what()))
    }
}

/// What `${self.disk}` stands for.
pub(super) fn disk_folder(instance: &Instance, setting: &Setting) -> std::path::PathBuf {
    setting.scratch.join(format!("{instance}-disk"))
}
