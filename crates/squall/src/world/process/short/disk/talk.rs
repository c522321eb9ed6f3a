//! How squall speaks with who holds a disk.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout};
use std::str::FromStr;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A holder has answered by then, or is said not to have.
const ANSWER: Duration = Duration::from_secs(20);

/// What a holder is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::world) enum Order {
    /// Write all of it to the file.
    Sync,
    /// Let it lose its power; answers how much was at its top, and what a write is told by then.
    Cut,
    /// Take it out of the namespace.
    Unmount,
    /// Put it there again, as the file has it.
    Mount,
    /// Take so much longer for each access; answers nothing.
    Slow(Duration),
    /// Answers how many accesses took longer since, and how many microseconds altogether.
    Count,
}

impl fmt::Display for Order {
    /// As it is told: a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Order::Sync => f.write_str("sync"),
            Order::Cut => f.write_str("cut"),
            Order::Unmount => f.write_str("unmount"),
            Order::Mount => f.write_str("mount"),
            Order::Slow(latency) => write!(f, "slow {}", latency.as_nanos()),
            Order::Count => f.write_str("count"),
        }
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        Ok(match line.split_once(' ') {
            None if line == "sync" => Order::Sync,
            None if line == "cut" => Order::Cut,
            None if line == "unmount" => Order::Unmount,
            None if line == "mount" => Order::Mount,
            None if line == "count" => Order::Count,
            Some(("slow", nanos)) => Order::Slow(Duration::from_nanos(nanos.parse().map_err(drop)?)),
            _ => return Err(()),
        })
    }
}

/// How one speaks with a holder: a line there, a line back.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) orders: ChildStdin,
    pub(super) answers: BufReader<ChildStdout>,
    /// Its power was lost, and is not back.
    pub(super) dark: bool,
    /// An answer is still to come: the next one would be taken for another's.
    pub(super) owed: bool,
}

impl Talk {
    /// Tells it to do something, and waits until that is done.
    pub(super) fn tell(&mut self, order: Order) -> io::Result<String> {
        if self.owed {
            return Err(io::Error::other(
                "who holds it has not done yet what it was told before",
            ));
        }
        writeln!(self.orders, "{order}")?;
        self.answer(&order.to_string())
    }

    /// The next answer: what follows a `+`; what follows anything else is an error.
    pub(super) fn answer(&mut self, what: &str) -> io::Result<String> {
        self.owed = true;
        let end = Instant::now() + ANSWER;
        loop {
            let bound = end.saturating_duration_since(Instant::now());
            let bound = Timespec::try_from(bound).map_err(io::Error::other)?;
            let mut waited = [PollFd::new(self.answers.get_ref(), PollFlags::IN)];
            match poll(&mut waited, Some(&bound)) {
                // Squall's other children end whenever they do.
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(0) => {
                    let why = format!("who holds it gave no answer to `{what}` within {ANSWER:?}");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                }
                Ok(_) => break,
            }
        }
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        self.owed = false;
        match line.trim_end().strip_prefix('+') {
            Some(said) => Ok(said.to_owned()),
            None if line.is_empty() => Err(io::ErrorKind::UnexpectedEof.into()),
            None => Err(io::Error::other(line.trim_end().to_owned())),
        }
    }
}
