//! Time as the journal counts it.

use std::time::Duration;

/// Nanoseconds since the journal was opened, or a duration in nanoseconds.
pub type Nanos = u64;

/// A duration in nanoseconds; one of over 584 years counts as that.
pub fn nanos(length: Duration) -> Nanos {
    Nanos::try_from(length.as_nanos()).unwrap_or(Nanos::MAX)
}
