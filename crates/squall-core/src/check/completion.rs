use crate::check::Verdict;
use crate::demand::{Completion, Demand};
use crate::journal::History;

pub(super) fn judge(demand: &Demand, wanted: &Completion, history: &History<'_>) -> Verdict {
    let _ = (wanted, history);
    Verdict::inconclusive(demand, "not judged yet")
}
