//! Shared memory a killed PostgreSQL leaves: it belongs to no process and no folder, and the
//! machine has only so much of it.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
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

/// Releases the System V segment of every cluster below `folder` that did not end by itself.
pub(super) fn release_segments(folder: &Path) {
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        if let Ok(text) = fs::read_to_string(folder.join("postmaster.pid"))
            && let Some((creator, segment)) = creator_and_segment(&text)
        {
            release(creator, segment, Users::None);
        }
        if let Ok(version) = fs::metadata(folder.join("PG_VERSION"))
            && let Ok(cluster) = fs::metadata(&folder)
        {
            orphans(&cluster, &version).for_each(remove);
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

/// The segments a cluster's servers made and nobody uses. A server that is started writes a lock file of its own before it
/// looks for what the one before it left, and names its own segment there only later: killed in between, neither is named
/// anywhere. But each has the number of the cluster's folder as its key.
fn orphans(cluster: &Metadata, version: &Metadata) -> impl Iterator<Item = i32> {
    let (key, owner, made) = (cluster.ino() as i32, i64::from(cluster.uid()), version.mtime());
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    let rows: Vec<Vec<i64>> = table.lines().skip(1).map(numbers).collect();
    rows.into_iter().filter_map(move |row| match row.as_slice() {
        // key shmid perms size cpid lpid nattch uid gid cuid cgid atime dtime ctime …
        [its, id, _, _, _, _, 0, _, _, cuid, _, _, _, since, ..]
            if *its as i32 == key && *cuid == owner && *since >= made =>
        {
            i32::try_from(*id).ok()
        }
        _ => None,
    })
}

fn numbers(line: &str) -> Vec<i64> {
    line.split_whitespace().map_while(|field| field.parse().ok()).collect()
}

/// Releases the System V segments these processes made, as a machine's memory is lost with its power: each goes with the
/// last who uses it. So do those that clusters left on disks which they alone see, below `folder`.
pub fn forget(pids: &[u32], folder: &Path) {
    for (creator, segment) in used_segments(pids) {
        release(creator, segment, Users::Any);
    }
    let mounts = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/mnt")).ok();
    let own = mounts("self");
    let mut seen = BTreeSet::new();
    for pid in pids {
        let theirs = mounts(&pid.to_string());
        if theirs.is_some() && theirs != own && seen.insert(theirs) {
            let root = PathBuf::from(format!("/proc/{pid}/root"));
            release_segments(&root.join(folder.strip_prefix("/").unwrap_or(folder)));
        }
    }
}

/// The System V segments these processes use, each with every one of them that may have made it.
fn used_segments(pids: &[u32]) -> BTreeSet<(i32, i32)> {
    let segment = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        // A mapping's fifth field is the file's number, and for a segment its own.
        fields.get(5)?.starts_with("/SYSV").then(|| fields[4].parse().ok())?
    };
    let maps = pids
        .iter()
        .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/maps")).ok());
    let used: BTreeSet<i32> = maps
        .flat_map(|text| text.lines().filter_map(segment).collect::<Vec<_>>())
        .collect();
    let creators = pids.iter().filter_map(|pid| i32::try_from(*pid).ok());
    creators
        .flat_map(|creator| used.iter().map(move |segment| (creator, *segment)))
        .collect()
}

/// Who may still use what is released.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Users {
    None,
    Any,
}

/// From a lock file: the first line is the server's pid, one of the others `KEY ID` of its segment.
fn creator_and_segment(text: &str) -> Option<(i32, i32)> {
    let creator = text.lines().next()?.trim().trim_start_matches('-').parse().ok()?;
    let words: Vec<&str> = text.lines().nth(6)?.split_whitespace().collect();
    match words.as_slice() {
        [_key, id] => Some((creator, id.parse().ok()?)),
        _ => None,
    }
}

/// Releases a segment, if `creator` made it, and if it has no other users: numbers are given anew.
fn release(creator: i32, segment: i32, users: Users) {
    let Ok(table) = fs::read_to_string("/proc/sysvipc/shm") else {
        return;
    };
    // key shmid perms size cpid lpid nattch …
    let ours = table.lines().skip(1).any(|line| {
        matches!(numbers(line).as_slice(), [_, id, _, _, cpid, _, used, ..]
            if *id == i64::from(segment) && *cpid == i64::from(creator) && (*used == 0 || users == Users::Any))
    });
    if ours {
        remove(segment);
    }
}

fn remove(segment: i32) {
    #[expect(
        unsafe_code,
        reason = "the only way to release a segment; it reads and writes no memory of ours"
    )]
    // SAFETY: IPC_RMID takes no buffer.
    let _ = unsafe { libc::shmctl(segment, libc::IPC_RMID, std::ptr::null_mut()) };
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
}
