//! What holds a disk: a process that made it in a mount namespace of its own, does what it is told, and ends with its
//! input.
//!
//! A disk whose power is to be lost is ext4 in a file, on a loop device that goes with its last user. A power loss is the
//! kernel's own shutdown of a filesystem without a flush of its journal: from then on nothing reaches the file, so what
//! had not been synced, and had not been written by the kernel on its own either, is not there when it is mounted again.

use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount, umount};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{Gid, Uid, syncfs};

use super::slow::Slow;
use super::{Kind, Make, Order, TRIAL};
use crate::processes::program;

/// From this many bytes on a disk is large.
const LARGE: u64 = 256 << 20;
/// The megabytes of a journal, which may take half of a filesystem: of a small disk the fewest there can be.
const JOURNALS: [u64; 2] = [4, 32];
/// Room in memory for a disk that is only tried.
const TRIED: u64 = 16 << 20;
/// Who has just died may use a disk for a moment; longer than this nobody does.
const LET_GO: Duration = Duration::from_secs(10);
/// EXT4_IOC_SHUTDOWN of the kernel's `ext4.h`: `_IOR('X', 125, __u32)`.
const SHUTDOWN: u32 = 0x8004_587d;
/// What a write is told by a disk that is gone.
const GONE: [Errno; 2] = [Errno::EIO, Errno::EROFS];
/// EXT4_GOING_FLAGS_NOLOGFLUSH: neither data nor journal are written before.
const NO_FLUSH: u32 = 2;

/// Holds a disk until its input ends: a mount namespace with a filesystem of so many bytes at a folder. For a process
/// without other threads.
///
/// # Errors
/// The kernel refuses, or a program.
pub fn hold(folder: &Path, Make { kind, bytes, slow }: Make) -> io::Result<()> {
    let (user, group) = (Uid::effective(), Gid::effective());
    // Root of a container may not be allowed to, either.
    if let Err(refused) = unshare(CloneFlags::CLONE_NEWNS) {
        if matches!(kind, Kind::File | Kind::Trial) {
            return Err(told("a mount namespace")(refused.into()));
        }
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNS)?;
        // The same numbers inside as outside: whoever runs there is who it was.
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
        fs::write("/proc/self/gid_map", format!("{group} {group} 1"))?;
    }
    let (none, nothing) = (None::<&str>, None::<&str>);
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    let disk = match kind {
        Kind::Folder => None,
        Kind::Memory => {
            in_memory(folder, bytes)?;
            None
        }
        Kind::File => {
            // As it stands: what follows a dot is part of a copy's name.
            let mut file = folder.as_os_str().to_owned();
            file.push(".ext4");
            Some(Ext4::make(folder, Path::new(&file), bytes)?)
        }
        Kind::Trial => {
            in_memory(folder, TRIED)?;
            let below = folder.join("disk");
            fs::create_dir(&below)?;
            Some(Ext4::make(&below, &folder.join("disk.ext4"), bytes)?)
        }
    };
    let slow = slow.then(|| Slow::over(folder).map_err(told("FUSE"))).transpose()?;
    let mut out = io::stdout();
    let mut say = |said: io::Result<String>| {
        match said {
            Ok(said) => writeln!(out, "+{said}")?,
            Err(error) => writeln!(out, "-{}", error.to_string().replace('\n', " "))?,
        }
        out.flush()
    };
    say(Ok(String::new()))?;
    for line in io::stdin().lock().lines() {
        say(match (line?.parse(), &disk, &slow) {
            (Ok(Order::Slow(latency)), _, Some(slow)) => {
                slow.set(latency);
                Ok(String::new())
            }
            (Ok(Order::Count), _, Some(slow)) => {
                let (accesses, held_us) = slow.count();
                Ok(format!("{accesses} {held_us}"))
            }
            (Ok(order), Some(disk), _) => disk.obey(order),
            _ => Err(io::Error::other("this disk takes no such order")),
        })?;
    }
    Ok(())
}

/// A filesystem in the memory of the machine.
fn in_memory(folder: &Path, bytes: u64) -> io::Result<()> {
    let options = format!("size={bytes},mode=0700");
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("squall"), folder, Some("tmpfs"), flags, Some(options.as_str()))?;
    Ok(())
}

/// For `map_err`: what was done when it went wrong.
fn told(what: &str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{what}: {error}"))
}

/// A filesystem in a file.
struct Ext4 {
    folder: PathBuf,
    file: PathBuf,
}

impl Ext4 {
    fn make(folder: &Path, file: &Path, bytes: u64) -> io::Result<Self> {
        let journal = JOURNALS[usize::from(bytes >= LARGE)];
        // Room for the journal, and for names, beside what is written to it.
        File::create(file)?.set_len(bytes + bytes / 16 + ((3 * journal) << 20))?;
        let journal = format!("size={journal}");
        let mut make = Command::new(found("mke2fs", "e2fsprogs")?);
        make.args([
            "-q",
            "-F",
            "-t",
            "ext4",
            "-b",
            "4096",
            "-m",
            "0",
            "-J",
            &journal,
            "-E",
            "nodiscard",
        ]);
        ran("mke2fs", make.arg(file))?;
        let disk = Self {
            folder: folder.to_owned(),
            file: file.to_owned(),
        };
        disk.mount()?;
        // Whoever looks into its folder would take it for its own.
        fs::remove_dir(folder.join("lost+found"))?;
        disk.sync()?;
        Ok(disk)
    }

    fn obey(&self, order: Order) -> io::Result<String> {
        match order {
            Order::Sync => self.sync().map_err(told("syncfs")).map(|()| String::new()),
            Order::Cut => self.cut(),
            Order::Unmount => self.unmount().map(|()| String::new()),
            Order::Mount => self.mount().map(|()| String::new()),
            Order::Slow(_) | Order::Count => Err(io::Error::other("this disk is never slow")),
        }
    }

    fn mount(&self) -> io::Result<()> {
        let mut mount = Command::new(found("mount", "mount")?);
        // What the kernel would go on preparing behind its back would be written in vain.
        mount.args(["-n", "-t", "ext4", "-o", "loop,nosuid,nodev,noinit_itable"]);
        ran("mount", mount.arg(&self.file).arg(&self.folder))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(syncfs(File::open(&self.folder)?)?)
    }

    /// Lets it lose its power: how many files and folders it had at its top, and what a write is told by then.
    fn cut(&self) -> io::Result<String> {
        let root = File::open(&self.folder)?;
        let entries = fs::read_dir(&self.folder)?.count();
        let how = NO_FLUSH;
        #[expect(
            unsafe_code,
            reason = "no crate here wraps this request, and no program that is everywhere does it"
        )]
        // SAFETY: the kernel reads four bytes at the address of `how`, which outlives the call, and writes none.
        let done = unsafe { libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &raw const how) };
        if done != 0 {
            return Err(told("the shutdown of ext4")(io::Error::last_os_error()));
        }
        match fs::write(self.folder.join(TRIAL), [0]) {
            // What is full refuses, too, and has its power.
            Err(error) if GONE.map(|errno| Some(errno as i32)).contains(&error.raw_os_error()) => {
                Ok(format!("{entries} {error}"))
            }
            Err(error) => Err(told("a write after the shutdown of ext4")(error)),
            Ok(()) => Err(io::Error::other("ext4 was shut down and goes on taking writes")),
        }
    }

    /// Unmounts it, and waits until its loop device has let go of the file.
    fn unmount(&self) -> io::Result<()> {
        let until = Instant::now() + LET_GO;
        let late = |what: &str| io::Error::other(format!("{what} after {LET_GO:?}"));
        while let Err(errno) = umount(&self.folder) {
            if errno != Errno::EBUSY {
                return Err(told("umount")(errno.into()));
            }
            if Instant::now() > until {
                return Err(late("somebody still used the disk"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        while loops().any(|file| file == self.file) {
            if Instant::now() > until {
                return Err(late("a loop device still had the disk's file"));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

/// The files of the machine's loop devices.
fn loops() -> impl Iterator<Item = PathBuf> {
    let devices = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    devices.filter_map(|device| {
        let file = fs::read_to_string(device.path().join("loop/backing_file")).ok()?;
        Some(PathBuf::from(file.trim_end()))
    })
}

fn found(name: &str, package: &str) -> io::Result<PathBuf> {
    program(name).ok_or_else(|| io::Error::other(format!("`{name}` is not installed; it comes with {package}")))
}

/// Runs a program to its end, which must be a good one.
fn ran(name: &str, command: &mut Command) -> io::Result<()> {
    let output = command.stdin(Stdio::null()).output().map_err(told(name))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(io::Error::other(format!("{name}: {}, {said}", output.status)))
}
