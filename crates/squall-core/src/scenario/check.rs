//! What a schema can't say of a scenario file: checks that contradict themselves, or that nothing in the scenario
//! could ever answer.

use super::Scenario;
use crate::amount::Dur;
use crate::demand::Demand;
use crate::diagnostic::Mistake;
use crate::document::Document;
use crate::fault::{Aim, Fault, Target, Timing};
use crate::place::Condition;
use crate::script::Script;
use crate::stop::StopWhen;

/// Everything of that sort that is wrong.
pub(super) fn all(doc: &Document, scenario: &Scenario) -> Vec<Mistake> {
    let mut found = Vec::new();
    let tasks = scenario.workload.tasks.as_ref();
    if tasks.is_some_and(|tasks| tasks.count == 0) {
        let help = "ask for 1 or more, or leave `tasks` out".to_owned();
        let message = "the work the storm is about is no task at all";
        found.push(doc.mistake("/workload/tasks/count", message, Some(help)));
    }
    for (index, fault) in scenario.storm.iter().enumerate() {
        let at = format!("/storm/{index}/{}", fault.word());
        if let Fault::Script(fault) = fault {
            found.extend(empty(doc, &at, &fault.script));
        }
        found.extend(
            rhythm(&fault.timing())
                .map(|(key, message, help)| doc.mistake(&format!("{at}/{key}"), message, Some(help.to_owned()))),
        );
        let holds = scenario
            .workload
            .locks
            .as_ref()
            .is_some_and(|load| !load.hold.get().is_zero());
        if fault.timing().when == Some(Aim::LockHeld) && !holds {
            let help = "add `workload.locks` with a `hold`, or aim at something else".to_owned();
            let message = "it would wait for a lock that is held, and this workload holds none";
            found.push(doc.mistake(&format!("{at}/when"), message, Some(help)));
        }
        if matches!(fault.condition(), Some(Condition::Impaired(impairment)) if impairment.is_nothing()) {
            let help = "write a share of more than 0%".to_owned();
            found.push(doc.mistake(&at, "a share of 0% changes nothing", Some(help)));
        }
        if let Some((key, message, help)) = fault.objection() {
            found.push(doc.mistake(&format!("{at}{key}"), message, Some(help.to_owned())));
        }
    }
    for (index, stop) in scenario.stop_when.iter().enumerate() {
        let at = format!("/stop_when/{index}/{}", stop.word());
        found.extend(blind(scenario, stop).map(|(message, help)| doc.mistake(&at, message, Some(help))));
    }
    for (index, check) in scenario.checks.iter().enumerate() {
        let at = format!("/checks/{index}/{}", check.name());
        if let Some(first) = scenario.checks[..index].iter().position(|other| repeats(other, check)) {
            let message = format!("`{}` is asked for twice: it is also check {}", check.name(), first + 1);
            found.push(doc.mistake(&at, message, Some("leave one of them out".to_owned())));
        }
        if let Demand::Script(script) = check {
            found.extend(empty(doc, &at, script));
        }
        found.extend(
            idle(scenario, check).map(|(key, message, help)| doc.mistake(&format!("{at}{key}"), message, Some(help))),
        );
    }
    found
}

/// Strikes that would never end, or a key that has no say: which key, what is wrong, what to do.
fn rhythm(timing: &Timing) -> Option<(&'static str, String, &'static str)> {
    let first = timing
        .at
        .as_ref()
        .or(timing.every.as_ref())
        .map_or(Dur::ZERO, |range| range.low());
    match (&timing.every, &timing.after, timing.times, &timing.until) {
        (Some(every), ..) if every.high() == Dur::ZERO => Some((
            "every",
            "strikes without a pause".to_owned(),
            "write how far apart, such as 5s",
        )),
        (Some(_), None, _, Some(until)) if *until <= first => Some((
            "until",
            format!("is over before the first strike, at {first}"),
            "write a later one",
        )),
        (Some(_), _, None, None) => Some((
            "every",
            "strikes again and again, but never ends".to_owned(),
            "add `until: DURATION` or `times: N`",
        )),
        (None, None, Some(times @ 2..), _) => Some((
            "times",
            format!("strikes {times} times, but nothing says how far apart"),
            "add `every: DURATION`",
        )),
        (None, _, _, Some(_)) => Some((
            "until",
            "ends strikes that come again, and nothing comes again here".to_owned(),
            "add `every: DURATION`, or leave it out",
        )),
        _ => None,
    }
}

/// A condition that could end no storm, or each one at once: what is wrong, what to do.
fn blind(scenario: &Scenario, stop: &StopWhen) -> Option<(String, String)> {
    if stop.lasts().get().is_zero() {
        let message = "a condition that need not last would end the storm by chance".to_owned();
        return Some((message, "write how long it must hold, such as `for: 3s`".to_owned()));
    }
    match stop {
        StopWhen::Success(_) if scenario.workload.api.is_none() => {
            let message = "`success` looks at the API traffic, and this workload has none".to_owned();
            Some((message, "add `workload.api`, or leave it out".to_owned()))
        }
        StopWhen::Success(success) if success.below.fraction() <= 0.0 => {
            let message = "no share is below 0%".to_owned();
            Some((message, "write a share such as 50%".to_owned()))
        }
        _ => None,
    }
}

/// Whether two checks ask the same: those of kinds of work and commands may be asked several times.
fn repeats(one: &Demand, other: &Demand) -> bool {
    match other {
        Demand::Breaker(wanted) => matches!(one, Demand::Breaker(first) if first.kind == wanted.kind),
        Demand::Alarmed(wanted) => {
            matches!(one, Demand::Alarmed(first) if (&first.by, &first.of) == (&wanted.by, &wanted.of))
        }
        Demand::Isolated(_) | Demand::Script(_) => one == other,
        _ => one.name() == other.name(),
    }
}

fn empty(doc: &Document, at: &str, script: &Script) -> Option<Mistake> {
    if script.within.get().is_zero() {
        let help = "allow it some time, such as 30s".to_owned();
        return Some(doc.mistake(at, "the command is given no time at all", Some(help)));
    }
    let nothing = script.run.trim().is_empty();
    let help = "write a program and its arguments, such as ./mine.sh --fast".to_owned();
    nothing.then(|| doc.mistake(at, "the command is empty", Some(help)))
}

/// A check that nothing could ever answer: the key it is about, what is wrong, what to do.
fn idle(scenario: &Scenario, check: &Demand) -> Option<(&'static str, String, String)> {
    let name = check.name();
    match check {
        Demand::Recovery(wanted) if wanted.warn > wanted.within => {
            let message = "it would warn later than it fails, so never".to_owned();
            Some(("/warn", message, "make `warn` shorter than `within`".to_owned()))
        }
        Demand::Throughput(_) | Demand::CreateLatency(_) if scenario.workload.flood.is_none() => {
            let message = format!("`{name}` judges a flood, and this workload has none");
            let help = "add `workload.flood`, or leave the check out".to_owned();
            Some(("", message, help))
        }
        Demand::Counted if scenario.workload.counters.is_none() => {
            let message = format!("`{name}` judges counters, and this workload adds to none");
            let help = "add `workload.counters`, or leave the check out".to_owned();
            Some(("", message, help))
        }
        Demand::MutualExclusion | Demand::Fenced if scenario.workload.locks.is_none() => {
            let message = format!("`{name}` judges locks, and this workload holds none");
            let help = "add `workload.locks`, or leave the check out".to_owned();
            Some(("", message, help))
        }
        Demand::Amplification(_) if !scenario.storm.iter().any(cuts) => {
            let message = format!("`{name}` judges calls over a cut link, and this storm cuts none");
            let help = "add `cut: { … how: reset }` or `how: black_hole`, or leave the check out".to_owned();
            Some(("", message, help))
        }
        Demand::AckGap(wanted) if wanted.within.get().is_zero() => {
            let message = "there is always some time between two answers".to_owned();
            Some(("/within", message, "allow some, such as 1s".to_owned()))
        }
        Demand::AckGap(_) if !writes(scenario) => {
            let message = format!("`{name}` needs writes that go on, and this workload has none");
            let help = "add `workload.writes` or `workload.flood`, or leave the check out".to_owned();
            Some(("", message, help))
        }
        Demand::ErrorBudget(wanted) if wanted.slo.fraction() >= 1.0 => {
            let message = "a promise of 100% leaves no budget that could be spent".to_owned();
            Some(("/slo", message, "promise less, such as 99.9%".to_owned()))
        }
        Demand::ErrorBudget(wanted) if wanted.window.get().is_zero() => {
            let message = "no time has no budget".to_owned();
            Some((
                "/window",
                message,
                "write how long the promise is for, such as 720h".to_owned(),
            ))
        }
        _ => None,
    }
}

/// Whether a fault cuts a link in a way that lets calls be counted.
fn cuts(fault: &Fault) -> bool {
    use crate::place::{Condition, Cut};
    matches!(fault.target(), Some(Target::Link(..)))
        && matches!(fault.condition(), Some(Condition::Cut(Cut::Reset | Cut::BlackHole)))
}

fn writes(scenario: &Scenario) -> bool {
    scenario.workload.flood.is_some() || !scenario.workload.writes.is_empty()
}
