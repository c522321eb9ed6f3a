//! A trial: whether the clock of a process can be made wrong here, and right again.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
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
/// Who only tells the time does so within this, however busy the machine is.
const ANSWER: Duration = Duration::from_secs(5);

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
            .env_remove(TAG)
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
        input.write_all(&[0])?;
        Ok(told(output, ANSWER)?.saturating_sub(now()))
    }
}

/// The time that is told, within a bound: a process that was written to may never come to it.
fn told(output: &mut ChildStdout, within: Duration) -> io::Result<i64> {
    let until = Instant::now() + within;
    let (mut time, mut read) = ([0; 8], 0);
    while read < time.len() {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        if poll(&mut [PollFd::new(output, PollFlags::IN)], Some(&left))? == 0 {
            let why =
                format!("in the trial of a wrong clock, squall's own process did not tell the time within {within:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, why));
        }
        match output.read(&mut time[read..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    Ok(i64::from_le_bytes(time))
}

/// Nobody asks it any more.
impl Drop for Clock {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a process that says this is taken to tell.
    fn told_by(script: &str, within: Duration) -> io::Result<i64> {
        let mut command = Command::new("sh");
        let child = command
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // It ends when the test does.
        let mut clock = Clock(child.spawn().unwrap());
        told(clock.0.stdout.as_mut().unwrap(), within)
    }

    #[test]
    fn who_never_tells_the_time_is_waited_for_no_longer_than_its_bound() {
        let soon = Duration::from_millis(50);
        for script in ["exec sleep 60", "printf 1234567; exec sleep 60"] {
            let began = Instant::now();
            let error = told_by(script, soon).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{script}");
            assert!(
                error.to_string().starts_with("in the trial of a wrong clock, "),
                "{error}"
            );
            assert!(
                began.elapsed() >= soon && began.elapsed() < ANSWER,
                "{:?}",
                began.elapsed()
            );
        }
        let ended = told_by("printf 123", ANSWER).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::UnexpectedEof);
        let told = told_by("printf 1234; sleep 0.1; printf 5678; exec sleep 60", ANSWER).unwrap();
        assert_eq!(told.to_le_bytes(), *b"12345678");
    }
}
