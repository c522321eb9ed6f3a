//! The recovery probe: asks the entry service how it is, every 8 ms, through fault and heal.

use std::sync::Arc;
use std::time::Duration;

use squall_core::contract::{Health, Method};
use squall_core::event::{Answer, Fact, Pulse, PulseOf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::client::{Call, Client};
use crate::store::Recorder;

/// Between two questions whether it can serve. The recovery clock promises ± 10 ms: this, a timer's
/// millisecond and a round trip.
const EVERY: Duration = Duration::from_millis(8);
/// Every so many of them it is also asked whether it lives.
const LIVE_EVERY: u32 = 12;
/// A promise to answer that is broken after this long.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many questions may be open: a system that hangs must not be buried.
const OPEN: usize = 300;

/// Asks until it is aborted. Questions go out on time whether or not the last one was answered.
pub async fn pulses(client: Client, health: Health, recorder: Recorder) {
    let open = Arc::new(Semaphore::new(OPEN));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let call = |path: &str| Call {
        method: Method::Get,
        path: path.to_owned(),
        headers: Default::default(),
        json: None,
    };
    let ready = Arc::new(call(&health.ready));
    let live = health.live.as_deref().map(|live| Arc::new(call(live)));
    let mut count = 0;
    loop {
        ticks.tick().await;
        let mut questions = vec![(PulseOf::Ready, ready.clone())];
        if count % LIVE_EVERY == 0 {
            questions.extend(live.iter().map(|live| (PulseOf::Live, live.clone())));
        }
        count = count.wrapping_add(1);
        for (of, call) in questions {
            let Ok(permit) = open.clone().try_acquire_owned() else {
                continue;
            };
            let (client, recorder) = (client.clone(), recorder.clone());
            tokio::spawn(async move {
                let sent = Instant::now();
                let answer = match timeout(PATIENCE, client.send(&call)).await {
                    Ok(reply) => reply.judge(Some(200), None).answer,
                    Err(_) => Answer::Hung,
                };
                recorder.record(Fact::Pulse(Pulse {
                    of,
                    call: recorder.at(sent.into_std()),
                    answer,
                }));
                drop(permit);
            });
        }
    }
}
