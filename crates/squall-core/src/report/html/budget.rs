//! How much one page may draw, so that a long run's page still opens.

use crate::journal::Journal;

/// Task bars on one page; up to here every attempt is drawn.
const BARS: usize = 5_000;
/// Log lines on one page.
const LINES: usize = 6_000;
/// Log lines around one moment of a fault, at most and at least.
const AROUND: (usize, usize) = (200, 10);
/// A log line is cut here.
pub(super) const LINE_LENGTH: usize = 240;

/// What one page may draw, divided over its scenarios.
#[derive(Debug)]
pub(super) struct Budget {
    attempts: usize,
    /// Log lines around one moment of a fault.
    pub(super) lines: usize,
}

impl Budget {
    /// For a page of these journals.
    pub(super) fn of(journals: &[Journal]) -> Self {
        let mut budget = Self { attempts: 0, lines: 0 };
        let mut strikes = 0;
        for journal in journals {
            let history = journal.history();
            strikes += history.strikes.len();
            budget.attempts += history.tasks.values().map(|task| task.attempts.len()).sum::<usize>();
        }
        budget.lines = (LINES / (2 * strikes).max(1)).clamp(AROUND.1, AROUND.0);
        budget
    }

    /// How many bars a scenario with so many attempts may draw.
    pub(super) fn bars(&self, attempts: usize) -> usize {
        if self.attempts <= BARS {
            attempts
        } else {
            BARS * attempts / self.attempts
        }
    }
}
