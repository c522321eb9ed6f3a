//! A trial: whether the clock of a process can be made wrong here, and right again.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use squall_core::place::Skew;

use super::ask::now;
use super::code::Patches;
use super::patch::{Process, restore};
use crate::guard;
use crate::processes::TAG;
use crate::world::gate;
use crate::world::process::postgres::stand_in;

/// An hour: nobody is that late by chance.
const WRONG: i64 = 3600 * 1_000_000_000;
/// By less than this an answer is off that took its time.
const NEAR: i64 = WRONG / 2;

/// Tells what time it is for each byte of the input, until that ends.
///
/// # Errors
/// Reading or writing failed.
pub fn tell() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while input.read(&mut [0])? > 0 {
        output.write_all(&now().to_le_bytes())?;
        output.flush()?;
    }
    Ok(())
}

/// A process of squall's own that tells what time it is.
#[derive(Debug)]
pub struct Clock(Child);

impl Clock {
    /// Tries whether one can be made wrong here: of whose processes. Nothing of the try is left.
    ///
    /// # Errors
    /// Why not.
    pub fn possible() -> io::Result<String> {
        let patches = Patches::new(Skew { by: WRONG })?;
        // A database runs as another user where squall is root: whoever may write to that one's processes may to all.
        let mut clock = Self::start()?;
        let pid = clock.0.id();
        let asked = |clock: &mut Self| clock.ahead().map(|ahead| ahead > NEAR);
        if asked(&mut clock)? {
            return Err(io::Error::other("a clock was wrong before anything was done"));
        }
        Process::replace(pid, &patches)?;
        if !asked(&mut clock)? {
            return Err(io::Error::other("what was written into a vDSO changed nothing"));
        }
        restore(pid, &patches)?;
        if asked(&mut clock)? {
            return Err(io::Error::other("a clock did not become right again"));
        }
        Ok("all processes squall starts".to_owned())
    }

    fn start() -> io::Result<Self> {
        let user = stand_in().ok().flatten();
        let mut command = Self::command()?;
        if let Some((uid, gid)) = user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        match gate::spawn(|| command.spawn()) {
            // Squall's program may be nobody else's to start.
            Err(error) if user.is_some() && error.kind() == io::ErrorKind::PermissionDenied => {
                let mut own = Self::command()?;
                gate::spawn(|| own.spawn()).map(Self)
            }
            started => started.map(Self),
        }
    }

    fn command() -> io::Result<Command> {
        let mut command = guard::itself()?;
        command
            .args(["inner", "clock"])
            .env(TAG, "")
            .env_remove(guard::CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        Ok(command)
    }

    /// How far its clock is ahead of squall's, give or take how long it took to ask.
    fn ahead(&mut self) -> io::Result<i64> {
        let (Some(input), Some(output)) = (self.0.stdin.as_mut(), self.0.stdout.as_mut()) else {
            return Err(io::Error::other("it can't be asked"));
        };
        let mut time = [0; 8];
        input.write_all(&[0])?;
        output.read_exact(&mut time)?;
        Ok(i64::from_le_bytes(time).saturating_sub(now()))
    }
}

/// Nobody asks it any more.
impl Drop for Clock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
