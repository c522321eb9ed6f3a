//! What of a plan the system's owner forbids, and what can't come to pass because of other steps.

use std::time::Duration;

use super::draw::Drawer;
use super::{Hold, Start, Step};
use crate::place::{Condition, Meeting};
use crate::time::{Nanos, nanos, words};

/// A step without an aim waits so long for a place that is free.
pub(super) const TURN: Duration = Duration::from_secs(5);

impl Drawer<'_> {
    /// Whether a fault's target is one no fault may touch; says so.
    pub(super) fn is_protected(&mut self, at: &str, (service, link_to): (&str, Option<&str>)) -> bool {
        let Some(name) = self.facts.protector(service, link_to) else {
            return false;
        };
        let key = match link_to {
            None => "on",
            Some(to) if *to == *name => "to",
            Some(_) => "from",
        };
        let help = format!("the system file says `protect: [{name}]`: aim elsewhere, or take it out there");
        self.wrong(
            &format!("{at}/{key}"),
            format!("`{name}` is protected: no fault may touch it"),
            Some(help),
        );
        true
    }

    /// Says what of the steps is more than the budget allows, or could never strike.
    pub(super) fn bounds(&mut self, steps: &[Step]) {
        self.held(steps);
        let mut told = None;
        for (index, step) in steps.iter().enumerate().filter(|(_, step)| step.link_to.is_none()) {
            let of = self
                .facts
                .services
                .get(&step.service)
                .map_or(0, |service| service.replicas);
            let down = match step.condition {
                Condition::Replicas(left) => of.saturating_sub(left),
                _ => 1,
            };
            if told != Some(step.entry)
                && let Err(why) = self.facts.budget.copies(&step.service, down, of)
            {
                told = Some(step.entry);
                self.too_much(&steps[index], why);
            }
        }
        let mut told = None;
        for (index, step) in steps.iter().enumerate() {
            if told != Some(step.entry)
                && let Some((why, help)) = self.never_its_turn(step, &steps[..index], steps)
            {
                told = Some(step.entry);
                self.wrong(&format!("/storm/{}/{}", step.entry, step.fault), why, Some(help));
            }
        }
    }

    /// The time all faults hold together.
    fn held(&mut self, steps: &[Step]) {
        let Some(most) = &self.facts.budget.held else { return };
        let mut sum: Nanos = 0;
        let over = steps.iter().find(|step| {
            sum = sum.saturating_add(step.hold.nanos());
            sum > nanos(most.get())
        });
        if let Some(step) = over {
            let all: Nanos = steps.iter().map(|step| step.hold.nanos()).sum();
            let why = format!(
                "all faults of this storm would hold for {}, `budget: {{ held: {most} }}` allows less",
                words(all)
            );
            self.too_much(step, why);
        }
    }

    fn too_much(&mut self, step: &Step, why: String) {
        let help = "strike less, or change `budget` in the system file".to_owned();
        self.wrong(&format!("/storm/{}/{}", step.entry, step.fault), why, Some(help));
    }

    /// Whether every copy a step could strike is held, for longer than it would wait, by what it can't be together with.
    /// Only what stands at fixed times is certain.
    fn never_its_turn(&self, step: &Step, before: &[Step], all: &[Step]) -> Option<(String, String)> {
        let (from, _) = fixed(step)?;
        let copies = self.facts.services.get(&step.service)?.replicas;
        let until = from.saturating_add(nanos(TURN));
        let in_the_way = |other: &&Step| {
            let same = (&other.service, &other.link_to) == (&step.service, &step.link_to);
            let holds = fixed(other).is_some_and(|(begun, over)| begun < from && over > until);
            same && holds && matches!(other.condition.meets(&step.condition), Meeting::Turn(_))
        };
        let after = all.iter().skip(before.len() + 1);
        let held: Vec<&Step> = before.iter().chain(after).filter(in_the_way).collect();
        let first = held.first().filter(|_| held.len() >= copies as usize)?;
        let Meeting::Turn(why) = first.condition.meets(&step.condition) else {
            return None;
        };
        let over = fixed(first).map_or(0, |(_, over)| over);
        Some((
            format!(
                "`{}` at {} would find `{}` in force until {} wherever it could strike: {why}",
                step.fault,
                words(from),
                first.fault,
                words(over)
            ),
            "let it strike later, or write `after` instead of `at`".to_owned(),
        ))
    }
}

/// From when to when a step surely holds, if that is certain.
pub(super) fn fixed(step: &Step) -> Option<(Nanos, Nanos)> {
    match (step.start, step.aim, step.or_done, step.hold) {
        (Start::At(at), None, None, Hold::For(hold) | Hold::Restart(hold)) => Some((at, at.saturating_add(hold))),
        _ => None,
    }
}
