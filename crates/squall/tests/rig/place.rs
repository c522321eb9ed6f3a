//! A folder of its own for squall to be started in, with a small system.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use nix::unistd::User;

/// The program under test.
pub const SQUALL: &str = env!("CARGO_BIN_EXE_squall");

/// A folder of its own; it goes with the value.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    /// What squall is started by; by nothing when empty.
    through: Vec<String>,
}

impl Place {
    /// An empty one, but for the folder squall's scratch folders go to.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A database server started by root runs as someone else, who must get through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("scratch")).unwrap();
        let through = Vec::new();
        Self { folder, through }
    }

    /// One with taskhub's system file, its build replaced by `build`.
    pub fn with_taskhub(build: &str) -> Self {
        let place = Self::new();
        let text = fs::read_to_string(workspace().join("systems/taskhub/system.yaml")).unwrap();
        let text = text
            .replace("build: cargo build --release -p taskhub", &format!("build: {build}"))
            .replace("target/release/taskhub", taskhub().to_str().unwrap());
        place.write("system.yaml", &text);
        place
    }

    /// One with the system file of errands, which is built already.
    pub fn with_errands() -> Self {
        let place = Self::new();
        let text = fs::read_to_string(workspace().join("systems/errands/system.yaml")).unwrap();
        let text = text
            .replace("build: cargo build -p errands\n", "")
            .replace("target/debug/errands", built("errands").to_str().unwrap());
        place.write("system.yaml", text);
        place
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts squall through another program from now on, which becomes it.
    pub fn through(&mut self, words: &[&str]) {
        self.through = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// Gives all there is to another user, and starts squall as that one. For root.
    pub fn give_to(&mut self, user: &User) {
        let mut folders = vec![self.path().to_owned()];
        while let Some(path) = folders.pop() {
            nix::unistd::chown(&path, Some(user.uid), Some(user.gid)).unwrap();
            if path.is_dir() {
                let entries = fs::read_dir(&path).unwrap().flatten();
                folders.extend(entries.map(|entry| entry.path()));
            }
        }
        let (user, group) = (format!("--reuid={}", user.uid), format!("--regid={}", user.gid));
        self.through(&["setpriv", &user, &group, "--clear-groups"]);
    }

    /// Writes a file.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::write(self.path().join(name), text).unwrap();
    }

    /// A command of squall's, to be started here, as the leader of a process group of its own.
    pub fn squall(&self, args: &[&str]) -> Command {
        let words = self.through.iter().map(String::as_str).chain([SQUALL]);
        let words: Vec<&str> = words.chain(args.iter().copied()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.path()).process_group(0);
        // Nothing of the caller's own settings.
        for name in [
            "DIFFICULTY",
            "VERBOSE",
            "PORT",
            "OUTPUT_DIR",
            "SCENARIOS",
            "SQUALL_SYSTEM",
            "SQUALL_BIN",
            "BASE_URL",
        ] {
            command.env_remove(name);
        }
        command.env("TMPDIR", self.path().join("scratch")).env("NO_COLOR", "1");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs squall here to its end.
    pub fn output(&self, args: &[&str]) -> Output {
        self.squall(args).output().unwrap()
    }

    /// The folder of the one run there was.
    pub fn run_folder(&self) -> PathBuf {
        let entries = fs::read_dir(self.path().join("tmp")).unwrap().flatten();
        let mut runs: Vec<PathBuf> = entries
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !path.is_symlink())
            .collect();
        assert_eq!(runs.len(), 1, "{runs:?}");
        runs.remove(0)
    }
}

/// A port nobody listens on, for those who must name one. One the kernel gives away would be anybody's again at once: each
/// connection out, squall's own among them, takes one of those, and keeps it for a minute after its end.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below those squall gives to services, too; tests that run at once begin apart.
    let begin = 11_000 + (std::process::id() % 3000) as u16;
    let mut tried = (0..1000).map(|_| begin + NEXT.fetch_add(1, Ordering::Relaxed) % 1000);
    tried
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .unwrap()
}

/// The folder this workspace is in.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The program of one of the small systems: beside squall where that is, or where its debug build usually is.
pub fn built(package: &str) -> PathBuf {
    let profile = Path::new(SQUALL).parent().unwrap();
    let places = [profile.join(package), workspace().join("target/debug").join(package)];
    places
        .into_iter()
        .find(|path| path.is_file())
        .unwrap_or_else(|| panic!("this test runs {package}, which is not built: `cargo build -p {package}`"))
}

/// The program the reference system consists of.
///
/// # Panics
/// It was not built; the message says how to.
pub fn taskhub() -> PathBuf {
    let profile = Path::new(SQUALL).parent().unwrap();
    let places = [
        std::env::var_os("TASKHUB").map(PathBuf::from).unwrap_or_default(),
        profile.with_file_name("release").join("taskhub"),
        profile.join("taskhub"),
        workspace().join("target/release/taskhub"),
    ];
    places.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!(
            "this test runs taskhub, which is not built: `cargo build --release -p taskhub`, or name it by TASKHUB=FILE"
        )
    })
}

/// A squall that runs, and what it has said.
#[derive(Debug)]
pub struct Running {
    pub child: Child,
    lines: Receiver<String>,
    pub said: Vec<String>,
}

impl Running {
    /// Starts it.
    pub fn start(mut command: Command) -> Self {
        // Results are in the run's folder, and a pipe nobody reads would stop it.
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let (send, lines) = channel();
        let stderr = child.stderr.take().unwrap();
        std::thread::spawn(move || {
            let lines = std::io::BufRead::lines(std::io::BufReader::new(stderr));
            lines.map_while(Result::ok).try_for_each(|line| send.send(line)).ok()
        });
        let said = Vec::new();
        Self { child, lines, said }
    }

    /// Waits for a line with `part` in it; `false` when it ended without.
    pub fn until(&mut self, part: &str, within: Duration) -> bool {
        let end = Instant::now() + within;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    let found = line.contains(part);
                    self.said.push(line);
                    if found {
                        return true;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return false,
                Err(RecvTimeoutError::Timeout) => panic!("no `{part}` within {within:?}: {:#?}", self.said),
            }
        }
    }

    /// Waits for its end, and answers its exit code; none when it was killed.
    pub fn end(&mut self, within: Duration) -> Option<i32> {
        let until = Instant::now() + within;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status,
                None if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
                None => panic!("it did not end within {within:?}: {:#?}", self.said),
            }
        };
        self.said.extend(self.lines.iter());
        status.code()
    }
}
