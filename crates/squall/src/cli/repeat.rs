//! `run --repeat` and `run --every`: one run after the other, each with a seed and a guard of its own.
//!
//! This process starts nothing but squall: each run has its own two processes, which heal what they broke whatever
//! happens to this one. When it dies, the run that goes on is asked to stop.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use clap::Args;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use squall_core::amount::Dur;

use super::inputs::{Bad, inputs};
use super::{Choice, RunArgs, say};
use crate::client::Address;
use crate::{exit, guard};

/// At most so many seeds are named at the end.
const SHOWN: usize = 10;

/// How often, and how far apart.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RepeatArgs {
    /// Run so many times, each with another seed drawn from the first; one verdict over all
    #[arg(long = "repeat", value_name = "N", value_parser = super::whole::<u32, 1, 100_000>)]
    times: Option<u32>,
    /// Run again and again until interrupted, so far from start to start; with --repeat, so many times
    #[arg(long, value_name = "DURATION", value_parser = every)]
    every: Option<Dur>,
    /// One turn of many: the seed of this one
    #[arg(long, hide = true, value_name = "SEED")]
    turn: Option<u64>,
}

fn every(text: &str) -> Result<Dur, String> {
    match text.parse::<Dur>() {
        Ok(Dur::ZERO) => Err("a distance above zero is expected, such as 10m".to_owned()),
        Ok(every) => Ok(every),
        Err(bad) => Err(bad.to_string()),
    }
}

impl RepeatArgs {
    /// Whether this process is the one that repeats.
    pub(super) fn wanted(&self) -> bool {
        self.turn.is_none() && (self.times.is_some() || self.every.is_some())
    }

    /// Whether this process does one of many runs.
    pub(super) fn is_turn(&self) -> bool {
        self.turn.is_some()
    }
}

impl RunArgs {
    /// What is chosen, by a stage or one by one.
    pub(super) fn chosen(&self) -> Choice {
        let stage = self.stage.map(|stage| stage.choice(&self.choice));
        let jobs = self.jobs;
        Choice {
            jobs,
            ..stage.unwrap_or_else(|| self.choice.clone())
        }
    }

    /// The system that runs already, if one is named. Nothing is sent.
    pub(super) fn attach(&self) -> Result<Option<Address>, Bad> {
        self.base_url
            .as_deref()
            .map(|base| self.allow.address(base))
            .transpose()
    }

    /// With the seed of this turn, if it is one.
    pub(super) fn turn(mut self) -> Self {
        self.choice.seed = self.repeat.turn.or(self.choice.seed);
        self
    }
}

/// What came of all runs so far.
#[derive(Debug, Default)]
struct Tally {
    passed: usize,
    failed: Vec<u64>,
    inconclusive: Vec<u64>,
    /// Runs after which something could not be healed.
    broken: Vec<u64>,
    /// A run that was cut off by whoever stopped it all: it shows nothing.
    cut_off: bool,
    /// Runs that were asked for and never began.
    missing: bool,
}

/// Runs as often as was asked for. Answers the exit code: the worst of all.
pub(super) fn repeat(args: &RunArgs) -> u8 {
    let first = args.choice.seed.unwrap_or_else(|| u64::from(rand::random::<u32>()));
    // Before anything is run: what is wrong in a file is wrong every time.
    let read = || {
        args.halt.refuse()?;
        let attach = args.attach()?;
        inputs(&args.chosen(), attach.as_ref(), first)?;
        args.notify.address(&args.allow)
    };
    if let Err(bad) = read() {
        bad.say();
        return exit::BAD_INPUT;
    }
    match turns(args, first) {
        Ok(tally) => {
            let told = tally.says();
            if args.json {
                say::err(&told)
            } else {
                say::out(&told)
            }
            say::err(&format!("The same again: the same command with --seed {first}"));
            tally.code()
        }
        Err(error) => {
            say::problem(&format!("a run can't be started: {error}"), say::NO_ROOM);
            exit::ENVIRONMENT
        }
    }
}

fn turns(args: &RunArgs, first: u64) -> io::Result<Tally> {
    let signals = signals()?;
    let (times, every) = (args.repeat.times, args.repeat.every.map_or(Duration::ZERO, Dur::get));
    let (began, mut tally) = (Instant::now(), Tally::default());
    for turn in 0..times.unwrap_or(u32::MAX) {
        let due = began.checked_add(every.saturating_mul(turn));
        if !due.is_none_or(|due| wait(&signals, due)) || args.halt.is_there() {
            // Stopping is how an endless series ends; a counted one is incomplete.
            tally.missing = times.is_some();
            break;
        }
        let seed = seed(first, turn);
        let of = times.map_or(String::new(), |times| format!(" of {times}"));
        say::err(&format!("Run {}{of}, seed {seed}", turn + 1));
        let mut child = guard::itself()?
            .args(std::env::args_os().skip(1))
            .args(["--turn", &seed.to_string()])
            .stdin(Stdio::null())
            .spawn()?;
        let (code, stopped) = end(&mut child, &signals)?;
        tally.count(seed, code, stopped);
        if stopped {
            tally.missing = times.is_some_and(|times| turn + 1 < times);
            break;
        }
    }
    Ok(tally)
}

/// The signals that stop it all, and those that tell of a child's end.
fn signals() -> io::Result<Receiver<Signal>> {
    let mut heard = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
        heard.add(signal);
    }
    heard.thread_block()?;
    let (send, signals) = channel();
    // Blocked before any thread exists, so that the waiting thread alone receives them.
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        while let Ok(signal) = heard.wait() {
            if send.send(signal).is_err() {
                break;
            }
        }
    })?;
    Ok(signals)
}

/// Waits for a moment; `false` when it was told to stop before.
fn wait(signals: &Receiver<Signal>, due: Instant) -> bool {
    loop {
        match signals.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Signal::SIGCHLD) => {}
            Ok(_) => return false,
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Waits for a run's end. Answers its exit code, and whether it was told to stop.
fn end(child: &mut Child, signals: &Receiver<Signal>) -> io::Result<(u8, bool)> {
    let mut stopped = false;
    loop {
        if let Some(status) = child.try_wait()? {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            // A guard that was killed leaves its worker to clear up and end by itself.
            debug_assert!(code.is_some() || status.signal().is_some());
            return Ok((code.unwrap_or(exit::ENVIRONMENT), stopped));
        }
        if let Ok(signal) = signals.recv_timeout(Duration::from_secs(1))
            && signal != Signal::SIGCHLD
        {
            // The terminal may have told it already; being told twice changes nothing.
            stopped = true;
            let _ = kill(Pid::from_raw(child.id() as i32), signal);
        }
    }
}

/// The seed of a turn: the first's own, then others that look drawn. Different for all turns of one first seed, but
/// that one of four thousand million may be the first again. After the finalizer of `MurmurHash3`, which maps 32 bits
/// one to one.
fn seed(first: u64, turn: u32) -> u64 {
    if turn == 0 {
        return first;
    }
    let mut mixed = ((first ^ (first >> 32)) as u32).wrapping_add(turn);
    mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x85eb_ca6b);
    mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    u64::from(mixed ^ (mixed >> 16))
}

impl Tally {
    fn count(&mut self, seed: u64, code: u8, stopped: bool) {
        match code {
            exit::PASS => self.passed += 1,
            exit::FINDING => self.failed.push(seed),
            exit::NOT_HEALED => self.broken.push(seed),
            _ if stopped => self.cut_off = true,
            _ => self.inconclusive.push(seed),
        }
    }

    /// Something left broken outweighs a finding, which outweighs not knowing.
    fn code(&self) -> u8 {
        if !self.broken.is_empty() {
            exit::NOT_HEALED
        } else if !self.failed.is_empty() {
            exit::FINDING
        } else if !self.inconclusive.is_empty() || self.missing || self.passed == 0 {
            exit::ENVIRONMENT
        } else {
            exit::PASS
        }
    }

    /// `10 runs: 8 passed, 1 failed (seed 7), 1 inconclusive (seed 9)`.
    fn says(&self) -> String {
        let whole = self.passed + self.failed.len() + self.inconclusive.len() + self.broken.len();
        let mut parts = vec![format!("{} passed", self.passed)];
        let groups = [
            ("failed", &self.failed),
            ("inconclusive", &self.inconclusive),
            ("left something broken", &self.broken),
        ];
        for (word, seeds) in groups.iter().filter(|(_, seeds)| !seeds.is_empty()) {
            let named: Vec<String> = seeds.iter().take(SHOWN).map(u64::to_string).collect();
            let noun = if seeds.len() == 1 { "seed" } else { "seeds" };
            let more = match seeds.len().saturating_sub(SHOWN) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            parts.push(format!("{} {word} ({noun} {}{more})", seeds.len(), named.join(", ")));
        }
        if self.cut_off {
            parts.push("1 cut off".to_owned());
        }
        if self.missing {
            parts.push("not all that were asked for".to_owned());
        }
        let noun = if whole == 1 { "run" } else { "runs" };
        format!("{whole} {noun}: {}", parts.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_turn_has_another_seed_and_the_same_first_gives_the_same() {
        for first in [0, 7, u64::MAX] {
            let seeds: BTreeSet<u64> = (0..10_000).map(|turn| seed(first, turn)).collect();
            assert_eq!(seeds.len(), 10_000, "{first}");
            assert!(seeds.contains(&first));
        }
        assert_eq!(seed(7, 3), seed(7, 3));
        assert_ne!(seed(7, 3), seed(8, 3));
    }

    #[test]
    fn the_worst_run_decides_and_what_did_not_pass_is_named() {
        let mut tally = Tally::default();
        assert_eq!(tally.code(), exit::ENVIRONMENT, "nothing was shown");
        tally.count(1, exit::PASS, false);
        assert_eq!(tally.code(), exit::PASS);
        tally.count(2, exit::ENVIRONMENT, false);
        assert_eq!(tally.code(), exit::ENVIRONMENT);
        tally.count(3, exit::FINDING, false);
        assert_eq!(tally.code(), exit::FINDING);
        assert_eq!(
            tally.says(),
            "3 runs: 1 passed, 1 failed (seed 3), 1 inconclusive (seed 2)"
        );
        tally.count(4, exit::NOT_HEALED, false);
        assert_eq!(tally.code(), exit::NOT_HEALED);
        for seed in 10..25 {
            tally.count(seed, exit::FINDING, false);
        }
        assert!(
            tally
                .says()
                .contains("(seeds 3, 10, 11, 12, 13, 14, 15, 16, 17, 18 and 6 more)")
        );
    }

    #[test]
    fn an_endless_series_ends_well_when_it_is_stopped_and_a_counted_one_does_not() {
        let mut endless = Tally::default();
        endless.count(1, exit::PASS, false);
        endless.count(2, exit::ENVIRONMENT, true);
        assert_eq!(endless.code(), exit::PASS);
        assert_eq!(endless.says(), "1 run: 1 passed, 1 cut off");
        endless.missing = true;
        assert_eq!(endless.code(), exit::ENVIRONMENT);
        let mut found = Tally::default();
        found.count(1, exit::FINDING, true);
        assert_eq!(found.code(), exit::FINDING, "found before it was cut off");
    }
}
