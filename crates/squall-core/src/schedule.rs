//! When requests are due: rates that stay, ramp or spike, one after another, as offsets from a start.
//!
//! The rate over time is a curve, and the k-th request is due where the area under it reaches k. Each due is
//! worked out from k alone, never from the due before it, so nothing adds up: neither over hours at one rate,
//! nor where one rate gives way to the next.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use crate::time::{Nanos, SECOND};

/// More requests a second than this are a slip: no two of them would be due at different moments.
const MOST_PER_SECOND: f64 = 1e9;
/// A request this close after the end is the end's own, and only rounding put it before.
const TOUCH: f64 = 1e-6;
/// Poisson gaps are added up as integers of this many to a mean gap, so that sums are exact.
const UNIT: f64 = (1_u64 << 40) as f64;

/// A stretch of time with a rate, which may change evenly from its start to its end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// How long it is.
    pub length: Nanos,
    /// Requests a second at its start.
    pub from: f64,
    /// Requests a second at its end.
    pub to: f64,
}

/// How the dues lie around their rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// Evenly, the first one at the very start.
    Even,
    /// As those of many clients who know nothing of each other: a Poisson process.
    Poisson {
        /// What the gaps are drawn from.
        seed: u64,
    },
}

/// Stretches in order, and how requests arrive in them.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    stretches: Vec<Stretch>,
    arrivals: Arrivals,
}

/// When one request is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its number, from 0.
    pub k: u64,
    /// The index of its stretch.
    pub stretch: usize,
    /// Since the start.
    pub at: Nanos,
}

/// A rate no schedule can have.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{rate} requests a second can't be scheduled; give a rate from 0 to {MOST_PER_SECOND}")]
pub struct BadRate {
    /// The rate.
    pub rate: f64,
}

impl Stretch {
    /// One rate, in requests a second.
    pub fn even(rate: f64, length: Nanos) -> Self {
        Self::ramp(rate, rate, length)
    }

    /// From one rate to another, both in requests a second.
    pub fn ramp(from: f64, to: f64, length: Nanos) -> Self {
        Self { length, from, to }
    }

    /// `base` requests a second, but `peak` from `at` on for `lasts`: three stretches that take `length` together.
    pub fn spike(base: f64, peak: f64, (at, lasts): (Nanos, Nanos), length: Nanos) -> [Self; 3] {
        let at = at.min(length);
        let lasts = lasts.min(length - at);
        [
            Self::even(base, at),
            Self::even(peak, lasts),
            Self::even(base, length - at - lasts),
        ]
    }

    /// How many requests it has, and the fraction of the next.
    fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds()
    }

    fn seconds(&self) -> f64 {
        self.length as f64 / SECOND as f64
    }

    /// How long after its start it has had `area` requests.
    fn reaches(&self, area: f64) -> Nanos {
        let steepness = (self.to - self.from) / self.seconds();
        // The root of from·t + steepness·t²/2 = area, in the form that neither cancels nor divides by no steepness.
        let root = (self.from * self.from + 2.0 * steepness * area).max(0.0).sqrt();
        let below = self.from + root;
        let seconds = if below > 0.0 { 2.0 * area / below } else { 0.0 };
        // Rounded, or 0.3 s would be 299,999,999 ns; `as` keeps the result within what a Nanos holds.
        ((seconds * SECOND as f64).round() as Nanos).min(self.length)
    }
}

impl Schedule {
    /// Stretches in order.
    ///
    /// # Errors
    /// When a rate is negative, no number, or over 10⁹ a second.
    pub fn new(stretches: impl Into<Vec<Stretch>>, arrivals: Arrivals) -> Result<Self, BadRate> {
        let stretches = stretches.into();
        let rates = stretches.iter().flat_map(|stretch| [stretch.from, stretch.to]);
        for rate in rates {
            if !(0.0..=MOST_PER_SECOND).contains(&rate) {
                return Err(BadRate { rate });
            }
        }
        Ok(Self { stretches, arrivals })
    }

    /// The stretches.
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// From the start to the end of the last stretch.
    pub fn length(&self) -> Nanos {
        self.stretches
            .iter()
            .fold(0, |sum, stretch| sum.saturating_add(stretch.length))
    }

    /// The dues in order: the same every time.
    pub fn dues(&self) -> Dues {
        let gaps = match self.arrivals {
            Arrivals::Even => None,
            Arrivals::Poisson { seed } => Some(Gaps {
                rng: ChaCha12Rng::seed_from_u64(seed),
                sum: 0,
            }),
        };
        Dues {
            stretches: self.stretches.clone(),
            gaps,
            k: 0,
            stretch: 0,
            before: 0.0,
            begun: 0,
        }
    }
}

/// The dues of a [`Schedule`], in order and never decreasing.
#[derive(Debug, Clone)]
pub struct Dues {
    stretches: Vec<Stretch>,
    gaps: Option<Gaps>,
    k: u64,
    stretch: usize,
    /// The area of all stretches before this one.
    before: f64,
    /// Where this stretch begins.
    begun: Nanos,
}

/// Random gaps, added up.
#[derive(Debug, Clone)]
struct Gaps {
    rng: ChaCha12Rng,
    /// In mean gaps, times [`UNIT`].
    sum: u128,
}

impl Gaps {
    /// The area under the rate at which the next request is due.
    fn next(&mut self) -> f64 {
        let even: f64 = self.rng.random();
        self.sum += (-(1.0 - even).ln() * UNIT) as u128;
        self.sum as f64 / UNIT
    }
}

impl Iterator for Dues {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        let area = match &mut self.gaps {
            None => self.k as f64,
            Some(gaps) => gaps.next(),
        };
        loop {
            let stretch = self.stretches.get(self.stretch)?;
            let here = stretch.area();
            if area + TOUCH < self.before + here {
                let due = Due {
                    k: self.k,
                    stretch: self.stretch,
                    at: self.begun + stretch.reaches((area - self.before).max(0.0)),
                };
                self.k += 1;
                return Some(due);
            }
            self.before += here;
            self.begun = self.begun.saturating_add(stretch.length);
            self.stretch += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn schedule(stretches: impl Into<Vec<Stretch>>) -> Schedule {
        Schedule::new(stretches, Arrivals::Even).unwrap()
    }

    fn poisson(stretches: impl Into<Vec<Stretch>>, seed: u64) -> Schedule {
        Schedule::new(stretches, Arrivals::Poisson { seed }).unwrap()
    }

    #[test]
    fn an_even_rate_is_exact_after_hours() {
        let hours = 10 * 3600;
        let last = schedule([Stretch::even(1000.0, hours * SECOND)]).dues().last().unwrap();
        assert_eq!((last.k, last.at), (hours * 1000 - 1, hours * SECOND - 1_000_000));
        let odd = schedule([Stretch::even(3.0, 10 * SECOND)]);
        let dues: Vec<Nanos> = odd.dues().map(|due| due.at).collect();
        assert_eq!(dues.len(), 30);
        assert_eq!((dues[1], dues[2], dues[29]), (333_333_333, 666_666_667, 9_666_666_667));
    }

    #[test]
    fn the_first_request_is_due_at_once_and_none_at_the_end() {
        let dues: Vec<Due> = schedule([Stretch::even(5000.0, 5 * SECOND)]).dues().collect();
        assert_eq!(dues[0].at, 0);
        assert_eq!(dues.len(), 25_000);
        assert_eq!(dues[24_999].at, 5 * SECOND - 200_000);
    }

    #[test]
    fn a_ramp_has_the_mean_of_its_rates_and_is_sparse_where_it_is_low() {
        let dues: Vec<Nanos> = schedule([Stretch::ramp(0.0, 100.0, 10 * SECOND)])
            .dues()
            .map(|due| due.at)
            .collect();
        assert_eq!(dues.len(), 500);
        let half = dues.iter().filter(|at| **at < 5 * SECOND).count();
        assert_eq!(half, 125);
        let down: Vec<Nanos> = schedule([Stretch::ramp(100.0, 0.0, 10 * SECOND)])
            .dues()
            .map(|due| due.at)
            .collect();
        assert_eq!(down.len(), 500);
        assert_eq!(down.iter().filter(|at| **at < 5 * SECOND).count(), 375);
    }

    #[test]
    fn a_spike_lasts_as_long_as_it_should() {
        let spike = Stretch::spike(10.0, 1000.0, (3 * SECOND, SECOND), 10 * SECOND);
        let dues: Vec<Due> = schedule(spike).dues().collect();
        let within = dues.iter().filter(|due| (3 * SECOND..4 * SECOND).contains(&due.at));
        assert_eq!(within.count(), 1000);
        assert_eq!(dues.len(), 1090);
        assert_eq!(dues.iter().filter(|due| due.stretch == 2).count(), 60);
        let longer = Stretch::spike(1.0, 2.0, (8, 8), 10);
        assert_eq!(longer.map(|stretch| stretch.length), [8, 2, 0]);
    }

    #[test]
    fn fractions_are_carried_from_stretch_to_stretch() {
        let dues = schedule(vec![Stretch::even(10.0, SECOND / 20); 100]).dues();
        assert_eq!(dues.count(), 50);
    }

    #[test]
    fn nothing_is_due_where_the_rate_is_nothing() {
        let quiet = [
            Stretch::even(2.0, SECOND),
            Stretch::even(0.0, SECOND),
            Stretch::even(2.0, SECOND),
        ];
        let dues: Vec<Nanos> = schedule(quiet).dues().map(|due| due.at).collect();
        assert_eq!(dues, [0, SECOND / 2, 2 * SECOND, 2 * SECOND + SECOND / 2]);
        assert_eq!(schedule([]).dues().count(), 0);
        assert_eq!(schedule([Stretch::even(0.0, SECOND)]).dues().count(), 0);
    }

    #[test]
    fn rates_that_make_no_sense_are_refused() {
        for rate in [-1.0, f64::NAN, f64::INFINITY, 2e9] {
            assert!(Schedule::new([Stretch::even(rate, SECOND)], Arrivals::Even).is_err());
        }
    }

    #[test]
    fn random_gaps_have_the_mean_and_the_spread_they_should() {
        let ats: Vec<f64> = poisson([Stretch::even(1000.0, 200 * SECOND)], 7)
            .dues()
            .map(|due| due.at as f64 / 1e6)
            .collect();
        // 200,000 of them: the count's standard deviation is 447.
        assert!((ats.len() as f64 - 200_000.0).abs() < 4.0 * 447.0, "{} came", ats.len());
        let gaps: Vec<f64> = ats.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let spread = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        assert!((mean - 1.0).abs() < 0.01, "a mean gap of {mean} ms");
        assert!(
            (spread.sqrt() - 1.0).abs() < 0.02,
            "gaps spread by {} ms",
            spread.sqrt()
        );
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        let of = |seed| -> Vec<Due> { poisson([Stretch::ramp(5.0, 500.0, SECOND)], seed).dues().collect() };
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
    }

    fn any_stretches() -> impl Strategy<Value = Vec<Stretch>> {
        let one = (0.0..2000.0_f64, 0.0..2000.0_f64, 0..2 * SECOND).prop_map(|(from, to, length)| Stretch {
            length,
            from,
            to,
        });
        prop::collection::vec(one, 0..5)
    }

    proptest! {
        #[test]
        fn dues_never_decrease_and_lie_in_their_stretch(stretches in any_stretches(), seed: Option<u64>) {
            let arrivals = seed.map_or(Arrivals::Even, |seed| Arrivals::Poisson { seed });
            let schedule = Schedule::new(stretches.clone(), arrivals).unwrap();
            let mut last = Due { k: 0, stretch: 0, at: 0 };
            for (number, due) in schedule.dues().enumerate() {
                prop_assert_eq!(due.k, number as u64);
                prop_assert!(due.at >= last.at && due.stretch >= last.stretch);
                let begun: Nanos = stretches[..due.stretch].iter().map(|stretch| stretch.length).sum();
                prop_assert!((begun..=begun + stretches[due.stretch].length).contains(&due.at));
                last = due;
            }
        }

        #[test]
        fn even_dues_are_as_many_as_the_area_under_the_rate(stretches in any_stretches()) {
            let area: f64 = stretches.iter().map(Stretch::area).sum();
            let count = schedule(stretches).dues().count() as f64;
            prop_assert!((count - area).abs() <= 1.0 + 1e-3, "{count} dues for an area of {area}");
        }
    }
}
