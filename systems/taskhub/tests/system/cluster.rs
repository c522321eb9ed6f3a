//! A PostgreSQL cluster of its own for a test, gone when dropped.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};

use crate::process::{free_port, signal, wait_for};

/// A running (or stopped) cluster in a temporary folder.
pub struct Cluster {
    folder: tempfile::TempDir,
    bin: PathBuf,
    port: u16,
    postgres: Option<Child>,
    options: &'static [&'static str],
}

impl Cluster {
    /// A small cluster that doesn't wait for the disk.
    pub fn start() -> Self {
        Self::with(&["-F", "-c", "shared_buffers=16MB", "-c", "autovacuum=off"])
    }

    /// Creates and starts a cluster; fails with a remedy if PostgreSQL is missing.
    pub fn with(options: &'static [&'static str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL runs as another user when the test runs as root.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let mut cluster = Self {
            folder,
            bin: binaries(),
            port: free_port(),
            postgres: None,
            options,
        };
        let initdb = cluster
            .command("initdb")
            .args([
                "--auth=trust",
                "--username=taskhub",
                "--no-sync",
                "--encoding=UTF8",
                "-D",
            ])
            .arg(cluster.data())
            .output()
            .unwrap();
        assert!(
            initdb.status.success(),
            "initdb: {}",
            String::from_utf8_lossy(&initdb.stderr)
        );
        cluster.resume();
        cluster
    }

    /// The address for `DATABASE_URL`.
    pub fn url(&self) -> String {
        format!("postgres://taskhub@127.0.0.1:{}/postgres", self.port)
    }

    /// Starts the cluster again after [`stop`](Self::stop).
    pub fn resume(&mut self) {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(self.options);
        self.postgres = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let port = self.port.to_string();
        wait_for("PostgreSQL to accept connections", Duration::from_secs(15), || {
            let mut ready = self.command("pg_isready");
            ready.args(["-q", "-h", "127.0.0.1", "-p", &port]);
            ready.status().is_ok_and(|status| status.success()).then_some(())
        });
    }

    /// Stops the cluster at once but cleanly: clients are disconnected.
    pub fn stop(&mut self) {
        let Some(mut postgres) = self.postgres.take() else {
            return;
        };
        signal(&postgres, Signal::SIGINT);
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(postgres.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = postgres.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Freezes every server process: connections stay open and nothing answers.
    pub fn freeze(&self) {
        self.signal_all(Signal::SIGSTOP);
    }

    /// Ends [`freeze`](Self::freeze).
    pub fn thaw(&self) {
        self.signal_all(Signal::SIGCONT);
    }

    fn signal_all(&self, which: Signal) {
        let Some(postgres) = &self.postgres else {
            return;
        };
        let main = postgres.id();
        // The main process first, so that it can't fork a process that escapes.
        let _ = kill(Pid::from_raw(main.cast_signed()), which);
        let path = format!("/proc/{main}/task/{main}/children");
        for child in fs::read_to_string(path).unwrap_or_default().split_whitespace() {
            let _ = kill(Pid::from_raw(child.parse().unwrap()), which);
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Where one of PostgreSQL's programs is.
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.program(program));
        // Any folder the other user may enter will do.
        command.current_dir(self.folder.path()).env("LC_ALL", "C");
        if geteuid().is_root() {
            let user = ["postgres", "nobody"]
                .iter()
                .find_map(|name| User::from_name(name).ok().flatten())
                .expect("PostgreSQL refuses to run as root: add a user named `postgres`");
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.thaw();
        self.stop();
    }
}

/// The folder with PostgreSQL's programs: the newest installed, or from `PATH`.
fn binaries() -> PathBuf {
    let complete = |folder: &Path| {
        ["initdb", "postgres", "pg_isready"]
            .iter()
            .all(|program| folder.join(program).exists())
    };
    let mut found: Vec<PathBuf> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|folder| complete(folder))
        .collect();
    found.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    found
        .pop()
        .or_else(|| std::env::split_paths(&path).find(|folder| complete(folder)))
        .expect(
            "these tests need PostgreSQL's server programs (initdb, postgres, pg_isready): \
             install them, e.g. `apt-get install postgresql`, or put them on PATH",
        )
}
