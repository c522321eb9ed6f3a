//! A server that does next to nothing, on a core of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::get;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clients::{SERVER_CORE, pinned};

/// The word that makes this program the server.
pub const VERB: &str = "serve-requests";

/// Serves until it is killed.
pub fn serve() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let app = Router::new().route("/", get(|| async { "ok" }));
        axum::serve(listener, app).await?;
        Ok(())
    })
}

/// The server as a child, killed when dropped.
pub struct Server {
    child: Child,
    /// `host:port`.
    pub addr: String,
}

impl Server {
    pub fn start() -> Result<Self, Box<dyn Error>> {
        let own = std::env::current_exe()?;
        let mut child = pinned(SERVER_CORE, Command::new(own).arg(VERB))
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut addr = String::new();
        BufReader::new(out).read_line(&mut addr)?;
        let addr = addr.trim().to_owned();
        Ok(Self { child, addr })
    }

    /// Stops it, or lets it go on.
    pub fn signal(&self, signal: Signal) -> nix::Result<()> {
        kill(Pid::from_raw(self.child.id().cast_signed()), signal)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its end is all that is wanted; it may have come already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
