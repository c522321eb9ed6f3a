//! Which steps will have to wait when their time comes, as far as that is certain beforehand.

use std::collections::BTreeMap;

use super::bounds::{TURN, fixed};
use super::{Plan, Step};
use crate::place::Meeting;
use crate::system::Facts;
use crate::time::{nanos, words};

impl Plan {
    /// By its index, for what each such step waits: others that it can't be together with at any place it could strike,
    /// or for which the system's budget leaves no room.
    pub fn waits(&self, facts: &Facts) -> BTreeMap<usize, String> {
        let all = self.steps.iter().enumerate();
        all.filter_map(|(index, step)| Some((index, self.wait(facts, index, step)?)))
            .collect()
    }

    fn wait(&self, facts: &Facts, index: usize, step: &Step) -> Option<String> {
        let (from, _) = fixed(step)?;
        let holds = |(other, held): &(usize, &Step)| {
            fixed(held).is_some_and(|(begun, over)| (begun, *other) < (from, index) && from < over)
        };
        let holding: Vec<(usize, &Step)> = self.steps.iter().enumerate().filter(holds).collect();
        let (of, why) = in_its_place(facts, &holding, step).or_else(|| over_budget(facts, &holding, step))?;
        let of: Vec<String> = of.iter().map(usize::to_string).collect();
        let (patience, steps) = (words(nanos(TURN)), if of.len() == 1 { "step" } else { "steps" });
        Some(format!("waits up to {patience} for {steps} {}: {why}", of.join(", ")))
    }
}

/// The steps that hold, at every place `step` could strike, what it can't be together with.
fn in_its_place(facts: &Facts, holding: &[(usize, &Step)], step: &Step) -> Option<(Vec<usize>, String)> {
    let mut why = "";
    let mut of = Vec::new();
    for (index, held) in holding.iter().filter(|(_, held)| same_target(held, step)) {
        if let Meeting::Turn(reason) = held.condition.meets(&step.condition) {
            why = reason;
            of.push(*index);
        }
    }
    (!of.is_empty() && of.len() >= copies(facts, step)).then(|| (of, why.to_owned()))
}

/// The steps that use up what the budget allows at once.
fn over_budget(facts: &Facts, holding: &[(usize, &Step)], step: &Step) -> Option<(Vec<usize>, String)> {
    let others = || holding.iter().map(|(_, held)| *held);
    if let Some(most) = facts.budget.at_once {
        let places = places(facts, others().chain([step]));
        if places > most as usize {
            let why = format!("{places} places at once are more than `budget: {{ at_once: {most} }}` allows");
            return Some((holding.iter().map(|(index, _)| *index).collect(), why));
        }
    }
    if step.link_to.is_some() {
        return None;
    }
    let alike = |held: &&Step| same_target(held, step);
    let down = u32::try_from(places(facts, others().filter(alike).chain([step]))).ok()?;
    let replicas = facts.services.get(&step.service)?.replicas;
    let why = facts.budget.copies(&step.service, down, replicas).err()?;
    let of = holding.iter().filter(|(_, held)| same_target(held, step));
    Some((of.map(|(index, _)| *index).collect(), why))
}

/// At how many places these hold at least: at two wherever both can't hold at one.
fn places<'a>(facts: &Facts, steps: impl Iterator<Item = &'a Step>) -> usize {
    let mut groups: Vec<Vec<&Step>> = Vec::new();
    for step in steps {
        match groups.iter_mut().find(|group| same_target(group[0], step)) {
            Some(group) => group.push(step),
            None => groups.push(vec![step]),
        }
    }
    let apart = |one: &Step, other: &Step| matches!(one.condition.meets(&other.condition), Meeting::Turn(_));
    let at_least = |group: &Vec<&Step>| {
        let pairs = group.iter().enumerate();
        let each = pairs.flat_map(|(index, one)| group[..index].iter().map(move |other| apart(other, one)));
        match each.min() {
            Some(true) => group.len().min(copies(facts, group[0])),
            _ => 1,
        }
    };
    groups.iter().map(at_least).sum()
}

fn same_target(one: &Step, other: &Step) -> bool {
    (&one.service, &one.link_to, &one.place) == (&other.service, &other.link_to, &other.place)
}

/// The places a step may strike.
fn copies(facts: &Facts, step: &Step) -> usize {
    match step.place {
        Some(_) => 1,
        None => facts
            .services
            .get(&step.service)
            .map_or(1, |facts| facts.replicas as usize),
    }
}

#[cfg(test)]
mod tests {
    use crate::document::Document;
    use crate::plan::{PLAIN, plan};
    use crate::scenario::Scenario;
    use crate::system::System;

    /// What is said of each step of a storm in a system with two workers and such a budget.
    fn waits(budget: &str, storm: &str) -> Vec<(usize, String)> {
        let system = format!(
            "system: x\nentry: server\nbudget: {budget}\nservices:\n  server: {{ run: x, links: [db] }}\n  \
             worker: {{ run: x, replicas: 2, links: [db] }}\n  db: {{ run: y }}\n"
        );
        let system = System::read(&Document::parse("system.yaml", &system).unwrap()).unwrap();
        let text = format!("scenario: s\nhypothesis: h\nchecks: [none_stuck]\nstorm:\n{storm}");
        let doc = Document::parse("s.yaml", &text).unwrap();
        let scenario = Scenario::read(&doc).unwrap();
        let facts = system.facts();
        let plan = plan(&doc, &scenario, &facts, PLAIN).map_err(|mistakes| mistakes.plain());
        plan.unwrap().waits(&facts).into_iter().collect()
    }

    const FREEZE: &str = "  - freeze: { on: worker, at: 1s, for: 6s }\n";

    #[test]
    fn a_step_for_which_the_budget_has_no_room_says_so_and_for_whom_it_waits() {
        let both = format!("{FREEZE}  - cut: {{ from: server, to: db, how: refuse, at: 3s, for: 4s }}\n");
        assert_eq!(
            waits("{ at_once: 1 }", &both),
            [(
                1,
                "waits up to 5.00 s for step 0: 2 places at once are more than `budget: { at_once: 1 }` allows"
                    .to_owned()
            )]
        );
        assert_eq!(waits("{ at_once: 2 }", &both), []);
        let twice = format!("{FREEZE}  - kill: {{ on: worker, at: 3s, down: 2s }}\n");
        let says = waits("{ copies: 50% }", &twice);
        assert!(
            matches!(&says[..], [(1, says)] if says.contains("for step 0: 2 of 2 copies of worker at once")),
            "{says:?}"
        );
        assert_eq!(waits("{}", &twice), []);
    }

    #[test]
    fn a_step_whose_places_are_all_taken_says_so() {
        let thrice = format!("{FREEZE}{FREEZE}  - kill: {{ on: worker, at: 4s, down: 2s }}\n");
        let says = waits("{}", &thrice);
        assert!(
            matches!(&says[..], [(2, says)] if says.contains("for steps 0, 1: its end would end the freeze")),
            "{says:?}"
        );
        // Both hold at one place, so one place is enough.
        let beside =
            "  - cpu_load: { on: server, share: 50%, at: 1s, for: 6s }\n  - kill: { on: server, at: 2s, down: 2s }\n";
        assert_eq!(waits("{ at_once: 1, copies: 100% }", beside), []);
        // Over by then.
        let after = format!("{FREEZE}  - kill: {{ on: worker, at: 8s, down: 2s }}\n");
        assert_eq!(waits("{ at_once: 1 }", &after), []);
    }
}
