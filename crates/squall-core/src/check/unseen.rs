//! What can't be judged of a system squall only attached to: the evidence would come from what it has no handle on.
//!
//! Such a check neither passes nor fails nor is it in doubt: it is listed with its reason, and counts for nothing.

use crate::contract::Delivery;
use crate::demand::Demand;
use crate::event::Header;
use crate::system::TaskFacts;

const WORKERS: &str = "no worker reports its attempts to squall";
const UNBROKEN: &str = "squall broke nothing there";

/// Why a demand can't be judged in this run; `None` where it can.
pub(crate) fn unseen(demand: &Demand, header: &Header) -> Option<&'static str> {
    header.system.attached.as_ref()?;
    let tasks = header.system.tasks.as_ref();
    match demand {
        Demand::ApiSuccess(_)
        | Demand::NoTaskLost
        | Demand::Counted
        | Demand::MutualExclusion
        | Demand::Fenced
        | Demand::NoneStuck
        | Demand::DlqAccounted
        | Demand::Completion(_)
        | Demand::Deadline(_)
        | Demand::DataIntact
        | Demand::CreateLatency(_)
        | Demand::Throughput(_)
        | Demand::AckGap(_)
        | Demand::ErrorBudget(_)
        | Demand::Script(_) => None,
        Demand::NoPhantomTask => (!calls(header, tasks)).then_some("no work of this run calls squall's witness"),
        // A second commit is seen by nobody outside; a second effect is a finding only where one was promised.
        Demand::NoTaskCompletedTwice => match tasks {
            Some(facts) if facts.effects == Delivery::EffectivelyOnce && calls(header, tasks) => None,
            _ => Some("no worker reports its commits to squall"),
        },
        Demand::Retried | Demand::WorkSpread | Demand::AttemptsInTime(_) | Demand::Breaker(_) | Demand::Isolated(_) => {
            Some(WORKERS)
        }
        Demand::AnsweredCorrectly(_)
        | Demand::AnswersInTime(_)
        | Demand::Recovery(_)
        | Demand::NoDegradation
        | Demand::Adaptation(_)
        | Demand::Alarmed(_)
        | Demand::Amplification(_) => Some(UNBROKEN),
        Demand::HealthTruthful(_) => Some("whether it is true can't be told without a handle on what it tells of"),
        Demand::NoPanics | Demand::LogErrors(_) => Some("its logs can't be read"),
        Demand::StaysUp => Some("its processes can't be seen"),
        Demand::Stable => Some("what its processes use can't be read"),
    }
}

/// Whether some work of the plan calls the witness.
fn calls(header: &Header, tasks: Option<&TaskFacts>) -> bool {
    let plan = &header.plan;
    let kinds = plan.tasks.iter().map(|task| &task.kind);
    let mut kinds = kinds
        .chain(plan.writes.iter().map(|writes| &writes.kind))
        .chain(plan.flood.iter().map(|flood| &flood.kind));
    tasks.is_some_and(|facts| kinds.any(|kind| facts.called.contains(kind)))
}
