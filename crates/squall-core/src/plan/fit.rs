//! What of a scenario fits a system, besides its targets and its work.

use super::Start;
use super::draw::Drawer;
use crate::contract::Object;
use crate::demand::{Alarmed, Demand};
use crate::diagnostic::nearest;
use crate::fault::{Aim, Fault, InterceptLink};
use crate::place::Condition;
use crate::protocol::Protocol;
use crate::scenario::Scenario;
use crate::script::PlannedScript;
use crate::stop::StopWhen;
use crate::system::Preset;
use crate::time::Nanos;

impl Drawer<'_> {
    /// The commands of the storm, drawn after everything else: a scenario that gets one keeps its faults' times.
    pub(super) fn scripts(&mut self, storm: &[Fault]) -> Vec<PlannedScript> {
        let mut scripts = Vec::new();
        for (entry, fault) in storm.iter().enumerate() {
            let Fault::Script(run) = fault else { continue };
            for start in self.starts(&format!("/storm/{entry}/script"), fault, (0, false)) {
                let Start::At(at) = start else { continue };
                let script = run.script.clone();
                scripts.push(PlannedScript { entry, at, script });
            }
        }
        scripts
    }

    /// How long a fault must hold for the lease of the lock it is aimed at to be over, and for another to have got it.
    pub(super) fn outlasts(&self, fault: &Fault) -> Nanos {
        let lease = self.facts.objects.get(&Object::Lock).and_then(|locks| locks.lease);
        let aimed = fault.timing().when == Some(Aim::LockHeld) && matches!(fault.condition(), Some(Condition::Frozen));
        lease.filter(|_| aimed).map_or(0, |lease| lease + lease / 2)
    }

    /// Whether a service has what a fault uses up.
    pub(super) fn fits(&mut self, at: &str, fault: &Fault, service: &str) -> bool {
        let Some(facts) = self.facts.services.get(service) else {
            return true;
        };
        let entry = &self.facts.entry;
        if fault.timing().when == Some(Aim::LockHeld) && service != entry {
            let message = format!("nobody acquires a lock from `{service}`: clients ask `{entry}`, the entry service");
            self.wrong(
                &format!("{at}/when"),
                message,
                Some("aim it there, or at something else".to_owned()),
            );
            return false;
        }
        if let Fault::Intercept(intercept) = fault {
            return self.speaks(at, intercept);
        }
        let (message, help) = match fault {
            Fault::DiskFull(_) if !facts.disk && facts.preset.is_some() => (
                format!("the disk of `{service}` can't be filled: squall makes it as large as it needs"),
                "fill the disk of a service that has `disk: { megabytes: … }`; or slow this one with `disk_slow`",
            ),
            Fault::DiskFull(_) if !facts.disk => (
                format!("`{service}` has no disk that can be filled"),
                "add `disk: { megabytes: 8 }` to the service, and let it write to `${self.disk}`",
            ),
            Fault::PowerLoss(_) if !facts.disk && facts.preset.is_none() => (
                format!("`{service}` has no disk of squall's that could lose what was not synced"),
                "add `disk: { megabytes: 8 }` to the service, and let it write to `${self.disk}`",
            ),
            Fault::DiskSlow(_) if !facts.disk && facts.preset.is_none() => (
                format!("`{service}` has no disk of squall's that could be slow"),
                "add `disk: { megabytes: 8 }` to the service, and let it write to `${self.disk}`",
            ),
            Fault::Damage(_) if !facts.disk && facts.preset.is_none() => (
                format!("squall made no folder for what `{service}` keeps, and damages nothing else"),
                "add `disk: { megabytes: 8 }` to the service, and let it write to `${self.disk}`",
            ),
            Fault::ConnectionsTaken(_) if facts.preset != Some(Preset::Postgres) => (
                format!("`{service}` is no database squall knows how to connect to"),
                "name a service with `preset: postgres`",
            ),
            Fault::CrashLoop(_) | Fault::StartFailure(_) if facts.restart_after.is_none() => (
                format!("nothing starts `{service}` again, so it can neither crash again nor fail to start"),
                "add `restart: { after: … }` to the service, or use `kill`",
            ),
            _ => return true,
        };
        self.wrong(&format!("{at}/on"), message, Some(help.to_owned()));
        false
    }

    /// A disk that loses its power is another one than a disk that is slow.
    pub(super) fn disks(&mut self, storm: &[Fault]) {
        for (entry, fault) in storm.iter().enumerate() {
            let Fault::DiskSlow(slow) = fault else { continue };
            let dark = |fault: &Fault| matches!(fault, Fault::PowerLoss(loss) if loss.on == slow.on);
            if storm.iter().any(dark) {
                let message = format!(
                    "the disk of `{}` can't be slow and lose its power in one storm",
                    slow.on
                );
                let help = "write two scenarios, one with each".to_owned();
                self.wrong(&format!("/storm/{entry}/disk_slow/on"), message, Some(help));
            }
        }
    }

    /// Whether a service squall makes itself speaks the protocol its requests are to be picked out of.
    fn speaks(&mut self, at: &str, intercept: &InterceptLink) -> bool {
        let preset = self.facts.services.get(&intercept.to).and_then(|facts| facts.preset);
        if preset != Some(Preset::Postgres) {
            return true;
        }
        if intercept.protocol == Protocol::Postgres {
            // It is PostgreSQL itself, which has no words of anybody's own.
            let meant = intercept
                .command
                .as_deref()
                .and_then(|said| Some((said, Protocol::Postgres.meant(said)?)));
            if let Some((said, meant)) = meant {
                let message = format!("no statement of PostgreSQL begins with `{said}`");
                self.wrong(
                    &format!("{at}/command"),
                    message,
                    Some(format!("did you mean `{meant}`?")),
                );
            }
            return meant.is_none();
        }
        let message = format!("`{}` is spoken to in PostgreSQL's protocol", intercept.to);
        self.wrong(
            &format!("{at}/protocol"),
            message,
            Some("write `protocol: postgres`".to_owned()),
        );
        false
    }

    /// A level may leave a fault out by `times: 0`, but not all of a storm: that would break nothing, and pass.
    pub(super) fn strikes(&mut self, scenario: &Scenario, count: usize) {
        if count == 0 && !scenario.storm.is_empty() && self.mistakes.is_empty() {
            let message = format!("nothing of this storm strikes at level {}", self.request.level);
            let help = "let one of its faults strike once at least, or leave `storm` out";
            self.wrong("/storm", message, Some(help.to_owned()));
        }
    }

    /// What ends the storm must be there to be looked at.
    pub(super) fn stops(&mut self, stops: &[StopWhen]) {
        for (index, stop) in stops.iter().enumerate() {
            if let StopWhen::Down(down) = stop
                && !self.facts.services.contains_key(&down.on)
            {
                self.missing(&format!("/stop_when/{index}/down/on"), &down.on);
            }
        }
    }

    /// Checks that need something of the contract.
    pub(super) fn checks(&mut self, checks: &[Demand]) {
        for (index, check) in checks.iter().enumerate() {
            let needs = match check {
                Demand::Breaker(_) if !self.facts.breakers => Some(("breakers", "where circuit breakers are")),
                Demand::Alarmed(_) if self.facts.alarms.is_empty() => {
                    Some(("alarms", "what tells that something is wrong"))
                }
                Demand::Alarmed(wanted) => {
                    self.alarm(index, wanted);
                    None
                }
                _ => None,
            };
            if let Some((contract, where_)) = needs {
                let (name, message) = (check.name(), format!("the system has no `{contract}` contract"));
                let help = format!(
                    "add `contracts.{contract}`, which says {where_}, to the system file, or leave out `{name}`"
                );
                self.wrong(&format!("/checks/{index}/{name}"), message, Some(help));
            }
        }
    }

    /// An alarm that is there, of a service that is there.
    fn alarm(&mut self, index: usize, wanted: &Alarmed) {
        if !self.facts.services.contains_key(&wanted.of) {
            self.missing(&format!("/checks/{index}/alarmed/of"), &wanted.of);
        }
        if !self.facts.alarms.contains(&wanted.by) {
            let names = self.facts.alarms.iter().map(String::as_str);
            let help = nearest(&wanted.by, names.clone()).map_or_else(
                || format!("the alarms are {}", names.collect::<Vec<_>>().join(", ")),
                |close| format!("did you mean `{close}`?"),
            );
            let message = format!("the system has no alarm `{}`", wanted.by);
            self.wrong(&format!("/checks/{index}/alarmed/by"), message, Some(help));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::Document;
    use crate::plan::{Hold, PLAIN, plan};
    use crate::scenario::Scenario;
    use crate::system::System;
    use crate::time::SECOND;

    const SYSTEM: &str = "
system: x
entry: server
services:
  server: { run: x, links: [db] }
  db: { run: y }
contracts:
  locks:
    lease: 1s
    acquire: { method: POST, path: '/l/${name}' }
    release: { method: DELETE, path: '/l/${name}' }
    append: { method: POST, path: '/l/${name}/${mark}' }
    ledger: { method: GET, path: '/l/${name}', shows: '$[*]' }
";

    fn planned(on: &str, lasts: &str) -> Result<Vec<Hold>, String> {
        let system = System::read(&Document::parse("system.yaml", SYSTEM).unwrap()).unwrap();
        let text = format!(
            "scenario: s\nhypothesis: h\nchecks: [fenced]\n\
             workload: {{ locks: {{ count: 1, clients: 2, pause: 1s, hold: 1s }} }}\n\
             storm: [{{ freeze: {{ on: {on}, when: lock_held, for: {lasts} }} }}]"
        );
        let doc = Document::parse("s.yaml", &text).unwrap();
        let scenario = Scenario::read(&doc).unwrap();
        let planned = plan(&doc, &scenario, &system.facts(), PLAIN);
        let holds = planned.map(|plan| plan.steps.iter().map(|step| step.hold).collect());
        holds.map_err(|mistakes| mistakes.plain())
    }

    #[test]
    fn a_holder_is_looked_for_only_where_clients_ask() {
        assert!(planned("server", "2s").is_ok());
        let says = planned("db", "2s").unwrap_err();
        assert!(
            says.contains("s.yaml:5") && says.contains("nobody acquires a lock from `db`"),
            "{says}"
        );
    }

    #[test]
    fn a_storm_strikes_at_least_once() {
        let says = planned("server", "2s, times: 0").unwrap_err();
        assert!(
            says.contains("s.yaml:5") && says.contains("nothing of this storm strikes at level 1"),
            "{says}"
        );
    }

    #[test]
    fn a_holder_stands_still_for_longer_than_its_lease() {
        for (asked, held) in [("2s", 2 * SECOND), ("500ms", 3 * SECOND / 2)] {
            assert_eq!(planned("server", asked), Ok(vec![Hold::For(held)]));
        }
    }
}
