//! A wall clock that is wrong.

use std::fmt;

use serde::{Deserialize, Serialize};

const SECOND: i64 = 1_000_000_000;

/// How wrong the wall clock of an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skew {
    /// So many nanoseconds ahead; below zero when it is behind.
    pub by: i64,
}

impl Skew {
    /// What is to be added: whole seconds, which may be below zero, and the nanoseconds that remain, which never are.
    pub fn parts(self) -> (i64, u32) {
        let nanos = u32::try_from(self.by.rem_euclid(SECOND)).unwrap_or(0);
        (self.by.div_euclid(SECOND), nanos)
    }

    /// In words that whose clock is right follows: `1h ahead of`.
    pub fn beside(self) -> String {
        match self.by {
            0 => "the same as".to_owned(),
            1.. => format!("{self} of"),
            _ => self.to_string(),
        }
    }
}

impl fmt::Display for Skew {
    /// `1h ahead`, `1.5s behind`, `right`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = std::time::Duration::from_nanos(self.by.unsigned_abs());
        let length = crate::amount::Dur::try_from(length).unwrap_or(crate::amount::Dur::LONGEST);
        match self.by {
            0 => f.write_str("right"),
            1.. => write!(f, "{length} ahead"),
            _ => write!(f, "{length} behind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_whole_seconds_and_nanoseconds_that_are_never_below_zero() {
        for by in [0, 1, SECOND - 1, 90 * SECOND, -1, -SECOND, -3 * SECOND / 2] {
            let (seconds, nanos) = Skew { by }.parts();
            assert_eq!(seconds * SECOND + i64::from(nanos), by);
            assert!(i64::from(nanos) < SECOND);
        }
        assert_eq!(Skew { by: -SECOND / 2 }.parts(), (-1, 500_000_000));
    }

    #[test]
    fn it_is_said_as_people_say_it() {
        let said = [3600 * SECOND, -3 * SECOND / 2, 0].map(|by| Skew { by }.to_string());
        assert_eq!(said, ["1h ahead", "1.5s behind", "right"]);
        let beside = [1, 0, -1].map(|by| Skew { by: by * SECOND }.beside());
        assert_eq!(beside, ["1s ahead of", "the same as", "1s behind"]);
    }
}
