//! The way past the stages: bytes nobody must see go from socket to socket without leaving the kernel.

use std::io::{ErrorKind, Read as _};
use std::net::Shutdown;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::{End, Pump, Side, Tools, Turn};
use crate::proxy::stats::Cause;

/// So many full reads in a row make the way past worth its two descriptors.
const FULL_READS: u32 = 4;
/// What a pipe is to hold; the system may allow less.
const PIPE: usize = 1 << 20;
/// Less than this at once is faster copied.
const WORTH: usize = 16 << 10;
/// So many small ones in a row end it.
const SMALL_ONES: u32 = 64;

/// Whether bytes take the way past the stages.
#[derive(Default)]
pub(super) struct Bypass {
    pipe: Option<Pipe>,
    /// Full reads in a row; once on, small ones.
    streak: u32,
}

struct Pipe {
    out: OwnedFd,
    into: OwnedFd,
    /// Bytes in it.
    held: usize,
    capacity: usize,
}

impl Bypass {
    pub(super) fn is_on(&self) -> bool {
        self.pipe.is_some()
    }

    /// Takes note of a read that was passed on, and turns to the pipe when such reads keep coming.
    pub(super) fn note(&mut self, full: bool) {
        self.streak = if full { self.streak + 1 } else { 0 };
        if self.streak >= FULL_READS {
            self.streak = 0;
            // Without descriptors to spare copying goes on.
            self.pipe = Pipe::open();
        }
    }
}

impl Pipe {
    fn open() -> Option<Self> {
        let (out, into) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).ok()?;
        // Beyond what the system lets one user have it stays as it is.
        let capacity = fcntl_setpipe_size(&into, PIPE).unwrap_or(64 << 10);
        let held = 0;
        Some(Self {
            out,
            into,
            held,
            capacity,
        })
    }
}

impl Pump {
    /// Moves bytes through the pipe. Returns a turn when that is all for now, or none after a step.
    pub(super) fn pass_by(
        &mut self,
        from: &mut Side,
        to: &mut Side,
        tools: &mut Tools<'_>,
    ) -> Result<Option<Turn>, Cause> {
        let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
        let Some(pipe) = &mut self.bypass.pipe else {
            return Ok(None);
        };
        let mut moved = false;
        if from.readable && pipe.held < pipe.capacity && !self.line.has_ended() {
            match splice(&from.stream, None, &pipe.into, None, pipe.capacity - pipe.held, flags) {
                Ok(0) => self
                    .line
                    .push_end(std::time::Instant::now(), Some(std::time::Instant::now()), End::Fin),
                Ok(count) => {
                    pipe.held += count;
                    moved = true;
                    self.bypass.streak = if count < WORTH { self.bypass.streak + 1 } else { 0 };
                }
                // The pipe's slots may be taken by small pieces although it has room: only an empty one tells.
                Err(Errno::AGAIN) if pipe.held == 0 => from.readable = false,
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return Err(Cause::Peer),
            }
        }
        while pipe.held > 0 && to.writable {
            match splice(&pipe.out, None, &to.stream, None, pipe.held, flags) {
                Ok(count) => {
                    pipe.held -= count;
                    moved = true;
                    tools.counters.delivered(self.up, count);
                }
                Err(Errno::AGAIN) => to.writable = false,
                Err(Errno::INTR) => {}
                Err(_) => return Err(Cause::Peer),
            }
        }
        if pipe.held == 0 && self.line.has_ended() {
            self.done = true;
            self.bypass = Bypass::default();
            _ = to.stream.shutdown(Shutdown::Write);
            return Ok(Some(Turn::Waits));
        }
        if self.bypass.streak >= SMALL_ONES && pipe.held == 0 {
            self.bypass = Bypass::default();
        }
        Ok((!moved).then_some(Turn::Waits))
    }

    /// Gives the pipe up, and holds what it held.
    pub(super) fn leave_bypass(&mut self, tools: &mut Tools<'_>) {
        let Some(pipe) = std::mem::take(&mut self.bypass).pipe else {
            return;
        };
        let mut out = std::fs::File::from(pipe.out);
        let mut left = pipe.held;
        while left > 0 {
            let scratch = tools.buffers.scratch();
            match out.read(scratch) {
                Ok(0) => break,
                Ok(count) => {
                    left -= count.min(left);
                    let bytes = scratch[..count].to_vec();
                    self.hold(bytes, tools);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
    }
}
