//! What a scenario needs that a system may not have.

use std::collections::BTreeSet;

use crate::contract::Object;
use crate::demand::Demand;
use crate::fault::{Fault, Target};
use crate::place::Instance;
use crate::scenario::Scenario;
use crate::stop::StopWhen;
use crate::system::{Facts, Preset};

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
    for stop in &scenario.stop_when {
        if let StopWhen::Down(down) = stop {
            service(&down.on);
        }
    }
    let mut links = Vec::new();
    let mut kept_up = Vec::new();
    for fault in &scenario.storm {
        match fault.target() {
            Some(Target::Service(name)) => {
                // What is killed and not brought back by the scenario must come back by itself.
                let there = service(name);
                if there && fault.hold().is_none() && !matches!(fault, Fault::Scale(_)) {
                    kept_up.push(name.to_owned());
                }
            }
            Some(Target::Link(from, to)) => {
                let both = [from, to].map(&mut service);
                if both == [true, true] {
                    links.push((from.to_owned(), to.to_owned()));
                }
            }
            Some(Target::Across(partition)) => {
                for (_, name) in partition.names() {
                    let copy: Option<Instance> = name.parse().ok();
                    let copy = copy.filter(|copy| facts.services.contains_key(&copy.service));
                    if copy.is_none() {
                        service(name);
                    }
                }
            }
            None => {}
        }
    }
    lacks.extend(parts(scenario, facts));
    let of = |name: &String| facts.services.get(name);
    let protected = scenario.storm.iter().filter_map(|fault| match fault.target()? {
        Target::Service(name) => facts.protector(name, None),
        Target::Link(from, to) => facts.protector(from, Some(to)),
        Target::Across(partition) => partition.isolate.iter().find_map(|name| facts.protector(name, None)),
    });
    lacks.extend(protected.map(|name| format!("an unprotected `{name}`")));
    let links = links
        .iter()
        .filter(|(from, to)| of(from).is_some_and(|from| !from.links.contains(to)));
    lacks.extend(links.map(|(from, to)| format!("a link from `{from}` to `{to}`")));
    let kept_up = kept_up
        .iter()
        .filter(|name| of(name).is_some_and(|service| service.restart_after.is_none()));
    lacks.extend(kept_up.map(|name| format!("`restart` of `{name}`")));
    lacks.extend(work(scenario, facts));
    lacks.extend(objects(scenario, facts));
    lacks.extend(scenario.checks.iter().filter_map(|check| match check {
        Demand::Breaker(_) if !facts.breakers => Some("`contracts.breakers`".to_owned()),
        Demand::Alarmed(wanted) if !facts.alarms.contains(&wanted.by) => Some(format!("an alarm `{}`", wanted.by)),
        _ => None,
    }));
    lacks.into_iter().collect()
}

/// The kinds of objects that are worked and unknown.
fn objects(scenario: &Scenario, facts: &Facts) -> Vec<String> {
    let load = &scenario.workload;
    let worked = [
        (Object::Counter, load.counters.is_some()),
        (Object::Lock, load.locks.is_some()),
    ];
    let unknown = worked
        .iter()
        .filter(|(of, worked)| *worked && !facts.objects.contains_key(of));
    unknown.map(|(of, _)| format!("`contracts.{}`", of.word())).collect()
}

/// What faults use up and a service has not.
fn parts(scenario: &Scenario, facts: &Facts) -> Vec<String> {
    let lacking = scenario.storm.iter().filter_map(|fault| {
        let Some(Target::Service(name)) = fault.target() else {
            return None;
        };
        let service = facts.services.get(name)?;
        match fault {
            Fault::DiskFull(_) if !service.disk => Some(format!("`disk` of `{name}`")),
            Fault::PowerLoss(_) | Fault::DiskSlow(_) if !service.disk && service.preset.is_none() => {
                Some(format!("`disk` of `{name}`"))
            }
            Fault::ConnectionsTaken(_) if service.preset != Some(Preset::Postgres) => {
                Some(format!("`{name}` of the preset `postgres`"))
            }
            _ => None,
        }
    });
    lacking.collect()
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
        None if !kinds.is_empty() || work.others > 0 || work.bulky.is_some() => vec!["`contracts.tasks`".to_owned()],
        None => Vec::new(),
        Some(tasks) => {
            let unknown = kinds.into_iter().filter(|kind| !tasks.kinds.contains_key(*kind));
            unknown.map(|kind| format!("a kind of work `{kind}`")).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;
    use crate::system::System;

    const SYSTEM: &str = "
system: x
entry: server
services:
  server: { run: x, links: [db] }
  db: { preset: postgres }
contracts:
  tasks:
    create: { method: POST, path: /t, json: {}, id: $.id }
    show: { method: GET, path: /t, state: $.s }
    states: { waiting: [w], running: [r], done: [d] }
    kinds: { work: { type: w } }
    lease: 1s
    backoff: 1s
    max_failures: 1
";

    fn lacking(system: &str, scenario: &str) -> Vec<String> {
        let system = Document::parse("system.yaml", system).unwrap();
        let text = format!("scenario: s\nhypothesis: h\nchecks: [no_panics]\n{scenario}");
        let scenario = Document::parse("s.yaml", &text).unwrap().read().unwrap();
        needs(&scenario, &System::read(&system).unwrap().facts())
    }

    #[test]
    fn what_is_there_is_no_need_and_what_is_not_is_named_once() {
        for (scenario, lacks) in [
            (
                "storm: [{ kill: { on: db, down: 1s } }, { cut: { from: server, to: db, how: reset, for: 1s } }]",
                vec![],
            ),
            ("storm: [{ kill: { on: db } }]", vec!["`restart` of `db`"]),
            (
                "storm: [{ kill: { on: worker } }, { freeze: { on: worker, for: 1s } }]",
                vec!["a service `worker`"],
            ),
            (
                "storm: [{ cut: { from: worker, to: hub, how: reset, for: 1s } }]",
                vec!["a service `hub`", "a service `worker`"],
            ),
            (
                "storm: [{ delay: { from: db, to: server, latency: 1ms, for: 1s } }]",
                vec!["a link from `db` to `server`"],
            ),
            (
                "storm: [{ disk_full: { on: server, for: 1s } }, { connections_taken: { on: server, for: 1s } }]",
                vec!["`disk` of `server`", "`server` of the preset `postgres`"],
            ),
            (
                "storm: [{ power_loss: { on: server, down: 1s } }, { power_loss: { on: db } }]",
                vec!["`disk` of `server`", "`restart` of `db`"],
            ),
            ("storm: [{ connections_taken: { on: db, for: 1s } }]", vec![]),
            (
                "replicas: { worker: 4 }\nworkload: { tasks: { count: 1, takes: 1s } }",
                vec!["a service `worker`"],
            ),
            (
                "workload: { writes: [{ rate: 1/s, kind: quick }] }",
                vec!["a kind of work `quick`"],
            ),
        ] {
            assert_eq!(lacking(SYSTEM, scenario), lacks, "{scenario}");
        }
        let bare = SYSTEM.split("contracts:").next().unwrap();
        assert_eq!(lacking(bare, "workload: { others: 1 }"), ["`contracts.tasks`"]);
        let counted = "workload: { counters: { count: 1, clients: 2, pause: 1s } }";
        assert_eq!(lacking(bare, counted), ["`contracts.counters`"]);
        assert_eq!(lacking(bare, "workload: { api: { rate: 1/s } }"), Vec::<String>::new());
    }
}
