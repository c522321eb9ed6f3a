//! Amounts and facts in words, the same in every format.

mod looks;

use super::touch::touch;
use crate::check::{Outcome, Verdict};
use crate::event::{Answer, End, Fact, NoteKind, Op, PulseOf, ScriptEnd, State, TaskEvent, TaskFact, Untouched};
use crate::report::{Counts, Run, Scenario};
use crate::time::Nanos;

const MILLI: Nanos = 1_000_000;
const SECOND: Nanos = 1_000_000_000;

/// A length of time, short: `4.2 ms`, `0.42 s`, `12.3 s`, `2 min 05 s`.
pub(super) fn length(nanos: Nanos) -> String {
    let seconds = nanos as f64 / 1e9;
    match nanos {
        0..MILLI => format!("{} µs", nanos / 1000),
        MILLI..100_000_000 => format!("{:.1} ms", nanos as f64 / 1e6),
        100_000_000..10_000_000_000 => format!("{seconds:.2} s"),
        10_000_000_000..120_000_000_000 => format!("{seconds:.1} s"),
        _ => {
            let whole = whole_seconds(nanos);
            format!("{} min {:02} s", whole / 60, whole % 60)
        }
    }
}

/// What ran at the start: `db × 1, worker × 2`; or where the system was that ran already.
pub(super) fn services(run: &Run) -> String {
    match &run.attached {
        Some(url) => format!("attached to {url}"),
        None => {
            let each = run.services.iter().map(|(name, copies)| format!("{name} × {copies}"));
            each.collect::<Vec<_>>().join(", ")
        }
    }
}

/// A moment of the run: `12.345 s`.
pub(super) fn moment(at: Nanos) -> String {
    format!("{}.{:03} s", at / SECOND, at % SECOND / MILLI)
}

/// What the recovery clock measured, with its resolution.
pub(super) fn clocked(nanos: Nanos) -> String {
    format!("{:.2} s ± 10 ms", nanos as f64 / 1e9)
}

/// Whole seconds, rounded.
pub(super) fn whole_seconds(nanos: Nanos) -> u64 {
    (nanos + SECOND / 2) / SECOND
}

/// `1 retry`, `2 retries`.
pub(super) fn number(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// A share with one decimal, rounded down: only the whole is `100.0%`.
pub(super) fn share(part: usize, whole: usize) -> String {
    let thousandths = 1000 * part / whole.max(1);
    format!("{}.{}%", thousandths / 10, thousandths % 10)
}

/// An amount of memory given in KiB.
pub(super) fn memory(kib: f64) -> String {
    match kib.abs() {
        small if small < 1024.0 => format!("{kib:.0} KiB"),
        middle if middle < 1024.0 * 1024.0 => format!("{:.1} MiB", kib / 1024.0),
        _ => format!("{:.2} GiB", kib / (1024.0 * 1024.0)),
    }
}

/// The word of an outcome.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "PASS",
        Outcome::Inconclusive => "INCONCLUSIVE",
        Outcome::Fail => "FAIL",
    }
}

/// The sign of a scenario: its outcome, and whether a pass comes with a warning.
pub(super) fn sign(scenario: &Scenario) -> &'static str {
    match scenario.outcome {
        Outcome::Pass if warned(scenario) => "⚠️",
        Outcome::Pass => "✅",
        Outcome::Inconclusive => "❔",
        Outcome::Fail => "❌",
    }
}

/// Whether it passed with something to look at.
pub(super) fn warned(scenario: &Scenario) -> bool {
    scenario.outcome == Outcome::Pass && (!scenario.warnings.is_empty() || scenario.counts.late > 0)
}

/// The sign of a verdict.
pub(super) fn verdict_sign(verdict: &Verdict) -> &'static str {
    match verdict.outcome {
        Outcome::Pass if verdict.warnings.is_empty() => "✅",
        Outcome::Pass => "⚠️",
        Outcome::Inconclusive => "❔",
        Outcome::Fail => "❌",
    }
}

/// The words of an answer.
pub(super) fn answer(answer: Answer) -> &'static str {
    match answer {
        Answer::Right => "right",
        Answer::Refused => "refused",
        Answer::Wrong => "wrong",
        Answer::Hung => "hung",
        Answer::Down => "down",
    }
}

/// The figures of requests and tasks, in the order every format shows them.
pub(super) fn figures(counts: &Counts) -> Vec<(&'static str, String)> {
    let late = match counts.late_by {
        Some(by) => format!("{} (the last by {})", counts.late, length(by)),
        None => counts.late.to_string(),
    };
    vec![
        ("Requests answered right", counts.right.to_string()),
        (
            "Requests refused honestly",
            format!("{} ({} inside an outage)", counts.refused, counts.refused_in_outage),
        ),
        ("Requests answered wrong", counts.wrong.to_string()),
        ("Requests that hung", counts.hung.to_string()),
        ("Requests with nobody there", counts.down.to_string()),
        ("Tasks acknowledged", counts.created.to_string()),
        ("… done", counts.done.to_string()),
        ("… dead", counts.dead.to_string()),
        ("… unfinished at the last look", counts.unfinished.to_string()),
        ("… cancelled", counts.cancelled.to_string()),
        ("… missing or in no known state", counts.missing.to_string()),
        ("Main tasks", counts.main.to_string()),
        ("… done in time", counts.in_time.to_string()),
        ("… done late", late),
        ("Retries after a failure", counts.retries.to_string()),
        (
            "Redeliveries after a death or a lost lease",
            counts.redeliveries.to_string(),
        ),
        ("Repeated effects", counts.repeated_effects.to_string()),
        ("Repeated commits", counts.repeated_commits.to_string()),
    ]
}

/// A fact as a sentence without its time.
pub(super) fn fact(fact: &Fact) -> String {
    match fact {
        Fact::Opened(header) => format!("the journal of run {} was opened", header.run),
        Fact::Phase(phase) => format!("the {} began", phase.word()),
        Fact::Started {
            instance,
            pid,
            restarts,
        } => {
            format!(
                "{instance} was started as process {pid}, {}",
                number(*restarts as usize, "restart", "restarts")
            )
        }
        Fact::Ready { instance, took } => format!("{instance} was ready {} after its start", length(*took)),
        Fact::NotReady { instance, waited } => format!("{instance} was not ready after {}", length(*waited)),
        Fact::Exited {
            instance,
            pid,
            how,
            wanted,
        } => {
            let meant = if *wanted { "as meant" } else { "by itself" };
            format!("{instance} (process {pid}) ended {meant}: {how}")
        }
        Fact::Aimed {
            step,
            candidates,
            chosen,
            because,
        } => {
            let because = because.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            format!("step {step} chose {chosen} among {}{because}", candidates.len())
        }
        Fact::Missed { step, why, .. } => format!("step {step} did not act: {why}"),
        Fact::Imposing { step, place, condition } => format!("step {step}: {place} is to be {}", condition.word()),
        Fact::Imposed { step } => format!("step {step} is in force"),
        Fact::Healing { step, place } => format!("step {step}: {place} is to be healed"),
        Fact::Healed { step } => format!("step {step} is healed"),
        other => seen(other),
    }
}

/// What was seen of the system, and how the run ended.
fn seen(fact: &Fact) -> String {
    match fact {
        Fact::Op(op) => request(op),
        Fact::Task(fact) => task(fact),
        Fact::Call(call) => match call.answered {
            false => format!("the work with mark {} called the witness", call.mark),
            true => format!("its call answered, the work with mark {} had its effect", call.mark),
        },
        Fact::Record(record) => {
            let is = record.state.map_or("unknown to it", state);
            let why = record
                .reason
                .as_deref()
                .map(|why| format!(" ({why})"))
                .unwrap_or_default();
            format!("the system says task {} is {is}{why}", record.task)
        }
        Fact::Pulse(pulse) => {
            let of = match pulse.of {
                PulseOf::Live => "live",
                PulseOf::Ready => "ready",
            };
            format!(
                "asked whether it is {of} at {}: {}",
                moment(pulse.call),
                answer(pulse.answer)
            )
        }
        Fact::Usage(usage) => format!(
            "{} used {:.0} ms of processor time, {} of memory and {} descriptors",
            usage.instance,
            usage.cpu_us as f64 / 1e3,
            memory(usage.rss_kib as f64),
            usage.fds
        ),
        Fact::Connections { instance, open } => format!("{instance} had {open} client connections"),
        Fact::Database(look) => format!(
            "{} had committed {} transactions; {} of {} connections were busy",
            look.instance, look.commits, look.busy, look.open
        ),
        Fact::Machine(look) => format!(
            "the machine worked {:.0} ms and had nothing to do for {:.0} ms; squall took {:.0} ms",
            look.busy_us as f64 / 1e3,
            look.idle_us as f64 / 1e3,
            look.own_us as f64 / 1e3
        ),
        Fact::Breaker { of, state } => format!("the breaker of `{of}` was {}", state.word()),
        Fact::Alarm { of, state } => format!("the alarm `{of}` {}", state.words()),
        Fact::ScriptBegan { run, .. } => format!("`{run}` was started"),
        Fact::ScriptEnded {
            how,
            took,
            output,
            left_out,
            ..
        } => script(how, *took, output, *left_out),
        Fact::Traffic { place, counts, .. } => format!("{place}: {}", looks::traffic(counts)),
        Fact::Untouched { place, requests, .. } => format!("{place}: passed untouched: {}", Untouched::words(requests)),
        Fact::Log { instance, line } => format!("{instance} wrote: {line}"),
        Fact::Note { kind, text } => format!("{}: {text}", note(*kind)),
        Fact::Closed { end } => match end {
            End::Complete => "the run was complete".to_owned(),
            End::Interrupted => "the run was interrupted".to_owned(),
            End::Stopped { why } => format!("the run was stopped: {why}"),
            End::Broken { cause } => format!("the run broke off: {cause}"),
        },
        // What squall did is said above.
        _ => looks::of_instance(fact),
    }
}

fn script(how: &ScriptEnd, took: Nanos, output: &[String], left_out: u64) -> String {
    let before = match left_out {
        0 => String::new(),
        left_out => format!("{left_out} lines and then: "),
    };
    let said = match output {
        [] => "it wrote nothing".to_owned(),
        lines => format!("it wrote: {before}{}", lines.join(" / ")),
    };
    format!("it {} after {}; {said}", how.words(), length(took))
}

fn note(kind: NoteKind) -> &'static str {
    match kind {
        NoteKind::Decided => "nothing was left to decide",
        NoteKind::Late => "late",
        NoteKind::Blind => "not seen",
        NoteKind::Overrun => "over its bound",
        NoteKind::Unlogged => "left out",
        NoteKind::Aside => "by the way",
    }
}

fn request(op: &Op) -> String {
    let status = op.status.map(|status| format!(" with {status}")).unwrap_or_default();
    let wrong = op
        .fault
        .as_deref()
        .map(|wrong| format!(": {wrong}"))
        .unwrap_or_default();
    let task = op.work.as_ref().map(|work| match &work.task {
        Some(task) => format!(" ({} task {task})", work.kind),
        None => format!(" ({} task, not acknowledged)", work.kind),
    });
    let object = op.touch.as_ref().map(touch);
    format!(
        "{}{}, due at {}: {}{status} after {}{wrong}",
        op.name,
        task.or(object).unwrap_or_default(),
        moment(op.due),
        answer(op.answer),
        length(op.ret.saturating_sub(op.due)),
    )
}

fn task(fact: &TaskFact) -> String {
    let TaskFact {
        task, attempt, worker, ..
    } = fact;
    let reason = fact.reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    match fact.event {
        TaskEvent::Start => format!("{worker} began attempt {attempt} of task {task}"),
        TaskEvent::Effect => format!("attempt {attempt} of task {task} by {worker} had its effect"),
        TaskEvent::Committed => format!("{worker} committed attempt {attempt} of task {task}"),
        TaskEvent::Failed if fact.dead == Some(true) => {
            format!("attempt {attempt} of task {task} by {worker} failed for good{reason}")
        }
        TaskEvent::Failed => format!("attempt {attempt} of task {task} by {worker} failed{reason}"),
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Waiting => "waiting",
        State::Running => "running",
        State::Done => "done",
        State::Dead => "dead",
        State::Cancelled => "cancelled",
        State::Odd => "something its contract does not name",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_is_a_hundred_percent() {
        assert_eq!(share(10, 10), "100.0%");
        assert_eq!(share(9_999, 10_000), "99.9%");
        assert_eq!(share(0, 0), "0.0%");
    }

    #[test]
    fn lengths_keep_three_figures_or_so() {
        let told: Vec<_> = [950, 4_200_000, 420_000_000, 12_345_000_000, 125_400_000_000]
            .map(length)
            .into();
        assert_eq!(told, ["0 µs", "4.2 ms", "0.42 s", "12.3 s", "2 min 05 s"]);
    }
}
