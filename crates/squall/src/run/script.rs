//! Commands of the scenario's own: each in a process group of its own, with a bound, its last words in the journal.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use squall_core::demand::Demand;
use squall_core::event::{Fact, ScriptEnd, ScriptOf};
use squall_core::script::Script;
use squall_core::time::nanos;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep_until, timeout};

use super::stage::Stage;
use crate::secrets::Secrets;
use crate::{gate, guard, processes};

/// So many last lines of its output are kept.
const LINES: usize = 40;
/// Of a line so much is kept.
const LONGEST: usize = 500;
/// Of a line so much is searched for secrets: more than is kept, so that none is cut in two first.
const SEARCHED: usize = 4 * LONGEST;
/// What it wrote last is read within this, and killing it takes no longer.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The commands of a storm.
pub(super) struct Scripts(JoinSet<()>);

impl Scripts {
    /// Starts each at its time after `begin`.
    pub(super) fn start(stage: &Stage, begin: Instant) -> Self {
        let mut all = JoinSet::new();
        for (index, planned) in stage.plan.scripts.clone().into_iter().enumerate() {
            let stage = stage.clone();
            all.spawn(async move {
                tokio::select! {
                    biased;
                    () = stage.stopped() => return,
                    () = sleep_until((begin + Duration::from_nanos(planned.at)).into()) => {}
                }
                run(&stage, ScriptOf::Storm(index), &planned.script).await;
            });
        }
        Self(all)
    }

    /// Whether all have ended.
    pub(super) fn are_over(&mut self) -> bool {
        while self.0.try_join_next().is_some() {}
        self.0.is_empty()
    }
}

/// Runs the commands that are checks, one after the other.
pub(super) async fn checks(stage: &Stage) {
    for (index, check) in stage.plan.checks.iter().enumerate() {
        if let Demand::Script(script) = check {
            run(stage, ScriptOf::Check(index), script).await;
        }
    }
}

/// Runs one to its end, or to its bound.
async fn run(stage: &Stage, of: ScriptOf, script: &Script) {
    let run = stage.recorder.secrets().mask(&script.run);
    stage.recorder.record(Fact::ScriptBegan { of, run });
    let began = Instant::now();
    let said = Said::default();
    let how = match start(stage, script) {
        Ok((child, output)) => {
            let reader = said.listen(output, stage.recorder.secrets());
            let stopped = async {
                match of {
                    ScriptOf::Storm(_) => stage.stopped().await,
                    ScriptOf::Check(_) => std::future::pending().await,
                }
            };
            attend(child, (script.within.get(), stopped), reader).await
        }
        Err(cause) => ScriptEnd::Unstarted(cause.to_string()),
    };
    let took = nanos(began.elapsed());
    let (output, left_out) = said.take();
    stage.recorder.record(Fact::ScriptEnded {
        of,
        how,
        took,
        output,
        left_out,
    });
}

/// Starts it; both its outputs are one pipe, so that their lines stay in order.
fn start(stage: &Stage, script: &Script) -> std::io::Result<(Child, pipe::Receiver)> {
    let words = script.words().map_err(std::io::Error::other)?;
    let (program, args) = words
        .split_first()
        .ok_or_else(|| std::io::Error::other("the command is empty"))?;
    let folder = std::path::absolute(&stage.folder)?;
    let (output, input) = std::io::pipe()?;
    let mut command = Command::new(program);
    command
        .args(args)
        .env("BASE_URL", stage.world.base())
        .env("SQUALL_FOLDER", folder)
        .env("SQUALL_SCENARIO", &stage.plan.scenario)
        .env(processes::TAG, stage.run.to_string())
        // A squall among them would take itself for the second process of this run.
        .env_remove(guard::CHILD)
        .stdin(Stdio::null())
        .stdout(input.try_clone()?)
        .stderr(input)
        .process_group(0)
        .kill_on_drop(true);
    // With the command squall's own ends for writing go: only then can the pipe end.
    let child = gate::spawn(|| command.spawn());
    drop(command);
    Ok((child?, pipe::Receiver::from_owned_fd(output.into())?))
}

/// Waits for its end; what it started in its group ends with it.
async fn attend(
    mut child: Child,
    (within, stopped): (Duration, impl Future<Output = ()>),
    mut reader: JoinHandle<()>,
) -> ScriptEnd {
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw);
    let ended = tokio::select! {
        biased;
        ended = timeout(within, child.wait()) => ended.map_err(|_| ScriptEnd::Overran),
        () = stopped => Err(ScriptEnd::Stopped),
    };
    if let Some(group) = group {
        // Nobody may be left in it.
        let _ = killpg(group, Signal::SIGKILL);
    }
    if ended.is_err() {
        let _ = timeout(LAST_WORDS, child.wait()).await;
    }
    // Whoever left the group may hold its output open for ever.
    if timeout(LAST_WORDS, &mut reader).await.is_err() {
        reader.abort();
    }
    match ended {
        Ok(Ok(status)) => how(status),
        Ok(Err(cause)) => ScriptEnd::Unstarted(cause.to_string()),
        Err(how) => how,
    }
}

fn how(status: ExitStatus) -> ScriptEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => ScriptEnd::Code(code),
        (None, signal) => ScriptEnd::Signal(signal.unwrap_or(0)),
    }
}

/// The last lines it wrote.
#[derive(Debug, Clone, Default)]
struct Said(Arc<Mutex<(VecDeque<String>, u64)>>);

impl Said {
    fn listen(&self, mut from: impl AsyncRead + Unpin + Send + 'static, secrets: &Secrets) -> JoinHandle<()> {
        let (said, secrets) = (self.clone(), secrets.clone());
        tokio::spawn(async move {
            let (mut line, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = from.read(&mut buffer).await {
                for byte in &buffer[..read] {
                    match byte {
                        b'\n' => said.add(&std::mem::take(&mut line), &secrets),
                        _ if line.len() < SEARCHED => line.push(*byte),
                        _ => {}
                    }
                }
            }
            if !line.is_empty() {
                said.add(&line, &secrets);
            }
        })
    }

    fn add(&self, line: &[u8], secrets: &Secrets) {
        let mut line = secrets.mask(String::from_utf8_lossy(line).trim_end());
        let end = (0..=line.len().min(LONGEST))
            .rev()
            .find(|end| line.is_char_boundary(*end));
        line.truncate(end.unwrap_or(0));
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if said.0.len() == LINES {
            said.0.pop_front();
            said.1 += 1;
        }
        said.0.push_back(line);
    }

    fn take(&self) -> (Vec<String>, u64) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (said.0.drain(..).collect(), said.1)
    }
}
