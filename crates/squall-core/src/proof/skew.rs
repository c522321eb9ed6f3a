//! What shows that a wall clock was wrong: what it was asked and said, or that the replaced one was run.

use super::Proof;
use super::shortage::felt;
use crate::event::{SaidBy, SkewLook};
use crate::journal::{History, Strike};
use crate::place::{Instance, Skew};

/// A date that is later than the one before may have been made just before the clock was wrong; so many can't.
const FEWEST: u32 = 2;
const SECOND: i64 = 1_000_000_000;

/// An instance whose wall clock was wrong. Its own wrong answer shows it; where it gives none, somebody must have used it
/// while its processes ran what was replaced.
pub(super) fn skewed(strike: &Strike<'_>, (instance, skew): (&Instance, Skew), history: &History<'_>) -> Proof {
    let what = format!("{instance} was skewed");
    match (told(skew, &strike.clocks), ran(&strike.clocks)) {
        (Ok((event, says)), _) => Proof::seen(format!("{what}: {says}"), vec![event]),
        (Err(None), Ok(seen)) => felt(strike, (&what, instance), seen, history),
        (Err(Some(says)), _) | (Err(None), Err(says)) => Proof::unseen(format!("{what}, but {says}"), strike),
    }
}

/// The look that shows a wrong wall clock and what it shows; else what was seen instead.
///
/// # Errors
/// None shows it.
pub fn seen_skewed<I: Copy>(skew: Skew, looks: &[(I, SkewLook)]) -> Result<(I, String), String> {
    told(skew, looks).or_else(|otherwise| otherwise.map_or_else(|| ran(looks), Err))
}

/// What it said of its clock itself. An exact answer that denies it is the end of it. A date may have been kept from before,
/// as servers do, and says nothing then; unless the dates go on, and each is right.
fn told<I: Copy>(skew: Skew, looks: &[(I, SkewLook)]) -> Result<(I, String), Option<String>> {
    let (mut denied, mut right_before, mut went_on) = (None, None::<i64>, 0);
    for (look, said) in looks.iter().filter_map(|(look, seen)| Some((*look, seen.said?))) {
        let (fits, right) = (said.allows(skew.by), said.allows(0));
        if fits && !right {
            return Ok((look, format!("its clock was {} squall's", skew.beside())));
        }
        if said.by == SaidBy::Date && right && !fits {
            // Of a date that stays what it was less and less is ahead; a new one is a second later.
            went_on += u32::from(right_before.is_some_and(|before| said.least > before + SECOND / 2));
            right_before = Some(said.least);
        }
        if went_on >= FEWEST {
            denied = Some("the dates it gave went on, and were right".to_owned());
        }
        if said.by == SaidBy::Query && !fits {
            denied = Some(format!("its clock was {} squall's", said.words()));
        }
    }
    Err(denied)
}

/// Its processes ran the functions that were replaced.
fn ran<I: Copy>(looks: &[(I, SkewLook)]) -> Result<(I, String), String> {
    let Some((_, last)) = looks.last() else {
        return Err("nobody looked at it meanwhile".to_owned());
    };
    let mut seen = looks
        .iter()
        .filter(|(_, seen)| seen.ran > 0 && seen.ran <= seen.replaced);
    match seen.next_back() {
        Some((look, seen)) => {
            let says = format!(
                "{} of {} processes ran the replaced clock functions",
                seen.ran, seen.replaced
            );
            Ok((*look, says))
        }
        None if last.replaced == 0 => Err("the clock functions were replaced in none of its processes".to_owned()),
        None => Err("none of its processes read a clock".to_owned()),
    }
}
