//! The breaker probe: asks the entry service for the states of its circuit breakers, and notes the changes.

use std::collections::BTreeMap;
use std::time::Duration;

use squall_core::contract::{Breakers, Method};
use squall_core::event::{BreakerState, Fact, NoteKind};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::client::{Call, Client, take};
use crate::store::Recorder;

/// Between two looks; what is open or half-open for less may be missed.
const EVERY: Duration = Duration::from_millis(40);
/// An answer that takes longer is given up on: the next look tells the same.
const PATIENCE: Duration = Duration::from_secs(2);

/// So many answers without a list at the start are no accident.
const ENOUGH: u32 = 20;

/// Looks until it is aborted.
pub async fn breakers(client: Client, contract: Breakers, recorder: Recorder) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let call = Call {
        method: Method::Get,
        path: contract.path.clone(),
        headers: BTreeMap::default(),
        json: None,
    };
    let (mut shown, mut looks) = (false, 0);
    let mut known: BTreeMap<String, BreakerState> = BTreeMap::new();
    loop {
        ticks.tick().await;
        let Ok(reply) = timeout(PATIENCE, client.send(&call)).await else {
            continue;
        };
        let Some(json) = reply.what.ok().and_then(|answered| answered.json) else {
            continue;
        };
        // While its store is away a service may show no breakers; one that never did is asked at the wrong place.
        shown |= take(&json, &contract.list).is_some_and(|list| list.is_array());
        looks += u32::from(!shown);
        if looks == ENOUGH {
            let text = format!("{} shows no list of breakers at {}", contract.path, contract.list);
            let kind = NoteKind::Blind;
            recorder.record(Fact::Note { kind, text });
        }
        for (of, state) in states(&json, &contract) {
            if known.insert(of.clone(), state) != Some(state) {
                recorder.record(Fact::Breaker { of, state });
            }
        }
    }
}

/// The breakers an answer shows; what can't be understood is left out.
fn states(json: &serde_json::Value, contract: &Breakers) -> Vec<(String, BreakerState)> {
    let list = take(json, &contract.list);
    let items = list
        .as_ref()
        .and_then(serde_json::Value::as_array)
        .into_iter()
        .flatten();
    let shown = items.filter_map(|item| {
        let of = take(item, &contract.of)?.as_str()?.to_owned();
        let word = take(item, &contract.state)?.as_str()?.to_owned();
        let words = [
            (&contract.words.closed, BreakerState::Closed),
            (&contract.words.open, BreakerState::Open),
            (&contract.words.half_open, BreakerState::HalfOpen),
        ];
        let (_, state) = words.into_iter().find(|(words, _)| words.contains(&word))?;
        Some((of, state))
    });
    shown.collect()
}
