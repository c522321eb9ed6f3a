//! The calm: all is healed; traffic goes on until the system is as it was before the storm.

use std::time::Duration;

use squall_core::clock::{Band, Sample};
use squall_core::demand::Demand;
use squall_core::time::{Nanos, nanos};
use tokio::time::sleep;

use super::stage::Stage;

/// How long the calm lasts at most where no recovery is demanded.
const LONGEST: Duration = Duration::from_secs(30);
/// Looked at this often.
const LOOK: Duration = Duration::from_millis(50);
/// Added at the end, so that judging sees the whole window.
const MARGIN: Duration = Duration::from_millis(300);

/// Waits until traffic stayed inside the reference band for the whole steady window, at most as
/// long as recovery may take. The rule is the judge's own.
pub(super) async fn calm(stage: &Stage, reference: &[Sample], began: Nanos) {
    let demanded = stage.plan.checks.iter().find_map(|demand| match demand {
        Demand::Recovery(recovery) => Some(recovery.within.get()),
        _ => None,
    });
    let (Some(band), Some(_)) = (Band::of(reference), stage.plan.api_every) else {
        return sleep(Duration::from_nanos(stage.plan.steady)).await;
    };
    let until = began + nanos(demanded.unwrap_or(LONGEST)) + stage.plan.steady;
    loop {
        let now = stage.recorder.now();
        let from = now.saturating_sub(stage.plan.steady);
        if now >= until || (from >= began && band.holds(&stage.samples_since(from))) {
            break;
        }
        sleep(LOOK).await;
    }
    sleep(MARGIN).await;
}
