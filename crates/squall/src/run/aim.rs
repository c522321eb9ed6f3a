//! What makes a copy the one a step is aimed at, at this moment.

use squall_core::fault::Aim;
use squall_core::place::{Instance, Place};
use squall_core::plan::Step;

use super::strike::Strikes;

/// Of a running task, and of a lock's being held, the share after which it is not aimed at any more.
const LATEST: f64 = 0.7;

/// Whether a place is one a step is aimed at.
pub(super) enum Fit {
    /// Any is.
    Any,
    /// For this reason.
    Because(String),
    /// It is not.
    Not,
}

impl Strikes {
    /// Whether a place is one that a step is aimed at.
    pub(super) fn fit(&self, step: &Step, place: &Place) -> Fit {
        let (Place::Instance(instance) | Place::Link { from: instance, .. }) = place else {
            return Fit::Any;
        };
        let because = match step.aim {
            Some((Aim::TaskRunning, _)) => self.runs(instance),
            Some((Aim::LockHeld, _)) => self.stage.holds.at(instance, LATEST),
            Some((Aim::WriteAcked, _)) | None => return Fit::Any,
        };
        because.map_or(Fit::Not, Fit::Because)
    }

    /// What an instance runs that can be interrupted: the storm's own work, where it has some.
    fn runs(&self, instance: &Instance) -> Option<String> {
        let main = self.stage.plan.main_kind.as_deref();
        let running = self.stage.live.running(&instance.to_string());
        let fits = running.into_iter().find(|running| {
            let (kind, takes) = self.stage.work(&running.task).unzip();
            // One that is nearly done may be over before the strike falls.
            let begun = takes.is_none_or(|takes| takes.is_zero() || running.since.elapsed() < takes.mul_f64(LATEST));
            begun && main.is_none_or(|main| kind.is_some_and(|kind| kind == main))
        })?;
        Some(format!("it runs task {} (attempt {})", fits.task, fits.attempt))
    }
}
