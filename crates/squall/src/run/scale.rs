//! Scaling: another number of copies of a service, until the next change or the end of the storm.

use futures_util::future::join_all;
use squall_core::event::Fact;
use squall_core::place::{Condition, Death, Instance, Place};
use squall_core::plan::Step;

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
            let (ended, ahead) = self.lifting(&place);
            self.copies(service, usize::MAX, u32::MAX).await?;
            // Healed it is even where that can't be written down.
            ahead?;
            for step in ended {
                self.stage.recorder.record(Fact::Healed { step });
            }
        }
        Ok(())
    }

    /// A new number takes the place of the one before, which ends with that.
    async fn replace(&self, place: &Place, index: usize, condition: Condition) -> Result<(), Trouble> {
        let (ended, ahead) = self.lifting(place);
        ahead?;
        for step in ended {
            self.stage.recorder.record(Fact::Healed { step });
        }
        self.fold(place, |all| all.push(Held::new(index, condition)));
        Ok(())
    }

    /// Writes down that what holds at a place ends, and forgets it. Answers the steps, and whether they are written down.
    fn lifting(&self, place: &Place) -> (Vec<usize>, Result<(), Trouble>) {
        let mut steps = Vec::new();
        self.fold(place, |all| steps = all.drain(..).map(|held| held.step).collect());
        let ahead = steps.iter().try_for_each(|step| {
            let (step, place) = (*step, place.clone());
            let ahead = self.stage.recorder.record_ahead(Fact::Healing { step, place });
            ahead.map(drop).map_err(Trouble::io("the journal"))
        });
        (steps, ahead)
    }

    /// Ends the copies above a number and brings back the others, all at once.
    async fn copies(&self, service: &str, step: usize, copies: u32) -> Result<(), Trouble> {
        let all = self.stage.world.instances().into_iter();
        let all = all.filter(|instance| instance.service == *service);
        let changed = |instance: &Instance| self.surplus(instance, (instance.index > copies).then_some(step));
        let changed: Vec<Place> = all.filter(changed).map(Place::Instance).collect();
        let all = join_all(changed.iter().map(|place| self.impose(place))).await;
        // All were tried; the first that failed is told.
        all.into_iter().collect()
    }

    /// Says that a copy is one too many because of a step, or is not. Answers whether that changes anything.
    fn surplus(&self, instance: &Instance, by: Option<usize>) -> bool {
        let steps = &self.stage.plan.steps;
        let scales =
            |step: usize| matches!(steps.get(step), Some(step) if matches!(step.condition, Condition::Replicas(_)));
        let mut changed = false;
        self.fold(&Place::Instance(instance.clone()), |all| {
            changed = rearrange(all, by, scales);
        });
        changed
    }
}

/// Holds a copy down for a step that scales, or for none. What others hold there is theirs. Answers whether that changes
/// anything.
fn rearrange(all: &mut Vec<Held>, by: Option<usize>, scales: impl Fn(usize) -> bool) -> bool {
    let before = all.len();
    all.retain(|held| !scales(held.step));
    let changed = by.is_some() || all.len() < before;
    all.extend(by.map(|step| Held::new(step, Condition::Down(Death::Terminate))));
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps 1 and 2 scale.
    fn scales(step: usize) -> bool {
        [1, 2].contains(&step)
    }

    #[test]
    fn scaling_ends_what_scaling_began_and_nothing_that_another_step_holds() {
        let gone = Condition::Down(Death::Terminate);
        let mut all = vec![Held::new(0, gone.clone())];
        let steps = |all: &[Held]| all.iter().map(|held| held.step).collect::<Vec<_>>();
        // Not one too many, and terminated by another step: it stays so, and nobody is asked anything.
        assert!(!rearrange(&mut all, None, scales));
        assert_eq!(steps(&all), [0]);
        assert!(rearrange(&mut all, Some(1), scales));
        assert!(rearrange(&mut all, Some(2), scales));
        assert_eq!(steps(&all), [0, 2]);
        assert!(all.iter().all(|held| held.condition == gone));
        assert!(rearrange(&mut all, None, scales));
        assert_eq!(steps(&all), [0]);
    }
}
