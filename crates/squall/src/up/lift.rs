//! Lifting: what was in force at a place is so no more, whatever else fails meanwhile.

use std::io::Error;
use std::time::{Duration, Instant};

use squall_core::event::Fact;
use squall_core::place::{Condition, Instance, Place};
use tokio::time::sleep;

use super::Up;
use crate::world::Trouble;

/// What could not be lifted is tried again for so long; what was lifted is ready within this, or is said not to be.
const RECOVERS: Duration = Duration::from_secs(15);
/// Between two tries.
const AGAIN: Duration = Duration::from_millis(500);
/// How often is looked whether it is ready.
const LOOK: Duration = Duration::from_millis(10);

impl Up {
    /// Ends what a step wants to hold at a place, and waits until it holds no more. A disk that is full keeps nobody frozen:
    /// whether the journal could be written is asked when all is healed.
    ///
    /// # Errors
    /// It could not be lifted. Its place is free even so: whoever does something there next lifts it, too.
    pub(super) async fn lift(&self, step: usize, place: &Place) -> Result<(), Trouble> {
        let healing = Fact::Healing {
            step,
            place: place.clone(),
        };
        let _ = self.recorder.record_ahead(healing);
        self.claims.end(step);
        let lifted = self.insist(place).await;
        if lifted.is_ok() {
            // Whoever is answered may look for it.
            let _ = self.recorder.record_ahead(Fact::Healed { step });
        }
        self.claims.release(step);
        lifted
    }

    /// Makes what is still wanted hold at a place; again and again, unless all ends anyway.
    async fn insist(&self, place: &Place) -> Result<(), Trouble> {
        let until = Instant::now() + RECOVERS;
        loop {
            match self.world.impose(place, || self.claims.wanted(place)).await {
                Err(_) if Instant::now() < until && !*self.down.borrow() => sleep(AGAIN).await,
                done => return done,
            }
        }
    }

    /// Waits until a copy is ready of which a condition was lifted. While another one hinders it, nobody can say.
    ///
    /// # Errors
    /// It is not, and nothing that holds anywhere explains it.
    pub(super) async fn recovered(&self, instance: &Instance, from: &Condition) -> Result<(), Trouble> {
        let until = Instant::now() + RECOVERS;
        while self.world.pid(instance).is_none() || self.world.ready(instance).await == Some(false) {
            if self.is_hindered(instance) {
                return Ok(());
            }
            if Instant::now() >= until {
                let text = match from {
                    Condition::Short(_) => "it has what it needs again",
                    Condition::Frozen => "it was thawed",
                    Condition::Down(_) => "it was started again",
                    _ => "nothing holds there any more",
                };
                let text = format!("{text}, and {RECOVERS:?} later it is not ready; see logs/{instance}.log");
                return Err(Trouble::io(instance.to_string())(Error::other(text)));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// Whether something holds at a copy, at its links, or where what it needs is.
    fn is_hindered(&self, instance: &Instance) -> bool {
        let facts = self.system.facts();
        let needs = facts.needs(&instance.service);
        let needed = |copy: &Instance| copy.service != instance.service && needs.contains(copy.service.as_str());
        self.claims.any_at(|copy| copy == instance || needed(copy))
    }
}
