//! Whether what was started is ready yet. While a first start is waited for nothing else can be; later ones are looked at
//! while orders are heard, for a strike or a heal must not queue behind a service that does not come back.

use std::time::{Duration, Instant};

use squall_core::event::Fact;
use squall_core::time::{Nanos, nanos};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::super::instance::State;
use super::super::ready::Condition;
use super::{Kept, due};
use crate::world::Trouble;

/// What a process wrote before it ended is read within this, unless somebody else still writes there.
const READ: Duration = Duration::from_secs(1);
/// Readiness is looked at this often while a process starts.
const LOOK: Duration = Duration::from_millis(10);

/// Looks at a moment, if there is one, whether a condition holds.
pub(super) async fn looked(at: Option<tokio::time::Instant>, ready: &Condition) -> bool {
    due(at).await;
    ready.holds().await
}

impl Kept {
    /// What was seen of one that was started again. Answers whether it is ready.
    pub(super) fn looked_at(&mut self, holds: bool) -> bool {
        let Some((_, started)) = &self.child else { return false };
        let took = nanos(started.elapsed());
        if holds {
            self.is_ready(took);
        } else if took > nanos(self.command.within) {
            // Not coming back is what the run is about: it is in the journal, and no trouble of the world's.
            self.given_up(took);
        } else {
            self.coming = Some(tokio::time::Instant::now() + LOOK);
        }
        holds
    }

    /// Answers an order once it is in force: who wants it up, when it is ready or given up on.
    pub(super) fn answer(
        &mut self,
        state: State,
        result: Result<(), Trouble>,
        done: oneshot::Sender<Result<(), Trouble>>,
    ) {
        if state == State::Up && result.is_ok() && self.coming.is_some() {
            self.waiting.push(done);
        } else {
            let _ = done.send(result);
        }
    }

    /// Answers all who wait for it to be ready.
    pub(super) fn answered(&mut self) {
        for done in self.waiting.drain(..) {
            let _ = done.send(Ok(()));
        }
    }

    /// It is waited for no more.
    pub(super) fn settled(&mut self) {
        self.coming = None;
        self.answered();
    }

    /// How long ago it was started, while it runs.
    pub(super) fn since_start(&self) -> Option<Nanos> {
        let (_, started) = self.child.as_ref()?;
        Some(nanos(started.elapsed()))
    }

    fn is_ready(&mut self, took: Nanos) {
        self.ready = Some(Instant::now());
        self.recorder.record(Fact::Ready {
            instance: self.instance.clone(),
            took,
        });
        self.settled();
    }

    pub(super) fn given_up(&mut self, waited: Nanos) {
        self.ready = self.child.is_some().then(Instant::now);
        self.recorder.record(Fact::NotReady {
            instance: self.instance.clone(),
            waited,
        });
        self.settled();
    }

    /// Waits until the process is ready, has ended, or its time is up.
    pub(super) async fn wait_ready(&mut self) -> Result<(), Trouble> {
        let Some((_, started)) = self.child.as_ref() else {
            return Ok(());
        };
        let (started, within) = (*started, self.command.within);
        loop {
            let looked = tokio::select! {
                biased;
                how = Self::ended(&mut self.child) => Err(how),
                holds = self.command.ready.holds() => Ok(holds),
            };
            match looked {
                Err(how) => {
                    self.exited(&how, false);
                    self.given_up(nanos(started.elapsed()));
                    // Its last words say why: they may still be on their way.
                    let _ = timeout(READ, async {
                        for reader in std::mem::take(&mut self.readers) {
                            let _ = reader.await;
                        }
                    })
                    .await;
                    let output = self.log.last();
                    return Err(Trouble::Ended {
                        instance: self.instance.clone(),
                        how,
                        output,
                    });
                }
                Ok(true) => {
                    self.is_ready(nanos(started.elapsed()));
                    return Ok(());
                }
                Ok(false) if started.elapsed() > within => {
                    self.given_up(nanos(started.elapsed()));
                    let (condition, output) = (self.command.ready.words(), self.log.last());
                    return Err(Trouble::NotReady {
                        instance: self.instance.clone(),
                        within,
                        condition,
                        output,
                    });
                }
                Ok(false) => sleep(LOOK).await,
            }
        }
    }
}
