//! Claims: what somebody wants to hold where, so that two orders never undo each other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use squall_core::place::{Condition, Effect, Instance, Meeting, Place};
use squall_core::system::Facts;

use crate::world::Phase;

/// What an injected fault wants to hold at a place.
#[derive(Debug)]
struct Claim {
    step: usize,
    condition: Condition,
    phase: Phase,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    injected: BTreeMap<Place, Vec<Claim>>,
    /// What somebody wants to be down until they say otherwise.
    down: BTreeSet<Instance>,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims copies that shall be down until somebody says otherwise.
    ///
    /// # Errors
    /// An injected fault holds at this one.
    pub(super) fn take_down(&self, targets: &[Instance]) -> Result<(), Instance> {
        let mut inner = self.lock();
        inner.free(targets)?;
        inner.down.extend(targets.iter().cloned());
        Ok(())
    }

    /// Gives copies free that shall be up again.
    ///
    /// # Errors
    /// An injected fault holds at this one: it ends by itself.
    pub(super) fn let_up(&self, targets: &[Instance]) -> Result<(), Instance> {
        let mut inner = self.lock();
        inner.free(targets)?;
        inner.down.retain(|instance| !targets.contains(instance));
        Ok(())
    }

    /// What somebody wants to be down.
    pub(super) fn down(&self) -> BTreeSet<Instance> {
        self.lock().down.clone()
    }

    /// Claims a place for an injected fault.
    ///
    /// # Errors
    /// Why it can't have it.
    pub(super) fn take(
        &self,
        (step, condition): (usize, &Condition),
        place: &Place,
        facts: &Facts,
    ) -> Result<(), String> {
        let mut inner = self.lock();
        let (Place::Instance(copy) | Place::Link { from: copy, .. }) = place else {
            return Err(format!("{place} is no single place"));
        };
        if inner.down.contains(copy) {
            return Err(format!("{copy} was brought down by `squall service`"));
        }
        for held in inner.injected.get(place).into_iter().flatten() {
            if let Meeting::Turn(why) = held.condition.meets(condition) {
                return Err(format!("{place} is {}: {why}", held.condition.word()));
            }
        }
        facts.affords(place, inner.injected.keys())?;
        let claim = Claim {
            step,
            condition: condition.clone(),
            phase: Phase::Taken,
        };
        inner.injected.entry(place.clone()).or_default().push(claim);
        Ok(())
    }

    /// All that shall hold at a place.
    pub(super) fn wanted(&self, place: &Place) -> Vec<Condition> {
        let inner = self.lock();
        let claims = inner.injected.get(place).into_iter().flatten();
        let holding = claims.filter(|claim| claim.phase == Phase::Holding);
        holding.map(|claim| claim.condition.clone()).collect()
    }

    /// All that shall hold anywhere.
    pub(super) fn in_force(&self) -> Vec<Effect> {
        let inner = self.lock();
        let all = inner.injected.iter();
        let all = all.flat_map(|(place, claims)| claims.iter().map(move |claim| (place, claim)));
        let holding = all.filter(|(_, claim)| claim.phase == Phase::Holding);
        let effect = |(place, claim): (&Place, &Claim)| Effect {
            place: place.clone(),
            condition: claim.condition.clone(),
        };
        holding.map(effect).collect()
    }

    /// Whether something holds, or is being lifted, at a copy of these or its links.
    pub(super) fn any_at(&self, copies: impl Fn(&Instance) -> bool) -> bool {
        let inner = self.lock();
        let copy = |place: &Place| match place {
            Place::Instance(copy) | Place::Link { from: copy, .. } => copies(copy),
            Place::Service(_) => false,
        };
        inner.injected.keys().any(copy) || inner.down.iter().any(&copies)
    }

    /// What a step wants is in the journal by now, and shall hold.
    pub(super) fn begin(&self, step: usize) {
        self.turn(step, Phase::Holding);
    }

    /// What a step wants shall hold no more.
    pub(super) fn end(&self, step: usize) {
        self.turn(step, Phase::Ending);
    }

    fn turn(&self, step: usize, phase: Phase) {
        let mut inner = self.lock();
        let claims = inner.injected.values_mut().flatten();
        claims
            .filter(|claim| claim.step == step)
            .for_each(|claim| claim.phase = phase);
    }

    /// It holds no more: its place is free.
    pub(super) fn release(&self, step: usize) {
        let mut inner = self.lock();
        inner
            .injected
            .values_mut()
            .for_each(|claims| claims.retain(|claim| claim.step != step));
        inner.injected.retain(|_, claims| !claims.is_empty());
    }
}

impl Inner {
    /// Whether no injected fault holds at any of these copies.
    fn free(&self, targets: &[Instance]) -> Result<(), Instance> {
        let mut targets = targets.iter();
        let taken = targets.find(|target| self.injected.contains_key(&Place::Instance((*target).clone())));
        taken.map_or(Ok(()), |taken| Err(taken.clone()))
    }
}

#[cfg(test)]
mod tests {
    use squall_core::document::Document;
    use squall_core::system::System;

    use super::*;

    #[test]
    fn what_is_not_in_the_journal_yet_holds_for_nobody_who_imposes_at_its_place() {
        let text = "system: s\nentry: app\nservices: { app: { run: app } }\n";
        let facts = System::read(&Document::parse("system.yaml", text).unwrap())
            .unwrap()
            .facts();
        let (claims, place) = (Claims::default(), "app-1".parse::<Instance>().unwrap());
        let place = Place::Instance(place);
        claims.take((0, &Condition::Frozen), &place, &facts).unwrap();
        assert!(claims.wanted(&place).is_empty() && claims.in_force().is_empty());
        assert!(
            claims.take((1, &Condition::Frozen), &place, &facts).is_err(),
            "it is taken"
        );
        claims.begin(0);
        assert_eq!(claims.wanted(&place), [Condition::Frozen]);
        claims.end(0);
        assert!(claims.wanted(&place).is_empty());
    }
}
