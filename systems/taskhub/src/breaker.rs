//! Circuit breakers: what to do with an attempt, and what its outcome changes.
//!
//! This file decides and touches nothing; `breaker/store.rs` reads and writes.

mod store;

pub use store::{Breakers, Row};

/// Whether attempts of a task type are let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "kebab-case")]
pub enum State {
    /// All are.
    Closed,
    /// None is, until the rest is over.
    Open,
    /// One is, and its outcome decides.
    HalfOpen,
}

impl State {
    /// As it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A breaker as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Whether attempts are let through.
    pub state: State,
    /// Failures since the last success.
    pub failures: i32,
    /// Whether the time to stay open, or to wait for a probe, is over.
    pub rested: bool,
}

/// What may be done with an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Run it.
    Run,
    /// Run it as the one that tests whether the trouble is over.
    Probe,
    /// Fail it at once.
    Refuse,
}

impl Breaker {
    /// The breaker of a type that never failed.
    pub const NEW: Self = Self {
        state: State::Closed,
        failures: 0,
        rested: true,
    };

    /// Decides about an attempt. A probe that never reported back is replaced
    /// once `rested`, or its worker's death would keep the type shut for ever.
    pub fn admit(self) -> Admission {
        match (self.state, self.rested) {
            (State::Closed, _) => Admission::Run,
            (State::Open | State::HalfOpen, true) => Admission::Probe,
            (State::Open | State::HalfOpen, false) => Admission::Refuse,
        }
    }

    /// The state after an attempt, or `None` if nothing changes. An open
    /// breaker ignores outcomes: those attempts began before it opened.
    pub fn after(self, success: bool, threshold: i32) -> Option<(State, i32)> {
        let failures = self.failures.saturating_add(1);
        match (self.state, success) {
            (State::Closed, true) if self.failures == 0 => None,
            (State::Closed | State::HalfOpen, true) => Some((State::Closed, 0)),
            (State::Closed, false) if failures < threshold => Some((State::Closed, failures)),
            (State::Closed | State::HalfOpen, false) => Some((State::Open, failures)),
            (State::Open, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker(state: State, failures: i32, rested: bool) -> Breaker {
        Breaker {
            state,
            failures,
            rested,
        }
    }

    #[test]
    fn it_opens_at_the_threshold_and_not_before() {
        let closed = |failures| breaker(State::Closed, failures, true);
        assert_eq!(closed(3).after(false, 5), Some((State::Closed, 4)));
        assert_eq!(closed(4).after(false, 5), Some((State::Open, 5)));
    }

    #[test]
    fn a_success_in_between_starts_the_count_again() {
        assert_eq!(breaker(State::Closed, 4, true).after(true, 5), Some((State::Closed, 0)));
        assert_eq!(Breaker::NEW.after(true, 5), None);
    }

    #[test]
    fn an_open_one_refuses_until_rested_then_probes() {
        assert_eq!(breaker(State::Open, 5, false).admit(), Admission::Refuse);
        assert_eq!(breaker(State::Open, 5, true).admit(), Admission::Probe);
        assert_eq!(breaker(State::HalfOpen, 5, false).admit(), Admission::Refuse);
    }

    #[test]
    fn the_probe_decides() {
        let half = breaker(State::HalfOpen, 5, false);
        assert_eq!(half.after(true, 5), Some((State::Closed, 0)));
        assert_eq!(half.after(false, 5), Some((State::Open, 6)));
    }

    #[test]
    fn late_outcomes_do_not_touch_an_open_one() {
        assert_eq!(breaker(State::Open, 5, false).after(true, 5), None);
        assert_eq!(breaker(State::Open, 5, false).after(false, 5), None);
    }
}
