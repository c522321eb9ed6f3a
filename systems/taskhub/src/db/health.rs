//! What is known about the database right now, shared by checks and requests.

use tokio::sync::{Notify, watch};

/// The last verdict of the health check.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It answered, and the schema is in place.
    Up,
    /// It did not, for this reason.
    Down(String),
}

/// The verdict, and a bell to ask for a fresh one.
pub struct Health {
    state: watch::Sender<State>,
    doubt: Notify,
}

impl Health {
    /// Nothing has been checked yet, which counts as down.
    pub fn new() -> Self {
        let first = State::Down("not checked yet".to_owned());
        Self {
            state: watch::Sender::new(first),
            doubt: Notify::new(),
        }
    }

    /// Why the database can't be used, or `None` if it can. Costs no query.
    pub fn outage(&self) -> Option<String> {
        match &*self.state.borrow() {
            State::Up => None,
            State::Down(reason) => Some(reason.clone()),
        }
    }

    /// Waits until the database can be used.
    pub async fn wait_up(&self) {
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = self.state.subscribe().wait_for(|state| *state == State::Up).await;
    }

    /// Asks for a check now, because something went wrong in use.
    pub fn suspect(&self) {
        self.doubt.notify_one();
    }

    /// Waits for [`suspect`](Self::suspect).
    pub async fn suspected(&self) {
        self.doubt.notified().await;
    }

    /// Records a verdict; true if the database was usable before and now isn't.
    pub fn record(&self, verdict: Result<(), String>) -> bool {
        let next = match verdict {
            Ok(()) => State::Up,
            Err(reason) => State::Down(reason),
        };
        let previous = self.state.send_replace(next.clone());
        let was_up = previous == State::Up;
        // Logged per change, not per check: an outage is one line, not ten a second.
        match (&next, previous) {
            (State::Up, State::Down(_)) => tracing::info!("database is up"),
            (State::Down(reason), State::Up) => tracing::warn!(reason, "database is down"),
            (State::Down(reason), State::Down(before)) if before == "not checked yet" => {
                tracing::warn!(reason, "database is not reachable yet");
            }
            _ => {}
        }
        was_up && next != State::Up
    }
}
