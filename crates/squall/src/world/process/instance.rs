//! One instance: a process kept in the state that is wanted, across deaths and restarts.
//!
//! A keeper is a task that owns the process. What is wanted comes in as a value, never as a
//! change, so that overlapping faults can't be undone in the wrong order.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid};
use squall_core::event::Said;
use squall_core::place::{Condition as Wanted, Death, Instance, Place};
use squall_core::time::Nanos;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::keep::{Kept, Seen};
use super::logs::Log;
use super::ready::Condition;
use super::short::disk::Disk;
use super::skew::{Pid, ask};
use crate::store::Recorder;
use crate::world::Trouble;

/// A killed process is gone within this, or the kernel is in trouble.
pub(super) const GONE: Duration = Duration::from_secs(5);

/// How an instance is started.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    pub(super) tag: String,
    pub(super) user: Option<(Uid, Gid)>,
    pub(super) folder: Option<PathBuf>,
    /// The service's own way to end.
    pub(super) stop: Signal,
    pub(super) ready: Condition,
    pub(super) within: Duration,
    pub(super) restart: Option<Duration>,
}

impl Command {
    /// The same where a disk is; its own folder, if it has one, is there.
    pub(super) fn inside(&mut self, disk: &Disk) {
        // Only who may enter can become somebody else there.
        let user = self.user.take();
        let words = disk.words(user).into_iter().chain(std::mem::take(&mut self.words));
        self.words = words.collect();
        self.folder = self.folder.is_some().then(|| disk.folder().to_owned());
    }
}

/// What shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Up,
    Frozen,
    Down(Death),
}

impl State {
    /// Whether it is down again and again.
    pub(super) fn recurs(self) -> bool {
        matches!(self, State::Down(death) if death.recurs())
    }

    /// Whether what ends is started again.
    pub(super) fn comes_back(self) -> bool {
        self == State::Up || self.recurs()
    }
}

/// An order: a state, and who waits for it to be in force.
pub(super) type Order = (State, oneshot::Sender<Result<(), Trouble>>);

/// Tells when an order is in force.
pub(super) type Obeyed = oneshot::Receiver<Result<(), Trouble>>;

/// The handle of an instance.
#[derive(Debug)]
pub(super) struct Keeper {
    instance: Instance,
    orders: mpsc::Sender<Order>,
    pid: Pid,
    log: Log,
    ready: Condition,
    first: tokio::sync::Mutex<Option<oneshot::Receiver<Result<(), Trouble>>>>,
    seen: Arc<Seen>,
    /// Held by whoever imposes: what is done there is done by one at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
}

impl Keeper {
    /// Starts the process and the task that keeps it.
    pub(super) fn start(
        instance: Instance,
        command: Command,
        logs: PathBuf,
        recorder: Recorder,
    ) -> Result<Self, Trouble> {
        let log = Log::open(&logs, &instance, recorder.clone())?;
        let (orders, inbox) = mpsc::channel(8);
        let (pid_out, pid) = watch::channel(None);
        let (first_out, first) = oneshot::channel();
        let ready = command.ready.clone();
        let mut kept = Kept::new(instance.clone(), command, log.clone(), recorder, pid_out);
        kept.spawn()?;
        let seen = kept.seen();
        tokio::spawn(kept.keep(inbox, first_out));
        Ok(Self {
            instance,
            orders,
            pid,
            log,
            ready,
            first: tokio::sync::Mutex::new(Some(first)),
            seen,
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Waits until the first start is ready.
    pub(super) async fn first_ready(&self) -> Result<(), Trouble> {
        match self.first.lock().await.take() {
            Some(first) => first.await.unwrap_or_else(|_| Err(self.gone())),
            None => Ok(()),
        }
    }

    fn gone(&self) -> Trouble {
        Trouble::NoPlace(Place::Instance(self.instance.clone()))
    }

    pub(super) fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// Its process, whichever it is at a moment to come.
    pub(super) fn watched(&self) -> watch::Receiver<Option<u32>> {
        self.pid.clone()
    }

    /// Whether it is ready now; `None` where running is all that can be asked of it.
    pub(super) async fn ready(&self) -> Option<bool> {
        match self.ready {
            Condition::Running => None,
            _ => Some(self.pid().is_some() && self.ready.holds().await),
        }
    }

    /// How often it went down again, or failed to start, since it was first brought down for that.
    pub(super) fn falls(&self) -> usize {
        self.seen.falls.load(Ordering::Relaxed) as usize
    }

    /// The grace it was given to end by itself, where it had not when that was over.
    pub(super) fn outstayed(&self) -> Option<Nanos> {
        Some(self.seen.outstayed.load(Ordering::Relaxed)).filter(|grace| *grace > 0)
    }

    /// Where its process is told.
    pub(super) fn pids(&self) -> &Pid {
        &self.pid
    }

    /// What it says of its wall clock, where it can be asked.
    pub(super) async fn said(&self) -> Option<Said> {
        ask(&self.ready).await
    }

    /// Makes exactly `wanted` hold.
    pub(super) async fn impose(&self, wanted: &[Wanted]) -> Result<(), Trouble> {
        self.obeyed(self.order(wanted).await?).await
    }

    /// Orders that exactly `wanted` shall hold, after all that was ordered before; whoever wants to waits for it.
    pub(super) async fn order(&self, wanted: &[Wanted]) -> Result<Obeyed, Trouble> {
        let deaths = wanted.iter().filter_map(|wanted| match wanted {
            Wanted::Down(death) => Some(*death),
            _ => None,
        });
        // What shall be gone for one reason does not come back for another.
        let down = deaths.min_by_key(|death| death.recurs()).map(State::Down);
        let frozen = wanted.contains(&Wanted::Frozen).then_some(State::Frozen);
        let (done, wait) = oneshot::channel();
        let state = down.or(frozen).unwrap_or(State::Up);
        let sent = self.orders.send((state, done)).await;
        sent.map(|()| wait).map_err(|_| self.gone())
    }

    /// Waits until what was ordered is in force.
    pub(super) async fn obeyed(&self, wait: Obeyed) -> Result<(), Trouble> {
        wait.await.unwrap_or_else(|_| Err(self.gone()))
    }

    /// Ends it at once.
    pub(super) async fn end(&self) {
        // What does not even die now is left to the guard, which says so.
        let _ = timeout(GONE, self.impose(&[Wanted::Down(Death::Kill)])).await;
        self.log.finish();
    }
}
