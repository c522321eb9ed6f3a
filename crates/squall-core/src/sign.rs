//! Signs that change no verdict: what a reader should look at before it becomes a finding.
//!
//! | sign | given when |
//! |---|---|
//! | slow health check | a start with nothing else broken was ready only after half of what its service may take |
//! | high task failure rate | more than a tenth of the tasks of a kind that must end done are dead, at least 3, and none of their attempts failed while something was broken |
//! | memory growing | as `stable` would find it, where that is not asked for |
//! | breaker not recovering | still open 10 s after the last heal, where `breaker` does not ask for it |
//!
//! Weak and critical success is said by `api_success`, slow recovery by `recovery`.

use std::collections::BTreeMap;

use crate::check::{Outcome, judge};
use crate::contract::Ends;
use crate::demand::Demand;
use crate::event::{BreakerState, State};
use crate::gauge::strike_windows;
use crate::journal::History;
use crate::place::Place;
use crate::time::{Nanos, SECOND, words};

/// From this share of dead tasks on the failure rate is high, and from so many dead.
const HIGH: (f64, usize) = (0.1, 3);
/// A breaker has this long to close again after the last heal.
const PATIENCE: Nanos = 10 * SECOND;

/// The signs of a run, each a sentence.
pub fn signs(history: &History<'_>) -> Vec<String> {
    let mut signs = slow_starts(history);
    signs.extend(failing_kinds(history));
    signs.extend(growing_memory(history));
    signs.extend(open_breakers(history));
    signs
}

fn slow_starts(history: &History<'_>) -> Vec<String> {
    let mut slowest: BTreeMap<&str, (Nanos, Nanos, usize)> = BTreeMap::new();
    for (instance, lives) in &history.lives {
        let Some(facts) = history.header.system.services.get(&instance.service) else {
            continue;
        };
        // A start while something else was broken takes as long as that lets it.
        let hindered = |from: Nanos, to: Nanos| {
            let mut strikes = history.strikes.iter();
            strikes.any(|strike| {
                let other = *strike.place != Place::Instance((*instance).clone());
                other && strike.imposing.1 <= to && strike.healed.is_none_or(|healed| healed >= from)
            })
        };
        let ready = lives.iter().filter_map(|life| {
            let (from, to) = (life.started.1, life.ready?.1);
            (!hindered(from, to)).then(|| to.saturating_sub(from))
        });
        for took in ready.filter(|took| *took > facts.ready_within / 2) {
            let slow = slowest.entry(&instance.service).or_insert((0, facts.ready_within, 0));
            *slow = (slow.0.max(took), slow.1, slow.2 + 1);
        }
    }
    let told = slowest.into_iter().map(|(service, (took, within, times))| {
        let often = if times == 1 {
            "once".to_owned()
        } else {
            format!("{times} times")
        };
        format!(
            "slow health check: `{service}` was ready only {} after its start ({often}), of {} it may take",
            words(took),
            words(within)
        )
    });
    told.collect()
}

/// The kinds whose failing is the point of a check.
fn expected<'a>(history: &History<'a>) -> Vec<&'a str> {
    let checks = history.header.plan.checks.iter();
    let kinds = checks.filter_map(|check| match check {
        Demand::Breaker(wanted) => Some(wanted.kind.as_str()),
        _ => None,
    });
    kinds.collect()
}

fn failing_kinds(history: &History<'_>) -> Vec<String> {
    let Some(promised) = &history.header.system.tasks else {
        return Vec::new();
    };
    let (expected, windows) = (expected(history), strike_windows(history));
    let mut kinds: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (_, task, _, op) in history.acknowledged() {
        let Some(work) = &op.work else { continue };
        let counts = kinds.entry(work.kind.as_str()).or_default();
        counts.0 += 1;
        let dead = task
            .last_record()
            .is_some_and(|(_, _, record)| record.state == Some(State::Dead));
        // What failed while something was broken is no wonder.
        let failed = task.attempts.iter().filter_map(|attempt| attempt.failed);
        let excused = failed
            .map(|(_, at, ..)| at)
            .any(|at| windows.iter().any(|(from, to)| (*from..=*to).contains(&at)));
        counts.1 += usize::from(dead && !excused);
    }
    let must = |kind: &str| promised.kinds.get(kind) == Some(&Ends::Done) && !expected.contains(&kind);
    let high = kinds
        .into_iter()
        .filter(|(kind, (all, dead))| must(kind) && *dead >= HIGH.1 && *dead as f64 > HIGH.0 * *all as f64);
    high.map(|(kind, (all, dead))| {
        format!(
            "high task failure rate: {dead} of {all} `{kind}` tasks are dead ({:.0} %)",
            100.0 * dead as f64 / all as f64
        )
    })
    .collect()
}

fn growing_memory(history: &History<'_>) -> Option<String> {
    if history.header.plan.checks.contains(&Demand::Stable) {
        return None;
    }
    let verdict = judge(&Demand::Stable, history);
    let grows = verdict.outcome == Outcome::Fail && verdict.class.as_deref() == Some("memory-growth");
    grows.then(|| format!("memory grows: {}", verdict.says))
}

fn open_breakers(history: &History<'_>) -> Vec<String> {
    let healed = history.strikes.iter().filter_map(|strike| strike.healed).max();
    let Some(healed) = healed.filter(|healed| history.until.saturating_sub(*healed) > PATIENCE) else {
        return Vec::new();
    };
    let Some(promised) = &history.header.system.tasks else {
        return Vec::new();
    };
    let expected = expected(history);
    let excused = |of: &str| {
        let mut kinds = promised
            .types
            .iter()
            .filter(|(_, name)| *name == of)
            .map(|(kind, _)| kind);
        kinds.any(|kind| promised.kinds.get(kind) == Some(&Ends::Dead) || expected.contains(&kind.as_str()))
    };
    let mut last: BTreeMap<&str, (Nanos, BreakerState)> = BTreeMap::new();
    for (_, at, of, state) in &history.breakers {
        last.insert(of, (*at, *state));
    }
    let open = last.into_iter().filter(|(of, (at, state))| {
        *state == BreakerState::Open && history.until.saturating_sub((*at).max(healed)) > PATIENCE && !excused(of)
    });
    open.map(|(of, _)| {
        let since = words(history.until - healed);
        format!("breaker not recovering: that of `{of}` is still open {since} after the last heal")
    })
    .collect()
}
