//! What ends a storm before its plan does: conditions on what is seen while it rages.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Dur, Percent};
use crate::time::{Nanos, nanos, words};

/// Fewer answers make no share.
const FEWEST: usize = 5;

/// A condition that ends the storm at once. Its times are never divided by the pace: they are bounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StopWhen {
    /// Too small a share of the API traffic was answered right.
    Success(Success),
    /// A service was down for too long.
    Down(Down),
}

/// Too small a share of the API traffic was answered right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Success {
    /// Less than this share of the requests that were due …
    pub below: Percent,
    /// … in so long a time.
    #[serde(rename = "for")]
    pub lasts: Dur,
}

/// A service was down for too long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Down {
    /// The service, of which no copy ran …
    pub on: String,
    /// … for so long.
    #[serde(rename = "for")]
    pub lasts: Dur,
}

impl StopWhen {
    /// Its word in a scenario.
    pub fn word(&self) -> &'static str {
        match self {
            StopWhen::Success(_) => "success",
            StopWhen::Down(_) => "down",
        }
    }

    /// How long it must hold.
    pub fn lasts(&self) -> Dur {
        match self {
            StopWhen::Success(success) => success.lasts,
            StopWhen::Down(down) => down.lasts,
        }
    }
}

/// Watches conditions through a storm.
#[derive(Debug, Clone)]
pub struct Lookout {
    began: Nanos,
    /// Each condition, and since when its service was seen down.
    conditions: Vec<(StopWhen, Option<Nanos>)>,
}

impl Lookout {
    /// Watches from `began` on.
    pub fn new(conditions: &[StopWhen], began: Nanos) -> Self {
        let conditions = conditions.iter().map(|condition| (condition.clone(), None)).collect();
        Self { began, conditions }
    }

    /// Looks at `now`: at answers (when each was due, whether it was right) and at whether a copy of a service runs.
    /// Answers why the storm must end, if it must.
    pub fn look(&mut self, now: Nanos, answers: &[(Nanos, bool)], runs: impl Fn(&str) -> bool) -> Option<String> {
        let began = self.began;
        self.conditions
            .iter_mut()
            .find_map(|(condition, since)| match condition {
                StopWhen::Success(success) => too_few_right(success, began..now, answers),
                StopWhen::Down(down) if runs(&down.on) => {
                    *since = None;
                    None
                }
                StopWhen::Down(down) => {
                    let lasted = now - *since.get_or_insert(now);
                    (lasted >= nanos(down.lasts.get())).then(|| {
                        format!(
                            "no copy of {} ran for {}, `stop_when` allows {}",
                            down.on,
                            words(lasted),
                            down.lasts
                        )
                    })
                }
            })
    }
}

/// Whether a whole window inside the storm had too few right answers.
fn too_few_right(success: &Success, storm: std::ops::Range<Nanos>, answers: &[(Nanos, bool)]) -> Option<String> {
    let from = storm.end.checked_sub(nanos(success.lasts.get()))?;
    if from < storm.start {
        return None;
    }
    let inside: Vec<bool> = answers
        .iter()
        .filter(|(due, _)| (from..=storm.end).contains(due))
        .map(|(_, right)| *right)
        .collect();
    let right = inside.iter().filter(|right| **right).count();
    let few = inside.len() >= FEWEST && (right as f64) < success.below.fraction() * inside.len() as f64;
    few.then(|| {
        format!(
            "{right} of the {} requests of the last {} were answered right, `stop_when` demands {}",
            inside.len(),
            success.lasts,
            success.below
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::SECOND;

    fn success() -> StopWhen {
        StopWhen::Success(Success {
            below: "50%".parse().unwrap(),
            lasts: Dur::secs(2),
        })
    }

    /// Ten answers a second from 10 s on, those from `bad` on wrong.
    fn answers(bad: Nanos) -> Vec<(Nanos, bool)> {
        (100..150)
            .map(|n| n * SECOND / 10)
            .map(|due| (due, due < bad))
            .collect()
    }

    #[test]
    fn a_storm_ends_when_a_whole_window_of_it_had_too_few_right_answers_and_not_before() {
        let mut lookout = Lookout::new(&[success()], 10 * SECOND);
        let all = answers(12 * SECOND);
        let mut look = |at: Nanos| {
            let seen: Vec<_> = all.iter().copied().filter(|(due, _)| *due <= at).collect();
            lookout.look(at, &seen, |_| true)
        };
        assert_eq!(look(12 * SECOND), None);
        assert_eq!(look(12_900_000_000), None);
        let why = look(13_200_000_000).unwrap();
        assert!(why.contains("of the last 2s") && why.contains("50%"), "{why}");
        // What went wrong before the storm is not its doing.
        let mut late = Lookout::new(&[success()], 13 * SECOND);
        assert_eq!(late.look(14 * SECOND, &answers(0), |_| true), None);
        assert!(late.look(15 * SECOND, &answers(0), |_| true).is_some());
        // Nothing asked is nothing wrong.
        assert_eq!(late.look(40 * SECOND, &answers(0), |_| true), None);
    }

    #[test]
    fn a_service_that_comes_back_in_between_was_not_down_for_so_long() {
        let down = StopWhen::Down(Down {
            on: "db".to_owned(),
            lasts: Dur::secs(3),
        });
        let mut lookout = Lookout::new(&[down], 0);
        let seen = [(1, false), (3, false), (4, true), (5, false), (7, false), (8, false)];
        let ends: Vec<u64> = seen
            .iter()
            .filter(|(at, up)| lookout.look(at * SECOND, &[], |_| *up).is_some())
            .map(|(at, _)| *at)
            .collect();
        assert_eq!(ends, [8]);
    }
}
