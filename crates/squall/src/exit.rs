//! Exit codes. Findings are not errors: they have a code of their own.

use squall_core::check::Outcome;

/// All hypotheses hold.
pub const PASS: u8 = 0;
/// A hypothesis does not hold.
pub const FINDING: u8 = 1;
/// Bad input; nothing was touched.
pub const BAD_INPUT: u8 = 2;
/// Nothing can be said: not enough was seen, or the environment failed.
pub const ENVIRONMENT: u8 = 3;
/// Something could not be healed.
pub const NOT_HEALED: u8 = 4;

/// The code of an outcome.
pub fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass => PASS,
        Outcome::Inconclusive => ENVIRONMENT,
        Outcome::Fail => FINDING,
    }
}
