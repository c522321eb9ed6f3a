//! Partitions: one step for each link that crosses, all at the same time.

use super::draw::Drawer;
use super::{Start, Step};
use crate::fault::{Fault, Partition};
use crate::place::Place;

impl Drawer<'_> {
    /// Adds the steps of a partition.
    pub(super) fn part(
        &mut self,
        (entry, at): (usize, &str),
        (fault, parts): (&Fault, &Partition),
        steps: &mut Vec<Step>,
    ) {
        let crossings = match parts.crossings(self.facts, &mut self.rng) {
            Ok(crossings) => crossings,
            Err((key, message, help)) => return self.wrong(&format!("{at}{key}"), message, Some(help)),
        };
        for crossing in &crossings {
            if let Some(name) = self.facts.protector(&crossing.from.service, Some(&crossing.to)) {
                let message = format!("it would cut {}->{}: `{name}` is protected", crossing.from, crossing.to);
                let help = format!("the system file says `protect: [{name}]`: part others, or take it out there");
                return self.wrong(at, message, Some(help));
            }
        }
        let Some(hold) = self.hold(at, fault, &self.facts.entry.clone(), None) else {
            return;
        };
        let (first, links) = (steps.len(), crossings.len());
        let before = steps.last().is_some_and(|step| self.takes_away(step));
        for start in self.starts(at, fault, (first, before)) {
            // Strikes are counted one by one; each of these is as many steps as there are links.
            let start = match start {
                Start::After { step, gap } if step >= first => Start::After {
                    step: first + (step - first + 1) * links - 1,
                    gap,
                },
                other => other,
            };
            steps.extend(crossings.iter().map(|crossing| Step {
                entry,
                fault: fault.word().to_owned(),
                start,
                or_done: None,
                aim: None,
                service: crossing.from.service.clone(),
                link_to: Some(crossing.to.clone()),
                place: Some(Place::Link {
                    from: crossing.from.clone(),
                    to: crossing.to.clone(),
                }),
                rank: 0,
                condition: crossing.condition.clone(),
                hold,
            }));
        }
    }

    /// Whether a step takes away what the entry service needs.
    pub(super) fn takes_away(&self, step: &Step) -> bool {
        self.needed(step.link_to.as_ref().unwrap_or(&step.service))
    }
}
