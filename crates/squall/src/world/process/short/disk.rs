//! Disks: a small filesystem for one instance, so that what befalls it is felt by nobody else.
//!
//! It is in a mount namespace of its own, which a process of squall's holds open: the machine's own table of mounts never
//! changes, and when that process and the instance are gone, so is the disk. One that is to be filled lives in the memory
//! of the machine; whoever may makes such a namespace directly, anyone else inside a user namespace, where the kernel
//! allows these. One whose power is to be lost is ext4 in a file of the run's scratch folder, see `holder`;
//! one that is to be slow shows another through squall's own filesystem, see `slow`.

mod holder;
mod slow;
mod talk;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use nix::sys::statvfs::statvfs;
use nix::unistd::{Gid, Uid};
use squall_core::event::ShortageLook;

pub use self::holder::hold;
pub(in crate::world) use self::talk::Order;
use self::talk::Talk;
use crate::world::gate;
use crate::{guard, processes, processes::TAG};

/// The file that fills a disk.
const FILE: &str = ".squall-ballast";
/// The file a write is tried with.
const TRIAL: &str = ".squall-trial";
/// What is written at once.
const BLOCK: usize = 4096;
/// So slow is one that is only tried.
const TRIED: Duration = Duration::from_millis(1);

/// What a disk is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Memory of the machine.
    Memory,
    /// A file beside it, which outlives a loss of power.
    File,
    /// The same to try whether it can be had: with the file in memory.
    Trial,
    /// The folder there is.
    Folder,
}

/// What a disk is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::Args)]
pub struct Make {
    /// What it is made of
    #[arg(long)]
    pub kind: Kind,
    /// Its size
    #[arg(long)]
    pub bytes: u64,
    /// Whether it can be slow
    #[arg(long)]
    pub slow: bool,
}

/// A disk of one instance.
#[derive(Debug)]
pub struct Disk {
    holder: Child,
    folder: PathBuf,
    talk: Mutex<Talk>,
}

impl Disk {
    /// Where it is for those who stand outside its namespace.
    pub(in crate::world) fn seen_from_outside(&self) -> PathBuf {
        let inside = self.folder.strip_prefix("/").unwrap_or(&self.folder);
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }

    /// Where it is for those inside.
    pub(in crate::world) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes one at a folder.
    ///
    /// # Errors
    /// The kernel refuses: what it said.
    pub fn make(folder: &Path, make: Make, tag: &str) -> io::Result<Self> {
        gate::pass(|| fs::create_dir_all(folder))?;
        let kind = match make.kind {
            Kind::Memory => "memory",
            Kind::File => "file",
            Kind::Trial => "trial",
            Kind::Folder => "folder",
        };
        let mut command = guard::itself()?;
        command
            .args([
                "inner",
                "disk",
                "--kind",
                kind,
                "--bytes",
                &make.bytes.to_string(),
                "--folder",
            ])
            .arg(folder)
            .args(make.slow.then_some("--slow"))
            .env_remove(guard::CHILD)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        match tag {
            // One that is only tried is no run's.
            "" => command.env_remove(TAG),
            tag => command.env(TAG, tag),
        };
        let mut holder = gate::spawn(|| command.spawn())?;
        let (Some(orders), Some(out)) = (holder.stdin.take(), holder.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut talk = Talk {
            orders,
            answers: BufReader::new(out),
            dark: false,
            owed: false,
        };
        let Err(error) = talk.answer("make it") else {
            return Ok(Self {
                holder,
                folder: folder.to_owned(),
                talk: Mutex::new(talk),
            });
        };
        let _ = holder.kill();
        let output = holder.wait_with_output()?;
        let why = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Err(if why.is_empty() { error } else { io::Error::other(why) })
    }

    /// Tries whether one can be made here: by what. Nothing of the try is left.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn possible() -> io::Result<String> {
        let disk = Self::tried(Kind::Memory, false)?;
        let users = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user"));
        Ok(match users(&disk.holder.id().to_string())? == users("self")? {
            true => "a mount namespace".to_owned(),
            false => "a mount namespace inside a user namespace".to_owned(),
        })
    }

    /// Tries whether one can be made here that loses its power and gets it back: by what. Nothing of the try is left.
    ///
    /// # Errors
    /// What the kernel said, or a program.
    pub fn possible_with_power() -> io::Result<String> {
        let disk = Self::tried(Kind::Trial, false)?;
        for order in [Order::Sync, Order::Cut, Order::Unmount, Order::Mount] {
            disk.tell(order)?;
        }
        Ok("ext4 on a loop device, shut down without a flush".to_owned())
    }

    /// Tries whether one can be made here that is slow: by what. Nothing of the try is left.
    ///
    /// # Errors
    /// What the kernel said.
    pub fn possible_slow() -> io::Result<String> {
        let disk = Self::tried(Kind::Memory, true)?;
        disk.tell(Order::Slow(TRIED))?;
        // Squall's own accesses are not held back: those of a process it starts are.
        let file = File::create(disk.seen_from_outside().join(TRIAL))?;
        let mut command = guard::itself()?;
        command.arg("--version").env_remove(guard::CHILD);
        command.stdin(Stdio::null()).stdout(file).stderr(Stdio::null());
        let mut wrote = gate::spawn(|| command.spawn())?;
        let wrote = wrote.wait()?;
        let (accesses, _) = counted(&disk.tell(Order::Count)?).unwrap_or_default();
        match (wrote.success(), accesses) {
            (false, _) => Err(io::Error::other("a program could not write to it")),
            (true, 0) => Err(io::Error::other("it was not slow when a program wrote to it")),
            (true, _) => Ok("FUSE in a mount namespace".to_owned()),
        }
    }

    /// One to try whether it can be had.
    fn tried(kind: Kind, slow: bool) -> io::Result<Self> {
        let bytes = BLOCK as u64;
        Self::make(&std::env::temp_dir(), Make { kind, bytes, slow }, "")
    }

    /// Tells the holder to do something, and waits until it is done: what there is to say about it.
    ///
    /// # Errors
    /// It could not be done.
    pub(in crate::world) fn tell(&self, order: Order) -> io::Result<String> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let said = talk.tell(order)?;
        match order {
            Order::Cut => talk.dark = true,
            Order::Mount => talk.dark = false,
            Order::Sync | Order::Unmount | Order::Slow(_) | Order::Count => {}
        }
        Ok(said)
    }

    /// Whether its power was lost, and is not back.
    pub(in crate::world) fn dark(&self) -> bool {
        self.talk.lock().unwrap_or_else(PoisonError::into_inner).dark
    }

    /// The words that start a program where the disk is, as somebody.
    pub(in crate::world) fn words(&self, user: Option<(Uid, Gid)>) -> Vec<String> {
        let holder = self.holder.id().to_string();
        let words = ["/proc/self/exe", "inner", "within", &holder].map(str::to_owned);
        let user = user.map(|(uid, gid)| ["--user".to_owned(), format!("{uid}:{gid}")]);
        words.into_iter().chain(user.into_iter().flatten()).collect()
    }

    /// Everybody who sees it, its holder among them.
    fn inside(&self) -> Vec<u32> {
        let mounts = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
        let here = mounts(self.holder.id());
        let all = processes::all().into_keys();
        all.filter(|pid| here.is_some() && mounts(*pid) == here).collect()
    }
}

/// A holder that is left goes on holding a disk nobody uses.
impl Drop for Disk {
    fn drop(&mut self) {
        // Who knew of them is gone with it.
        guard::forget(&self.inside(), &self.folder);
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// What an answer counts: accesses that took longer, and microseconds altogether.
fn counted(said: &str) -> Option<(u64, u64)> {
    let (accesses, held) = said.split_once(' ')?;
    Some((accesses.parse().ok()?, held.parse().ok()?))
}

/// A look at how slow a disk was.
pub(super) fn look_slow(disk: &Disk) -> Option<ShortageLook> {
    let (accesses, held_us) = counted(&disk.tell(Order::Count).ok()?)?;
    Some(ShortageLook::SlowDisk { accesses, held_us })
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
        let ballast = Self {
            folder: disk.seen_from_outside(),
        };
        let filled = ballast.top_up();
        if filled.is_err() {
            // Half of it would be in force, and nobody would know.
            ballast.lift()?;
        }
        filled.map(|()| ballast)
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
    ///
    /// # Errors
    /// It is still there.
    pub(super) fn lift(&self) -> io::Result<()> {
        match fs::remove_file(self.folder.join(FILE)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Becomes a program inside the namespaces of a process that holds a disk, as somebody. For a process without other
/// threads; it returns only what went wrong.
pub fn within(holder: u32, user: Option<(u32, u32)>, words: &[OsString]) -> io::Error {
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
        (Ok(()), Some((program, args))) => {
            let mut command = Command::new(program);
            if let Some((user, group)) = user {
                command.uid(user).gid(group);
            }
            command.args(args).exec()
        }
        (Ok(()), None) => io::Error::other("no program is named"),
    }
}
