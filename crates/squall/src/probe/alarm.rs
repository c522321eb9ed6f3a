//! The alarm probe: reads what the system's own monitoring says, and notes the changes.

use std::time::Duration;

use squall_core::contract::Alarm;
use squall_core::event::{AlarmState, Fact};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::Client;
use crate::store::Recorder;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(100);
/// An answer that takes longer is given up on: the alarm can't be read.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks until it is aborted; `page` is a client of the alarm's own page.
pub async fn alarms(page: Client, alarm: Alarm, recorder: Recorder) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut known = None;
    loop {
        ticks.tick().await;
        let answer = timeout(PATIENCE, page.page()).await;
        let rings = match &answer {
            Ok(Ok((200, text))) => alarm.rings(text),
            _ => None,
        };
        let state = match rings {
            Some(true) => AlarmState::Ringing,
            Some(false) => AlarmState::Silent,
            None => AlarmState::Unread,
        };
        if known.replace(state) != Some(state) {
            let of = alarm.name.clone();
            recorder.record(Fact::Alarm { of, state });
        }
    }
}
