//! Many requests, each at the moment it is due.
//!
//! Load is open-loop: requests are due when the schedule says so, not when the one before was answered. A request
//! that is due while every connection is taken waits, and its latency counts from its due moment. A system that
//! stalls for a second therefore shows a second, not one slow request for each connection.
//!
//! Each thread of load is a plain thread with its own connections and its own epoll. Tokio's timer would make
//! everything late by a millisecond. What is asked and what becomes of the answers is up to a [`Session`], how
//! a protocol's replies are read to its [`Wire`].

mod engine;
mod session;
mod tally;
mod wire;

pub use session::{Done, Failed, HttpSession, Outcome, Record, Session, Unknown, delivery};
pub use tally::{Effort, Limit, Part, Tally};
pub use wire::{BadRequest, Http, Malformed, Parts, Read, Reply, Requests, Wire};

use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use squall_core::schedule::Schedule;

use crate::poll::Bell;
use engine::Engine;

/// Whom to load, when, and within what bounds.
#[derive(Debug, Clone)]
pub struct Load {
    /// Whom.
    pub target: SocketAddr,
    /// When each request is due, counted from the start.
    pub schedule: Schedule,
    /// So many connections each thread has open at most; at least one.
    pub connections: usize,
    /// So long after it was taken up a request without an answer is given up.
    pub patience: Duration,
    /// So long after the schedule's end, or after [`Running::stop`], requests are still sent and waited for.
    pub drain: Duration,
}

/// Load that is being sent. Dropping it stops the load without waiting for its end.
#[derive(Debug)]
pub struct Running<S> {
    threads: Vec<JoinHandle<io::Result<(Tally, S)>>>,
    halts: Vec<Arc<Bell>>,
}

/// Load that was sent.
#[derive(Debug)]
pub struct Ended<S> {
    /// What came of it, over all threads.
    pub tally: Tally,
    /// The sessions, in the order they were given.
    pub sessions: Vec<S>,
}

impl Load {
    /// Starts one thread for each session. Of n threads the i-th sends every n-th request, from the i-th on.
    /// The schedule starts at `begin`; what was due before now is sent at once, and late.
    ///
    /// # Errors
    /// When the machine has no thread or no descriptor left.
    pub fn start<S: Session>(&self, begin: Instant, sessions: Vec<S>) -> io::Result<Running<S>> {
        let step = sessions.len();
        let mut running = Running {
            threads: Vec::with_capacity(step),
            halts: Vec::with_capacity(step),
        };
        for (index, session) in sessions.into_iter().enumerate() {
            let halt = Arc::new(Bell::new()?);
            running.halts.push(Arc::clone(&halt));
            let dues = self.schedule.dues().skip(index).step_by(step);
            let load = self.clone();
            let run = move || Engine::new(&load, session, dues, (begin, halt))?.run();
            let thread = thread::Builder::new().name(format!("squall-load-{index}"));
            running.threads.push(thread.spawn(run)?);
        }
        Ok(running)
    }
}

impl<S> Running<S> {
    /// Takes up no more requests. What was sent is still waited for, as long as [`Load::drain`] says.
    pub fn stop(&self) {
        for halt in &self.halts {
            halt.ring();
        }
    }

    /// Whether the load is over, and [`Running::join`] won't wait.
    pub fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Waits for the end: at most the schedule's length and [`Load::drain`], unless a session holds its thread up.
    ///
    /// # Errors
    /// When a thread could not wait for its connections: it needs Linux 5.11.
    ///
    /// # Panics
    /// When a session did.
    pub fn join(mut self) -> io::Result<Ended<S>> {
        let mut ended = Ended {
            tally: Tally::default(),
            sessions: Vec::new(),
        };
        for thread in self.threads.drain(..) {
            let (tally, session) = thread.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            ended.tally.merge(&tally);
            ended.sessions.push(session);
        }
        Ok(ended)
    }
}

impl<S> Drop for Running<S> {
    fn drop(&mut self) {
        self.stop();
    }
}
