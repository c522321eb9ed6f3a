//! What came of a load, in numbers.

use std::fmt;

use hdrhistogram::Histogram;
use squall_core::schedule::Due;
use squall_core::time::{Nanos, SECOND, words};

use super::session::{Done, Failed, Outcome, Unknown};

/// A load sends late when one send in a hundred is later than this…
const LATE: Nanos = 1_000_000;
/// … and that is more than this share of the latency it measured.
const LATE_SHARE: f64 = 0.05;
/// A thread that has or wants its core for more than this share of the time has no time to be punctual.
const BUSY: f64 = 0.9;

/// What takes longer counts as this: an hour.
const LONGEST: Nanos = 3600 * SECOND;

/// What came of a load: by the schedule's stretches, and how hard each thread worked.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// One for each stretch.
    pub parts: Vec<Part>,
    /// One for each thread.
    pub efforts: Vec<Effort>,
}

/// What came of the requests of one stretch. Every request that was planned is in exactly one of `answered`, `failed`,
/// `unknown` and `unsent`.
#[derive(Debug, Clone)]
pub struct Part {
    /// Answered, by the hundreds of their status.
    pub answered: [u64; 10],
    /// Not sent, and not even a connection: refused.
    pub refused: u64,
    /// The same for other reasons that lie with the target, or on the way to it.
    pub not_connected: u64,
    /// The same for want of sockets on this machine.
    pub no_socket: u64,
    /// Sent, and not answered in time.
    pub timed_out: u64,
    /// Sent, and cut off.
    pub cut_off: u64,
    /// Sent, and answered with what is no reply.
    pub malformed: u64,
    /// Never taken up: the load ended before a connection was free.
    pub unsent: u64,
    /// Of what was answered: from the due moment to the reply, in nanoseconds. [`Part::latency`] looks at all.
    pub from_due: Histogram<u64>,
    /// Of what was answered: from the first byte sent to the reply, in nanoseconds.
    pub from_send: Histogram<u64>,
    /// Of what was sent: from the due moment to the first byte sent, in nanoseconds.
    pub lateness: Histogram<u64>,
    /// Of what was taken up: the part of its lateness that is the load's own, in nanoseconds. Time without a free
    /// connection is the target's.
    pub own_lateness: Histogram<u64>,
}

/// How hard a thread worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// From its first moment to its last.
    pub wall: Nanos,
    /// It had a core.
    pub ran: Nanos,
    /// It wanted a core and had none.
    pub waited: Nanos,
}

/// Why a tally says more about the load's machine than about the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// Requests were taken up late though a connection was free.
    Late {
        /// The load's own lateness that one request in a hundred exceeded.
        lateness: Nanos,
        /// The latency from due that one in a hundred exceeded.
        latency: Nanos,
    },
    /// A thread had no time left, and requests were sent late.
    Busy {
        /// The share of its time it ran or wanted to, 0 to 1.
        share: f64,
    },
    /// There were no sockets left.
    NoSocket {
        /// For so many requests.
        requests: u64,
    },
}

impl Tally {
    /// For the stretches of a schedule.
    ///
    /// # Errors
    /// Never: three digits are a precision histograms have.
    pub(super) fn new(stretches: usize) -> Result<Self, hdrhistogram::CreationError> {
        let part = Part::new()?;
        Ok(Self {
            parts: vec![part; stretches],
            efforts: Vec::new(),
        })
    }

    /// Counts what came of a request that was taken up, by its own fault so late.
    pub(super) fn count(&mut self, done: &Done<'_>, own_lateness: Nanos) {
        let Some(part) = self.parts.get_mut(done.due.stretch) else {
            return;
        };
        match done.outcome {
            Outcome::Answered(status) => {
                let class = usize::from(status / 100).min(part.answered.len() - 1);
                part.answered[class] += 1;
                part.from_due.saturating_record(done.ret.saturating_sub(done.due.at));
                let sent = done.sent.unwrap_or(done.ret);
                part.from_send.saturating_record(done.ret.saturating_sub(sent));
            }
            Outcome::Failed(Failed::Refused) => part.refused += 1,
            Outcome::Failed(Failed::NotConnected) => part.not_connected += 1,
            Outcome::Failed(Failed::NoSocket) => part.no_socket += 1,
            Outcome::Unknown(Unknown::TimedOut) => part.timed_out += 1,
            Outcome::Unknown(Unknown::CutOff) => part.cut_off += 1,
            Outcome::Unknown(Unknown::Malformed(_)) => part.malformed += 1,
        }
        if let Some(sent) = done.sent {
            part.lateness.saturating_record(sent.saturating_sub(done.due.at));
        }
        part.own_lateness.saturating_record(own_lateness);
    }

    /// Counts a request that was never taken up.
    pub(super) fn count_unsent(&mut self, due: &Due) {
        if let Some(part) = self.parts.get_mut(due.stretch) {
            part.unsent += 1;
        }
    }

    /// Adds what came of another load with the same schedule, or of another thread.
    pub fn merge(&mut self, other: &Self) {
        for (index, part) in other.parts.iter().enumerate() {
            match self.parts.get_mut(index) {
                Some(mine) => mine.add(part),
                None => self.parts.push(part.clone()),
            }
        }
        self.efforts.extend(&other.efforts);
    }

    /// All stretches as one; `None` for a schedule without any.
    pub fn whole(&self) -> Option<Part> {
        let (first, rest) = self.parts.split_first()?;
        let mut whole = first.clone();
        for part in rest {
            whole.add(part);
        }
        Some(whole)
    }

    /// Why the figures can't be trusted to be the target's; empty when they can.
    pub fn limits(&self) -> Vec<Limit> {
        let Some(whole) = self.whole() else {
            return Vec::new();
        };
        let mut limits = Vec::new();
        let p99 = |histogram: &Histogram<u64>| histogram.value_at_quantile(0.99);
        let latency = p99(&whole.from_due);
        let matters = |lateness: Nanos| lateness > LATE && lateness as f64 > LATE_SHARE * latency as f64;
        let own = p99(&whole.own_lateness);
        if matters(own) {
            limits.push(Limit::Late { lateness: own, latency });
        }
        // A thread that is behind hears of free connections late, which its own lateness can't show.
        let share = self.efforts.iter().map(Effort::share).fold(0.0, f64::max);
        if share > BUSY && matters(p99(&whole.lateness)) {
            limits.push(Limit::Busy { share });
        }
        if whole.no_socket > 0 {
            limits.push(Limit::NoSocket {
                requests: whole.no_socket,
            });
        }
        limits
    }
}

impl Part {
    fn new() -> Result<Self, hdrhistogram::CreationError> {
        let histogram = Histogram::new_with_max(LONGEST, 3)?;
        Ok(Self {
            answered: [0; 10],
            refused: 0,
            not_connected: 0,
            no_socket: 0,
            timed_out: 0,
            cut_off: 0,
            malformed: 0,
            unsent: 0,
            from_due: histogram.clone(),
            from_send: histogram.clone(),
            lateness: histogram.clone(),
            own_lateness: histogram,
        })
    }

    /// How many were due.
    pub fn planned(&self) -> u64 {
        self.all_answered() + self.failed() + self.unknown() + self.unsent
    }

    /// How many were answered, with whatever status.
    pub fn all_answered(&self) -> u64 {
        self.answered.iter().sum()
    }

    /// How many certainly had no effect, though they were tried.
    pub fn failed(&self) -> u64 {
        self.refused + self.not_connected + self.no_socket
    }

    /// Of how many nobody knows whether they took effect.
    pub fn unknown(&self) -> u64 {
        self.timed_out + self.cut_off + self.malformed
    }

    /// The latency from due, in nanoseconds, that this share of all requests that were due stayed within. `None` where
    /// requests without an answer reach into it: theirs has no end.
    pub fn latency(&self, share: f64) -> Option<Nanos> {
        let asked = share.clamp(0.0, 1.0) * self.planned() as f64;
        let answered = self.all_answered() as f64;
        (answered > 0.0 && asked <= answered).then(|| self.from_due.value_at_quantile(asked / answered))
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.answered.iter_mut().zip(other.answered) {
            *mine += theirs;
        }
        self.refused += other.refused;
        self.not_connected += other.not_connected;
        self.no_socket += other.no_socket;
        self.timed_out += other.timed_out;
        self.cut_off += other.cut_off;
        self.malformed += other.malformed;
        self.unsent += other.unsent;
        let histograms = [
            (&mut self.from_due, &other.from_due),
            (&mut self.from_send, &other.from_send),
            (&mut self.lateness, &other.lateness),
            (&mut self.own_lateness, &other.own_lateness),
        ];
        for (mine, theirs) in histograms {
            // All have the same bounds, so every value fits.
            _ = mine.add(theirs);
        }
    }
}

impl Effort {
    /// The share of its time it ran or wanted to, 0 to 1.
    pub fn share(&self) -> f64 {
        (self.ran + self.waited) as f64 / self.wall.max(1) as f64
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late { lateness, latency } => write!(
                f,
                "generator-limited: one request in a hundred was taken up {} late or more, beside a latency of {}",
                words(*lateness),
                words(*latency)
            ),
            Self::Busy { share } => write!(
                f,
                "generator-limited: a thread had work for {:.0} % of its time, and sent late",
                share * 100.0
            ),
            Self::NoSocket { requests } => {
                write!(
                    f,
                    "generator-limited: {requests} requests found no free socket on this machine"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    fn tally(effort: Effort) -> Tally {
        let mut tally = Tally::new(2).unwrap();
        tally.efforts.push(effort);
        tally
    }

    const IDLE: Effort = Effort {
        wall: 100,
        ran: 10,
        waited: 10,
    };
    const BUSY: Effort = Effort {
        wall: 100,
        ran: 80,
        waited: 15,
    };

    /// Counts a request that was due at 0, sent at `sent` and answered at `ret`.
    fn answer(tally: &mut Tally, (sent, ret): (Nanos, Nanos), own: Nanos) {
        let done = Done {
            due: Due {
                k: 0,
                stretch: 1,
                at: 0,
            },
            sent: Some(sent),
            ret,
            outcome: Outcome::Answered(201),
            body: &[],
        };
        tally.count(&done, own);
    }

    #[test]
    fn waiting_for_the_target_is_no_limit_of_the_load() {
        let mut waited = tally(IDLE);
        answer(&mut waited, (900 * MS, 901 * MS), 20_000);
        assert_eq!(waited.limits(), []);
        let whole = waited.whole().unwrap();
        assert!(whole.lateness.max() >= 900 * MS && whole.from_send.max() < 2 * MS);
    }

    #[test]
    fn a_load_that_is_late_by_itself_says_so() {
        let mut late = tally(IDLE);
        answer(&mut late, (2 * MS, 3 * MS), 2 * MS);
        assert!(matches!(late.limits()[..], [Limit::Late { .. }]));
        assert!(late.limits()[0].to_string().contains("taken up 2 ms late"));
        let mut hidden = tally(IDLE);
        answer(&mut hidden, (2 * MS, 300 * MS), 2 * MS);
        assert_eq!(hidden.limits(), []);
    }

    #[test]
    fn a_thread_without_time_to_be_punctual_says_so() {
        let mut busy = tally(BUSY);
        answer(&mut busy, (900 * MS, 901 * MS), 20_000);
        assert!(matches!(busy.limits()[..], [Limit::Busy { .. }]));
        let mut punctual = tally(BUSY);
        answer(&mut punctual, (MS / 2, MS), 20_000);
        assert_eq!(punctual.limits(), []);
    }

    #[test]
    fn a_latency_that_not_enough_requests_had_is_none() {
        let mut tally = tally(IDLE);
        for ms in 1..=90 {
            answer(&mut tally, (0, ms * MS), 0);
        }
        for k in 0..10 {
            tally.count_unsent(&Due { k, stretch: 1, at: 0 });
        }
        let whole = tally.whole().unwrap();
        let half = whole.latency(0.5).unwrap();
        assert!((50 * MS..51 * MS).contains(&half), "{half}");
        assert!(whole.latency(0.9).unwrap() >= 90 * MS);
        assert_eq!((whole.latency(0.91), whole.latency(1.0)), (None, None));
        assert_eq!(Part::new().unwrap().latency(0.5), None);
    }

    #[test]
    fn threads_are_added_up() {
        let (mut one, mut other) = (tally(IDLE), tally(BUSY));
        answer(&mut one, (MS, 2 * MS), 0);
        answer(&mut other, (MS, 4 * MS), 0);
        other.count_unsent(&Due {
            k: 1,
            stretch: 0,
            at: 0,
        });
        let mut sum = Tally::default();
        sum.merge(&one);
        sum.merge(&other);
        assert_eq!(sum.parts[1].answered[2], 2);
        assert_eq!(sum.parts[1].from_due.len(), 2);
        assert_eq!((sum.parts[0].unsent, sum.efforts.len()), (1, 2));
        assert_eq!(sum.whole().unwrap().planned(), 3);
    }
}
