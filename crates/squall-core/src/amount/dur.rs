//! Lengths of time and ranges of them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{BadAmount, Kind, decimal};

/// A length of time, to the nanosecond: `2s`, `150ms`, `1m30s`, `4h`, `1.5s`.
///
/// At most [`Dur::LONGEST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Dur(Duration);

const HOUR: u128 = 60 * MINUTE;
const MINUTE: u128 = 60 * SECOND;
const SECOND: u128 = 1_000_000_000;

/// Nanoseconds per unit, longest first. `µs` and `us` are the same.
const UNITS: [(&str, u128); 7] = [
    ("h", HOUR),
    ("m", MINUTE),
    ("s", SECOND),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
];

impl Dur {
    /// No time at all.
    pub const ZERO: Dur = Dur(Duration::ZERO);

    /// 136 years. Nanoseconds then fit an `i64`, and adding many never overflows a clock.
    pub const LONGEST: Dur = Dur(Duration::from_secs(u32::MAX as u64));

    pub(super) const KIND: &'static Kind = &Kind {
        format: "duration",
        pattern: r"^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$",
        noun: "a duration",
        examples: &["2s", "150ms", "1m30s"],
        check: |text| text.parse::<Dur>().map(drop),
    };

    /// A number of whole seconds.
    pub const fn secs(secs: u32) -> Self {
        Self(Duration::from_secs(secs as u64))
    }

    /// A number of whole milliseconds.
    pub const fn millis(millis: u32) -> Self {
        Self(Duration::from_millis(millis as u64))
    }

    /// The length as the standard library's type.
    pub const fn get(self) -> Duration {
        self.0
    }
}

impl TryFrom<Duration> for Dur {
    type Error = BadAmount;

    /// Refuses what is longer than [`Dur::LONGEST`].
    fn try_from(duration: Duration) -> Result<Self, BadAmount> {
        if duration > Self::LONGEST.0 {
            return Err(Self::KIND.refuse(format!("{duration:?}"), TOO_LONG));
        }
        Ok(Self(duration))
    }
}

const TOO_LONG: &str = "it is longer than 136 years";

impl FromStr for Dur {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let no = |why| Self::KIND.refuse(text, why);
        let mut rest = text;
        let mut total: u128 = 0;
        let mut smallest = u128::MAX;
        while !rest.is_empty() {
            let (number, after) = decimal::split(rest).ok_or_else(|| no("a number is missing"))?;
            let end = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
            let (unit, after) = after.split_at(end);
            let (_, nanos) = UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(|| no("its unit is not one of h, m, s, ms, us and ns"))?;
            if *nanos >= smallest {
                return Err(no("its units do not go from long to short"));
            }
            smallest = *nanos;
            total = times(number, *nanos)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(|| no(TOO_LONG))?;
            rest = after;
        }
        if smallest == u128::MAX {
            return Err(no("it is empty"));
        }
        let nanos = u64::try_from(total).map_err(|_| no(TOO_LONG))?;
        let duration = Duration::from_nanos(nanos);
        if duration > Self::LONGEST.0 {
            return Err(no(TOO_LONG));
        }
        Ok(Self(duration))
    }
}

/// `number` times `unit`, exactly, cut to whole nanoseconds; `None` if it does not fit.
fn times(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = whole.parse().ok()?;
    // An hour has 3.6e12 ns: further digits cannot reach a nanosecond.
    let fraction = &fraction[..fraction.len().min(13)];
    let part = match fraction {
        "" => 0,
        digits => digits.parse::<u128>().ok()? * unit / 10u128.pow(digits.len() as u32),
    };
    whole.checked_mul(unit)?.checked_add(part)
}

impl fmt::Display for Dur {
    /// The shortest usual form: `1m30s`, `1.5s`, `150ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => decimals(f, nanos, 1_000, "us"),
            1_000_000..SECOND => decimals(f, nanos, 1_000_000, "ms"),
            _ => {
                let (hours, minutes) = (nanos / HOUR, nanos % HOUR / MINUTE);
                if hours > 0 {
                    write!(f, "{hours}h")?;
                }
                if minutes > 0 {
                    write!(f, "{minutes}m")?;
                }
                match nanos % MINUTE {
                    0 => Ok(()),
                    seconds => decimals(f, seconds, SECOND, "s"),
                }
            }
        }
    }
}

/// `nanos` in units of `unit` nanoseconds, with the decimals it needs.
fn decimals(f: &mut fmt::Formatter<'_>, nanos: u128, unit: u128, name: &str) -> fmt::Result {
    let (whole, fraction) = (nanos / unit, nanos % unit);
    if fraction == 0 {
        return write!(f, "{whole}{name}");
    }
    let digits = format!("{:0width$}", fraction, width = unit.ilog10() as usize);
    write!(f, "{whole}.{}{name}", digits.trim_end_matches('0'))
}

/// A length of time between two bounds, both included: `20s-30s`. One length alone is a range of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DurRange {
    low: Dur,
    high: Dur,
}

impl DurRange {
    pub(super) const KIND: &'static Kind = &Kind {
        format: "duration-range",
        pattern: r"^([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+( *- *([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+)?$",
        noun: "a duration or a range of durations",
        examples: &["30s", "20s-30s"],
        check: |text| text.parse::<DurRange>().map(drop),
    };

    /// From `low` to `high`.
    ///
    /// # Errors
    /// If `low` is above `high`.
    pub fn new(low: Dur, high: Dur) -> Result<Self, BadAmount> {
        if low > high {
            return Err(Self::KIND.refuse(format!("{low}-{high}"), BACKWARDS));
        }
        Ok(Self { low, high })
    }

    /// The shortest length in the range.
    pub const fn low(self) -> Dur {
        self.low
    }

    /// The longest length in the range, at least [`DurRange::low`].
    pub const fn high(self) -> Dur {
        self.high
    }
}

const BACKWARDS: &str = "its first bound is above its second";

impl From<Dur> for DurRange {
    fn from(only: Dur) -> Self {
        Self { low: only, high: only }
    }
}

impl FromStr for DurRange {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let bound = |part: &str| {
            part.trim()
                .parse::<Dur>()
                .map_err(|bad| Self::KIND.refuse(text, bad.why))
        };
        match text.split_once('-') {
            Some((low, high)) => Self::new(bound(low)?, bound(high)?),
            None => bound(text).map(Self::from),
        }
    }
}

impl fmt::Display for DurRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.low == self.high {
            true => self.low.fmt(f),
            false => write!(f, "{}-{}", self.low, self.high),
        }
    }
}

super::as_text!(Dur, "A length of time: hours, minutes, seconds, ms, us, ns.");
super::as_text!(
    DurRange,
    "A length of time drawn evenly between two bounds, or one length."
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nanos(text: &str) -> u128 {
        text.parse::<Dur>().unwrap().get().as_nanos()
    }

    #[test]
    fn durations_are_read_in_every_unit() {
        assert_eq!(nanos("2s"), 2_000_000_000);
        assert_eq!(nanos("150ms"), 150_000_000);
        assert_eq!(nanos("1m30s"), 90_000_000_000);
        assert_eq!(nanos("4h"), 14_400_000_000_000);
        assert_eq!(nanos("1.5s"), 1_500_000_000);
        assert_eq!(nanos("7µs"), 7_000);
        assert_eq!(nanos("0.1s"), 100_000_000);
    }

    #[test]
    fn durations_are_written_in_their_shortest_usual_form() {
        for text in ["0s", "1m30s", "1.5s", "150ms", "4h", "2h0.25s", "1.5us"] {
            assert_eq!(text.parse::<Dur>().unwrap().to_string(), text);
        }
        assert_eq!("90s".parse::<Dur>().unwrap().to_string(), "1m30s");
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "",
            "5",
            "s",
            "-1s",
            "1 s",
            "1s1m",
            "1s1s",
            "1e3s",
            "1.s",
            "1d",
            "4294967296s",
        ] {
            assert!(text.parse::<Dur>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_single_duration_is_a_range_of_one() {
        let range: DurRange = "20s".parse().unwrap();
        assert_eq!((range.low(), range.high()), (Dur::secs(20), Dur::secs(20)));
        assert_eq!(range.to_string(), "20s");
    }

    pub(crate) fn any_dur() -> impl Strategy<Value = Dur> {
        let longest = Dur::LONGEST.get().as_nanos() as u64;
        prop_oneof![0..=longest, 0..10_000_000_000u64].prop_map(|nanos| Dur(Duration::from_nanos(nanos)))
    }

    proptest! {
        #[test]
        fn a_duration_reads_back_as_it_was_written(dur in any_dur()) {
            prop_assert_eq!(dur.to_string().parse::<Dur>().unwrap(), dur);
        }

        #[test]
        fn a_range_reads_back_as_it_was_written(one in any_dur(), other in any_dur()) {
            let range = DurRange::new(one.min(other), one.max(other)).unwrap();
            prop_assert_eq!(range.to_string().parse::<DurRange>().unwrap(), range);
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,12}|[0-9.hmsun-]{0,24}") {
            let _ = (text.parse::<Dur>(), text.parse::<DurRange>());
        }
    }
}
