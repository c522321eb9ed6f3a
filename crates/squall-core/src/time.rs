//! Time as the journal counts it.

use std::time::Duration;

/// Nanoseconds since the journal was opened, or a duration in nanoseconds.
pub type Nanos = u64;

/// A duration in nanoseconds; one of over 584 years counts as that.
pub fn nanos(length: Duration) -> Nanos {
    Nanos::try_from(length.as_nanos()).unwrap_or(Nanos::MAX)
}

/// A second.
pub const SECOND: Nanos = 1_000_000_000;

/// A duration as sentences give it: `850 ms`, `1.25 s`, `44.0 s`, `130 s`.
pub fn words(length: Nanos) -> String {
    let seconds = length as f64 / SECOND as f64;
    match length {
        0..SECOND => format!("{} ms", length / 1_000_000),
        SECOND..10_000_000_000 => format!("{seconds:.2} s"),
        10_000_000_000..100_000_000_000 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}
