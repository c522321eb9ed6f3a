//! How often something happens.

use std::fmt;
use std::str::FromStr;

use super::{BadAmount, Dur, Kind, decimal};

/// How often something happens, per second: `10/s`, `600/m`.
///
/// More than zero and at most [`Rate::FASTEST`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Rate(f64);

/// Seconds per unit.
const UNITS: [(&str, f64); 3] = [("s", 1.0), ("m", 60.0), ("h", 3600.0)];

impl Rate {
    /// A million per second: faster than any client here can send.
    pub const FASTEST: Rate = Rate(1e6);

    pub(super) const KIND: &'static Kind = &Kind {
        format: "rate",
        pattern: r"^[0-9]+(\.[0-9]+)? */ *[smh]$",
        noun: "a rate",
        examples: &["10/s", "600/m"],
        check: |text| text.parse::<Rate>().map(drop),
    };

    /// So many per second.
    ///
    /// # Errors
    /// If it is not a number, not above zero, or above [`Rate::FASTEST`].
    pub fn new(per_second: f64) -> Result<Self, BadAmount> {
        Self::bounded(per_second).map_err(|why| Self::KIND.refuse(format!("{per_second}/s"), why))
    }

    fn bounded(per_second: f64) -> Result<Self, &'static str> {
        match per_second {
            rate if rate > Self::FASTEST.0 => Err("it is more than a million per second"),
            rate if rate > 0.0 => Ok(Self(rate)),
            _ => Err("it is not more than zero"),
        }
    }

    /// How many per second.
    pub const fn per_second(self) -> f64 {
        self.0
    }

    /// The time from one to the next, at most [`Dur::LONGEST`].
    pub fn interval(self) -> Dur {
        std::time::Duration::try_from_secs_f64(1.0 / self.0)
            .ok()
            .and_then(|interval| Dur::try_from(interval).ok())
            .unwrap_or(Dur::LONGEST)
    }
}

impl FromStr for Rate {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let no = |why| Self::KIND.refuse(text, why);
        let (number, unit) = text.split_once('/').ok_or_else(|| no("it does not say per what"))?;
        let number = decimal::parse(number.trim_end()).ok_or_else(|| no("what stands before the / is not a number"))?;
        let (_, seconds) = UNITS
            .iter()
            .find(|(name, _)| *name == unit.trim_start())
            .ok_or_else(|| no("its unit is not one of /s, /m and /h"))?;
        Self::bounded(number / seconds).map_err(no)
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/s", self.0)
    }
}

super::as_text!(Rate, "How often, per second (/s), minute (/m) or hour (/h).");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rates_are_read_per_second_minute_and_hour() {
        for (text, per_second) in [("10/s", 10.0), ("600/m", 10.0), ("1.5 / s", 1.5), ("36/h", 0.01)] {
            assert_eq!(text.parse::<Rate>().unwrap().per_second(), per_second);
        }
    }

    #[test]
    fn what_is_no_rate_is_refused() {
        for text in ["", "10", "/s", "0/s", "-1/s", "10/d", "inf/s", "1000001/s", "10/s/s"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
        assert!(Rate::new(f64::NAN).is_err());
    }

    #[test]
    fn the_interval_is_the_inverse_and_never_overflows() {
        assert_eq!(Rate::new(10.0).unwrap().interval(), Dur::millis(100));
        assert_eq!(Rate::new(f64::MIN_POSITIVE).unwrap().interval(), Dur::LONGEST);
    }

    proptest! {
        #[test]
        fn a_rate_reads_back_as_it_was_written(per_second in 1e-9..1e6f64) {
            let rate = Rate::new(per_second).unwrap();
            prop_assert_eq!(rate.to_string().parse::<Rate>().unwrap(), rate);
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,12}|[0-9./smh]{0,24}") {
            let _ = text.parse::<Rate>();
        }
    }
}
