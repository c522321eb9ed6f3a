//! Stages: the five steps in which a project takes chaos testing up, each with its level, its
//! scenarios and the time it may take.

use std::time::Duration;

use clap::ValueEnum;

use super::{Choice, say};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Stage {
    /// While writing code: level 1, at most 2 minutes
    Development,
    /// Before merging: level 2, at most 5 minutes
    Integration,
    /// Under load: level 3, at most 8 minutes
    Load,
    /// Many faults at once: level 4, at most 15 minutes
    Resilience,
    /// Before a release: level 5, all scenarios, at most 20 minutes
    Production,
}

/// What a stage consists of.
struct Row {
    level: u8,
    /// Names, found when the run starts: one that is not there is an error like any other's.
    scenarios: &'static str,
    minutes: u64,
}

impl Stage {
    fn row(self) -> Row {
        let (level, scenarios, minutes) = match self {
            Stage::Development => (1, "baseline,db-failure", 2),
            Stage::Integration => (2, "baseline,server-restart,worker-restart", 5),
            Stage::Load => (3, "task-flood,circuit-breaker", 8),
            Stage::Resilience => (4, "mixed-chaos,recovery,multi-worker-chaos,dynamic-scaling", 15),
            Stage::Production => (5, "all", 20),
        };
        Row {
            level,
            scenarios,
            minutes,
        }
    }

    /// What is chosen by it, with everything else as in `choice`.
    pub(super) fn choice(self, choice: &Choice) -> Choice {
        let row = self.row();
        Choice {
            scenarios: row.scenarios.to_owned(),
            together: true,
            difficulty: row.level,
            ..choice.clone()
        }
    }

    /// How long it may take.
    pub(super) fn limit(self) -> Duration {
        Duration::from_secs(self.row().minutes * 60)
    }

    /// Says what it is.
    pub(super) fn say(self) {
        let row = self.row();
        say::err(&format!(
            "squall: stage {}: level {}, scenarios {}, time limit {} min",
            self.name(),
            row.level,
            row.scenarios,
            row.minutes
        ));
    }

    /// Warns if it took longer than it may; its outcome stays what it is.
    pub(super) fn warn(self, took: Duration) {
        if let Some(warning) = self.late(took) {
            say::err(&warning);
        }
    }

    fn late(self, took: Duration) -> Option<String> {
        (took > self.limit()).then(|| {
            format!(
                "⚠️  stage {} took {} s, more than its limit of {} s",
                self.name(),
                took.as_secs(),
                self.limit().as_secs()
            )
        })
    }

    fn name(self) -> String {
        self.to_possible_value()
            .map_or_else(String::new, |value| value.get_name().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_stage_that_took_too_long_is_warned_of() {
        let limit = Stage::Development.limit();
        assert_eq!(Stage::Development.late(limit), None);
        let warning = Stage::Development.late(limit + Duration::from_secs(1)).unwrap();
        assert!(
            warning.contains("development took 121 s") && warning.contains("120 s"),
            "{warning}"
        );
    }

    #[test]
    fn each_stage_is_harder_and_longer_than_the_one_before() {
        let rows: Vec<Row> = Stage::value_variants().iter().map(|stage| stage.row()).collect();
        assert!(
            rows.windows(2)
                .all(|two| two[0].level < two[1].level && two[0].minutes < two[1].minutes)
        );
    }
}
