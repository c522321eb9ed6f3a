use rand::seq::IteratorRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::*;

const LEVEL: f64 = 0.999;

/// What a sound run may show, `slow` times as slow: skewed times, few retries, and some that are the same in all.
fn run(dice: &mut impl Rng, slow: f64) -> Figures {
    let skewed = |dice: &mut _, middle: f64| middle * (0.25 * normal(dice)).exp();
    // What keeps one part of a machine busy keeps the others busy, too.
    let busy = skewed(dice, slow);
    let retries = f64::from(dice.random_range(0..4_u8));
    let redeliveries = f64::from(dice.random_range(0..2_u8));
    Figures::default()
        .with("findings", 0.0)
        .with("recovery_median", skewed(dice, 9e8 * busy))
        .with("recovery_max", skewed(dice, 15e8 * busy))
        .with("request_p50", skewed(dice, 2e6 * busy))
        .with("request_p99", skewed(dice, 3e7 * busy))
        .with("create_p50", skewed(dice, 3e6 * busy))
        .with("create_p99", skewed(dice, 4e7 * busy))
        .with("unserved", f64::from(dice.random_range(0..3_u8)) / 400.0)
        .with("done", 1.0)
        .with("in_time", 1.0 - f64::from(dice.random_range(0..2_u8)) / 40.0)
        .with("retries", retries)
        .with("redeliveries", redeliveries)
        .with("start", skewed(dice, 2e8 * busy))
        .with("memory", skewed(dice, 60_000.0))
        .with("duration", skewed(dice, 4e10))
}

/// The sum of twelve even draws, less six.
fn normal(dice: &mut impl Rng) -> f64 {
    (0..12).map(|_| dice.random_range(0.0..1.0)).sum::<f64>() - 6.0
}

fn runs(seed: u64, number: usize, slow: f64) -> Vec<Figures> {
    let mut dice = ChaCha12Rng::seed_from_u64(seed);
    (0..number).map(|_| run(&mut dice, slow)).collect()
}

fn group<'a>(a: &'a [Figures], b: &'a [Figures]) -> Group<'a> {
    Group {
        scenario: "storm",
        a: a.iter().collect(),
        b: b.iter().collect(),
    }
}

fn of(name: &str, values: &[f64]) -> Vec<Figures> {
    values
        .iter()
        .map(|value| Figures::default().with(name, *value))
        .collect()
}

fn shown(name: &str, a: &[f64], b: &[f64]) -> Row {
    let (a, b) = (of(name, a), of(name, b));
    compare(&[group(&a, &b)], LEVEL).rows.remove(0)
}

#[test]
fn ten_sound_and_ten_slowed_runs_show_the_slowdown_and_the_speedup() {
    let (sound, slowed) = (runs(1, 10, 1.0), runs(2, 10, 8.0));
    let comparison = compare(&[group(&sound, &slowed)], LEVEL);
    let worse: Vec<&str> = comparison.worse().map(|row| row.figure.name).collect();
    for name in ["request_p50", "create_p50", "recovery_median"] {
        assert!(worse.contains(&name), "{worse:?}");
    }
    assert!(!worse.contains(&"memory") && !worse.contains(&"duration"), "{worse:?}");
    let row = comparison.worse().next().unwrap();
    let (low, high) = row.interval.unwrap();
    assert!(0.0 < low && low <= row.difference && row.difference <= high, "{row:?}");
    let back = compare(&[group(&slowed, &sound)], LEVEL);
    assert_eq!(back.better().count(), worse.len());
    assert_eq!(back.worse().count(), 0);
}

#[test]
fn at_most_five_of_a_thousand_resamplings_of_sound_runs_claim_anything() {
    let pool = runs(3, 60, 1.0);
    let mut dice = ChaCha12Rng::seed_from_u64(4);
    for with_repeats in [false, true] {
        let mut claims = 0;
        for _ in 0..1000 {
            let drawn: Vec<&Figures> = if with_repeats {
                (0..20).filter_map(|_| pool.iter().choose(&mut dice)).collect()
            } else {
                let mut drawn = pool.iter().sample(&mut dice, 20);
                // Sampling keeps the order of the pool for some: which set a run is in must be chance alone.
                for index in (1..drawn.len()).rev() {
                    drawn.swap(index, dice.random_range(0..=index));
                }
                drawn
            };
            let (a, b) = drawn.split_at(10);
            let group = Group {
                scenario: "storm",
                a: a.to_vec(),
                b: b.to_vec(),
            };
            let comparison = compare(&[group], LEVEL);
            claims += usize::from(comparison.worse().chain(comparison.better()).next().is_some());
        }
        assert!(claims <= 5, "{claims} claims, with repeats: {with_repeats}");
    }
}

#[test]
fn three_runs_a_side_show_nothing_whatever_they_are() {
    let row = shown("request_p50", &[1.0, 1.1, 1.2], &[9e9, 9.1e9, 9.2e9]);
    assert_eq!((row.shown, row.interval), (Shown::TooFew, None));
    assert_eq!(row.runs, (3, 3));
    let (a, b) = (of("request_p50", &[1.0; 3]), of("request_p50", &[2.0; 3]));
    // 2 / C(12, 6) is 1 in 462, 2 / C(14, 7) is 1 in 1,716.
    assert_eq!(compare(&[group(&a, &b)], LEVEL).enough, 7);
}

#[test]
fn every_scenario_and_figure_takes_its_share_and_what_never_varies_takes_none() {
    let (sound, slowed) = (runs(5, 10, 1.0), runs(6, 10, 8.0));
    let one = compare(&[group(&sound, &slowed)], LEVEL);
    // Findings and tasks done are the same in all.
    assert_eq!((one.figures, one.enough), (13, 9));
    let many = compare(&vec![group(&sound, &slowed); 20], LEVEL);
    assert_eq!((many.figures, many.enough), (260, 11));
    assert!(many.rows.iter().all(|row| !matches!(row.shown, Shown::Worse)));
}

#[test]
fn the_difference_and_its_interval_are_as_counted_by_hand() {
    let a: Vec<f64> = (1..=10).map(f64::from).collect();
    let b: Vec<f64> = (1..=10).map(|value| f64::from(value) + 30.0).collect();
    let row = shown("retries", &a, &b);
    assert_eq!((row.medians, row.difference), ((5.5, 35.5), 30.0));
    // One figure at 99.9 %: at most 8 of 100 pairs beyond each end (2 * 83 / 184,756 is 0.0009, with 9 it is 0.0012).
    // The smallest differences are 21, two 22, three 23, four 24.
    assert_eq!(row.interval, Some((24.0, 36.0)));
    assert_eq!(row.shown, Shown::Worse);
}

#[test]
fn more_is_better_for_shares_and_worse_for_retries() {
    let (low, high) = ([0.1; 10], [0.9; 10]);
    assert_eq!(shown("in_time", &low, &high).shown, Shown::Better);
    assert_eq!(shown("in_time", &high, &low).shown, Shown::Worse);
    assert_eq!(shown("retries", &low, &high).shown, Shown::Worse);
    assert_eq!(shown("retries", &low, &low).shown, Shown::NoChange);
}

#[test]
fn equal_values_on_both_sides_claim_nothing_more() {
    let mut a = [0.0; 10];
    let mut b = [1.0; 10];
    assert_eq!(shown("retries", &a, &b).shown, Shown::Worse);
    // One of each side is as those of the other: 19 of 100 pairs don't grow.
    (a[0], b[0]) = (1.0, 0.0);
    assert_eq!(shown("retries", &a, &b).shown, Shown::NoChange);
}

#[test]
fn what_never_came_is_the_worst_and_survives_being_stored() {
    let never = shown("recovery_max", &[1e9; 10], &[f64::INFINITY; 10]);
    assert_eq!((never.shown, never.difference), (Shown::Worse, f64::INFINITY));
    assert_eq!(
        shown("recovery_max", &[f64::INFINITY; 10], &[1e9; 10]).shown,
        Shown::Better
    );
    assert_eq!(
        shown("recovery_max", &[f64::INFINITY; 10], &[f64::INFINITY; 10]).difference,
        0.0
    );
    let figures = Figures::default().with("recovery_max", f64::INFINITY).with("done", 0.5);
    let text = serde_json::to_string(&figures).unwrap();
    assert_eq!(text, r#"{"done":0.5,"recovery_max":null}"#);
    assert_eq!(serde_json::from_str::<Figures>(&text).unwrap(), figures);
    assert_eq!(figures.get("recovery_max"), Some(f64::INFINITY));
}

#[test]
fn what_only_one_set_has_is_not_compared() {
    let (a, b) = (of("retries", &[1.0; 10]), of("done", &[1.0; 10]));
    assert_eq!(compare(&[group(&a, &b)], LEVEL).rows, []);
    assert_eq!(compare(&[], LEVEL).rows, []);
}

#[test]
fn amounts_are_said_in_their_units() {
    for (unit, value, said) in [
        (Unit::Time, 12_400_000.0, "+12.4 ms"),
        (Unit::Time, -1.5e9, "-1.50 s"),
        (Unit::Time, 250_000.0, "+250 µs"),
        (Unit::Share, -0.02, "-2.0%"),
        (Unit::Count, 3.0, "+3"),
        (Unit::Count, 0.5, "+0.5"),
        (Unit::Memory, 2048.0, "+2.0 MiB"),
        (Unit::Time, f64::INFINITY, "never"),
        (Unit::Count, 0.0, "0"),
    ] {
        assert_eq!(unit.signed(value), said);
    }
}
