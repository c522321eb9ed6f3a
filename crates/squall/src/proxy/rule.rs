//! The one rule that a list of conditions amounts to.

use std::io;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus;
use squall_core::place::{Condition, Cut};

/// No delay is longer than this, so that no deadline leaves the range of the clock.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What happens on a link. Later rules win over earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rule {
    /// Bytes are passed on after the sum of these delays; without any, at once.
    Flow(Vec<Delay>),
    /// Bytes vanish.
    BlackHole,
    /// Connections are accepted and reset.
    Reset,
    /// Nobody listens, and open connections are reset.
    Refuse,
}

impl Rule {
    /// Folds conditions into a rule: any cut wins over delays, delays add up.
    ///
    /// # Errors
    /// Says so when a condition is not one for a link.
    pub(super) fn of(conditions: &[Condition]) -> io::Result<Self> {
        let mut delays = Vec::new();
        let mut cut = None;
        for condition in conditions {
            match condition {
                Condition::Cut(how) => cut = cut.max(Some(Self::of_cut(*how))),
                Condition::Delay { latency, jitter } => {
                    delays.push(Delay {
                        latency: *latency,
                        jitter: *jitter,
                    });
                }
                Condition::Down(_) | Condition::Frozen | Condition::Replicas(_) => {
                    let why = format!("a link cannot be '{}'", condition.word());
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
                }
            }
        }
        // The same delays in another order are the same rule.
        delays.sort_unstable();
        Ok(cut.unwrap_or(Self::Flow(delays)))
    }

    fn of_cut(how: Cut) -> Self {
        match how {
            Cut::BlackHole => Self::BlackHole,
            Cut::Reset => Self::Reset,
            Cut::Refuse => Self::Refuse,
        }
    }

    /// Whether open connections are reset.
    pub(super) fn ends_connections(&self) -> bool {
        matches!(self, Self::Reset | Self::Refuse)
    }
}

/// A delay that differs from byte to byte.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Delay {
    latency: Duration,
    jitter: Duration,
}

impl Delay {
    /// Draws evenly from `latency - jitter` to `latency + jitter`; below zero counts as zero.
    fn draw(&self, rng: &mut Xoshiro256PlusPlus) -> Duration {
        let jitter = self.jitter.min(LONGEST);
        let width = u64::try_from(2 * jitter.as_nanos()).unwrap_or(u64::MAX);
        let above = Duration::from_nanos(rng.random_range(0..=width));
        (self.latency.min(LONGEST) + above).saturating_sub(jitter)
    }
}

/// Draws the sum of `delays`.
pub(super) fn draw(delays: &[Delay], rng: &mut Xoshiro256PlusPlus) -> Duration {
    let each = delays.iter().map(|delay| delay.draw(rng));
    each.fold(Duration::ZERO, Duration::saturating_add).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use squall_core::place::Death;

    const fn delay(latency: u64, jitter: u64) -> Condition {
        let (latency, jitter) = (Duration::from_millis(latency), Duration::from_millis(jitter));
        Condition::Delay { latency, jitter }
    }

    #[test]
    fn any_cut_wins_over_delay_and_the_harder_cut_over_the_softer() {
        let hole = Condition::Cut(Cut::BlackHole);
        let refuse = Condition::Cut(Cut::Refuse);
        assert_eq!(Rule::of(&[delay(5, 0), hole.clone()]).unwrap(), Rule::BlackHole);
        assert_eq!(Rule::of(&[refuse, delay(5, 0), hole]).unwrap(), Rule::Refuse);
    }

    #[test]
    fn the_order_of_delays_does_not_matter() {
        let (one, other) = (delay(5, 1), delay(30, 0));
        let rule = Rule::of(&[one.clone(), other.clone()]).unwrap();
        assert_eq!(rule, Rule::of(&[other, one]).unwrap());
    }

    #[test]
    fn what_is_not_for_links_is_refused() {
        let error = Rule::of(&[Condition::Down(Death::Kill)]).unwrap_err();
        assert_eq!(error.to_string(), "a link cannot be 'killed'");
    }

    #[test]
    fn delays_add_and_fill_their_range() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let Rule::Flow(delays) = Rule::of(&[delay(40, 10), delay(5, 20)]).unwrap() else {
            panic!("delays make a flow");
        };
        let drawn: Vec<_> = (0..10_000).map(|_| draw(&delays, &mut rng)).collect();
        let (least, most) = (drawn.iter().min().unwrap(), drawn.iter().max().unwrap());
        assert!((30..35).contains(&least.as_millis()), "{least:?}");
        assert!((70..=75).contains(&most.as_millis()), "{most:?}");
    }

    #[test]
    fn the_longest_delays_do_not_overflow() {
        let huge = Condition::Delay {
            latency: Duration::MAX,
            jitter: Duration::MAX,
        };
        let Rule::Flow(delays) = Rule::of(&[huge.clone(), huge]).unwrap() else {
            panic!("delays make a flow");
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        assert!(draw(&delays, &mut rng) <= LONGEST);
    }
}
