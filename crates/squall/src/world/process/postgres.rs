//! The `postgres` preset: throw-away clusters from the machine's own binaries, also when run as root.
//!
//! One cluster is prepared for a whole command, beside the build, and copied for each scenario.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, User};
use tokio::time::timeout;

use super::instance::Command;
use super::ready::Condition;
use crate::processes;
use crate::secrets::Secrets;
use crate::store::RunId;
use crate::world::{Setting, Trouble, gate};

/// The superuser of every cluster.
const OWNER: &str = "squall";

/// PostgreSQL refuses to run as root: whom it runs as then, the first that exists.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// Making or copying a cluster takes no longer, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// A prepared cluster.
#[derive(Debug)]
pub struct Cluster {
    binaries: PathBuf,
    data: PathBuf,
    password: String,
    user: Option<(Uid, Gid)>,
}

/// A cluster in use by one instance.
#[derive(Debug)]
pub struct Postgres {
    binaries: PathBuf,
    data: PathBuf,
    addr: SocketAddr,
    password: String,
    user: Option<(Uid, Gid)>,
}

impl Cluster {
    /// What is said when there is no PostgreSQL.
    pub(super) fn missing() -> Trouble {
        Trouble::Missing {
            what: "PostgreSQL (its server programs `initdb` and `postgres`)".to_owned(),
            remedy: "install it, for example `apt-get install postgresql` or `brew install postgresql`; or, where it \
                     is installed already, put its bin folder into PATH (SQUALL_PG_BIN=/path/to/bin does the same)"
                .to_owned(),
        }
    }

    /// Finds the programs: `SQUALL_PG_BIN`, then `PATH`, then where distributions put them, newest first.
    ///
    /// # Errors
    /// There are none; with the remedy.
    pub fn find() -> Result<PathBuf, Trouble> {
        let complete = |folder: &Path| folder.join("initdb").is_file() && folder.join("postgres").is_file();
        if let Ok(named) = std::env::var("SQUALL_PG_BIN") {
            let named = PathBuf::from(named);
            return if complete(&named) {
                Ok(named)
            } else {
                Err(Trouble::Missing {
                    what: format!("PostgreSQL in {}, where SQUALL_PG_BIN says it is,", named.display()),
                    remedy:
                        "it must name the folder that holds `initdb` and `postgres`; without it, squall looks in PATH \
                             and where distributions put them"
                            .to_owned(),
                })
            };
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
        let mut versions: Vec<(u32, PathBuf)> =
            ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"]
                .iter()
                .filter_map(|root| fs::read_dir(root).ok())
                .flat_map(|entries| entries.flatten())
                .map(|entry| {
                    let digits: String = entry
                        .file_name()
                        .to_string_lossy()
                        .chars()
                        .filter(char::is_ascii_digit)
                        .collect();
                    (digits.parse().unwrap_or(0), entry.path().join("bin"))
                })
                .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev().map(|(_, folder)| folder));
        folders.push(PathBuf::from("/usr/pgsql/bin"));
        folders
            .into_iter()
            .find(|folder| complete(folder))
            .ok_or_else(Self::missing)
    }

    /// The folder of its programs, where all else is there, too, that a cluster needs.
    ///
    /// # Errors
    /// Something is missing; with the remedy.
    pub fn possible() -> Result<PathBuf, Trouble> {
        let binaries = Self::find()?;
        stand_in()?;
        copier()?;
        Ok(binaries)
    }

    /// Makes a cluster below `scratch`.
    ///
    /// # Errors
    /// PostgreSQL is missing, or `initdb` failed; with its last lines.
    pub async fn prepare(run: &RunId, secrets: &Secrets) -> Result<Self, Trouble> {
        let binaries = Self::possible()?;
        let scratch = run.scratch();
        let user = stand_in()?;
        let data = scratch.join("cluster");
        let password = random_text();
        secrets.add(&password);
        let pwfile = scratch.join("cluster-password");
        gate::pass(|| fs::create_dir_all(&data)).map_err(Trouble::io(data.display().to_string()))?;
        gate::pass(|| fs::write(&pwfile, &password)).map_err(Trouble::io(pwfile.display().to_string()))?;
        own(&scratch, user)?;
        own(&data, user)?;
        own(&pwfile, user)?;
        let mut command = tokio::process::Command::new(binaries.join("initdb"));
        command.args([
            "-U",
            OWNER,
            "-E",
            "UTF8",
            "--locale=C",
            "--auth=scram-sha-256",
            "--no-sync",
            "--no-instructions",
        ]);
        command.arg("--pwfile").arg(&pwfile).arg("-D").arg(&data);
        command.current_dir(&scratch).env(processes::TAG, run.to_string());
        if let Some((uid, gid)) = user {
            command.uid(uid.as_raw()).gid(gid.as_raw());
        }
        let ended = finished("initdb, which makes the database cluster,", command, PATIENCE).await;
        let _ = fs::remove_file(&pwfile);
        let output = ended?;
        if !output.status.success() {
            return Err(Trouble::Build {
                command: "initdb".to_owned(),
                how: output.status.to_string(),
                output: secrets.mask(&last_lines(&output)),
            });
        }
        Ok(Self {
            binaries,
            data,
            password,
            user,
        })
    }

    /// A copy of it in `folder`, which it itself knows as `data`, for run `run`, to listen on `addr`.
    ///
    /// # Errors
    /// It could not be copied; with the last lines of who tried.
    pub(super) async fn copy(
        &self,
        run: &RunId,
        (folder, data): (&Path, &Path),
        addr: SocketAddr,
    ) -> Result<Postgres, Trouble> {
        let what = format!("the copy of the prepared cluster to {}", folder.display());
        // By a program of its own: if squall must clear up in the middle of it, it dies like all others.
        let mut command = tokio::process::Command::new(copier()?);
        command.args(["-a", "--reflink=auto"]).arg(&self.data).arg(folder);
        command.env(processes::TAG, run.to_string());
        let output = finished(&what, command, PATIENCE).await?;
        if !output.status.success() {
            let how = format!("{}\n{}", output.status, last_lines(&output));
            return Err(Trouble::io(what)(io::Error::other(how)));
        }
        Ok(Postgres {
            binaries: self.binaries.clone(),
            data: data.to_owned(),
            addr,
            password: self.password.clone(),
            user: self.user,
        })
    }
}

impl Postgres {
    /// The URL by which it is reached at `addr`, itself or through a proxy.
    pub fn url(&self, addr: SocketAddr) -> String {
        format!("postgres://{OWNER}:{}@{addr}/postgres", self.password)
    }

    /// The URL by which it is reached without a proxy.
    pub fn direct_url(&self) -> String {
        self.url(self.addr)
    }

    /// How it is started, with settings of the system file's.
    pub(super) fn command(
        &self,
        setting: &Setting,
        settings: &BTreeMap<String, String>,
        (within, restart): (Duration, Option<Duration>),
    ) -> Command {
        let mut words = vec![self.binaries.join("postgres").display().to_string()];
        words.extend([
            "-D".to_owned(),
            self.data.display().to_string(),
            "-p".to_owned(),
            self.addr.port().to_string(),
        ]);
        let usual = [
            // As PostgreSQL ships it; and what uses all of them up need not be many.
            "max_connections=100",
            "shared_buffers=32MB",
            // A throw-away database on a small disk; durability itself stays as PostgreSQL ships it.
            "max_wal_size=256MB",
            "log_min_messages=warning",
        ];
        let needed = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // Elsewhere it would stay behind when the server is killed; its folder goes with the run.
            "dynamic_shared_memory_type=mmap",
        ];
        // Of two of one name the later one counts.
        let own = settings.iter().map(|(name, value)| format!("{name}={value}"));
        let all = usual
            .map(str::to_owned)
            .into_iter()
            .chain(own)
            .chain(needed.map(str::to_owned));
        for setting in all {
            words.extend(["-c".to_owned(), setting]);
        }
        Command {
            words,
            env: Vec::new(),
            tag: setting.run.to_string(),
            user: self.user,
            folder: Some(self.data.clone()),
            stop: Signal::SIGINT,
            ready: Condition::Postgres(self.direct_url()),
            within,
            restart,
        }
    }
}

/// Whom PostgreSQL runs as: squall's own user, or a stand-in when that is root.
pub(super) fn stand_in() -> Result<Option<(Uid, Gid)>, Trouble> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    // Root of a user namespace can become only those who have a number in there.
    let reachable = |user: &User| maps("uid_map", user.uid.as_raw()) && maps("gid_map", user.gid.as_raw());
    let users = STAND_INS.iter().filter_map(|name| User::from_name(name).ok().flatten());
    match users.into_iter().find(reachable) {
        Some(user) => Ok(Some((user.uid, user.gid))),
        None => Err(Trouble::Missing {
            what: format!(
                "a user PostgreSQL can run as (it refuses root; tried {})",
                STAND_INS.join(", ")
            ),
            remedy:
                "run squall as an ordinary user, or add one: `useradd --system postgres`; in a container, one that \
                     has more users than root"
                    .to_owned(),
        }),
    }
}

/// Whether a number is one in this process's user namespace. A kernel without such namespaces has no table.
fn maps(table: &str, number: u32) -> bool {
    let text = fs::read_to_string(Path::new("/proc/self").join(table));
    text.map_or(true, |text| listed(&text, number))
}

/// A line of such a table says which number is the first, whose that is outside, and how many there are.
fn listed(table: &str, number: u32) -> bool {
    table.lines().any(|line| {
        let mut words = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), Some(Ok(count))) = (words.next(), words.nth(1)) else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&u64::from(number))
    })
}

/// The program that copies folders: in PATH, or where systems have it.
fn copier() -> Result<PathBuf, Trouble> {
    processes::program("cp").ok_or_else(|| Trouble::Missing {
        what: "`cp`, which copies the prepared database cluster,".to_owned(),
        remedy: "put its folder into PATH".to_owned(),
    })
}

/// Gives `path` to the stand-in, and to nobody else.
fn own(path: &Path, user: Option<(Uid, Gid)>) -> Result<(), Trouble> {
    let named = || path.display().to_string();
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).map_err(Trouble::io(named()))?;
    if let Some((uid, gid)) = user {
        nix::unistd::chown(path, Some(uid), Some(gid)).map_err(|errno| Trouble::io(named())(errno.into()))?;
    }
    Ok(())
}

/// Starts `command` and waits until it has ended, at most `within`; then it is killed. `what` names it in errors.
async fn finished(what: &str, mut command: tokio::process::Command, within: Duration) -> Result<Output, Trouble> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let child = gate::spawn(|| command.spawn()).map_err(Trouble::io(what))?;
    match timeout(within, child.wait_with_output()).await {
        Ok(ended) => ended.map_err(Trouble::io(what)),
        Err(_) => {
            let cause = format!("it had not ended after {within:?} and was killed: is the disk that slow, or full?");
            Err(Trouble::io(what)(io::Error::new(io::ErrorKind::TimedOut, cause)))
        }
    }
}

/// What a program said last of what went wrong.
fn last_lines(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(8)..].join("\n")
}

fn random_text() -> String {
    use rand::RngExt;
    let mut rng = rand::rng();
    (0..24)
        .map(|_| char::from(rng.sample(rand::distr::Alphanumeric)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn who_has_no_number_in_a_user_namespace_can_not_be_become() {
        let everybody = "         0          0 4294967295\n";
        assert!(listed(everybody, 0) && listed(everybody, 65_534));
        let some = "0 1000 1\n1 100000 65536\n";
        assert!(listed(some, 0) && listed(some, 101) && listed(some, 65_536) && !listed(some, 65_537));
        assert!(listed("0 0 1\n", 0) && !listed("0 0 1\n", 101) && !listed("", 0));
    }

    #[tokio::test]
    async fn what_does_not_end_is_killed_and_named() {
        let id = format!("test-{}-slow", std::process::id());
        let mut command = tokio::process::Command::new("sleep");
        command.arg("600").env(processes::TAG, &id);
        let ended = finished("the copy", command, Duration::from_millis(200)).await;
        let trouble = ended.unwrap_err().to_string();
        assert!(trouble.contains("the copy") && trouble.contains("200ms"), "{trouble}");
        let until = Instant::now() + Duration::from_secs(5);
        while !processes::tagged(&id, Path::new("/nonexistent"), &[]).is_empty() {
            assert!(Instant::now() < until, "it was not killed within 5 s");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
