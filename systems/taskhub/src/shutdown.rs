//! The wish to stop, as every part of the process sees it.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A handle that knows whether SIGTERM or SIGINT has arrived.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// Starts to listen for the signals; needs a running runtime.
    pub fn listen() -> std::io::Result<Self> {
        let mut term = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (sender, receiver) = watch::channel(false);
        tokio::spawn(async move {
            tokio::select! {
                _ = term.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::info!("stopping");
            sender.send_replace(true);
            // The sender stays alive so that waiting handles never see it vanish.
            sender.closed().await;
        });
        Ok(Self(receiver))
    }

    /// Whether stopping was asked for.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until stopping is asked for.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // An error means the listener is gone with the runtime, which is stopping too.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}
