//! The journal: all events of a run in order, and the [`History`] judging reads them through.

mod calls;
mod crew;
mod history;
mod index;
mod objects;
mod task;

pub use crew::{Crew, Span};
pub use history::{GRACE_AFTER_HEAL, History, Life, Strike, Window};
pub use index::Stint;
pub use objects::{Hold, Touched, holds};
pub use task::{Attempt, TaskHistory};

use crate::event::{Event, Fact, Header};

/// All events of one run, complete or cut off.
#[derive(Debug, Clone, PartialEq)]
pub struct Journal {
    events: Vec<Event>,
}

/// A text that is no journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the journal: {cause}")]
pub struct BadJournal {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub cause: String,
}

impl Journal {
    /// Reads a journal, one JSON object a line. A last line that was cut off by a crash is left out.
    ///
    /// # Errors
    /// A line that is no event, numbers that do not follow each other, or no header in the first line.
    pub fn parse(text: &str) -> Result<Self, BadJournal> {
        let mut lines = Lines::default();
        text.split_inclusive('\n').try_for_each(|line| lines.take(line))?;
        lines.end()
    }

    /// A journal of these events.
    ///
    /// # Errors
    /// Numbers other than 1, 2, 3, …, times that go back, or no header in the first event. The line is
    /// the one that should have had the next number: after it, a fact may be missing.
    pub fn new(events: Vec<Event>) -> Result<Self, BadJournal> {
        match events.first().map(|event| &event.fact) {
            Some(Fact::Opened(_)) => {}
            _ => {
                return Err(BadJournal {
                    line: 1,
                    cause: "it does not begin with `opened`".to_owned(),
                });
            }
        }
        let mut before = 0;
        for ((index, event), number) in events.iter().enumerate().zip(1..) {
            let cause = if event.id != number {
                format!("event {} stands where event {number} should", event.id)
            } else if event.at < before {
                "it goes back in time".to_owned()
            } else {
                before = event.at;
                continue;
            };
            return Err(BadJournal { line: index + 1, cause });
        }
        Ok(Self { events })
    }

    /// The events.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What the run was.
    pub fn header(&self) -> &Header {
        match &self.events[0].fact {
            Fact::Opened(header) => header,
            _ => unreachable!("a journal begins with its header: `new` saw to it"),
        }
    }

    /// The events by subject.
    pub fn history(&self) -> History<'_> {
        History::of(self)
    }
}

/// A journal that is read line by line: one of hours is never in memory as text.
#[derive(Debug, Default)]
pub struct Lines {
    events: Vec<Event>,
}

impl Lines {
    /// Takes the next line with its end; one without was cut off by a crash and is left out.
    ///
    /// # Errors
    /// It is no event.
    pub fn take(&mut self, line: &str) -> Result<(), BadJournal> {
        if let Some(line) = line.strip_suffix('\n') {
            let bad = |cause: serde_json::Error| BadJournal {
                line: self.events.len() + 1,
                cause: cause.to_string(),
            };
            self.events.push(serde_json::from_str(line).map_err(bad)?);
        }
        Ok(())
    }

    /// The journal.
    ///
    /// # Errors
    /// Numbers or times that go back, or no header in the first line.
    pub fn end(self) -> Result<Journal, BadJournal> {
        Journal::new(self.events)
    }
}
