//! The task that keeps one instance in the state that is wanted, across deaths and restarts.

mod coming;
mod still;

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use squall_core::event::{Fact, NoteKind};
use squall_core::place::{Condition as Wanted, Death, Instance, Place};
use squall_core::time::nanos;
use tokio::process::Child;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use self::still::Still;
use super::instance::{Command, GONE, Order, State};
use super::logs::Log;
use crate::guard;
use crate::processes;
use crate::store::Recorder;
use crate::world::{Trouble, gate};

/// A service that was asked to end may finish for this long; then it is killed, as whoever manages processes would.
const POLITE: Duration = Duration::from_secs(15);

/// When a process that ended by itself is started again: later each time, so that a crash loop does not spin.
#[derive(Default)]
struct Again {
    at: Option<tokio::time::Instant>,
    tries: u32,
}

impl Again {
    /// Longer pauses would hide a service that could come back.
    const LONGEST: Duration = Duration::from_secs(5);

    fn plan(&mut self, restart: Option<Duration>) {
        if let (None, Some(after)) = (self.at, restart) {
            let pause = after
                .saturating_mul(1 << self.tries.min(8))
                .min(Self::LONGEST.max(after));
            self.tries += 1;
            self.at = Some(tokio::time::Instant::now() + pause);
        }
    }
}

/// Waits for a moment, if there is one.
async fn due(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// What was seen of it when it was last brought down.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// How often it went down again, or failed to start, since.
    pub(super) falls: AtomicU32,
    /// The grace it was given to end by itself, and had not when that was over; none where it had.
    pub(super) outstayed: AtomicU64,
}

/// What the keeping task owns.
pub(super) struct Kept {
    instance: Instance,
    command: Command,
    recorder: Recorder,
    log: Log,
    pid: watch::Sender<Option<u32>>,
    starts: u32,
    child: Option<(Child, Instant)>,
    /// When it was ready, or given up on.
    ready: Option<Instant>,
    /// When is looked next whether what was started again is ready, until it is or is given up on.
    coming: Option<tokio::time::Instant>,
    /// Who is told when it is.
    waiting: Vec<oneshot::Sender<Result<(), Trouble>>>,
    /// Deaths or failing starts that are still to come, where it goes down again and again.
    left: u32,
    seen: Arc<Seen>,
    /// Who reads what it writes.
    readers: Vec<JoinHandle<()>>,
    /// What stands still, where it is frozen.
    still: Still,
}

impl Kept {
    pub(super) fn new(
        instance: Instance,
        command: Command,
        log: Log,
        recorder: Recorder,
        pid: watch::Sender<Option<u32>>,
    ) -> Self {
        Self {
            instance,
            command,
            recorder,
            log,
            pid,
            starts: 0,
            child: None,
            ready: None,
            coming: None,
            waiting: Vec::new(),
            left: 0,
            seen: Arc::default(),
            readers: Vec::new(),
            still: Still::default(),
        }
    }

    pub(super) fn seen(&self) -> Arc<Seen> {
        self.seen.clone()
    }

    pub(super) async fn keep(mut self, mut inbox: mpsc::Receiver<Order>, first: oneshot::Sender<Result<(), Trouble>>) {
        // The first start must succeed: nobody restarts a system that never ran.
        let _ = first.send(self.wait_ready().await);
        let mut state = State::Up;
        let mut again = Again::default();
        loop {
            if state.comes_back() && self.child.is_none() {
                again.plan(self.command.restart);
            }
            let (doom, look) = (self.doom(state), self.coming.filter(|_| state.comes_back()));
            tokio::select! {
                order = inbox.recv() => match order {
                    Some((wanted, done)) => {
                        let holds = wanted == state && state.recurs();
                        let result = match holds {
                            true => Ok(()),
                            false => {
                                again = Again::default();
                                self.change(state, wanted).await
                            }
                        };
                        state = wanted;
                        self.answer(state, result, done);
                    }
                    None => break,
                },
                how = Self::ended(&mut self.child) => {
                    let waited = self.coming.and_then(|_| self.since_start());
                    // One that dies before it is ready was not brought down.
                    let down = matches!(state, State::Down(_)) && waited.is_none();
                    // What stands in for a program is never ready.
                    self.seen.falls.fetch_add(u32::from(down && self.ready.is_none()), Ordering::Relaxed);
                    self.exited(&how, down);
                    waited.into_iter().for_each(|waited| self.given_up(waited));
                }
                () = due(again.at) => {
                    again.at = None;
                    self.come_back(state);
                }
                holds = coming::looked(look, &self.command.ready) => {
                    // It ended by itself, so its way back is its own: not being ready is an observation.
                    if self.looked_at(holds) {
                        again = Again::default();
                    }
                }
                () = due(doom) => {
                    self.left -= 1;
                    // One that will not die is found by whoever heals it.
                    let down = self.bring_down(Death::Kill).await.is_ok();
                    self.seen.falls.fetch_add(u32::from(down), Ordering::Relaxed);
                }
            }
        }
        self.kill_all();
    }

    /// When what has come back is to be killed again.
    fn doom(&self, state: State) -> Option<tokio::time::Instant> {
        match (state, self.ready, &self.child) {
            (State::Down(Death::Again { lives, .. }), Some(ready), Some(_)) if self.left > 0 => {
                Some((ready + lives).into())
            }
            _ => None,
        }
    }

    /// Starts what has ended again. Whether it is ready is looked at while other orders are heard.
    fn come_back(&mut self, state: State) {
        if let State::Down(Death::Unstartable { .. }) = state
            && self.left > 0
        {
            self.left -= 1;
            // It says nothing and ends with an error, as a program does whose libraries are missing.
            let nothing = ["/proc/self/exe", "inner", "fail"].map(str::to_owned);
            if let Err(trouble) = self.spawn_as(&nothing) {
                self.recorder.record(Fact::Note {
                    kind: NoteKind::Blind,
                    text: format!("a start was to fail: {trouble}"),
                });
            }
        } else if self.spawn().is_ok() {
            self.coming = Some(tokio::time::Instant::now());
        }
    }

    /// Waits until the process ends; for ever when there is none.
    async fn ended(child: &mut Option<(Child, Instant)>) -> String {
        match child {
            Some((child, _)) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            None => std::future::pending().await,
        }
    }

    fn exited(&mut self, how: &str, wanted: bool) {
        let Some((_, _)) = self.child.take() else { return };
        (self.ready, self.coming) = (None, None);
        let pid = self.pid.send_replace(None).unwrap_or(0);
        self.recorder.record(Fact::Exited {
            instance: self.instance.clone(),
            pid,
            how: how.to_owned(),
            wanted,
        });
    }

    async fn change(&mut self, from: State, to: State) -> Result<(), Trouble> {
        // What loses its power while it stands still does not go on first.
        if from == State::Frozen && ![State::Frozen, State::Down(Death::PowerLoss)].contains(&to) {
            self.go_on();
        }
        if let (State::Frozen, Some((_, started)), Some(_)) = (from, &mut self.child, self.coming) {
            // It could not become ready meanwhile.
            *started = Instant::now();
        }
        if to != State::Up {
            // Whoever waited for it to be ready waits in vain, and need not.
            self.answered();
        }
        if from.recurs() && self.child.is_some() && self.ready.is_none() && self.coming.is_none() {
            // What stands in for its program is not it.
            self.bring_down(Death::Kill).await?;
        }
        match to {
            State::Frozen => {
                self.stand_still().await;
                Ok(())
            }
            State::Down(death) => {
                self.left = match death {
                    // The one that is about to be is the first.
                    Death::Again { most, .. } => most.unwrap_or(u32::MAX) - 1,
                    Death::Unstartable { most } => most.unwrap_or(u32::MAX),
                    Death::Kill | Death::Terminate | Death::Stop | Death::PowerLoss => 0,
                };
                self.seen.falls.store(0, Ordering::Relaxed);
                self.bring_down(death).await
            }
            State::Up if self.child.is_some() => Ok(()),
            State::Up => {
                self.spawn()?;
                self.coming = Some(tokio::time::Instant::now());
                Ok(())
            }
        }
    }

    fn all(&self) -> Vec<u32> {
        self.pid.borrow().map_or_else(Vec::new, processes::tree)
    }

    fn kill_all(&self) {
        processes::signal(&self.all(), Signal::SIGKILL);
    }

    async fn bring_down(&mut self, death: Death) -> Result<(), Trouble> {
        let mut all = self.all();
        let asked = match death {
            Death::Terminate => Some(Signal::SIGTERM),
            Death::Stop => Some(self.command.stop),
            Death::Kill | Death::Again { .. } | Death::Unstartable { .. } | Death::PowerLoss => None,
        };
        self.seen.outstayed.store(0, Ordering::Relaxed);
        if let Some(asked) = asked {
            processes::signal(&all[..all.len().min(1)], asked);
            if self.gone(&all, (POLITE, Signal::SIGCONT)).await {
                return Ok(());
            }
            let (instance, grace) = (self.instance.clone(), nanos(POLITE));
            self.recorder.record(Fact::Outstayed { instance, grace });
            self.seen.outstayed.store(grace, Ordering::Relaxed);
            all.extend(self.all());
        }
        processes::signal(&all, Signal::SIGKILL);
        let place = Place::Instance(self.instance.clone());
        let word = Wanted::Down(death).word().to_owned();
        match self.gone(&all, (GONE, Signal::SIGKILL)).await {
            true => Ok(()),
            false => Err(Trouble::Stubborn {
                place,
                word,
                within: GONE,
            }),
        }
    }

    /// Whether all of these are gone within a time, told so again and again once the first of them is.
    async fn gone(&mut self, all: &[u32], (within, again): (Duration, Signal)) -> bool {
        let until = Instant::now() + within;
        if self.child.is_some() {
            let Ok(how) = timeout(within, Self::ended(&mut self.child)).await else {
                return false;
            };
            self.exited(&how, true);
        }
        // Its children go with it: a database started again beside an old backend would refuse.
        while all.iter().any(|pid| processes::runs(*pid)) {
            if Instant::now() > until {
                return false;
            }
            processes::signal(all, again);
            sleep(Duration::from_millis(2)).await;
        }
        true
    }

    pub(super) fn spawn(&mut self) -> Result<(), Trouble> {
        let words = self.command.words.clone();
        self.spawn_as(&words)
    }

    fn spawn_as(&mut self, words: &[String]) -> Result<(), Trouble> {
        let Command {
            env, tag, user, folder, ..
        } = &self.command;
        let trouble = |cause| Trouble::Spawn {
            instance: self.instance.clone(),
            command: words.join(" "),
            cause,
        };
        let Some((program, args)) = words.split_first() else {
            return Err(trouble(std::io::Error::other("`run` is empty")));
        };
        let mut command = tokio::process::Command::new(program);
        command
            .args(args)
            .envs(env.iter().map(|(name, value)| (name, value)))
            .env(processes::TAG, tag)
            // A squall among them would take itself for the second process of this run.
            .env_remove(guard::CHILD);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        if let Some((uid, gid)) = user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        if let Some(folder) = folder {
            command.current_dir(folder);
        }
        let mut child = gate::spawn(|| command.spawn()).map_err(trouble)?;
        let pid = child.id().unwrap_or(0);
        let restarts = self.starts;
        self.starts += 1;
        self.recorder.record(Fact::Started {
            instance: self.instance.clone(),
            pid,
            restarts,
        });
        let out = child.stdout.take().map(|out| tokio::spawn(self.log.clone().take(out)));
        let err = child.stderr.take().map(|err| tokio::spawn(self.log.clone().take(err)));
        self.readers = out.into_iter().chain(err).collect();
        self.child = Some((child, Instant::now()));
        self.pid.send_replace(Some(pid));
        Ok(())
    }
}
