//! What broke came back, and soon.
//!
//! Classes: `no-recovery` (what could be asked to serve again never did, or a process that ended by
//! itself was never back: ready, and up for the steady time), `slow-recovery` (it served or was steady only after the bound, or a start
//! was given up on before it served). From death for what must come back by itself, from heal for what
//! squall held; how each moment is found is in [`crate::clock`]. Grace: none beyond the bound; between
//! `warn` and `within` it is a warning. Inconclusive when the journal ends before the bound was over,
//! nothing that was planned was struck, a process that ended by itself was back too briefly, or steadiness could not be watched for long enough.

use crate::check::Verdict;
use crate::check::sentence::count;
use crate::clock::{Clock, clocks, watched_until};
use crate::demand::{Demand, Recovery};
use crate::event::EventId;
use crate::journal::{History, Life, Strike};
use crate::place::{Instance, Place};
use crate::plan::Hold;
use crate::time::{Nanos, nanos, words};

/// What came of looking at the clocks.
#[derive(Default)]
struct Seen {
    never: Vec<(EventId, String)>,
    slow: Vec<(EventId, String)>,
    unknown: Vec<String>,
    warnings: Vec<String>,
}

pub(super) fn judge(demand: &Demand, wanted: &Recovery, history: &History<'_>) -> Verdict {
    let clocks = clocks(history);
    let mut seen = Seen::default();
    let (warn, within) = (nanos(wanted.warn.get()), nanos(wanted.within.get()));
    for clock in &clocks {
        let Some(strike) = history.strikes.iter().find(|strike| strike.index == clock.step) else {
            continue;
        };
        serving(clock, strike, (warn, within), history, &mut seen);
    }
    steady(&clocks, (warn, within), history, &mut seen);
    crashes(within, history, &mut seen);
    let figures = figures(&clocks);
    for (class, found) in [("no-recovery", &seen.never), ("slow-recovery", &seen.slow)] {
        if let Some((_, first)) = found.first() {
            let more = match found.len() - 1 {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let evidence = found.iter().map(|(event, _)| *event).collect();
            return Verdict::fail(demand, class, evidence, format!("{first}{more}; {figures}"));
        }
    }
    if clocks.is_empty() && !history.header.plan.steps.is_empty() {
        let damage = history.header.plan.steps.iter().any(|step| step.hold != Hold::Stays);
        let why = match damage {
            true => "nothing that was planned was struck and lifted",
            false => "another number of copies is no damage to recover from, and no other fault is planned",
        };
        return Verdict::inconclusive(demand, why);
    }
    if !history.complete() {
        seen.unknown.push("the run broke off".to_owned());
    }
    if let Some(why) = seen.unknown.first() {
        return Verdict::inconclusive(demand, format!("{why}; {figures}"));
    }
    let mut verdict = Verdict::pass(demand, clocks.len(), figures);
    verdict.warnings = seen.warnings;
    verdict
}

fn serving(clock: &Clock, strike: &Strike<'_>, bounds: (Nanos, Nanos), history: &History<'_>, seen: &mut Seen) {
    let (warn, within) = bounds;
    let what = format!("{} ({})", clock.place, strike.condition.word());
    if !clock.expected {
        let last = history
            .strikes
            .iter()
            .rev()
            .find(|strike| history.strikes_entry(strike).is_some());
        if clock.serving.is_none() && last.is_some_and(|last| last.index == clock.step) {
            seen.unknown.push(format!("nobody asked whether {what} served again"));
        }
        return;
    }
    let given_up = given_up(strike, history);
    let event = given_up.unwrap_or(strike.imposing.0);
    let note = given_up.map_or("", |_| " after a start that was given up on");
    match clock.serving {
        None if given_up.is_some() || history.until.saturating_sub(clock.from) > within => {
            let watched = words(history.until.saturating_sub(clock.from));
            seen.never
                .push((event, format!("{what} did not serve again within {watched}{note}")));
        }
        None => seen.unknown.push(format!(
            "{what} did not serve again, but was watched for {} only",
            words(history.until.saturating_sub(clock.from))
        )),
        Some(took) if took > within || given_up.is_some() => {
            let says = format!("{what} served again only after {}{note}", words(took));
            seen.slow.push((event, says));
        }
        Some(took) if took > warn => seen.warnings.push(format!("{what} served again after {}", words(took))),
        Some(_) => {}
    }
}

/// A start since the strike, and before the next on the same instance, that was not ready in time.
fn given_up(strike: &Strike<'_>, history: &History<'_>) -> Option<EventId> {
    let Place::Instance(instance) = strike.place else {
        return None;
    };
    let later = history
        .strikes
        .iter()
        .filter(|other| other.imposing.0 > strike.imposing.0);
    let next = later
        .filter(|other| other.place == strike.place)
        .map(|other| other.imposing.1)
        .min();
    let lives = history.lives.get(instance)?.iter();
    lives
        .filter(|life| life.started.1 >= strike.imposing.1 && next.is_none_or(|next| life.started.1 < next))
        .filter(|life| !strike.ended(life))
        .find_map(|life| life.not_ready)
        .map(|not_ready| not_ready.0)
}

/// Steadiness counts from the last heal, and only where API traffic went on.
fn steady(clocks: &[Clock], bounds: (Nanos, Nanos), history: &History<'_>, seen: &mut Seen) {
    let (warn, within) = bounds;
    let plan = &history.header.plan;
    let last = history
        .strikes
        .iter()
        .filter(|strike| strike.healed.is_some() && strike.step.hold != Hold::Stays)
        .max_by_key(|strike| strike.healed);
    let (Some(strike), Some(_)) = (last, plan.api_every) else {
        return;
    };
    let healed = strike.healed.unwrap_or(history.until);
    let steady = clocks.iter().find_map(|clock| Some((clock, clock.steady?)));
    let what = format!("after the last heal ({})", strike.place);
    match steady {
        Some((_, took)) if took > within => {
            seen.slow.push((
                strike.imposing.0,
                format!("the API was steady again only {} {what}", words(took)),
            ));
        }
        Some((_, took)) if took > warn => {
            seen.warnings
                .push(format!("the API was steady again {} {what}", words(took)));
        }
        Some(_) => {}
        None if watched_until(history) >= healed.saturating_add(within).saturating_add(plan.steady) => {
            let watched = words(watched_until(history) - healed);
            seen.slow.push((
                strike.imposing.0,
                format!("the API was not steady again within {watched} {what}"),
            ));
        }
        None => seen.unknown.push(format!(
            "the API was not seen steady {what}, watched for {}",
            words(watched_until(history).saturating_sub(healed))
        )),
    }
}

/// Processes that ended although nobody struck them. Back is only what became ready and stayed up for the
/// steady time, or until squall struck it or ended the run.
fn crashes(within: Nanos, history: &History<'_>, seen: &mut Seen) {
    for (instance, lives) in &history.lives {
        let Some((first, at, crashes)) = since_it_lasted(instance, lives, history) else {
            let all = lives.iter().filter(|life| history.crashed(instance, life)).count();
            if all > 0 {
                let times = count(all, "time");
                seen.warnings
                    .push(format!("{instance} ended {times} although nothing struck it"));
            }
            continue;
        };
        let times = count(crashes, "time");
        let what = format!("{instance} ended {times} although nothing struck it, and was not back");
        // While something it needs is struck, it may be unable to come back.
        let concerning = history
            .strikes
            .iter()
            .filter(|strike| history.concerns(strike, instance));
        let healed = concerning.map(|strike| strike.healed.unwrap_or(history.until)).max();
        let since = at.max(healed.unwrap_or(0));
        let watched = history.until.saturating_sub(since);
        let up = lives
            .last()
            .is_some_and(|life| life.ready.is_some() && !history.crashed(instance, life));
        // One crash just before the end of the run may be mended; a row of them longer than the bound is not.
        let told = crashes > 1 || !up;
        if told && watched > within.min(restart_bound(instance, history)) {
            seen.never.push((first, what));
        } else {
            let watched = words(history.until.saturating_sub(at));
            seen.unknown
                .push(format!("{what} for long enough, but was watched for {watched} only"));
        }
    }
}

/// The first crash after which no process of an instance lasted: its event, its time, and how many there are.
fn since_it_lasted(instance: &Instance, lives: &[Life], history: &History<'_>) -> Option<(EventId, Nanos, usize)> {
    let mut open: Option<(EventId, Nanos, usize)> = None;
    for life in lives {
        let crashed = history.crashed(instance, life);
        let (end, meant) = life
            .exited
            .map_or((history.until, false), |exited| (exited.1, exited.2));
        let struck = (meant || !crashed) && struck(instance, end, history);
        let lasted = |ready: Nanos| struck || end.saturating_sub(ready) >= history.header.plan.steady;
        if life.ready.is_some_and(|ready| lasted(ready.1)) {
            open = None;
        }
        if let Some((event, at, _)) = life.exited.filter(|_| crashed) {
            let (first, since, before) = open.unwrap_or((event, at, 0));
            open = Some((first, since, before + 1));
        }
    }
    open
}

/// How long a start may take at most, the pause before it included.
fn restart_bound(instance: &Instance, history: &History<'_>) -> Nanos {
    let facts = history.header.system.services.get(&instance.service);
    facts.map_or(0, |facts| {
        facts
            .restart_after
            .map_or(0, |after| after.saturating_add(facts.ready_within))
    })
}

fn struck(instance: &Instance, at: Nanos, history: &History<'_>) -> bool {
    history.strikes.iter().any(|strike| {
        let here = matches!(strike.place, Place::Instance(struck) if struck == instance);
        here && strike.imposing.1 <= at && strike.healed.is_none_or(|healed| at <= healed)
    })
}

/// The figures of all clocks in one sentence.
fn figures(clocks: &[Clock]) -> String {
    let mut served: Vec<Nanos> = clocks.iter().filter_map(|clock| clock.serving).collect();
    served.sort_unstable();
    let mut says = match (served.get(served.len() / 2), served.last()) {
        (Some(median), Some(max)) => format!(
            "{} of {} served again: median {}, max {} (± 10 ms)",
            served.len(),
            count(clocks.len(), "strike"),
            words(*median),
            words(*max)
        ),
        _ => format!("{}, none seen serving again", count(clocks.len(), "strike")),
    };
    if let Some(steady) = clocks.iter().find_map(|clock| clock.steady) {
        says.push_str(&format!("; steady {} after the last (± 100 ms)", words(steady)));
    }
    says
}
