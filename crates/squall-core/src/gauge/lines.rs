//! Lines of the logs that speak of errors, and whether something was broken when they were written.

use crate::event::{EventId, Fact, Line, NoteKind, Phase, line};
use crate::journal::{GRACE_AFTER_HEAL, History};
use crate::place::Instance;
use crate::time::Nanos;

/// What the system's own services wrote while nothing was broken. A database's lines are not its own.
#[derive(Debug, Default)]
pub struct Lines<'a> {
    /// Lines of any sort, at any time.
    pub all: usize,
    /// Lines that speak of an error or a panic outside the windows.
    pub errors: Vec<(EventId, &'a Instance, &'a str)>,
    /// How many spoke of one inside.
    pub excused: usize,
    /// How many warned outside the windows.
    pub warnings: usize,
    /// Notes that lines were left out of the journal.
    pub left_out: Vec<&'a str>,
}

/// The times in which something was broken anywhere: from each strike to its heal and 2 s more, or until the entry
/// service serves again. A change of the number of copies is one for 2 s.
pub fn strike_windows(history: &History<'_>) -> Vec<(Nanos, Nanos)> {
    let outages = history.outages().into_iter().map(|window| (window.from, window.to));
    let strikes = history.strikes.iter().map(|strike| {
        let over = match strike.step.hold {
            crate::plan::Hold::Stays => strike.imposed,
            _ => strike.healed,
        };
        (
            strike.imposing.1,
            over.unwrap_or(history.until).saturating_add(GRACE_AFTER_HEAL),
        )
    });
    outages.chain(strikes).collect()
}

/// When squall last asked anything: what follows is written while it stops the system.
fn last_asked(history: &History<'_>) -> Nanos {
    let asked = |fact: &Fact| matches!(fact, Fact::Op(_) | Fact::Record(_) | Fact::ScriptEnded { .. });
    let last = history.events.iter().rev().find(|event| asked(&event.fact));
    last.map_or(history.until, |event| event.at)
}

/// The lines from when the reference began to the last answer squall asked for.
pub fn lines<'a>(history: &History<'a>) -> Lines<'a> {
    let windows = strike_windows(history);
    let (begin, end) = (
        history.began(Phase::Reference).unwrap_or(Nanos::MAX),
        last_asked(history),
    );
    let services = &history.header.system.services;
    let own = |service: &str| services.get(service).is_some_and(|facts| facts.preset.is_none());
    let mut lines = Lines::default();
    for event in history.events {
        match &event.fact {
            Fact::Log { instance, line: text } if own(&instance.service) => {
                lines.all += 1;
                let inside = windows.iter().any(|(from, to)| (*from..=*to).contains(&event.at));
                match line(text) {
                    _ if event.at < begin || event.at > end => {}
                    Line::Error | Line::Panic if inside => lines.excused += 1,
                    Line::Error | Line::Panic => lines.errors.push((event.id, instance, text)),
                    Line::Warning if !inside => lines.warnings += 1,
                    Line::Warning | Line::Plain => {}
                }
            }
            Fact::Note {
                kind: NoteKind::Unlogged,
                text,
            } => lines.left_out.push(text),
            _ => {}
        }
    }
    lines
}
