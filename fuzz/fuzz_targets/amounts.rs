//! An amount that parses is written so that it parses to the same again.

#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use squall_core::amount::{BadAmount, Dur, DurRange, Percent, PercentRange, Rate};

fuzz_target!(|text: &str| {
    reads_back::<Dur>(text);
    reads_back::<DurRange>(text);
    reads_back::<Rate>(text);
    reads_back::<Percent>(text);
    reads_back::<PercentRange>(text);
});

fn reads_back<A>(text: &str)
where
    A: FromStr<Err = BadAmount> + Display + Debug + PartialEq,
{
    match text.parse::<A>() {
        Ok(amount) => assert_eq!(amount.to_string().parse::<A>().unwrap(), amount),
        Err(bad) => assert!(!bad.to_string().is_empty()),
    }
}
