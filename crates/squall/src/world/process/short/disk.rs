//! Disks: a small filesystem for one instance, so that filling it is felt by nobody else.
//!
//! It lives in the memory of the machine and in a mount namespace of its own, which a process of squall's holds open:
//! the machine's own table of mounts never changes, and when that process and the instance are gone, so is the disk.
//! Whoever may makes such a namespace directly; anyone else inside a user namespace, where the kernel allows these.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::statvfs::statvfs;
use nix::unistd::{Gid, Uid};
use squall_core::event::ShortageLook;

use crate::world::gate;
use crate::{guard, processes::TAG};

/// The file that fills a disk.
const FILE: &str = ".squall-ballast";
/// The file a write is tried with.
const TRIAL: &str = ".squall-trial";
/// What is written at once.
const BLOCK: usize = 4096;
/// What the holder says when the disk is there.
const READY: u8 = b'+';

/// A disk of one instance.
#[derive(Debug)]
pub struct Disk {
    holder: Child,
    folder: PathBuf,
}

impl Disk {
    /// Where it is for those who stand outside its namespace.
    pub(in crate::world) fn seen_from_outside(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }

    /// Makes one at a folder, with room for so many bytes.
    ///
    /// # Errors
    /// The kernel refuses: what it said.
    pub fn make(folder: &Path, bytes: u64, tag: &str) -> io::Result<Self> {
        gate::pass(|| fs::create_dir_all(folder))?;
        let mut command = guard::itself()?;
        command
            .args(["inner", "disk", "--bytes", &bytes.to_string(), "--folder"])
            .arg(folder)
            .env(TAG, tag)
            .env_remove(guard::CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut holder = gate::spawn(|| command.spawn())?;
        let mut said = [0];
        let told = holder.stdout.as_mut().map(|out| out.read(&mut said));
        if matches!(told, Some(Ok(1))) && said == [READY] {
            let folder = folder.to_owned();
            return Ok(Self { holder, folder });
        }
        let _ = holder.kill();
        let output = holder.wait_with_output()?;
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(io::Error::other(why))
    }

    /// Tries whether one can be made here: by what. Nothing of the try is left.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn possible() -> io::Result<String> {
        let disk = Self::make(&std::env::temp_dir(), BLOCK as u64, "")?;
        let users = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user"));
        Ok(match users(&disk.holder.id().to_string())? == users("self")? {
            true => "a mount namespace".to_owned(),
            false => "a mount namespace inside a user namespace".to_owned(),
        })
    }

    /// The words that start a program where the disk is.
    pub fn words(&self) -> Vec<String> {
        let holder = self.holder.id().to_string();
        ["/proc/self/exe", "inner", "within", &holder].map(str::to_owned).into()
    }

    /// The folder as this process reaches it.
    fn reach(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.folder.strip_prefix("/").unwrap_or(&self.folder))
    }
}

/// A holder that is left goes on holding a disk nobody uses.
impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What fills a disk.
#[derive(Debug)]
pub(super) struct Ballast {
    folder: PathBuf,
}

impl Ballast {
    /// Fills it.
    ///
    /// # Errors
    /// It can't be written to, for another reason than that it is full.
    pub(super) fn fill(disk: &Disk) -> io::Result<Self> {
        let ballast = Self { folder: disk.reach() };
        ballast.top_up()?;
        Ok(ballast)
    }

    fn top_up(&self) -> io::Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.folder.join(FILE))?;
        loop {
            match ballast.write_all(&[0; BLOCK]) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// What was freed meanwhile is filled, and a write is tried.
    pub(super) fn look(&self) -> Option<ShortageLook> {
        self.top_up().ok()?;
        let trial = self.folder.join(TRIAL);
        let tried = fs::write(&trial, [0; BLOCK]);
        let _ = fs::remove_file(&trial);
        let stat = statvfs(&self.folder).ok()?;
        Some(ShortageLook::Disk {
            free: stat.blocks_available().saturating_mul(stat.fragment_size()),
            refused: tried.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull),
        })
    }

    /// Makes room again.
    pub(super) fn lift(self) {
        let _ = fs::remove_file(self.folder.join(FILE));
    }
}

/// Holds a disk until its input ends: a mount namespace with a filesystem of so many bytes at a folder. For a process
/// without other threads.
///
/// # Errors
/// The kernel refuses.
pub fn hold(folder: &Path, bytes: u64) -> io::Result<()> {
    let (user, group) = (Uid::effective(), Gid::effective());
    // Root of a container may not be allowed to, either.
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        // The same numbers inside as outside: whoever runs there is who it was.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    let (none, nothing) = (None::<&str>, None::<&str>);
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    let options = format!("size={bytes},mode=0700");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("squall"), folder, Some("tmpfs"), flags, Some(options.as_str()))?;
    let mut out = io::stdout();
    out.write_all(&[READY])?;
    out.flush()?;
    let _ = io::stdin().read(&mut [0]);
    Ok(())
}

/// Becomes a program inside the namespaces of a process that holds a disk. For a process without other threads; it
/// returns only what went wrong.
pub fn within(holder: u32, words: &[OsString]) -> io::Error {
    let enter = || -> io::Result<()> {
        // The way into another mount namespace leads to its root.
        let here = std::env::current_dir()?;
        let (user, mounts) = (
            format!("/proc/{holder}/ns/user"),
            File::open(format!("/proc/{holder}/ns/mnt"))?,
        );
        // Into the one it is in already nobody gets.
        if fs::read_link(&user)? != fs::read_link("/proc/self/ns/user")? {
            setns(File::open(user)?, CloneFlags::CLONE_NEWUSER)?;
        }
        setns(mounts, CloneFlags::CLONE_NEWNS)?;
        std::env::set_current_dir(here)
    };
    match (enter(), words.split_first()) {
        (Err(error), _) => error,
        (Ok(()), Some((program, args))) => Command::new(program).args(args).exec(),
        (Ok(()), None) => io::Error::other("no program is named"),
    }
}
