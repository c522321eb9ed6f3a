//! How far one clock is from another.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{BadAmount, Dur, Kind};

/// How far a clock is ahead (`+90s`, `90s`) or behind (`-1h`); never nothing, and at most [`Offset::FARTHEST`] either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Offset {
    by: Dur,
    behind: bool,
}

impl Offset {
    /// Ten years: no clock is wrong by more, and the seconds of it fit everywhere.
    pub const FARTHEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

    pub(super) const KIND: &'static Kind = &Kind {
        format: "offset",
        pattern: r"^[+-]?([0-9]+(\.[0-9]+)?(h|m|s|ms|us|µs|ns))+$",
        noun: "an offset of a clock",
        examples: &["+90s", "-1h"],
        check: |text| text.parse::<Offset>().map(drop),
    };

    /// In nanoseconds, below zero when it is behind.
    pub fn nanos(self) -> i64 {
        let by = i64::try_from(self.by.get().as_nanos()).unwrap_or(i64::MAX);
        if self.behind { -by } else { by }
    }
}

impl FromStr for Offset {
    type Err = BadAmount;

    fn from_str(text: &str) -> Result<Self, BadAmount> {
        let no = |why| Self::KIND.refuse(text, why);
        let (behind, length) = match text.strip_prefix('-') {
            Some(length) => (true, length),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let by: Dur = length.parse().map_err(|bad: BadAmount| no(bad.why))?;
        match by.get() {
            Duration::ZERO => Err(no("a clock that is off by nothing is right")),
            by if by > Self::FARTHEST => Err(no("it is farther off than ten years")),
            _ => Ok(Self { by, behind }),
        }
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.behind { "-" } else { "+" })?;
        self.by.fmt(f)
    }
}

super::as_text!(Offset, "How far a clock is ahead (+90s) or behind (-1h).");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_ahead_or_behind_and_reads_back_as_it_was_written() {
        for (text, nanos, written) in [
            ("+90s", 90_000_000_000, "+1m30s"),
            ("1.5s", 1_500_000_000, "+1.5s"),
            ("-1h", -3_600_000_000_000, "-1h"),
        ] {
            let offset: Offset = text.parse().unwrap();
            assert_eq!((offset.nanos(), offset.to_string().as_str()), (nanos, written));
            assert_eq!(written.parse::<Offset>().unwrap(), offset);
        }
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for text in [
            "",
            "+",
            "-",
            "--1s",
            "+-1s",
            "0s",
            "-0ms",
            "1",
            "87600h1ns",
            "-87601h",
            "1 s",
        ] {
            assert!(text.parse::<Offset>().is_err(), "{text}");
        }
        assert!("-87600h".parse::<Offset>().is_ok());
    }
}
