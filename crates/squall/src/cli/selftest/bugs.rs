//! The planted bugs: which scenario must find each, by which check, as which class.

/// One row of the matrix.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bug {
    /// Its name in the reference system.
    pub(super) name: &'static str,
    /// The scenario that must catch it.
    pub(super) scenario: &'static str,
    /// The check that must fail.
    pub(super) check: &'static str,
    /// As this class.
    pub(super) class: &'static str,
    /// What the level needs for it to show.
    pub(super) sets: &'static [(&'static str, &'static str)],
}

/// How the reference system is told which bug to have.
pub(super) const SWITCH: &str = "TASKHUB_BUG";

const fn bug(name: &'static str, scenario: &'static str, check: &'static str, class: &'static str) -> Bug {
    Bug {
        name,
        scenario,
        check,
        class,
        sets: &[],
    }
}

impl Bug {
    const fn with(self, sets: &'static [(&'static str, &'static str)]) -> Self {
        Self { sets, ..self }
    }
}

/// Every bug of the scenarios that exist.
pub(super) const BUGS: &[Bug] = &[
    bug("wrong-status", "baseline", "api_success", "wrong-answer"),
    bug("lost-enqueue", "baseline", "no_task_lost", "lost-task"),
    bug("health-lies", "db-failure", "health_truthful", "health-lie"),
    bug("hang-on-db-loss", "db-failure", "answers_in_time", "hung"),
    bug("never-reconnects", "db-failure", "recovery", "no-recovery"),
    bug("acked-not-durable", "db-failure", "data_intact", "lost-ack"),
    bug("sessions-in-memory", "server-restart", "data_intact", "lost-ack"),
    bug("slow-start", "server-restart", "recovery", "slow-recovery"),
    bug("no-lease", "worker-restart", "none_stuck", "stuck-task"),
    bug("done-before-work", "worker-restart", "no_task_lost", "phantom-done"),
    bug(
        "double-claim",
        "worker-restart",
        "no_task_completed_twice",
        "double-commit",
    ),
    bug(
        "unfenced-commit",
        "worker-restart",
        "no_task_completed_twice",
        "double-commit",
    ),
    bug("no-retry", "multi-worker-chaos", "retried", "missing-retry"),
    bug("one-worker-hoards", "multi-worker-chaos", "work_spread", "hoarding"),
    bug("dlq-leak", "multi-worker-chaos", "dlq_accounted", "dlq-leak"),
    bug("panics-on-outage", "recovery", "no_panics", "panic"),
    bug("slow-creates", "task-flood", "create_latency", "slow"),
    bug("memory-leak", "task-flood", "stable", "memory-growth").with(&[("flood", "100/s")]),
    bug("connection-leak", "task-flood", "stable", "connection-growth")
        .with(&[("flood", "20/s"), ("flood_top", "40/s")]),
    bug("drops-under-load", "task-flood", "no_task_lost", "lost-task").with(&[("flood_top", "2000/s")]),
    bug("never-opens", "circuit-breaker", "breaker", "never-opened"),
    bug("never-closes", "circuit-breaker", "breaker", "never-closed"),
    bug("shared-breaker", "circuit-breaker", "isolated", "not-isolated"),
    // A trend is claimed from 6 cycles on.
    bug("slower-every-restart", "recovery", "no_degradation", "degradation").with(&[("cycles", "7")]),
    bug("drops-on-sigterm", "dynamic-scaling", "no_task_lost", "lost-task"),
    bug("ignores-new-workers", "dynamic-scaling", "adaptation", "no-adaptation"),
    // At pace 10 a shorter cut would be over before a call without a bound is told from one with.
    bug("no-timeout", "network", "attempts_in_time", "hung").with(&[("partition", "8s")]),
    bug("unbounded-memory", "resource-exhaustion", "stays_up", "died"),
    bug("dies-on-disk-full", "resource-exhaustion", "stays_up", "died"),
    bug("retry-storm", "network", "amplification", "retry-storm"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The reference system's own list.
    const LIST: &str = include_str!("../../../../../systems/taskhub/src/bug.rs");

    /// A variant's name as it is given in the environment.
    fn kebab(variant: &str) -> String {
        let mut name = String::new();
        for letter in variant.chars() {
            if letter.is_ascii_uppercase() && !name.is_empty() {
                name.push('-');
            }
            name.push(letter.to_ascii_lowercase());
        }
        name
    }

    #[test]
    fn every_bug_that_can_be_planted_has_a_row_and_every_row_can_be_planted() {
        let (_, list) = LIST.split_once("pub enum Bug {").unwrap();
        let (list, _) = list.split_once("\n}").unwrap();
        let lines = list.lines().map(str::trim);
        let variants = lines.filter(|line| !line.is_empty() && !line.starts_with("//") && !line.starts_with('#'));
        let planted: BTreeSet<String> = variants.map(|line| kebab(line.trim_end_matches(','))).collect();
        let rows: BTreeSet<String> = BUGS.iter().map(|bug| bug.name.to_owned()).collect();
        assert_eq!(rows.len(), BUGS.len(), "a bug has two rows");
        assert_eq!(rows, planted, "taskhub's bug.rs and the table above differ");
    }
}
