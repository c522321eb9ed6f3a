//! Dice: all that is left to chance on a link is drawn here, from the plan's seed.

use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use squall_core::place::Spread;

/// The dice of one connection. What is drawn depends on the seed, the connection's number and on what the draw is
/// for, and never on what else was drawn or when.
#[derive(Debug, Clone, Copy)]
pub(in crate::proxy) struct Chance(u64);

impl Chance {
    /// For the `serial`-th connection of a link.
    pub(in crate::proxy) fn new(seed: u64, serial: u64) -> Self {
        Self(mix(seed ^ mix(serial)))
    }

    /// A number from 0 to below 1 for the impairment `key`.
    pub(in crate::proxy) fn of(self, key: u64) -> f64 {
        (mix(self.0 ^ mix(key)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// A generator for the impairment `key` in one of its directions.
    pub(in crate::proxy) fn rng(self, key: u64, up: bool) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(mix(self.0 ^ mix(key ^ u64::from(up) << 63)))
    }
}

/// SplitMix64's finalizer (Steele, Lea and Flood, 2014): near numbers become far ones.
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    number ^ (number >> 31)
}

/// How many bytes pass until one is met that is so likely: a geometric distribution, by inversion.
pub(super) fn gap(share: f64, rng: &mut Xoshiro256PlusPlus) -> u64 {
    match share {
        share if share <= 0.0 => u64::MAX,
        share if share >= 1.0 => 0,
        share => ((1.0 - rng.random::<f64>()).ln() / (1.0 - share).ln()) as u64,
    }
}

/// A delay; below zero counts as zero.
pub(super) fn delay((latency, jitter, spread): (Duration, Duration, Spread), rng: &mut Xoshiro256PlusPlus) -> Duration {
    if jitter.is_zero() {
        return latency;
    }
    let off = match spread {
        Spread::Uniform => 2.0 * rng.random::<f64>() - 1.0,
        Spread::Normal => normal(rng),
        // Of scale 2 it is 1 more than its least on average.
        Spread::Pareto => 2.0 * ((1.0 - rng.random::<f64>()).powf(-1.0 / 3.0) - 1.0),
    };
    let most = super::LONGEST.as_secs_f64();
    let seconds = latency.as_secs_f64() + off * jitter.as_secs_f64();
    Duration::from_secs_f64(seconds.clamp(0.0, most))
}

/// From a standard normal distribution, by the method of Box and Muller (1958).
fn normal(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let (radius, turn): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * turn).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn drawn(spread: Spread) -> Vec<f64> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let draw = |_| delay((100 * MS, 10 * MS, spread), &mut rng).as_secs_f64() * 1e3;
        let mut all: Vec<f64> = (0..20_000).map(draw).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn mean(all: &[f64]) -> f64 {
        all.iter().sum::<f64>() / all.len() as f64
    }

    #[test]
    fn uniform_jitter_fills_its_range_and_no_more() {
        let all = drawn(Spread::Uniform);
        assert!(all[0] >= 90.0 && all[0] < 90.1, "{}", all[0]);
        assert!(all[19_999] <= 110.0 && all[19_999] > 109.9, "{}", all[19_999]);
    }

    #[test]
    fn normal_jitter_has_its_standard_deviation() {
        let all = drawn(Spread::Normal);
        let mean = mean(&all);
        let variance = all.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / all.len() as f64;
        assert!(
            (mean - 100.0).abs() < 0.3 && (variance.sqrt() - 10.0).abs() < 0.3,
            "{mean} {variance}"
        );
    }

    #[test]
    fn pareto_jitter_is_never_below_and_is_the_jitter_on_average() {
        let all = drawn(Spread::Pareto);
        assert!(all[0] >= 100.0, "{}", all[0]);
        assert!((mean(&all) - 110.0).abs() < 1.0, "{}", mean(&all));
        assert!(all[19_979] > 150.0, "no long tail: {}", all[19_979]);
    }

    #[test]
    fn the_longest_delays_do_not_overflow() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        for spread in [Spread::Uniform, Spread::Normal, Spread::Pareto] {
            assert!(delay((Duration::MAX, Duration::MAX, spread), &mut rng) <= super::super::LONGEST);
        }
    }

    #[test]
    fn gaps_between_bad_bytes_are_as_long_as_their_share_says() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        let all: Vec<f64> = (0..20_000).map(|_| gap(0.01, &mut rng) as f64).collect();
        assert!((mean(&all) - 99.0).abs() < 3.0, "{}", mean(&all));
        assert_eq!((gap(0.0, &mut rng), gap(1.0, &mut rng)), (u64::MAX, 0));
    }

    #[test]
    fn chance_depends_on_seed_connection_and_key_alone() {
        let all: Vec<f64> = (0..10_000).map(|serial| Chance::new(1, serial).of(5)).collect();
        assert!((mean(&all) - 0.5).abs() < 0.02);
        assert_eq!(Chance::new(1, 2).of(3).to_bits(), Chance::new(1, 2).of(3).to_bits());
        assert_ne!(Chance::new(1, 2).of(3).to_bits(), Chance::new(2, 2).of(3).to_bits());
    }
}
