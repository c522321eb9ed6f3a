//! A task in the journal: its create, its attempts, what the system said of it.

use crate::event::{EventId, Op, Record, State};
use crate::time::Nanos;

/// Everything known of a task.
#[derive(Debug, Default)]
pub struct TaskHistory<'a> {
    /// The create that was acknowledged with this id.
    pub created: Option<(EventId, &'a Op)>,
    /// Its attempts, by number and worker, in order of their first event.
    pub attempts: Vec<Attempt<'a>>,
    /// What the system said of it when it was read back, in order.
    pub records: Vec<(EventId, Nanos, &'a Record)>,
    /// Its own calls of the witness that were answered, in order: each is an effect of the work.
    pub called: Vec<(EventId, Nanos)>,
}

/// One attempt at a task by one worker.
#[derive(Debug, Clone, Default)]
pub struct Attempt<'a> {
    /// Its number.
    pub number: u64,
    /// Who.
    pub worker: &'a str,
    /// Began.
    pub start: Option<(EventId, Nanos)>,
    /// Its effects; more than one is an anomaly of the worker itself.
    pub effects: Vec<(EventId, Nanos, Option<u32>)>,
    /// Its commits.
    pub commits: Vec<(EventId, Nanos)>,
    /// Its failure: event, time, reason, whether it was the last.
    pub failed: Option<(EventId, Nanos, &'a str, bool)>,
}

impl Attempt<'_> {
    /// When it was last heard of.
    pub fn last_heard(&self) -> Option<Nanos> {
        let effect = self.effects.last().map(|effect| effect.1);
        let commit = self.commits.last().map(|commit| commit.1);
        [
            self.start.map(|start| start.1),
            effect,
            commit,
            self.failed.map(|failed| failed.1),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// Whether it came to an end of its own: committed or failed.
    pub fn ended(&self) -> bool {
        !self.commits.is_empty() || self.failed.is_some()
    }

    /// Its first event, as evidence.
    pub fn first_event(&self) -> Option<EventId> {
        let effect = self.effects.first().map(|effect| effect.0);
        let commit = self.commits.first().map(|commit| commit.0);
        self.start
            .map(|start| start.0)
            .or(effect)
            .or(commit)
            .or(self.failed.map(|failed| failed.0))
    }
}

impl<'a> TaskHistory<'a> {
    /// The kind of work, where its create is known.
    pub fn kind(&self) -> Option<&'a str> {
        let (_, op) = self.created?;
        op.work.as_ref().map(|work| work.kind.as_str())
    }

    /// What the system said of it last.
    pub fn last_record(&self) -> Option<(EventId, Nanos, &'a Record)> {
        self.records.last().copied()
    }

    /// Its first commit a worker reported.
    pub fn first_commit(&self) -> Option<(EventId, Nanos)> {
        self.attempts
            .iter()
            .flat_map(|attempt| attempt.commits.iter().copied())
            .min_by_key(|commit| commit.1)
    }

    /// When it was done: the first commit a worker reported. Where the report was lost but the system says
    /// done: the last that was heard of the work, or else the first record that says so.
    pub fn done(&self) -> Option<(EventId, Nanos)> {
        if let Some(commit) = self.first_commit() {
            return Some(commit);
        }
        let done = |record: &Record| record.state == Some(State::Done);
        if !self.last_record().is_some_and(|(_, _, record)| done(record)) {
            return None;
        }
        let (event, read, _) = self.records.iter().find(|(_, _, record)| done(record))?;
        let effects = self.attempts.iter().flat_map(|attempt| &attempt.effects);
        let effect = effects.map(|effect| effect.1).filter(|at| at <= read).max();
        Some((*event, effect.unwrap_or(*read)))
    }

    /// All commits workers reported.
    pub fn commits(&self) -> Vec<(EventId, Nanos)> {
        let mut all: Vec<_> = self
            .attempts
            .iter()
            .flat_map(|attempt| attempt.commits.iter().copied())
            .collect();
        all.sort_by_key(|commit| commit.0);
        all
    }
}
