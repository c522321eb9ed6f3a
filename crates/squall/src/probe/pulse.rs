//! The recovery probe: asks the entry service how it is, every 8 ms, through fault and heal.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use squall_core::contract::Health;
use squall_core::event::{Answer, Fact, Pulse, PulseOf};
use tokio::sync::Semaphore;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::question::Question;
use crate::load::BadRequest;
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

/// What asks the entry service at an address, until it is aborted. Questions go out on time whether or not the last one
/// was answered.
///
/// # Errors
/// A path of the contract can't stand in a request.
pub fn pulses(
    to: SocketAddr,
    health: &Health,
    recorder: Recorder,
) -> Result<impl Future<Output = ()> + Send + use<>, BadRequest> {
    let ready = Arc::new(Question::new(to, &health.ready)?);
    let live = health.live.as_deref().map(|live| Question::new(to, live)).transpose()?;
    Ok(ask(ready, live.map(Arc::new), recorder))
}

async fn ask(ready: Arc<Question>, live: Option<Arc<Question>>, recorder: Recorder) {
    let open = Arc::new(Semaphore::new(OPEN));
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut count = 0;
    loop {
        ticks.tick().await;
        let mut questions = vec![(PulseOf::Ready, ready.clone())];
        if count % LIVE_EVERY == 0 {
            questions.extend(live.iter().map(|live| (PulseOf::Live, live.clone())));
        }
        count = count.wrapping_add(1);
        for (of, question) in questions {
            let Ok(permit) = open.clone().try_acquire_owned() else {
                continue;
            };
            let recorder = recorder.clone();
            tokio::spawn(async move {
                let sent = Instant::now();
                let answer = match timeout(PATIENCE, question.ask()).await {
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
