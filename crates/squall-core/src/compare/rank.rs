//! The distribution of Mann and Whitney's U: how many of all pairs stand in one order, where chance alone decides.

/// So many pairs at most are counted out; more follow the normal distribution closely.
const EXACT: usize = 2_500;

/// The largest `k` such that by chance at most `k` pairs stand in one order in at most a share `tail` of all cases;
/// nothing when even no pair at all is likelier than that. `sizes` are those of both sets.
pub(super) fn cut(sizes: (usize, usize), tail: f64) -> Option<usize> {
    let pairs = sizes.0.checked_mul(sizes.1).filter(|pairs| *pairs > 0)?;
    if pairs > EXACT {
        return normal(sizes, tail);
    }
    let mut sum = 0.0;
    let within = exact(sizes).into_iter().take_while(|share| {
        sum += share;
        sum <= tail
    });
    within.count().checked_sub(1)
}

/// The probability of each U from 0 to the number of pairs. The largest of all runs is in the first set in `n` of
/// `n + m` cases, and then stands before none of the second's `m`; else it is in the second.
fn exact((n, m): (usize, usize)) -> Vec<f64> {
    // For no run in the first set, and each number in the second: no pair, so U is 0.
    let mut fewer: Vec<Vec<f64>> = vec![vec![1.0]; m + 1];
    for first in 1..=n {
        let mut rows: Vec<Vec<f64>> = Vec::with_capacity(m + 1);
        for second in 0..=m {
            let mut row = vec![0.0; first * second + 1];
            let all = (first + second) as f64;
            for (u, share) in fewer[second].iter().enumerate() {
                row[u + second] += share * first as f64 / all;
            }
            if let Some(left) = second.checked_sub(1).and_then(|left| rows.get(left)) {
                for (u, share) in left.iter().enumerate() {
                    row[u] += share * second as f64 / all;
                }
            }
            rows.push(row);
        }
        fewer = rows;
    }
    fewer.pop().unwrap_or_default()
}

/// The same for many pairs. U's ends are lighter than the normal distribution's, whose own end is taken from above
/// (Mills' ratio): both make the cut smaller, and so the interval wider.
fn normal((n, m): (usize, usize), tail: f64) -> Option<usize> {
    let (n, m) = (n as f64, m as f64);
    let end = |z: f64| (-z * z / 2.0).exp() / (z * std::f64::consts::TAU.sqrt());
    let (mut low, mut high) = (0.1, 40.0);
    for _ in 0..100 {
        let z = f64::midpoint(low, high);
        if end(z) > tail { low = z } else { high = z }
    }
    let spread = (n * m * (n + m + 1.0) / 12.0).sqrt();
    let cut = (n * m / 2.0 - 0.5 - high * spread).floor();
    (cut >= 0.0).then_some(cut as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sets_are_counted_out_as_published() {
        // Two and two: six orders, U is 0 1 2 2 3 4.
        let shares = exact((2, 2));
        for (share, sixths) in shares.iter().zip([1.0, 1.0, 2.0, 1.0, 1.0]) {
            assert!((share - sixths / 6.0).abs() < 1e-12, "{shares:?}");
        }
        // Critical values of Mann and Whitney's table, 1 % and 5 % two-sided.
        for (sizes, tail, published) in [
            ((10, 10), 0.025, Some(23)),
            ((10, 10), 0.005, Some(16)),
            ((8, 8), 0.025, Some(13)),
            ((5, 7), 0.025, Some(5)),
            ((20, 20), 0.005, Some(105)),
            ((3, 3), 0.025, None),
            ((4, 4), 0.025, Some(0)),
        ] {
            assert_eq!(cut(sizes, tail), published, "{sizes:?} {tail}");
        }
    }

    #[test]
    fn all_shares_together_are_one() {
        for sizes in [(1, 1), (3, 9), (17, 4), (50, 50)] {
            let sum: f64 = exact(sizes).iter().sum();
            assert!((sum - 1.0).abs() < 1e-9, "{sizes:?}: {sum}");
        }
    }

    #[test]
    fn the_approximation_never_cuts_more_than_what_is_counted_out() {
        for sizes in [(50, 50), (25, 100), (5, 500), (3, 800), (2, 1200)] {
            let shares = exact(sizes);
            for tail in [0.025, 0.005, 0.0005, 0.00005, 0.000_005] {
                let mut sum = 0.0;
                let counted = shares.iter().take_while(|share| {
                    sum += **share;
                    sum <= tail
                });
                let counted = counted.count().checked_sub(1);
                assert!(normal(sizes, tail) <= counted, "{sizes:?} {tail}");
            }
        }
    }

    #[test]
    fn nothing_can_be_cut_from_nothing() {
        assert_eq!(cut((0, 5), 0.4), None);
        assert_eq!(cut((usize::MAX, 2), 0.4), None);
    }
}
