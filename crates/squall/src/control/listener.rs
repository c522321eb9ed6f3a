//! The side that is asked.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{sleep, timeout};

use super::{Ask, Reply, Request, SIGN_OF_LIFE};
use crate::gate;
use crate::store::{PARTIAL, SOCKET, TOKEN};

/// Whoever connects must ask within this.
const PATIENCE: Duration = Duration::from_secs(5);
/// A request is at most so long.
const LONGEST: u64 = 64 * 1024;
/// So many may be connected.
const OPEN: usize = 16;

/// The socket in a folder; see [`super`].
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    token: String,
}

/// Where replies to one request go.
#[derive(Debug, Clone)]
pub struct Answers {
    replies: mpsc::Sender<Reply>,
    gone: watch::Receiver<bool>,
}

impl Answers {
    /// Waits until who asked wants no more of it, or is no more.
    pub async fn asker_is_gone(&self) {
        let mut gone = self.gone.clone();
        // An end of its sender is the end of the connection, too.
        let _ = gone.wait_for(|gone| *gone).await;
    }

    /// Sends a reply. Who asked may be gone: that changes nothing of what is done.
    pub async fn send(&self, reply: Reply) {
        let _ = self.replies.send(reply).await;
    }
}

/// A folder by a short name: a socket's whole path may have 107 bytes, and a project lie deeper.
pub(super) struct Short(File);

impl Short {
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        File::open(folder).map(Self)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.0.as_raw_fd()))
    }
}

impl Listener {
    /// Opens the socket in `folder`, after the token. Both are for their owner only, from their
    /// first moment under their names.
    ///
    /// # Errors
    /// When one of them can't be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let token = format!("{:032x}", rand::random::<u128>());
        gate::pass(|| {
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(folder.join(TOKEN))?;
            file.write_all(token.as_bytes())?;
            let short = Short::open(folder)?;
            let partial = short.path(&format!(".{SOCKET}{PARTIAL}"));
            let socket = UnixListener::bind(&partial)?;
            fs::set_permissions(&partial, Permissions::from_mode(0o600))?;
            fs::rename(&partial, folder.join(SOCKET))?;
            Ok(Self { socket, token })
        })
    }

    /// Answers whoever asks with the right token, until it is dropped. What `answer` does goes on
    /// when who asked goes away.
    pub async fn serve<W>(self, answer: impl Fn(Ask, Answers) -> W + Clone + Send + 'static)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let open = Arc::new(Semaphore::new(OPEN));
        let token: Arc<str> = self.token.into();
        loop {
            let Ok(permit) = open.clone().acquire_owned().await else {
                return;
            };
            match self.socket.accept().await {
                Ok((stream, _)) => {
                    let (token, answer) = (token.clone(), answer.clone());
                    tokio::spawn(async move {
                        // Whoever went away needs no answer.
                        let _ = attend(stream, &token, answer).await;
                        drop(permit);
                    });
                }
                // Out of descriptors, for example: others may end meanwhile.
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

async fn attend<W>(mut stream: UnixStream, token: &str, answer: impl Fn(Ask, Answers) -> W) -> io::Result<()>
where
    W: Future<Output = ()> + Send + 'static,
{
    let (reader, mut writer) = stream.split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(LONGEST));
    if timeout(PATIENCE, reader.read_line(&mut line)).await.is_err() {
        return Ok(());
    }
    let request = match serde_json::from_str::<Request>(&line) {
        Ok(request) if same(&request.token, token) => request,
        Ok(_) => return tell(&mut writer, &refused("the token is not this system's")).await,
        Err(_) => return tell(&mut writer, &refused("this is no request squall knows")).await,
    };
    let (send, mut replies) = mpsc::channel(8);
    let (leave, gone) = watch::channel(false);
    let mut rest = [0; 64];
    tokio::spawn(answer(request.ask, Answers { replies: send, gone }));
    loop {
        let reply = tokio::select! {
            reply = timeout(SIGN_OF_LIFE, replies.recv()) => match reply {
                Ok(Some(reply)) => reply,
                Ok(None) => Reply::Failed("squall's process broke off".to_owned()),
                Err(_) => Reply::Busy,
            },
            // Nothing more is to be said: what is read is the end of it.
            _ = reader.read(&mut rest), if !*leave.borrow() => {
                leave.send_replace(true);
                continue;
            }
        };
        tell(&mut writer, &reply).await?;
        if reply.is_last() {
            return Ok(());
        }
    }
}

fn refused(what: &str) -> Reply {
    Reply::Refused {
        what: what.to_owned(),
        remedy: "are both squalls of one version, and run by one user?".to_owned(),
    }
}

async fn tell(writer: &mut (impl AsyncWriteExt + Unpin), reply: &Reply) -> io::Result<()> {
    let mut line = serde_json::to_vec(reply)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Takes as long for a nearly right token as for a wrong one.
fn same(one: &str, other: &str) -> bool {
    let differing = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |all, (one, other)| all | (one ^ other));
    one.len() == other.len() && differing == 0
}
