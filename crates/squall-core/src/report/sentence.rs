//! What a scenario showed, in a few words and in one sentence.

use super::summary::Scenario;
use super::words::{clocked, number, share, whole_seconds};
use crate::check::{Outcome, Verdict};
use crate::demand::Demand;
use crate::plan::Plan;

/// Classes from grave to slight: work or data gone, work done wrongly, then slowness.
const GRAVITY: [&str; 23] = [
    "lost-ack",
    "lost-task",
    "lost-append",
    "lost-increment",
    "corruption",
    "phantom-done",
    "double-commit",
    "dup-increment",
    "unsafe-after-expiry",
    "mutex-violation",
    "token-regress",
    "phantom-task",
    "stuck-task",
    "missing-retry",
    "dlq-leak",
    "died",
    "wrong-answer",
    "hung",
    "health-lie",
    "no-recovery",
    "slow-recovery",
    "incomplete",
    "hoarding",
];

/// The gravest failing verdict.
pub(super) fn worst(verdicts: &[Verdict]) -> Option<&Verdict> {
    let gravity = |verdict: &&Verdict| {
        let class = verdict.class.as_deref().unwrap_or("");
        GRAVITY
            .iter()
            .position(|known| *known == class)
            .unwrap_or(GRAVITY.len())
    };
    verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Fail)
        .min_by_key(gravity)
}

/// The words in the block's line.
pub(super) fn headline(scenario: &Scenario, plan: &Plan) -> String {
    match scenario.outcome {
        Outcome::Pass if scenario.unjudged.is_empty() => passed(scenario, plan),
        Outcome::Pass => format!(
            "{}, {} not judged",
            passed(scenario, plan),
            number(scenario.unjudged.len(), "check", "checks")
        ),
        Outcome::Fail => failed(scenario),
        Outcome::Inconclusive => doubt(scenario).to_owned(),
    }
}

fn failed(scenario: &Scenario) -> String {
    worst(&scenario.verdicts).map_or_else(
        || "failed".to_owned(),
        |verdict| {
            let class = verdict.class.as_deref().unwrap_or(&verdict.check);
            let failed = scenario
                .verdicts
                .iter()
                .filter(|verdict| verdict.outcome == Outcome::Fail);
            match failed.count() - 1 {
                0 => format!("{class}, {}", verdict.found),
                more => format!(
                    "{class}, {}; {} failed",
                    verdict.found,
                    number(more, "more check", "more checks")
                ),
            }
        },
    )
}

/// The first reason why nothing can be said.
fn doubt(scenario: &Scenario) -> &str {
    let mut unsure = scenario
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Inconclusive);
    scenario
        .doubts
        .first()
        .or_else(|| unsure.next().map(|verdict| &verdict.says))
        .map_or("nothing could be judged", String::as_str)
}

fn passed(scenario: &Scenario, plan: &Plan) -> String {
    let counts = &scenario.counts;
    if counts.main == 0 {
        return answers(scenario, "answers right");
    }
    // Where only part of the work is expected in time, that part is the figure, however late the rest.
    let partial = plan.checks.iter().any(|demand| match demand {
        Demand::Completion(wanted) => !wanted.share.contains(1.0),
        _ => false,
    });
    match counts.late_by {
        Some(by) if !partial => {
            let done = share(counts.in_time + counts.late, counts.main);
            format!("{done}, late by {}s", whole_seconds(by).max(1))
        }
        // Retries of a system that was attached to are seen by nobody.
        _ if scenario.run.attached.is_some() => share(counts.in_time, counts.main),
        _ => {
            let again = number(counts.retries + counts.redeliveries, "retry", "retries");
            format!("{}, {again}", share(counts.in_time, counts.main))
        }
    }
}

/// Answers that were right, of all that could be answered; refusals inside an outage are honest, and no right answers.
fn answers(scenario: &Scenario, what: &str) -> String {
    let counts = &scenario.counts;
    let refused = match counts.refused_in_outage {
        0 => String::new(),
        n => format!(", {n} honestly refused"),
    };
    format!("{} of {} {what}{refused}", counts.right, all_answers(scenario))
}

fn all_answers(scenario: &Scenario) -> usize {
    let counts = &scenario.counts;
    counts.right + counts.refused + counts.wrong + counts.hung
}

/// One sentence: what was shown, with its figures.
pub(super) fn analysis(scenario: &Scenario) -> String {
    let all = all_answers(scenario);
    if scenario.outcome == Outcome::Inconclusive && all == 0 && scenario.counts.created == 0 {
        return finished(format!("Nothing was shown, because {}", doubt(scenario)));
    }
    let mut parts = vec![work(scenario)];
    parts.extend(recovery(scenario));
    if scenario.counts.main > 0 && all > 0 {
        parts.push(answers(scenario, "answers were right"));
    } else if scenario.counts.created > 0 {
        parts.push(format!(
            "{} were acknowledged",
            number(scenario.counts.created, "task", "tasks")
        ));
    }
    let shown = list(&parts);
    let ending = match scenario.outcome {
        Outcome::Pass => String::new(),
        Outcome::Inconclusive => format!("; this proves nothing yet, because {}", doubt(scenario)),
        Outcome::Fail => format!("; {}", findings(scenario)),
    };
    let limit = scenario
        .bottleneck
        .as_ref()
        .map_or(String::new(), |limit| format!("; {}", limit.says));
    format!("{}, {shown}{limit}{}", struck(scenario), finished(ending))
}

/// Ends a sentence once.
fn finished(mut ending: String) -> String {
    if !ending.ends_with('.') {
        ending.push('.');
    }
    ending
}

fn work(scenario: &Scenario) -> String {
    let counts = &scenario.counts;
    if counts.main == 0 {
        return answers(scenario, "answers were right");
    }
    let late = match counts.late_by {
        Some(by) => format!(" and {} late by up to {}s", counts.late, whole_seconds(by).max(1)),
        None => String::new(),
    };
    let again = match &scenario.run.attached {
        Some(_) => String::new(),
        None => format!(
            ", {}, {}",
            number(counts.retries, "retry", "retries"),
            number(counts.redeliveries, "redelivery", "redeliveries")
        ),
    };
    format!(
        "{} of {} were done in time{late} ({} completion{again})",
        counts.in_time,
        number(counts.main, "task", "tasks"),
        share(counts.in_time + counts.late, counts.main),
    )
}

fn recovery(scenario: &Scenario) -> Option<String> {
    let asked = scenario.clocks.iter().filter(|clock| clock.expected);
    let never = asked.clone().filter(|clock| clock.serving.is_none()).count();
    let slowest = asked.filter_map(|clock| clock.serving).max();
    match (never, slowest) {
        (0, Some(slowest)) => Some(format!("everything served again within {}", clocked(slowest))),
        (0, None) => None,
        (_, Some(slowest)) => Some(format!(
            "{} not seen to serve again, the others within {}",
            number(never, "part was", "parts were"),
            clocked(slowest)
        )),
        (_, None) => Some(format!(
            "{} not seen to serve again",
            number(never, "part was", "parts were")
        )),
    }
}

/// The faults, alike ones together: `With worker killed 3 times and db stopped once (every effect seen)`.
fn struck(scenario: &Scenario) -> String {
    let scripts = number(scenario.scripts, "command of its own", "commands of its own");
    if scenario.faults.is_empty() {
        return match (scenario.unbegun, scenario.scripts) {
            (0, 0) => "Without any fault".to_owned(),
            (0, _) => format!("With {scripts}"),
            (n, _) => format!("Before {} began", number(n, "planned strike", "planned strikes")),
        };
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for fault in &scenario.faults {
        let place = match &fault.place {
            crate::place::Place::Instance(instance) => instance.service.clone(),
            crate::place::Place::Link { from, to } => format!("{}->{to}", from.service),
            crate::place::Place::Service(service) => service.clone(),
        };
        let kind = format!("{place} {}", fault.state);
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, times)) => *times += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let told: Vec<_> = kinds
        .into_iter()
        .map(|(kind, times)| match times {
            1 => format!("{kind} once"),
            2 => format!("{kind} twice"),
            _ => format!("{kind} {times} times"),
        })
        .collect();
    let unseen = scenario.faults.iter().filter(|fault| !fault.seen).count();
    let seen = match unseen {
        0 => "every effect seen".to_owned(),
        all if all == scenario.faults.len() => "no effect seen".to_owned(),
        _ => format!("{unseen} of {} effects not seen", scenario.faults.len()),
    };
    let unbegun = match scenario.unbegun {
        0 => String::new(),
        n => format!("; {} never began", number(n, "planned strike", "planned strikes")),
    };
    let besides = match scenario.scripts {
        0 => String::new(),
        _ => format!(" and {scripts}"),
    };
    format!("With {} ({seen}{unbegun}){besides}", list(&told))
}

fn findings(scenario: &Scenario) -> String {
    let failing: Vec<_> = scenario
        .verdicts
        .iter()
        .filter(|verdict| verdict.outcome == Outcome::Fail)
        .map(|verdict| {
            let class = verdict.class.as_deref().unwrap_or("finding");
            format!("{} ({class}, {})", verdict.check, verdict.found)
        })
        .collect();
    let verb = if failing.len() == 1 { "does" } else { "do" };
    format!("{} {verb} not hold", list(&failing))
}

/// `a`, `a and b`, `a, b and c`.
fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}
