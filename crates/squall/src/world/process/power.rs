//! Power: what an instance has not synced is gone together with its processes, and comes back as its disk kept it.

use std::time::Instant;

use squall_core::event::Fact;
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::time::nanos;
use tokio::task::block_in_place;

use super::ProcessWorld;
use super::instance::Keeper;
use super::short::disk::{Disk, Order};
use crate::world::{Setting, Trouble};
use crate::{guard, processes};

const LOSS: Condition = Condition::Down(Death::PowerLoss);

impl ProcessWorld {
    /// What was written by now has been there for a while, as far as disks that will lose their power go: it is kept.
    pub(super) fn settle(&self, setting: &Setting) -> Result<(), Trouble> {
        let powered = |(instance, _): &(&Instance, &Disk)| setting.powered.contains(&instance.service);
        self.disks
            .iter()
            .filter(powered)
            .try_for_each(|(instance, disk)| tell(instance, disk, Order::Sync).map(drop))
    }

    /// Lets an instance lose its power, where that is wanted and was not done.
    pub(super) async fn go_dark(
        &self,
        instance: &Instance,
        wanted: &[Condition],
        keeper: &Keeper,
    ) -> Result<(), Trouble> {
        if !wanted.contains(&LOSS) {
            return Ok(());
        }
        let disk = self.disks.get(instance);
        let disk = disk.ok_or_else(|| Trouble::NoPlace(Place::Instance(instance.clone())))?;
        if disk.dark() {
            return Ok(());
        }
        // All of it stops at once: nobody is to see a disk that is gone, and no end of a process to write anything more.
        let pids = keeper.pid().map_or_else(Vec::new, processes::tree);
        keeper.impose(&[Condition::Frozen]).await?;
        let answer = tell(instance, disk, Order::Cut)?;
        let instance = instance.clone();
        guard::forget(&pids, disk.folder());
        keeper.impose(&[LOSS]).await?;
        tell(&instance, disk, Order::Unmount)?;
        let (entries, says) = answer.split_once(' ').unwrap_or(("", &answer));
        self.recorder.record(Fact::PowerLost {
            instance,
            says: says.to_owned(),
            entries: entries.parse().ok(),
        });
        Ok(())
    }

    /// Gives an instance its disk back, where it lost its power and that is not wanted any more.
    pub(super) fn come_back(&self, instance: &Instance, wanted: &[Condition]) -> Result<(), Trouble> {
        let Some(disk) = self.disks.get(instance).filter(|disk| disk.dark()) else {
            return Ok(());
        };
        if wanted.contains(&LOSS) {
            return Ok(());
        }
        let began = Instant::now();
        tell(instance, disk, Order::Mount)?;
        let (instance, took) = (instance.clone(), nanos(began.elapsed()));
        self.recorder.record(Fact::PowerBack { instance, took });
        Ok(())
    }
}

fn tell(instance: &Instance, disk: &Disk, order: Order) -> Result<String, Trouble> {
    block_in_place(|| disk.tell(order)).map_err(Trouble::io(format!("the disk of {instance}")))
}
