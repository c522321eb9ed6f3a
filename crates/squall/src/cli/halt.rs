//! What stops squall: signals, and one file, which stops everything that is told of it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::inputs::Bad;
use super::say;
use crate::world::Trouble;

/// The file is looked for this often.
const LOOK: Duration = Duration::from_millis(100);

/// Where the file is looked for.
#[derive(Debug, Clone, Args)]
pub(super) struct Halt {
    /// A file that, once it is there, stops everything and heals; while it is there nothing starts
    #[arg(
        long = "halt-file",
        env = "SQUALL_HALT_FILE",
        default_value = "squall.halt",
        value_name = "FILE"
    )]
    file: PathBuf,
}

impl Halt {
    /// Whether it is there.
    pub(super) fn is_there(&self) -> bool {
        // Whoever made a dangling link meant it, too.
        self.file.symlink_metadata().is_ok()
    }

    /// Nothing starts while it is there.
    pub(super) fn refuse(&self) -> Result<(), Bad> {
        let help = "someone wants nothing to be broken now; remove it when that is over".to_owned();
        self.stops().map_or(Ok(()), |why| Err(Bad::Plain(why, help)))
    }

    /// Why it stops a run, if it is there.
    pub(super) fn stops(&self) -> Option<String> {
        self.is_there().then(|| self.why())
    }

    fn why(&self) -> String {
        format!("the halt file {} is there", self.file.display())
    }

    /// Turns true when a signal or the file asks to stop.
    pub(super) fn hear(&self, runtime: &Runtime) -> Result<watch::Receiver<bool>, Trouble> {
        let on = |kind| {
            let _inside = runtime.enter();
            signal(kind).map_err(Trouble::io("hearing signals"))
        };
        let (mut int, mut term, mut hangup) = (
            on(SignalKind::interrupt())?,
            on(SignalKind::terminate())?,
            on(SignalKind::hangup())?,
        );
        let (sender, stop) = watch::channel(false);
        let halt = self.clone();
        runtime.spawn(async move {
            tokio::select! {
                _ = int.recv() => {},
                _ = term.recv() => {},
                _ = hangup.recv() => {},
                () = halt.comes() => say::err(&format!("squall: {}: everything is stopped and healed", halt.why())),
            }
            sender.send_replace(true);
            sender.closed().await;
        });
        Ok(stop)
    }

    async fn comes(&self) {
        while !self.is_there() {
            tokio::time::sleep(LOOK).await;
        }
    }
}
