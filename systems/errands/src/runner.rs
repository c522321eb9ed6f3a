//! A runner: takes one job after the other, does it, and tells the witness, where there is one.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

use crate::store::{Held, Store};
use crate::{Bug, log};

/// What a runner can do: wait for `args.ms`, jot something down at once, slip `args.slips` times first, never succeed.
pub(crate) const KINDS: [&str; 4] = ["wait", "jot", "clumsy", "hopeless"];

/// Bound on one report to the witness.
const REPORT: Duration = Duration::from_millis(800);

/// How long things take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// A job without a sign of life for so long may be taken by another.
    pub(crate) hold: Duration,
    /// Before a failed job is tried again.
    pub(crate) pause: Duration,
    /// Between two looks for work.
    pub(crate) look: Duration,
}

struct Runner {
    name: String,
    store: Store,
    pace: Pace,
    bug: Option<Bug>,
    witness: Option<String>,
    http: reqwest::Client,
}

/// Runs until it is told to stop; what it holds then, it puts back.
pub(crate) async fn run(name: &str, store: Store, pace: Pace, bug: Option<Bug>) -> Result<(), String> {
    let http = reqwest::Client::builder().no_proxy().timeout(REPORT).build();
    let runner = Runner {
        name: name.to_owned(),
        store,
        pace,
        bug,
        witness: std::env::var("WITNESS_URL").ok(),
        http: http.map_err(|error| error.to_string())?,
    };
    let mut stop = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    log::line(&format!("{name} looks for work"));
    loop {
        let held = match runner.store.take(pace.hold, bug).await {
            Ok(Some(held)) => held,
            Ok(None) => {
                tokio::select! { _ = sleep(pace.look) => continue, _ = stop.recv() => return Ok(()) }
            }
            Err(away) => {
                log::line(&format!("the database is away: {}", away.0));
                tokio::select! { _ = sleep(pace.look) => continue, _ = stop.recv() => return Ok(()) }
            }
        };
        tokio::select! {
            () = runner.attempt(&held) => {}
            _ = stop.recv() => return runner.store.put_back(&held).await.map_err(|away| away.0),
        }
    }
}

impl Runner {
    async fn attempt(&self, held: &Held) {
        self.tell(held, "start", json!({})).await;
        let work = tokio::select! {
            work = self.work(held) => work,
            () = self.kept(held) => {
                log::line(&format!("job {} is in other hands", held.number));
                return;
            }
        };
        match work {
            Ok(()) => self.finish(held).await,
            Err(trouble) => self.slip(held, trouble).await,
        }
    }

    /// The work itself. Its effect is the report to the witness.
    async fn work(&self, held: &Held) -> Result<(), &'static str> {
        match held.kind.as_str() {
            "wait" => sleep(Duration::from_millis(held.args["ms"].as_u64().unwrap_or(0))).await,
            "clumsy" if i64::from(held.slips) < held.args["slips"].as_i64().unwrap_or(1) => return Err("it slipped"),
            "hopeless" => return Err("it can't be done"),
            _ => {}
        }
        match self.tell(held, "effect", json!({})).await {
            true => Ok(()),
            false => Err("nobody saw the effect"),
        }
    }

    /// Ends when the job is no longer kept: in other hands, or without an answer for too long.
    async fn kept(&self, held: &Held) {
        let mut until = Instant::now() + self.pace.hold;
        loop {
            sleep(self.pace.hold / 4).await;
            match self.store.keep(held, self.pace.hold).await {
                Ok(true) => until = Instant::now() + self.pace.hold,
                Ok(false) if self.bug != Some(Bug::Doubles) => return,
                Err(_) if Instant::now() > until => return,
                _ => {}
            }
        }
    }

    async fn finish(&self, held: &Held) {
        let until = Instant::now() + self.pace.hold;
        loop {
            match self.store.finish(held, self.bug).await {
                Ok(true) => {
                    self.insist(held, "committed", json!({})).await;
                    return;
                }
                Ok(false) => return log::line(&format!("job {} was taken over", held.number)),
                Err(away) if Instant::now() > until => {
                    return log::line(&format!("job {} could not be finished: {}", held.number, away.0));
                }
                Err(_) => sleep(self.pace.look).await,
            }
        }
    }

    async fn slip(&self, held: &Held, trouble: &str) {
        let until = Instant::now() + self.pace.hold;
        loop {
            match self.store.slip(held, trouble, self.pace.pause).await {
                Ok(Some(phase)) => {
                    let more = json!({ "reason": trouble, "dead": phase == "abandoned" });
                    self.insist(held, "failed", more).await;
                    return;
                }
                Ok(None) => return,
                Err(_) if Instant::now() > until => return,
                Err(_) => sleep(self.pace.look).await,
            }
        }
    }

    /// Reports what is done already, and so must not be lost.
    async fn insist(&self, held: &Held, event: &str, more: Value) {
        for _ in 0..3 {
            if self.tell(held, event, more.clone()).await {
                return;
            }
        }
        log::line(&format!("the witness did not hear that job {} is {event}", held.number));
    }

    /// Reports to the witness; whether it heard. Without one there is nobody to miss it.
    async fn tell(&self, held: &Held, event: &str, more: Value) -> bool {
        let Some(url) = &self.witness else { return true };
        let mut report = json!({ "task": held.number, "attempt": held.tries, "worker": self.name, "event": event });
        if let (Value::Object(report), Value::Object(more)) = (&mut report, more) {
            report.extend(more);
        }
        let sent = self.http.post(url).json(&report).send().await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }
}
