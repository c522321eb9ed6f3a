//! Shared memory a killed PostgreSQL leaves: it belongs to no process and no folder, and the
//! machine has only so much of it.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where POSIX shared memory shows as files, and what PostgreSQL calls its own.
const FILES: &str = "/dev/shm/PostgreSQL.";

/// A cluster's lock file lies at most so deep in a run's scratch folder.
const DEEPEST: usize = 3;

/// The shared-memory files of PostgreSQL these processes have open. While a cluster is made it has
/// some; a cluster in use keeps its own in its folder.
pub(super) fn shared_files(pids: &[u32]) -> BTreeSet<PathBuf> {
    let maps = pids
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/maps")).ok());
    // Between its making and its mapping a segment is an open file.
    let open = pids
        .iter()
        .flat_map(|pid| fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten());
    let mut files: BTreeSet<PathBuf> = open
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|file| file.to_string_lossy().starts_with(FILES))
        .collect();
    for text in maps {
        let names = text.lines().filter_map(|line| line.find(FILES).map(|at| &line[at..]));
        files.extend(names.filter(|name| !name.ends_with(" (deleted)")).map(PathBuf::from));
    }
    files
}

/// Releases the System V segment of every cluster below `folder` that did not end by itself. Where the folder is on a disk that
/// only some see, `makers` are their processes.
pub(super) fn release_segments(folder: &Path, makers: Option<&[u32]>) {
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if let Ok(text) = fs::read_to_string(folder.join("postmaster.pid"))
            && let Some((creator, segment)) = creator_and_segment(&text)
        {
            release(|seen| seen.id == segment && seen.creator == creator && seen.users == 0);
        }
        if let Ok(version) = fs::metadata(folder.join("PG_VERSION"))
            && let Ok(cluster) = fs::metadata(&folder)
        {
            // A server that is started writes a lock file of its own before it looks for what the one before it left, and
            // names its own segment there only later: killed in between, neither is named anywhere. But each has the number
            // of the cluster's folder as its key. On disks made one like the other these are the same numbers, of every run:
            // there only who made it says whose it is, and what nobody living made is left.
            let (key, owner, made) = (cluster.ino() as i32, i64::from(cluster.uid()), version.mtime());
            let ours = |creator| makers.is_none_or(|pids| pids.iter().any(|pid| i64::from(*pid) == creator));
            let own = |seen: &Segment| {
                seen.key as i32 == key && seen.owner == owner && seen.since >= made && ours(seen.creator)
            };
            release(|seen| own(seen) && seen.users == 0);
        }
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        if depth < DEEPEST && !folder.join("PG_VERSION").exists() {
            let below = entries
                .flatten()
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            folders.extend(below.map(|entry| (entry.path(), depth + 1)));
        }
    }
}

/// Releases the System V segments these processes made, as a machine's memory is lost with its power: each goes with the
/// last who uses it. So do those that clusters left on disks which they alone see, below `folder`.
pub fn forget(pids: &[u32], folder: &Path) {
    let used = used_segments(pids);
    release(|seen| used.contains(&seen.id) && pids.iter().any(|pid| i64::from(*pid) == seen.creator));
    let mounts = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let own = mounts("self");
    let mut seen = BTreeSet::new();
    for pid in pids {
        let theirs = mounts(&pid.to_string());
        if theirs.is_some() && theirs != own && seen.insert(theirs) {
            let root = PathBuf::from(format!("/proc/{pid}/root"));
            release_segments(&root.join(folder.strip_prefix("/").unwrap_or(folder)), Some(pids));
        }
    }
}

/// The System V segments these processes use.
fn used_segments(pids: &[u32]) -> BTreeSet<i64> {
    let segment = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // A mapping's fifth field is the file's number, and for a segment its own.
        fields.get(5)?.starts_with("/SYSV").then(|| fields[4].parse().ok())?
    };
    let maps = pids
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/maps")).ok());
    maps.flat_map(|text| text.lines().filter_map(segment).collect::<Vec<_>>())
        .collect()
}

/// From a lock file: the first line is the server's pid, one of the others `KEY ID` of its segment.
fn creator_and_segment(text: &str) -> Option<(i64, i64)> {
    let creator = text.lines().next()?.trim().trim_start_matches('-').parse().ok()?;
    let words: Vec<&str> = text.lines().nth(6)?.split_whitespace().collect();
    match words.as_slice() {
        [_key, id] => Some((creator, id.parse().ok()?)),
        _ => None,
    }
}

/// A System V segment, as the kernel lists it. Numbers are given anew, so one is known only by several of these.
struct Segment {
    key: i64,
    id: i64,
    creator: i64,
    users: i64,
    owner: i64,
    /// Made then, or changed, in seconds.
    since: i64,
}

impl Segment {
    /// From a line of the table: `key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime …`.
    fn of(line: &str) -> Option<Self> {
        let fields = line.split_whitespace().map_while(|field| field.parse().ok());
        match fields.collect::<Vec<i64>>().as_slice() {
            &[key, id, _, _, creator, _, users, _, _, owner, _, _, _, since, ..] => Some(Self {
                key,
                id,
                creator,
                users,
                owner,
                since,
            }),
            _ => None,
        }
    }
}

/// Releases the segments that fit; each goes with the last who uses it.
fn release(fits: impl Fn(&Segment) -> bool) {
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let ours = table.lines().filter_map(Segment::of).filter(fits);
    for id in ours.filter_map(|segment| i32::try_from(segment.id).ok()) {
        #[expect(
            unsafe_code,
            reason = "the only way to release a segment; it reads and writes no memory of ours"
        )]
        // SAFETY: IPC_RMID takes no buffer.
        let _ = unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_file_names_the_server_and_its_segment() {
        let text = "4242\n/tmp/data\n1700000000\n5432\n\n127.0.0.1\n   9979190    131081\nready   \n";
        assert_eq!(creator_and_segment(text), Some((4242, 131_081)));
        assert_eq!(creator_and_segment("4242\n/tmp/data\n"), None);
        // A cluster being made is its own server: its pid is written with a minus.
        assert_eq!(creator_and_segment("-7\n/d\n1\n5432\n\n\n 1 2\n"), Some((7, 2)));
    }

    /// A segment that nobody uses, as a server leaves it that was killed just when it had made it.
    fn segment(key: i32) -> i64 {
        let flags = libc::IPC_CREAT | libc::IPC_EXCL | 0o600;
        #[expect(
            unsafe_code,
            reason = "the only way to make a segment; it reads and writes no memory of ours"
        )]
        // SAFETY: shmget takes no buffer.
        let id = unsafe { libc::shmget(key, 64, flags) };
        assert!(id >= 0, "{}", std::io::Error::last_os_error());
        i64::from(id)
    }

    fn is_there(id: i64) -> bool {
        let table = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        table.lines().filter_map(Segment::of).any(|segment| segment.id == id)
    }

    #[test]
    fn on_a_disk_of_its_own_a_folders_number_is_no_name() {
        let all = tempfile::tempdir().unwrap();
        let data = all.path().join("data");
        fs::create_dir(&data).unwrap();
        fs::write(data.join("PG_VERSION"), "17\n").unwrap();
        let key = fs::metadata(&data).unwrap().ino() as i32;
        // One like it on the disk of another run, whose server this process is.
        let id = segment(key);
        release_segments(all.path(), Some(&[]));
        release_segments(all.path(), Some(&[1]));
        let left = is_there(id);
        release_segments(all.path(), Some(&[std::process::id()]));
        assert_eq!((left, is_there(id)), (true, false));
        // Among folders of one disk no two have the same.
        let id = segment(key);
        release_segments(all.path(), None);
        assert!(!is_there(id));
    }
}
