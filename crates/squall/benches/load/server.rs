//! A server that does next to nothing, on a core of its own.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::clients::{SERVER_CORE, pinned};

/// The word that makes this program the server.
pub const VERB: &str = "serve-requests";

/// The reply to everything.
const REPLY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n\r\nok";

/// Serves until it is killed. There is no framework in it: how long it takes to catch up after a stall is counted
/// against the clients' honesty.
pub fn serve() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(answer(stream));
        }
    })
}

/// Answers requests without bodies, one after another.
async fn answer(mut stream: TcpStream) {
    let mut piece = [0; 4096];
    let mut filled = 0;
    while let Ok(count @ 1..) = stream.read(&mut piece[filled..]).await {
        filled += count;
        if piece[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(REPLY).await.is_err() {
                return;
            }
        }
    }
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
