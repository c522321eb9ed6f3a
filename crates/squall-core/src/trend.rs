//! Trends: whether figures grow over time, and how fast.
//!
//! The test is Mann and Kendall's (Mann 1945, Kendall 1975): it asks only whether later values tend to be larger, so
//! neither an odd value nor a curve misleads it. The slope is Theil and Sen's (Sen 1968): the median of the slopes
//! between all pairs, which up to 29 % of wild values do not move.

/// So many points at most are compared in pairs; longer series are thinned evenly.
const MOST: usize = 400;

/// How a series moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Standard score of Mann and Kendall's S, corrected for ties; positive when values grow.
    pub score: f64,
    /// Theil and Sen's slope: units of the value over units of the time.
    pub slope: f64,
}

impl Trend {
    /// Whether chance alone would give so much growth in fewer than 1 of 100 series (one-sided).
    pub fn grows(&self) -> bool {
        self.score > 2.326
    }

    /// The same for 1 of 1,000.
    pub fn surely_grows(&self) -> bool {
        self.score > 3.090
    }
}

/// The trend of values over times, or nothing for fewer than 4 points, which show none.
pub fn trend(points: &[(f64, f64)]) -> Option<Trend> {
    if points.len() < 4 {
        return None;
    }
    let step = points.len().div_ceil(MOST);
    let points: Vec<(f64, f64)> = points.iter().step_by(step).copied().collect();
    let mut slopes = Vec::with_capacity(points.len() * points.len() / 2);
    let mut s = 0.0_f64;
    for (index, (time, value)) in points.iter().enumerate() {
        for (later, larger) in &points[index + 1..] {
            s += match larger.total_cmp(value) {
                std::cmp::Ordering::Greater => 1.0,
                std::cmp::Ordering::Equal => 0.0,
                std::cmp::Ordering::Less => -1.0,
            };
            if later > time {
                slopes.push((larger - value) / (later - time));
            }
        }
    }
    let variance = variance(&points);
    // One less than S: the continuity correction for a score that moves in steps of two.
    let score = if variance > 0.0 {
        (s.abs() - 1.0).max(0.0) * s.signum() / variance.sqrt()
    } else {
        0.0
    };
    slopes.sort_by(f64::total_cmp);
    let slope = slopes.get(slopes.len() / 2).copied().unwrap_or(0.0);
    Some(Trend { score, slope })
}

/// The variance of S where nothing grows; groups of equal values make it smaller.
fn variance(points: &[(f64, f64)]) -> f64 {
    let of = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    let ties = values.chunk_by(|a, b| a.total_cmp(b).is_eq());
    let tied: f64 = ties.map(|group| of(group.len() as f64)).sum();
    (of(points.len() as f64) - tied) / 18.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Vec<(f64, f64)> {
        values
            .iter()
            .enumerate()
            .map(|(index, value)| (index as f64, *value))
            .collect()
    }

    #[test]
    fn six_growing_values_are_a_trend_and_their_slope_is_known() {
        let trend = trend(&series(&[1.0, 3.0, 5.0, 7.0, 9.0, 11.0])).unwrap();
        assert!(trend.grows());
        assert!((trend.slope - 2.0).abs() < 1e-9);
        // S = 15, var = 28.33: (15 - 1) / 5.323.
        assert!((trend.score - 2.630).abs() < 0.001, "{}", trend.score);
    }

    #[test]
    fn constant_shrinking_and_wandering_values_do_not_grow() {
        assert!(!trend(&series(&[5.0; 30])).unwrap().grows());
        assert!(!trend(&series(&[6.0, 5.0, 4.0, 3.0, 2.0, 1.0])).unwrap().grows());
        assert!(
            !trend(&series(&[3.0, 1.0, 4.0, 1.0, 5.0, 2.0, 3.0, 2.0]))
                .unwrap()
                .grows()
        );
    }

    #[test]
    fn one_wild_value_changes_neither() {
        let mut values: Vec<f64> = (0..40).map(f64::from).collect();
        values[7] = 1e9;
        let trend = trend(&series(&values)).unwrap();
        assert!(trend.surely_grows());
        assert!((trend.slope - 1.0).abs() < 0.1);
    }

    #[test]
    fn ties_are_counted_as_published() {
        // Values 1 1 2 2: S = 4, var = (4*3*13 - 2*(2*1*9)) / 18 = 6.667, score = 3 / 2.582.
        let trend = trend(&series(&[1.0, 1.0, 2.0, 2.0])).unwrap();
        assert!((trend.score - 1.1619).abs() < 0.001, "{}", trend.score);
    }

    #[test]
    fn long_series_are_thinned_and_short_ones_say_nothing() {
        let long: Vec<f64> = (0..5000).map(f64::from).collect();
        assert!((trend(&series(&long)).unwrap().slope - 1.0).abs() < 1e-9);
        assert_eq!(trend(&series(&[1.0, 2.0, 3.0])), None);
    }
}
