//! What a scenario needs that a system may not have.

use std::collections::BTreeSet;

use crate::demand::Demand;
use crate::fault::{Fault, Target};
use crate::scenario::Scenario;
use crate::system::Facts;

/// What a scenario asks for and a system lacks, in words: "a service `partner`". Nothing when as far as the system's parts,
/// its kinds of work and its contracts are concerned it can be planned.
pub fn needs(scenario: &Scenario, facts: &Facts) -> Vec<String> {
    let mut lacks = BTreeSet::new();
    let mut service = |name: &str| {
        let there = facts.services.contains_key(name);
        if !there {
            lacks.insert(format!("a service `{name}`"));
        }
        there
    };
    for name in scenario.replicas.keys() {
        service(name);
    }
    let mut links = Vec::new();
    let mut kept_up = Vec::new();
    for fault in &scenario.storm {
        match fault.target() {
            Some(Target::Service(name)) => {
                // What is killed and not brought back by the scenario must come back by itself.
                if service(name) && fault.hold().is_none() && !matches!(fault, Fault::Scale(_)) {
                    kept_up.push(name.to_owned());
                }
            }
            Some(Target::Link(from, to)) => {
                if service(from) & service(to) {
                    links.push((from.to_owned(), to.to_owned()));
                }
            }
            None => {}
        }
    }
    let of = |name: &String| facts.services.get(name);
    let links = links
        .iter()
        .filter(|(from, to)| of(from).is_some_and(|from| !from.links.contains(to)));
    lacks.extend(links.map(|(from, to)| format!("a link from `{from}` to `{to}`")));
    let kept_up = kept_up
        .iter()
        .filter(|name| of(name).is_some_and(|service| service.restart_after.is_none()));
    lacks.extend(kept_up.map(|name| format!("`restart` of `{name}`")));
    lacks.extend(work(scenario, facts));
    if !facts.breakers && scenario.checks.iter().any(|check| matches!(check, Demand::Breaker(_))) {
        lacks.insert("`contracts.breakers`".to_owned());
    }
    lacks.into_iter().collect()
}

/// The kinds of work that are asked for and unknown.
fn work(scenario: &Scenario, facts: &Facts) -> Vec<String> {
    let work = &scenario.workload;
    let main = work.tasks.iter().map(|load| &load.kind);
    let flood = work.flood.iter().map(|flood| &flood.kind);
    let kinds: BTreeSet<&String> = main
        .chain(flood)
        .chain(work.writes.iter().map(|writes| &writes.kind))
        .collect();
    match &facts.tasks {
        None if !kinds.is_empty() || work.others > 0 => vec!["`contracts.tasks`".to_owned()],
        None => Vec::new(),
        Some(tasks) => {
            let unknown = kinds.into_iter().filter(|kind| !tasks.kinds.contains_key(*kind));
            unknown.map(|kind| format!("a kind of work `{kind}`")).collect()
        }
    }
}
