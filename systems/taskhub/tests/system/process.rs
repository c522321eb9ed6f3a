//! Processes that a test owns, and bounded waiting.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long anything may take that is not under test.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A `taskhub` process, killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts `taskhub` with these arguments and variables only.
    pub fn start(args: &[&str], env: &[(&str, &str)]) -> Self {
        Self::run(Path::new(env!("CARGO_BIN_EXE_taskhub")), args, env)
    }

    /// Starts a program with these arguments and variables only.
    pub fn run(program: &Path, args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(program);
        command.env_clear().envs(env.iter().copied()).args(args);
        Self(command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// Sends a signal.
    pub fn signal(&self, which: Signal) {
        signal(&self.0, which);
    }

    /// Kills it at once and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    /// Waits for its end and returns its exit code.
    pub fn exit_code(&mut self) -> Option<i32> {
        wait_for("the process to end", PATIENCE, || self.0.try_wait().unwrap()).code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a child that was not yet waited for.
pub fn signal(child: &Child, which: Signal) {
    let _ = kill(Pid::from_raw(child.id().cast_signed()), which);
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks until there is an answer; fails the test when `within` is over.
pub fn wait_for<T>(what: &str, within: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(begun.elapsed() < within, "waited {within:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
