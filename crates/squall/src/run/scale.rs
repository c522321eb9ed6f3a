//! Scaling: another number of copies of a service, until the next change or the end of the storm.

use squall_core::event::Fact;
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::plan::Step;
use tokio::task::JoinSet;

use super::strike::{Held, Strikes};
use crate::world::Trouble;

impl Strikes {
    /// Brings a service to the step's number of copies.
    ///
    /// # Errors
    /// The journal can't be written, or a copy does not come or go within its bound.
    pub(super) async fn scale(&self, index: usize, step: &Step, service: &str) -> Result<(), Trouble> {
        let Condition::Replicas(copies) = step.condition else {
            return Ok(());
        };
        let recorder = &self.stage.recorder;
        let place = Place::Service(service.to_owned());
        self.replace(&place, index, step.condition.clone()).await?;
        recorder
            .record_ahead(Fact::Imposing {
                step: index,
                place: place.clone(),
                condition: step.condition.clone(),
            })
            .map_err(Trouble::io("the journal"))?;
        self.copies(service, index, copies).await?;
        recorder.record(Fact::Imposed { step: index });
        self.felt(step, &place);
        Ok(())
    }

    /// Takes back every number of copies that still holds.
    ///
    /// # Errors
    /// As [`scale`](Self::scale).
    pub(super) async fn unscale(&self) -> Result<(), Trouble> {
        for place in self.scaled() {
            let Place::Service(service) = &place else { continue };
            let ended = self.lifting(&place)?;
            self.copies(service, usize::MAX, u32::MAX).await?;
            for step in ended {
                self.stage.recorder.record(Fact::Healed { step });
            }
        }
        Ok(())
    }

    /// A new number takes the place of the one before, which ends with that.
    async fn replace(&self, place: &Place, index: usize, condition: Condition) -> Result<(), Trouble> {
        for step in self.lifting(place)? {
            self.stage.recorder.record(Fact::Healed { step });
        }
        self.fold(place, |all| all.push(Held::new(index, condition)));
        Ok(())
    }

    /// Writes down that what holds at a place ends, and forgets it. Answers the steps.
    fn lifting(&self, place: &Place) -> Result<Vec<usize>, Trouble> {
        let mut steps = Vec::new();
        self.fold(place, |all| steps = all.drain(..).map(|held| held.step).collect());
        for step in &steps {
            let (step, place) = (*step, place.clone());
            let ahead = self.stage.recorder.record_ahead(Fact::Healing { step, place });
            ahead.map_err(Trouble::io("the journal"))?;
        }
        Ok(steps)
    }

    /// Ends the copies above a number and brings back the others, all at once.
    async fn copies(&self, service: &str, step: usize, copies: u32) -> Result<(), Trouble> {
        let mut changing = JoinSet::new();
        for instance in self.stage.world.instances() {
            if instance.service != *service {
                continue;
            }
            let conditions = self.surplus(&instance, step, instance.index > copies);
            let (world, place) = (self.stage.world.clone(), Place::Instance(instance));
            changing.spawn(async move { world.impose(&place, &conditions).await });
        }
        while let Some(changed) = changing.join_next().await {
            changed.map_err(|panicked| Trouble::io("scaling")(std::io::Error::other(panicked)))??;
        }
        Ok(())
    }

    /// What shall hold at a copy that is, or is not, one too many.
    fn surplus(&self, instance: &Instance, step: usize, surplus: bool) -> Vec<Condition> {
        let gone = Condition::Down(Death::Terminate);
        self.fold(&Place::Instance(instance.clone()), |all| {
            all.retain(|held| held.condition != gone);
            if surplus {
                all.push(Held::new(step, gone.clone()));
            }
        })
    }
}
