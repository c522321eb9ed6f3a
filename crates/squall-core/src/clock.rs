//! The recovery clock: for each strike, how long until what broke was noticed, served again, was steady again.
//!
//! - *detected* = first exit of what was struck, or first answer of the readiness probe that is not
//!   right, whichever is first, minus `imposing`.
//! - *serving* = first sign that it does its work again, minus the origin. For what the entry
//!   service needs: the first right readiness probe sent after the loss was over. For a worker: the
//!   first attempt it begins while work waits, else its own readiness.
//! - *steady* = the smallest t from the last heal on, in steps of 100 ms, such that the API's answers
//!   due in `[t, t + plan.steady]` are inside the reference [`Band`], minus the origin. After
//!   "time to steady state" as chaos experiments define it: the smallest t with goodput, errors and
//!   latency inside the band of undisturbed traffic over a whole window, at most 5 % outside.
//!
//! The probe looks every 8 ms; with its timer and a round trip every figure is ± 10 ms.

mod steady;

pub use steady::{Band, Sample, is_steady, samples, watched_until};

use serde::{Deserialize, Serialize};

use self::steady::steady_since;

use crate::event::{Answer, Role};
use crate::journal::{History, Life, Strike};
use crate::place::{Condition, Instance, Place, Shortage};
use crate::plan::Hold;
use crate::time::{Nanos, SECOND};

/// The step in which the steady window is moved.
pub const BIN: Nanos = SECOND / 10;
/// Work that waited this long for a worker that lives should have been begun by it.
const PATIENCE: Nanos = 3 * SECOND;

/// From when recovery counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The moment of death: it must come back by itself.
    Death,
    /// The moment of heal: squall held it until then.
    Heal,
}

/// One strike's recovery. All times are durations since `from`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clock {
    /// The step of the plan.
    pub step: usize,
    /// Where it struck.
    pub place: Place,
    /// From when it counts.
    pub origin: Origin,
    /// That moment, since the journal was opened.
    pub from: Nanos,
    /// From the strike (not `from`) to the first sign a client or the supervisor could see.
    pub detected: Option<Nanos>,
    /// Serving again.
    pub serving: Option<Nanos>,
    /// Back inside the reference band for the steady window; judged after the last fault.
    pub steady: Option<Nanos>,
    /// Whether serving again could be asked for: work waited for it, or it answers probes.
    pub expected: bool,
}

/// A moment of serving, and whether it could be asked for.
type Way = (Option<Nanos>, bool);

/// The recovery clocks of all strikes, in order. A strike that squall held and never lifted has none;
/// only the strike that was lifted last has a `steady`.
pub fn clocks(history: &History<'_>) -> Vec<Clock> {
    // Another number of copies is no damage to come back from.
    let broken = || history.strikes.iter().filter(|strike| strike.step.hold != Hold::Stays);
    let all_healed = broken().all(|strike| strike.healed.is_some());
    let last = broken().filter_map(|strike| strike.healed).max();
    let steady = last.filter(|_| all_healed).and_then(|last| steady_since(history, last));
    let found = history.strikes.iter().filter_map(|strike| {
        let mut clock = clock(strike, history)?;
        if strike.healed == last {
            clock.steady = steady.map(|at| at.saturating_sub(clock.from));
        }
        Some(clock)
    });
    found.collect()
}

fn clock(strike: &Strike<'_>, history: &History<'_>) -> Option<Clock> {
    let (origin, from) = match strike.step.hold {
        Hold::Restart(_) => (Origin::Death, death(strike, history)),
        Hold::For(_) => (Origin::Heal, strike.healing?.1),
        // Another number of copies is no damage; how soon work is spread anew is `adaptation`'s to say.
        Hold::Stays => return None,
    };
    let (serving, expected) = match (history.strikes_entry(strike), strike.place) {
        // Probes go to the first copy: of another one only those tell who asked it.
        (Some(true), Place::Instance(copy)) if copy.index > 1 && history.asked_of(copy).next().is_some() => {
            answers_again(copy, from, history)
        }
        (Some(_), _) => serves_clients(strike, from, history),
        (None, Place::Instance(instance)) if history.works(&instance.service) => {
            serves_work(strike, instance, from, history)
        }
        // It lives on, and nobody reports of it: whether it serves again is its callers' to show.
        (None, Place::Instance(instance)) if lived_on(strike, instance, history) => (None, false),
        (None, Place::Instance(instance)) => ready_again(reborn(strike, instance, history).0, from),
        (None, Place::Link { from: worker, .. }) => takes_work(worker, from, history),
        (None, Place::Service(_)) => return None,
    };
    // What was struck again before it was back is answered for by the later clock.
    let again = struck_again(strike, history);
    let overtaken = again.is_some_and(|again| serving.is_none_or(|serving| serving > again));
    Some(Clock {
        step: strike.index,
        place: strike.place.clone(),
        origin,
        from,
        detected: detected(strike, history),
        serving: serving.map(|at| at.saturating_sub(from)),
        steady: None,
        expected: expected && !overtaken,
    })
}

fn death(strike: &Strike<'_>, history: &History<'_>) -> Nanos {
    let exit = match strike.place {
        Place::Instance(instance) => exit(strike, instance, history),
        Place::Link { .. } | Place::Service(_) => None,
    };
    exit.or(strike.imposed).unwrap_or(strike.imposing.1)
}

fn exit(strike: &Strike<'_>, instance: &Instance, history: &History<'_>) -> Option<Nanos> {
    let mut exits = history.lives.get(instance)?.iter().filter_map(|life| life.exited);
    exits
        .find(|exited| exited.1 >= strike.imposing.1)
        .map(|exited| exited.1)
}

/// The process that what was struck down came back as, and whether others before it fell at once: those
/// were no way back, whatever they answered.
fn reborn<'h>(strike: &Strike<'_>, instance: &Instance, history: &'h History<'_>) -> (Option<&'h Life>, bool) {
    let lives = history.lives.get(instance).into_iter().flatten();
    let lives = lives.filter(|life| !strike.ended(life));
    let mut since = lives.filter(|life| life.started.1 >= strike.imposing.1).peekable();
    let fell = since.peek().is_some_and(|life| history.fell_at_once(instance, life));
    (since.find(|life| !history.fell_at_once(instance, life)), fell)
}

fn struck_again(strike: &Strike<'_>, history: &History<'_>) -> Option<Nanos> {
    let touches = |other: &Strike<'_>| match history.strikes_entry(strike) {
        Some(_) => history.strikes_entry(other).is_some(),
        None => match strike.place {
            Place::Instance(instance) | Place::Link { from: instance, .. } => history.concerns(other, instance),
            Place::Service(_) => false,
        },
    };
    let mut later = history
        .strikes
        .iter()
        .filter(|other| other.imposing.0 > strike.imposing.0 && touches(other));
    later.next().map(|other| other.imposing.1)
}

fn detected(strike: &Strike<'_>, history: &History<'_>) -> Option<Nanos> {
    let from = strike.imposing.1;
    let to = strike.healed.unwrap_or(history.until);
    let exit = match strike.place {
        Place::Instance(instance) => exit(strike, instance, history),
        Place::Link { .. } | Place::Service(_) => None,
    };
    let pulse = history.strikes_entry(strike).and_then(|_| noticed(strike, history));
    let first = [exit, pulse].into_iter().flatten().min()?;
    (first <= to).then_some(first.saturating_sub(from))
}

/// The first answer of the readiness probe after the strike that was not right.
fn noticed(strike: &Strike<'_>, history: &History<'_>) -> Option<Nanos> {
    history
        .ready_pulses(strike.imposing.1)
        .find(|(_, _, pulse)| pulse.answer != Answer::Right)
        .map(|(_, at, _)| *at)
}

/// The entry service or what it needs: seen by the readiness probe, or by requests where there is none.
fn serves_clients(strike: &Strike<'_>, from: Nanos, history: &History<'_>) -> Way {
    let expected = !matches!(
        strike.condition,
        Condition::Impaired(_) | Condition::Intercepted(_) | Condition::Short(Shortage::Cpu { .. })
    );
    let (life, fell) = match strike.place {
        Place::Instance(instance) => reborn(strike, instance, history),
        Place::Link { .. } | Place::Service(_) => (None, false),
    };
    let born = life.map(|life| life.started.1);
    if fell && born.is_none() {
        return (None, expected);
    }
    // A death is not noticed at once: right answers before that are no recovery.
    let over = match (strike.condition, strike.step.hold) {
        (Condition::Down(_), Hold::Restart(_)) if fell => born,
        (Condition::Down(_), Hold::Restart(_)) => [born, noticed(strike, history)].into_iter().flatten().min(),
        (Condition::Down(_), Hold::For(_)) => Some(born.unwrap_or(from)),
        _ => Some(from),
    };
    let Some(over) = over.map(|over| over.max(from)) else {
        return (None, expected);
    };
    let asked = match history.ready_pulses(0).next() {
        Some(_) => history.ready_pulses(over).any(|(_, _, pulse)| pulse.call >= over),
        None => {
            let asks = |role: Role| matches!(role, Role::Traffic | Role::Survey | Role::Create);
            let mut ops = history.ops.iter();
            ops.any(|(_, op)| op.call >= over && asks(op.role))
        }
    };
    (history.serving_since(over), expected && asked)
}

/// A copy that clients of objects ask: the first right answer to what was asked since.
fn answers_again(copy: &Instance, from: Nanos, history: &History<'_>) -> Way {
    let asked = || history.asked_of(copy).filter(|(_, op)| op.call >= from);
    let right = asked().filter(|(_, op)| op.answer == Answer::Right);
    (right.map(|(_, op)| op.ret).min(), asked().next().is_some())
}

/// A worker that went down or stood still.
fn serves_work(strike: &Strike<'_>, worker: &Instance, from: Nanos, history: &History<'_>) -> Way {
    if *strike.condition == Condition::Frozen || lived_on(strike, worker, history) {
        return takes_work(worker, from, history);
    }
    let (life, _) = reborn(strike, worker, history);
    let Some((life, ready)) = life.and_then(|life| Some((life, life.ready?.1))) else {
        return ready_again(life, from);
    };
    let end = life.exited.map_or(history.until, |exited| exited.1);
    let start = first_start(worker, life.started.1, history).filter(|start| *start <= end);
    match start {
        Some(start) if history.work_waited(ready, start) => (Some(start.max(from)), true),
        Some(_) => (Some(ready.max(from)), true),
        None if end.saturating_sub(ready) > PATIENCE && undisturbed(worker, ready, history) => {
            match history.work_waited(ready, ready + PATIENCE) {
                true => (None, true),
                false => (Some(ready.max(from)), true),
            }
        }
        None => (Some(ready.max(from)), true),
    }
}

/// What never went away (frozen, cut off): its first line since, where work waited for it.
fn takes_work(worker: &Instance, from: Nanos, history: &History<'_>) -> Way {
    let first = first_line(worker, from, history);
    let waited = history.work_waited(from, first.unwrap_or(from + PATIENCE).max(from));
    let watched = history.until.saturating_sub(from) > PATIENCE && undisturbed(worker, from, history);
    (first, waited && (first.is_some() || watched))
}

/// Whether what was frozen, or short of something, neither ended nor was started anew before that was over. With the run
/// everything ends.
fn lived_on(strike: &Strike<'_>, instance: &Instance, history: &History<'_>) -> bool {
    let healed = strike.healed.unwrap_or(history.until);
    let ended = exit(strike, instance, history).is_some_and(|at| at <= healed);
    let anew = reborn(strike, instance, history)
        .0
        .is_some_and(|life| life.started.1 <= healed);
    !matches!(strike.condition, Condition::Down(_)) && !ended && !anew
}

/// Something nobody reports of but its supervisor.
fn ready_again(life: Option<&Life>, from: Nanos) -> Way {
    match life {
        Some(life) => match (life.ready, life.exited) {
            (Some((_, ready)), _) => (Some(ready.max(from)), true),
            // Struck again, or without something it needs, before it was ready: the later strike's matter.
            (None, Some(_)) => (None, false),
            (None, None) => (None, true),
        },
        None => (None, true),
    }
}

fn first_start(worker: &Instance, from: Nanos, history: &History<'_>) -> Option<Nanos> {
    let worker = worker.to_string();
    history
        .stints_begun(&worker, from..Nanos::MAX)
        .first()
        .map(|stint| stint.began)
}

fn first_line(worker: &Instance, from: Nanos, history: &History<'_>) -> Option<Nanos> {
    let worker = worker.to_string();
    let first = history.stints_begun(&worker, from..Nanos::MAX).first();
    let before = history.stints_begun(&worker, 0..from).iter();
    let lines = before
        .filter(|stint| stint.heard >= from)
        .chain(first)
        .flat_map(|stint| {
            let attempt = history.attempt(stint);
            let effects = attempt.effects.iter().map(|effect| effect.1);
            let commits = attempt.commits.iter().map(|commit| commit.1);
            let ends = attempt.start.map(|start| start.1).into_iter();
            ends.chain(effects)
                .chain(commits)
                .chain(attempt.failed.map(|failed| failed.1))
        });
    lines.filter(|at| *at >= from).min()
}

/// Whether nothing that concerns a worker held within its patience after `from`.
fn undisturbed(worker: &Instance, from: Nanos, history: &History<'_>) -> bool {
    let concerning = history.strikes.iter().filter(|strike| history.concerns(strike, worker));
    let mut during = concerning.filter(|strike| {
        let back = strike.healed.unwrap_or(history.until);
        strike.imposing.1 <= from + PATIENCE && back > from
    });
    during.next().is_none()
}
