//! The side that asks.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::listener::Short;
use super::{Ask, Reply, Request, SIGN_OF_LIFE, Sign};
use crate::store::{Folder, SOCKET, TOKEN};

/// So long may nothing be heard.
const SILENCE: Duration = SIGN_OF_LIFE.saturating_mul(10);

/// Why there was no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// Nobody is there.
    #[error("nobody answers at {path}: {cause}")]
    Gone {
        /// Where.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Nothing was heard any more.
    #[error("nothing was heard for {SILENCE:?} from {path}")]
    Silent {
        /// Where.
        path: PathBuf,
    },
}

/// What `up` once started, and has not seen to its end.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its folder.
    pub folder: PathBuf,
    /// What it is.
    pub sign: Sign,
    /// Squall's process that works for it, while it runs.
    pub worker: Option<u32>,
}

/// All that is up below `output`, or was when both of squall's processes died; the oldest first.
pub fn found(output: &Path) -> Vec<Found> {
    let Ok(entries) = fs::read_dir(output) else {
        return Vec::new();
    };
    let folders = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !path.is_symlink());
    let mut all: Vec<Found> = folders
        .filter_map(|folder| {
            let worker = Folder::open(&folder).worker()?;
            let text = fs::read_to_string(folder.join(Sign::FILE)).ok()?;
            let sign = serde_json::from_str(&text).ok()?;
            Some(Found { folder, sign, worker })
        })
        .collect();
    all.sort_by(|one, other| one.folder.cmp(&other.folder));
    all
}

/// Asks what is up in `folder`, and hears it to the end; `said` is told what is said meanwhile.
///
/// # Errors
/// There was no last reply.
pub fn ask(folder: &Path, ask: &Ask, said: impl FnMut(&str)) -> Result<Reply, Unheard> {
    ask_until(folder, ask, |_| Ok(()), said)
}

/// The same; `asked` is given the connection: whoever shuts its writing half down wants what goes on to end.
///
/// # Errors
/// There was no last reply.
pub fn ask_until(
    folder: &Path,
    ask: &Ask,
    asked: impl FnOnce(UnixStream) -> io::Result<()>,
    mut said: impl FnMut(&str),
) -> Result<Reply, Unheard> {
    let path = folder.join(SOCKET);
    let unheard = |cause: io::Error| match cause.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Unheard::Silent { path: path.clone() },
        _ => Unheard::Gone {
            path: path.clone(),
            cause,
        },
    };
    let mut stream = connect(folder, ask).map_err(unheard)?;
    stream.get_ref().try_clone().and_then(asked).map_err(unheard)?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).map_err(unheard)? == 0 {
            return Err(unheard(io::ErrorKind::UnexpectedEof.into()));
        }
        match serde_json::from_str(&line).map_err(|error| unheard(error.into()))? {
            Reply::Busy => {}
            Reply::Said(text) => said(&text),
            last => return Ok(last),
        }
    }
}

fn connect(folder: &Path, ask: &Ask) -> io::Result<BufReader<UnixStream>> {
    let token = fs::read_to_string(folder.join(TOKEN))?;
    let mut stream = UnixStream::connect(Short::open(folder)?.path(SOCKET))?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(SILENCE))?;
    let mut line = serde_json::to_vec(&Request {
        token,
        ask: ask.clone(),
    })?;
    line.push(b'\n');
    stream.write_all(&line)?;
    Ok(BufReader::new(stream))
}
