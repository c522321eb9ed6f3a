//! The traffic's last answers, for looking at while the run goes on.

use std::collections::VecDeque;

use squall_core::clock::{BIN, Sample};
use squall_core::plan::Plan;
use squall_core::stop::Answers;
use squall_core::time::{Nanos, SECOND};

/// Kept for as long as somebody asks for them, however many there are.
#[derive(Debug)]
pub(super) struct Recent {
    /// For so long: the reference is asked for at its end, and the calm looks at a steady window, a little later.
    kept: Nanos,
    samples: VecDeque<Sample>,
    answers: Answers,
}

impl Recent {
    pub(super) fn of(plan: &Plan) -> Self {
        Self {
            kept: plan.reference.max(plan.steady + BIN) + SECOND,
            samples: VecDeque::new(),
            answers: Answers::of(&plan.stop_when),
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        let oldest = sample.due.saturating_sub(self.kept);
        while self.samples.front().is_some_and(|front| front.due < oldest) {
            self.samples.pop_front();
        }
        self.answers.add(sample.due, sample.right);
        self.samples.push_back(sample);
    }

    /// Those that were due at `from` or later.
    pub(super) fn since(&self, from: Nanos) -> Vec<Sample> {
        let late = self.samples.iter().filter(|sample| sample.due >= from);
        late.copied().collect()
    }

    /// All of them, counted by when they were due.
    pub(super) fn answers(&self) -> &Answers {
        &self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_kept_for_as_long_as_they_are_asked_for_however_many_there_are() {
        let mut recent = Recent {
            kept: 10 * SECOND,
            samples: VecDeque::new(),
            answers: Answers::of(&[]),
        };
        for n in 0..30_000 {
            let sample = Sample {
                due: n * SECOND / 1000,
                took: 1,
                right: true,
            };
            recent.add(sample);
        }
        assert_eq!(recent.since(25 * SECOND).len(), 5000);
        assert_eq!(recent.since(0).len(), 10_001);
    }
}
