//! What is asked of a slow disk, passed on to the files below it.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, Filesystem, FopenFlags, Generation, INodeNo, KernelConfig, LockOwner,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyStatfs, ReplyWrite, Request, TimeOrNow, WriteFlags,
};
use rustix::fs::{self, AtFlags, CWD, FallocateFlags, Mode, OFlags};

use super::Pace;
use super::files::{Change, Done, Files, Open, attributes};

/// At most so many bytes come in one write.
const LARGEST: u32 = 1 << 20;
/// Nothing the kernel learns of a name or a file stays true: others may change it below.
const AT_ONCE: Duration = Duration::ZERO;
/// A number is never given twice while the kernel knows it.
const FIRST: Generation = Generation(0);

/// Passes on what it is asked, as fast as it is to be.
#[derive(Debug)]
pub(super) struct Passing {
    pub(super) files: Files,
    pub(super) pace: Arc<Pace>,
}

/// Answers what was asked for, or says what went wrong.
macro_rules! answer {
    ($reply:ident, $done:expr, $right:expr) => {
        match $done {
            Ok(done) => $right($reply, done),
            Err(errno) => $reply.error(Errno::from(errno)),
        }
    };
}

impl Filesystem for Passing {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // What it allows at most is more, or as much.
        _ = config.set_max_write(LARGEST);
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        answer!(reply, self.files.find(parent, name), entry);
    }

    fn forget(&self, _: &Request, number: INodeNo, times: u64) {
        self.files.forget(number, times);
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        answer!(reply, self.files.node(number).and_then(attributes), attr);
    }

    fn setattr(
        &self,
        _: &Request,
        number: INodeNo,
        mode: Option<u32>,
        user: Option<u32>,
        group: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        handle: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let change = Change {
            mode,
            owner: (user, group),
            size,
            times: [accessed, modified],
        };
        answer!(reply, self.files.change(number, handle, &change), attr);
    }

    fn readlink(&self, _: &Request, number: INodeNo, reply: ReplyData) {
        let read = self
            .files
            .node(number)
            .and_then(|node| passed(fs::readlinkat(node, "", Vec::new())));
        answer!(reply, read, |reply: ReplyData, path: CString| reply
            .data(path.as_bytes()));
    }

    fn mknod(&self, who: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, _: u32, reply: ReplyEntry) {
        let (kind, mode) = (fs::FileType::from_raw_mode(mode), Mode::from_raw_mode(mode));
        let made = self
            .files
            .make(who, (parent, name), |folder| fs::mknodat(folder, name, kind, mode, 0));
        answer!(reply, made, entry);
    }

    fn mkdir(&self, who: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        let mode = Mode::from_raw_mode(mode);
        let made = self
            .files
            .make(who, (parent, name), |folder| fs::mkdirat(folder, name, mode));
        answer!(reply, made, entry);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.files.node(parent);
        let removed = removed.and_then(|folder| passed(fs::unlinkat(folder, name, AtFlags::empty())));
        answer!(reply, removed, empty);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let removed = self.files.node(parent);
        let removed = removed.and_then(|folder| passed(fs::unlinkat(folder, name, AtFlags::REMOVEDIR)));
        answer!(reply, removed, empty);
    }

    fn symlink(&self, who: &Request, parent: INodeNo, name: &OsStr, to: &Path, reply: ReplyEntry) {
        let made = self
            .files
            .make(who, (parent, name), |folder| fs::symlinkat(to, folder, name));
        answer!(reply, made, entry);
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        to: INodeNo,
        new: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        let flags = fs::RenameFlags::from_bits_retain(flags.bits());
        let renamed = || {
            passed(fs::renameat_with(
                self.files.node(parent)?,
                name,
                self.files.node(to)?,
                new,
                flags,
            ))
        };
        answer!(reply, renamed(), empty);
    }

    fn link(&self, _: &Request, number: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let linked = || {
            let (file, folder) = (self.files.node(number)?, self.files.node(parent)?);
            let path = Files::path(&file);
            passed(fs::linkat(CWD, path.as_str(), folder, name, AtFlags::SYMLINK_FOLLOW))?;
            self.files.find(parent, name)
        };
        answer!(reply, linked(), entry);
    }

    fn open(&self, _: &Request, number: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let opened = self.files.reopen(number, flags);
        let opened = opened.map(|file| self.files.opened(Open::File(Arc::new(file))));
        answer!(reply, opened, open);
    }

    fn create(&self, who: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, flags: i32, reply: ReplyCreate) {
        let mode = Mode::from_raw_mode(mode);
        let new = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        let created = || {
            let attr = self.files.make(who, (parent, name), |folder| {
                fs::openat(folder, name, new, mode).map(drop)
            })?;
            let file = self.files.reopen(attr.ino, OpenFlags(flags))?;
            Ok::<_, Errno>((attr, self.files.opened(Open::File(Arc::new(file)))))
        };
        answer!(reply, created(), |reply: ReplyCreate, (attr, handle)| {
            reply.created(&AT_ONCE, &attr, FIRST, handle, FopenFlags::empty());
        });
    }

    fn read(
        &self,
        who: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        self.pace.hold(who.pid());
        let read = || {
            let (file, mut bytes) = (self.files.file(handle)?, vec![0; size as usize]);
            let mut there = 0;
            while there < bytes.len() {
                match file.read_at(&mut bytes[there..], offset + there as u64)? {
                    0 => break,
                    more => there += more,
                }
            }
            bytes.truncate(there);
            Ok::<_, Errno>(bytes)
        };
        answer!(reply, read(), |reply: ReplyData, bytes: Vec<u8>| reply.data(&bytes));
    }

    fn write(
        &self,
        who: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.pace.hold(who.pid());
        let written = self.files.file(handle);
        // No more than LARGEST.
        let written = written.and_then(|file| Ok(file.write_at(data, offset)? as u32));
        answer!(reply, written, ReplyWrite::written);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn release(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        _: OpenFlags,
        _: Option<LockOwner>,
        _: bool,
        reply: ReplyEmpty,
    ) {
        self.files.close(handle);
        reply.ok();
    }

    fn fsync(&self, who: &Request, _: INodeNo, handle: FileHandle, data: bool, reply: ReplyEmpty) {
        self.pace.hold(who.pid());
        let sync = if data { File::sync_data } else { File::sync_all };
        let synced = self.files.file(handle).and_then(|file| Ok(sync(&file)?));
        answer!(reply, synced, empty);
    }

    fn opendir(&self, _: &Request, number: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let listed = self.files.list(number);
        answer!(
            reply,
            listed.map(|entries| self.files.opened(Open::Folder(Arc::new(entries)))),
            open
        );
    }

    fn readdir(&self, _: &Request, _: INodeNo, handle: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let Ok(entries) = self.files.folder(handle) else {
            return reply.error(Errno::EBADF);
        };
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        for (at, (number, kind, name)) in (1..).zip(entries.iter()).skip(from) {
            if reply.add(*number, at, *kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn releasedir(&self, _: &Request, _: INodeNo, handle: FileHandle, _: OpenFlags, reply: ReplyEmpty) {
        self.files.close(handle);
        reply.ok();
    }

    fn fsyncdir(&self, who: &Request, number: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.pace.hold(who.pid());
        let synced = || Ok::<_, Errno>(File::open(Files::path(&self.files.node(number)?))?.sync_all()?);
        answer!(reply, synced(), empty);
    }

    fn statfs(&self, _: &Request, number: INodeNo, reply: ReplyStatfs) {
        let stat = self.files.node(number).and_then(|node| passed(fs::fstatvfs(node)));
        answer!(reply, stat, |reply: ReplyStatfs, stat: fs::StatVfs| {
            let (size, piece, name) = (stat.f_bsize as u32, stat.f_frsize as u32, stat.f_namemax as u32);
            reply.statfs(
                stat.f_blocks,
                stat.f_bfree,
                stat.f_bavail,
                stat.f_files,
                stat.f_ffree,
                size,
                name,
                piece,
            );
        });
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        handle: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        let mode = FallocateFlags::from_bits_retain(mode.cast_unsigned());
        let given = self.files.file(handle);
        let given = given.and_then(|file| passed(fs::fallocate(&*file, mode, offset, length)));
        answer!(reply, given, empty);
    }
}

fn passed<T>(done: rustix::io::Result<T>) -> Done<T> {
    Ok(done.map_err(io::Error::from)?)
}

fn entry(reply: ReplyEntry, attr: FileAttr) {
    reply.entry(&AT_ONCE, &attr, FIRST);
}

fn attr(reply: ReplyAttr, attr: FileAttr) {
    reply.attr(&AT_ONCE, &attr);
}

fn open(reply: ReplyOpen, handle: FileHandle) {
    reply.opened(handle, FopenFlags::empty());
}

fn empty(reply: ReplyEmpty, (): ()) {
    reply.ok();
}
