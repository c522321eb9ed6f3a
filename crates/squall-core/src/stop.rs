//! What ends a storm before its plan does: conditions on what is seen while it rages.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::amount::{Dur, Percent};
use crate::time::{Nanos, SECOND, nanos, words};

/// Fewer answers make no share.
const FEWEST: usize = 5;
/// Answers are counted by parts of so long: a window is as long as it says, but for less than one of them.
const PART: Nanos = SECOND / 20;

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

/// Answers counted by when they were due, as far back as the longest window of some conditions: however many there are.
#[derive(Debug, Clone)]
pub struct Answers {
    longest: Nanos,
    /// How many of those due in a part were right, and how many there were.
    parts: BTreeMap<Nanos, (usize, usize)>,
}

impl Answers {
    /// None yet.
    pub fn of(conditions: &[StopWhen]) -> Self {
        let windows = conditions.iter().map(|condition| nanos(condition.lasts().get()));
        Self {
            longest: windows.max().unwrap_or(0),
            parts: BTreeMap::new(),
        }
    }

    /// Counts one that was due at `due`.
    pub fn add(&mut self, due: Nanos, right: bool) {
        let (rights, all) = self.parts.entry(due / PART).or_default();
        *rights += usize::from(right);
        *all += 1;
        // One that was long on its way is heard when later ones have been.
        let back = self.longest.saturating_mul(2) / PART + 1;
        while let (Some((first, _)), Some((last, _))) = (self.parts.first_key_value(), self.parts.last_key_value())
            && last - first > back
        {
            self.parts.pop_first();
        }
    }

    /// How many were right of those due in the parts that lie inside, and how many there were.
    fn inside(&self, window: std::ops::Range<Nanos>) -> (usize, usize) {
        let parts = self.parts.range(window.start.div_ceil(PART)..=window.end / PART);
        parts.fold((0, 0), |(rights, all), (_, part)| (rights + part.0, all + part.1))
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

    /// Looks at `now`: at answers, and at whether a copy of a service runs. Answers why the storm must end, if it must.
    pub fn look(&mut self, now: Nanos, answers: &Answers, runs: impl Fn(&str) -> bool) -> Option<String> {
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
fn too_few_right(success: &Success, storm: std::ops::Range<Nanos>, answers: &Answers) -> Option<String> {
    let from = storm.end.checked_sub(nanos(success.lasts.get()))?;
    if from < storm.start {
        return None;
    }
    let (right, all) = answers.inside(from..storm.end);
    let few = all >= FEWEST && (right as f64) < success.below.fraction() * all as f64;
    few.then(|| {
        format!(
            "{right} of the {all} requests of the last {} were answered right, `stop_when` demands {}",
            success.lasts, success.below
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn success() -> StopWhen {
        StopWhen::Success(Success {
            below: "50%".parse().unwrap(),
            lasts: Dur::secs(2),
        })
    }

    /// Ten answers a second from 10 s on, those from `bad` on wrong, as far as they are due by `until`.
    fn answers(bad: Nanos, until: Nanos) -> Answers {
        let mut answers = Answers::of(&[success()]);
        let dues = (100..150).map(|n| n * SECOND / 10);
        dues.filter(|due| *due <= until)
            .for_each(|due| answers.add(due, due < bad));
        answers
    }

    #[test]
    fn a_storm_ends_when_a_whole_window_of_it_had_too_few_right_answers_and_not_before() {
        let mut lookout = Lookout::new(&[success()], 10 * SECOND);
        let mut look = |at: Nanos| lookout.look(at, &answers(12 * SECOND, at), |_| true);
        assert_eq!(look(12 * SECOND), None);
        assert_eq!(look(12_900_000_000), None);
        let why = look(13_200_000_000).unwrap();
        assert!(why.contains("of the last 2s") && why.contains("50%"), "{why}");
        // What went wrong before the storm is not its doing.
        let mut late = Lookout::new(&[success()], 13 * SECOND);
        let all = answers(0, 15 * SECOND);
        assert_eq!(late.look(14 * SECOND, &all, |_| true), None);
        assert!(late.look(15 * SECOND, &all, |_| true).is_some());
        // Nothing asked is nothing wrong.
        assert_eq!(late.look(40 * SECOND, &all, |_| true), None);
    }

    #[test]
    fn a_long_window_of_many_answers_is_looked_at_as_a_whole() {
        let long = StopWhen::Success(Success {
            below: "50%".parse().unwrap(),
            lasts: Dur::secs(60),
        });
        let conditions = [long];
        // A thousand a second, which are wrong from 100 s on.
        let mut answers = Answers::of(&conditions);
        let mut lookout = Lookout::new(&conditions, 0);
        let mut why = None;
        for n in 0..150_000 {
            let due = n * SECOND / 1000;
            answers.add(due, due < 100 * SECOND);
            if n % 1000 == 0 {
                why = why.or_else(|| lookout.look(due, &answers, |_| true).map(|why| (due, why)));
            }
        }
        let (at, why) = why.unwrap();
        assert_eq!(at, 130 * SECOND, "{why}");
        assert!(why.contains("of the last 1m"), "{why}");
        let asked: usize = why
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .nth(1)
            .unwrap();
        assert!((59_900..=60_100).contains(&asked), "{why}");
        assert!(answers.parts.len() <= 2 * 60 * 20 + 2, "{}", answers.parts.len());
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
            .filter(|(at, up)| lookout.look(at * SECOND, &Answers::of(&[]), |_| *up).is_some())
            .map(|(at, _)| *at)
            .collect();
        assert_eq!(ends, [8]);
    }
}
