//! The files below a slow disk, by the numbers the kernel knows them by.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::DirEntryExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileHandle, FileType, INodeNo, OpenFlags, Request, TimeOrNow};
use rustix::fs::{self, AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, Uid};

use super::lock;

/// How a file is looked up: it is found, and neither followed nor opened.
const FOUND: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A file the kernel knows by its number.
#[derive(Debug)]
struct Node {
    file: OwnedFd,
    /// How often it was told of it, and did not forget.
    known: u64,
}

/// What is in a folder.
type Entries = Vec<(INodeNo, FileType, OsString)>;

/// What is open: a file, or a folder with what was in it when it was opened.
#[derive(Debug, Clone)]
pub(super) enum Open {
    File(Arc<File>),
    Folder(Arc<Entries>),
}

/// The files below, as the kernel knows them.
#[derive(Debug)]
pub(super) struct Files {
    nodes: Mutex<HashMap<u64, Node>>,
    open: Mutex<HashMap<u64, Open>>,
    next: AtomicU64,
}

pub(super) type Done<T> = Result<T, Errno>;

impl Files {
    /// Those of a folder.
    ///
    /// # Errors
    /// There is no such folder.
    pub(super) fn of(folder: &Path) -> io::Result<Self> {
        let root = Node {
            file: fs::openat(CWD, folder, FOUND | OFlags::DIRECTORY, Mode::empty())?,
            known: u64::MAX,
        };
        Ok(Self {
            nodes: Mutex::new(HashMap::from([(INodeNo::ROOT.0, root)])),
            open: Mutex::default(),
            next: AtomicU64::new(1),
        })
    }

    /// A descriptor of a file the kernel names.
    pub(super) fn node(&self, number: INodeNo) -> Done<OwnedFd> {
        let nodes = lock(&self.nodes);
        let node = nodes.get(&number.0).ok_or(Errno::ESTALE)?;
        Ok(node.file.try_clone()?)
    }

    /// The name the kernel has for a file by its descriptor, for what takes names alone.
    pub(super) fn path(file: &OwnedFd) -> String {
        format!("/proc/self/fd/{}", file.as_raw_fd())
    }

    /// Finds a name in a folder; from now on the kernel knows it.
    pub(super) fn find(&self, parent: INodeNo, name: &OsStr) -> Done<FileAttr> {
        let file = fs::openat(self.node(parent)?, name, FOUND, Mode::empty()).map_err(io::Error::from)?;
        let attr = attributes(&file)?;
        let mut nodes = lock(&self.nodes);
        let node = nodes.entry(attr.ino.0).or_insert(Node { file, known: 0 });
        node.known += 1;
        Ok(attr)
    }

    /// Makes something in a folder with a name, for somebody.
    pub(super) fn make(
        &self,
        request: &Request,
        (parent, name): (INodeNo, &OsStr),
        make: impl FnOnce(&OwnedFd) -> rustix::io::Result<()>,
    ) -> Done<FileAttr> {
        let folder = self.node(parent)?;
        make(&folder).map_err(io::Error::from)?;
        let (user, group) = owner(request);
        fs::chownat(&folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
        self.find(parent, name)
    }

    pub(super) fn opened(&self, open: Open) -> FileHandle {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.open).insert(number, open);
        FileHandle(number)
    }

    pub(super) fn file(&self, handle: FileHandle) -> Done<Arc<File>> {
        match lock(&self.open).get(&handle.0) {
            Some(Open::File(file)) => Ok(file.clone()),
            _ => Err(Errno::EBADF),
        }
    }

    pub(super) fn folder(&self, handle: FileHandle) -> Done<Arc<Entries>> {
        match lock(&self.open).get(&handle.0) {
            Some(Open::Folder(entries)) => Ok(entries.clone()),
            _ => Err(Errno::EBADF),
        }
    }

    pub(super) fn close(&self, handle: FileHandle) {
        lock(&self.open).remove(&handle.0);
    }

    /// The kernel knows a file so many times less.
    pub(super) fn forget(&self, number: INodeNo, times: u64) {
        let mut nodes = lock(&self.nodes);
        if let Some(node) = nodes.get_mut(&number.0) {
            node.known = node.known.saturating_sub(times);
            if node.known == 0 {
                nodes.remove(&number.0);
            }
        }
    }

    /// Opens a file it knows of. Where to write the kernel says, and it says whole blocks to nobody.
    pub(super) fn reopen(&self, number: INodeNo, flags: OpenFlags) -> Done<File> {
        let own = OFlags::APPEND | OFlags::DIRECT | OFlags::NOFOLLOW | OFlags::CREATE | OFlags::EXCL;
        let flags = OFlags::from_bits_retain(flags.0.cast_unsigned()) - own;
        let file = fs::open(Self::path(&self.node(number)?), flags | OFlags::CLOEXEC, Mode::empty());
        Ok(File::from(file.map_err(io::Error::from)?))
    }

    pub(super) fn change(&self, number: INodeNo, handle: Option<FileHandle>, change: &Change) -> Done<FileAttr> {
        let node = self.node(number)?;
        let path = Self::path(&node);
        let changed = || -> rustix::io::Result<()> {
            if let Some(mode) = change.mode {
                fs::chmod(path.as_str(), Mode::from_raw_mode(mode))?;
            }
            if change.owner.0.is_some() || change.owner.1.is_some() {
                let (user, group) = change.owner;
                let (user, group) = (user.map(Uid::from_raw), group.map(Gid::from_raw));
                fs::chownat(&node, "", user, group, AtFlags::EMPTY_PATH)?;
            }
            Ok(())
        };
        changed().map_err(io::Error::from)?;
        if let Some(size) = change.size {
            match handle {
                Some(handle) => self.file(handle)?.set_len(size)?,
                None => File::options().write(true).open(&path)?.set_len(size)?,
            }
        }
        if change.times.iter().any(Option::is_some) {
            let [last_access, last_modification] = change.times.map(time);
            let times = Timestamps {
                last_access,
                last_modification,
            };
            fs::utimensat(CWD, path.as_str(), &times, AtFlags::empty()).map_err(io::Error::from)?;
        }
        attributes(&node)
    }

    pub(super) fn list(&self, number: INodeNo) -> Done<Entries> {
        let folder = self.node(number)?;
        // The kernel wants these two of every folder, and looks into neither.
        let own = [".", ".."].map(|name| (number, FileType::Directory, name.into()));
        let entries = std::fs::read_dir(Self::path(&folder))?.map(|entry| {
            let entry = entry?;
            let kind = FileType::from_std(entry.file_type()?).ok_or(Errno::EIO)?;
            let number = entry.ino();
            Ok((INodeNo(number), kind, entry.file_name()))
        });
        own.into_iter().map(Ok).chain(entries).collect()
    }
}

/// What is to become of a file's attributes.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) mode: Option<u32>,
    pub(super) owner: (Option<u32>, Option<u32>),
    pub(super) size: Option<u64>,
    pub(super) times: [Option<TimeOrNow>; 2],
}

fn owner(request: &Request) -> (Option<Uid>, Option<Gid>) {
    let user = Uid::from_raw(request.uid());
    (Some(user), Some(Gid::from_raw(request.gid())))
}

fn time(wanted: Option<TimeOrNow>) -> Timespec {
    let (tv_sec, tv_nsec) = match wanted {
        None => (0, UTIME_OMIT),
        Some(TimeOrNow::Now) => (0, UTIME_NOW),
        Some(TimeOrNow::SpecificTime(time)) => {
            let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
            (since.as_secs().cast_signed(), since.subsec_nanos().into())
        }
    };
    Timespec { tv_sec, tv_nsec }
}

pub(super) fn attributes(file: impl AsFd) -> Done<FileAttr> {
    let stat = fs::fstat(file).map_err(io::Error::from)?;
    let time = |seconds: i64, nanos: u64| -> SystemTime {
        let nanos = u32::try_from(nanos).unwrap_or_default();
        UNIX_EPOCH + Duration::new(seconds.try_into().unwrap_or_default(), nanos)
    };
    let kind = match fs::FileType::from_raw_mode(stat.st_mode) {
        fs::FileType::Directory => FileType::Directory,
        fs::FileType::Symlink => FileType::Symlink,
        fs::FileType::Fifo => FileType::NamedPipe,
        fs::FileType::Socket => FileType::Socket,
        fs::FileType::RegularFile => FileType::RegularFile,
        _ => return Err(Errno::EPERM),
    };
    let changed = time(stat.st_ctime, stat.st_ctime_nsec);
    Ok(FileAttr {
        ino: INodeNo(stat.st_ino),
        size: stat.st_size.cast_unsigned(),
        blocks: stat.st_blocks.cast_unsigned(),
        atime: time(stat.st_atime, stat.st_atime_nsec),
        mtime: time(stat.st_mtime, stat.st_mtime_nsec),
        ctime: changed,
        crtime: changed,
        kind,
        perm: (stat.st_mode & 0o7777) as u16,
        nlink: u32::try_from(stat.st_nlink).unwrap_or(u32::MAX),
        uid: stat.st_uid,
        gid: stat.st_gid,
        rdev: 0,
        blksize: u32::try_from(stat.st_blksize).unwrap_or(4096),
        flags: 0,
    })
}
