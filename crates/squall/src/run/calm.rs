//! The calm: all is healed; traffic goes on until the system is as it was before the storm.

use std::time::Duration;

use squall_core::clock::{BIN, Band, Sample, is_steady};
use squall_core::demand::Demand;
use squall_core::time::{Nanos, nanos};
use tokio::time::sleep;

use super::stage::Stage;

/// How long the calm lasts at most where no recovery is demanded.
const LONGEST: Duration = Duration::from_secs(30);
/// Looked at this often.
const LOOK: Duration = Duration::from_millis(50);
/// An answer inside the band takes less than this, or little more.
const MARGIN: Duration = Duration::from_millis(300);

/// Waits until traffic stayed inside the reference band for the whole steady window, at most as
/// long as recovery may take. The rule is the judge's own, on a window that is longer by one of its steps: so whatever the
/// moment it counts from, one of its windows lies inside.
pub(super) async fn calm(stage: &Stage, reference: &[Sample], began: Nanos) {
    let demanded = stage.plan.checks.iter().find_map(|demand| match demand {
        Demand::Recovery(recovery) => Some(recovery.within.get()),
        _ => None,
    });
    let (Some(band), Some(_)) = (Band::of(reference), stage.plan.api_every) else {
        return sleep(Duration::from_nanos(stage.plan.steady)).await;
    };
    let until = began + nanos(demanded.unwrap_or(LONGEST)) + stage.plan.steady;
    let steady = |from: Nanos, to: Nanos| {
        let mut window = stage.samples_since(from);
        window.retain(|sample| sample.due < to);
        is_steady(&band, &stage.plan, &window)
    };
    loop {
        let now = stage.recorder.now();
        let from = now.saturating_sub(stage.plan.steady + BIN);
        let held = from >= began && steady(from, now);
        if held || now >= until {
            // By then the last of it were answered, too.
            sleep(MARGIN).await;
        }
        if now >= until || (held && steady(from, now)) {
            return;
        }
        sleep(LOOK).await;
    }
}
