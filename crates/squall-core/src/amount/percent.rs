//! Parts of a whole.

use std::fmt;
use std::str::FromStr;

use super::{BadAmount, Kind, decimal};

/// A part of a whole, from `0%` to `100%`.
// Kept as written and not as a fraction, so that what was read is written again digit for digit.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Percent(f64);

impl Percent {
    /// Nothing.
    pub const NONE: Percent = Percent(0.0);
    /// The whole.
    pub const ALL: Percent = Percent(100.0);

    pub(super) const KIND: &'static Kind = &Kind {
        format: "percent",
        pattern: r"^[0-9]+(\.[0-9]+)?%$",
        noun: "a percentage",
        examples: &["95%", "0.5%"],
        check: |text| text.parse::<Percent>().map(drop),
    };

    /// So many hundredths.
    ///
    /// # Errors
    /// If it is not a number from 0 to 100.
    pub fn new(hundredths: f64) -> Result<Self, BadAmount> {
        match (0.0..=100.0).contains(&hundredths) {
            // Adding zero turns a negative zero into zero.
            true => Ok(Self(hundredths + 0.0)),
            false => Err(Self::KIND.refuse(format!("{hundredths}%"), OUTSIDE)),
        }
    }

    /// The part as a number from 0 to 1.
    pub fn fraction(self) -> f64 {
        self.0 / 100.0
    }
}

const OUTSIDE: &str = "it is outside 0% to 100%";

impl FromStr for Percent {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let no = |why| Self::KIND.refuse(text, why);
        let number = text.strip_suffix('%').ok_or_else(|| no("it does not end in %"))?;
        let number = decimal::parse(number).ok_or_else(|| no("it is not a number followed by %"))?;
        Self::new(number).map_err(|bad| no(bad.why))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A part of a whole between two bounds, both included: `20%..50%`, or `90%..` up to the whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PercentRange {
    low: Percent,
    high: Percent,
}

impl PercentRange {
    pub(super) const KIND: &'static Kind = &Kind {
        format: "percent-range",
        pattern: r"^[0-9]+(\.[0-9]+)?% *\.\. *([0-9]+(\.[0-9]+)?%)?$",
        noun: "a range of percentages",
        examples: &["20%..50%", "90%.."],
        check: |text| text.parse::<PercentRange>().map(drop),
    };

    /// From `low` to `high`.
    ///
    /// # Errors
    /// If `low` is above `high`.
    pub fn new(low: Percent, high: Percent) -> Result<Self, BadAmount> {
        if low > high {
            let text = format!("{low}..{high}");
            return Err(Self::KIND.refuse(text, "its first bound is above its second"));
        }
        Ok(Self { low, high })
    }

    /// The smallest part in the range.
    pub const fn low(self) -> Percent {
        self.low
    }

    /// The largest part in the range, at least [`PercentRange::low`].
    pub const fn high(self) -> Percent {
        self.high
    }

    /// Whether a part, as a number from 0 to 1, lies in the range.
    pub fn contains(self, fraction: f64) -> bool {
        (self.low.fraction()..=self.high.fraction()).contains(&fraction)
    }
}

impl FromStr for PercentRange {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let no = |why| Self::KIND.refuse(text, why);
        let bound = |part: &str| part.trim().parse::<Percent>().map_err(|bad| no(bad.why));
        let (low, high) = text
            .split_once("..")
            .ok_or_else(|| no("its bounds are not separated by .."))?;
        let high = match high.trim() {
            "" => Percent::ALL,
            high => bound(high)?,
        };
        Self::new(bound(low)?, high)
    }
}

impl fmt::Display for PercentRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.high == Percent::ALL {
            true => write!(f, "{}..", self.low),
            false => write!(f, "{}..{}", self.low, self.high),
        }
    }
}

super::as_text!(Percent, "A part of a whole, from 0% to 100%.");
super::as_text!(
    PercentRange,
    "A part of a whole between two bounds, both included; without the second bound, up to 100%."
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_percentage_is_a_fraction_of_one() {
        assert_eq!("95%".parse::<Percent>().unwrap().fraction(), 0.95);
        assert_eq!("0.5%".parse::<Percent>().unwrap().fraction(), 0.005);
    }

    #[test]
    fn what_is_no_percentage_is_refused() {
        for text in ["", "%", "95", "-1%", "100.1%", "nan%", "1e1%"] {
            assert!(text.parse::<Percent>().is_err(), "{text}");
        }
        assert!(Percent::new(f64::NAN).is_err());
    }

    #[test]
    fn both_ends_of_a_range_belong_to_it() {
        let range: PercentRange = "20%..50%".parse().unwrap();
        assert!(range.contains(0.2) && range.contains(0.5));
        assert!(!range.contains(0.19) && !range.contains(0.51));
    }

    #[test]
    fn a_range_without_a_second_bound_goes_up_to_the_whole() {
        let range: PercentRange = "90%..".parse().unwrap();
        assert_eq!(range.high(), Percent::ALL);
        assert_eq!(range.to_string(), "90%..");
    }

    proptest! {
        #[test]
        fn a_percentage_reads_back_as_it_was_written(hundredths in 0.0..=100.0f64) {
            let percent = Percent::new(hundredths).unwrap();
            prop_assert_eq!(percent.to_string().parse::<Percent>().unwrap(), percent);
        }

        #[test]
        fn a_range_reads_back_as_it_was_written(one in 0.0..=100.0f64, other in 0.0..=100.0f64) {
            let (low, high) = (one.min(other), one.max(other));
            let range = PercentRange::new(Percent(low), Percent(high)).unwrap();
            prop_assert_eq!(range.to_string().parse::<PercentRange>().unwrap(), range);
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "\\PC{0,12}|[0-9.%]{0,24}") {
            let _ = (text.parse::<Percent>(), text.parse::<PercentRange>());
        }
    }
}
