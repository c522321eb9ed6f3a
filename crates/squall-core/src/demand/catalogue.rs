//! What `squall list checks` says of each check.

/// Classes of findings that say no more than "it took too long". Where squall itself had no processor when it wanted
/// one, the system under test had none either: then they are no findings.
pub const TIMED: [&str; 9] = [
    "ack-gap",
    "degradation",
    "health-lie",
    "hung",
    "incomplete",
    "slow",
    "slow-adaptation",
    "slow-recovery",
    "unserved",
];

/// What `squall list checks` says of each: name, finding classes, what it demands, and its grace.
pub const CATALOGUE: &[(&str, &str, &str)] = &[
    (
        "api_success",
        "wrong-answer",
        "share of right answers outside outage windows (fault effective to heal + 2 s)",
    ),
    (
        "answered_correctly",
        "wrong-answer",
        "share of right or honestly refused (503, JSON error) answers inside outage windows",
    ),
    (
        "answers_in_time",
        "hung",
        "every answer inside an outage window comes within the bound",
    ),
    (
        "health_truthful",
        "health-lie",
        "ready turns false and true within the bound of a dependency's loss and return, never flaps, and live stays true while the process lives",
    ),
    (
        "no_task_lost",
        "lost-task, phantom-done",
        "every acknowledged task is there, and a done one had its effect",
    ),
    (
        "no_phantom_task",
        "phantom-task",
        "everything that ran was sent, and was not refused",
    ),
    (
        "no_task_completed_twice",
        "double-commit, double-effect",
        "at most one commit of each task",
    ),
    (
        "counted",
        "lost-increment, dup-increment",
        "what a counter shows lies between the increments acknowledged before it was asked and those asked for before it answered",
    ),
    (
        "mutual_exclusion",
        "mutex-violation, token-regress",
        "no lock is acquired while another's lease of it surely runs, and fencing tokens grow",
    ),
    (
        "fenced",
        "unsafe-after-expiry, lost-append",
        "nothing of a holder is appended after what a later holder appended, and nothing acknowledged is missing",
    ),
    (
        "none_stuck",
        "stuck-task",
        "after heal + lease + grace nothing runs without a live lease; nothing waits longer than the longest backoff + 5 s",
    ),
    (
        "retried",
        "missing-retry",
        "a failed attempt below the maximum, or an interrupted one, has a successor in time",
    ),
    (
        "dlq_accounted",
        "dlq-leak",
        "dead exactly when attempts are used up, no handler exists or the cap on deaths is reached; sums close",
    ),
    (
        "completion",
        "incomplete",
        "share of the storm's tasks done at the deadline inside the level's range",
    ),
    (
        "deadline",
        "incomplete",
        "all of the storm's tasks done at the deadline; where the level allows lateness only warns",
    ),
    (
        "recovery",
        "no-recovery, slow-recovery",
        "serving again, and steady, within the bound: from death where it must come back by itself, from heal where squall held it",
    ),
    (
        "data_intact",
        "lost-ack, corruption",
        "every acknowledged row and session is there and unchanged at the audit",
    ),
    (
        "work_spread",
        "hoarding",
        "with work waiting, no worker is left without any",
    ),
    (
        "adaptation",
        "no-adaptation, slow-adaptation",
        "every copy that comes takes work, and every copy that goes is gone, within the bound",
    ),
    (
        "amplification",
        "retry-storm",
        "calls over a cut link for each attempt stay below the bound",
    ),
    (
        "attempts_in_time",
        "hung",
        "no attempt at work without a length of its own goes on for longer than the bound",
    ),
    (
        "breaker",
        "never-opened, no-fast-failure, never-closed",
        "the breaker of a kind of work opens when it keeps failing, fails fast meanwhile, and closes again",
    ),
    (
        "isolated",
        "not-isolated",
        "kinds of work that need nothing of what is broken go on without a failure",
    ),
    (
        "no_degradation",
        "degradation",
        "the time to serve again does not grow from cycle to cycle (claimed from 6 cycles on)",
    ),
    (
        "alarmed",
        "unnoticed, false-alarm",
        "an alarm of the system's own monitoring rings within the bound of a loss, is silent within it after the return, and rings at no other time",
    ),
    ("no_panics", "panic", "no line of a log speaks of a panic"),
    (
        "log_errors",
        "error-burst",
        "outside outage windows the system's own services write no more than so many lines that speak of an error",
    ),
    (
        "ack_gap",
        "ack-gap",
        "while writes were asked for, the longest time without one that was acknowledged stays within the bound",
    ),
    (
        "error_budget",
        "over-budget",
        "the run spends no more than a share of the error budget of a window",
    ),
    (
        "script",
        "script-failed",
        "a command of one's own, run after the drain, ends with exit code 0 within its bound",
    ),
    (
        "stable",
        "memory-growth, descriptor-growth, connection-growth",
        "memory, descriptors and database connections do not grow without end",
    ),
    (
        "stays_up",
        "died",
        "no process of the system ends that was not killed or stopped, whatever it is short of",
    ),
    (
        "create_latency",
        "slow",
        "under a flood, 99 of 100 creates take no longer than the bound from when they were due",
    ),
    (
        "throughput",
        "unserved",
        "under a flood, the share of creates acknowledged within a second of when they were due; says where it saturates",
    ),
];
