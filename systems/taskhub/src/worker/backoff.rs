//! How long a failed task waits for its next attempt.

use std::time::Duration;

/// Doubling waits with a ceiling and some jitter, so that tasks that failed
/// together do not come back together.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    /// Wait after the first failure.
    pub first: Duration,
    /// Longest wait, before jitter.
    pub max: Duration,
}

impl Backoff {
    /// The wait after this many failures; `chance` in 0..1 places it within ±20 %.
    pub fn after(self, failures: i32, chance: f64) -> Duration {
        let doublings = u32::try_from(failures - 1).unwrap_or(0).min(20);
        let wait = self.first.saturating_mul(1 << doublings).min(self.max);
        wait.mul_f64(0.8 + 0.4 * chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BACKOFF: Backoff = Backoff {
        first: Duration::from_millis(500),
        max: Duration::from_secs(5),
    };

    #[test]
    fn it_doubles_up_to_the_ceiling() {
        let waits = [1, 2, 3, 4, 5, 60].map(|n| BACKOFF.after(n, 0.5).as_millis());
        assert_eq!(waits, [500, 1000, 2000, 4000, 5000, 5000]);
    }

    #[test]
    fn jitter_stays_within_a_fifth() {
        assert_eq!(BACKOFF.after(1, 0.0), Duration::from_millis(400));
        assert_eq!(BACKOFF.after(1, 1.0), Duration::from_millis(600));
    }
}
