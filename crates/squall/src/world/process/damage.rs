//! Damage at rest: files of an instance are changed where the seed says, and put back where nobody wrote to them since.
//!
//! Only folders squall made for what goes with the run are touched, and no link is followed out of them. What was there is
//! kept in memory alone: when squall dies, the folders go, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use squall_core::event::Spot;
use squall_core::place::{Condition, Damage, Harm, Instance};
use squall_core::protocol::fits;
use tokio::sync::Mutex;

/// What is written at once, and half of which may be missing.
const BLOCK: u64 = 4096;
/// What a disk writes as a whole.
const SECTOR: u64 = 512;
/// No file loses more: it is kept in memory meanwhile.
const MOST_LOST: u64 = 64 << 20;
/// So often another spot is drawn where one would change nothing.
const TRIES: u32 = 20;

/// The damage in force, by instance.
#[derive(Debug, Default)]
pub(super) struct Damages(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    done: BTreeMap<Instance, (Damage, Vec<Change>)>,
    /// How often something was damaged so far, so that no two strikes draw the same.
    count: u64,
}

/// What is to be done with an instance's files.
#[derive(Debug)]
pub(super) enum Task {
    /// They are as they shall be.
    Nothing,
    /// They are to be put back, the instance stopped for it or not.
    Repair { stopped: bool },
    /// They are to be changed like this.
    Inflict(Damage),
}

/// One spot: what was there, and what is there now. Nothing means that the file ends there.
#[derive(Debug, PartialEq, Eq)]
struct Change {
    path: PathBuf,
    file: String,
    offset: u64,
    was: Vec<u8>,
    is: Vec<u8>,
}

impl Damages {
    /// What is to be done so that what is wanted holds.
    pub(super) async fn task(&self, instance: &Instance, wanted: &[Condition]) -> Task {
        let wanted = wanted.iter().find_map(|condition| match condition {
            Condition::Damaged(damage) => Some(damage),
            _ => None,
        });
        let state = self.0.lock().await;
        match (state.done.get(instance), wanted) {
            (Some((done, _)), wanted) if wanted != Some(done) => Task::Repair { stopped: done.stopped },
            (None, Some(damage)) => Task::Inflict(damage.clone()),
            _ => Task::Nothing,
        }
    }

    /// Changes files below `folder`; `ahead` is told where before anything is written.
    ///
    /// # Errors
    /// A file could not be read or written, or `ahead` failed. Else at how many spots they are so when they are opened anew.
    pub(super) async fn inflict(
        &self,
        (instance, damage): (&Instance, Damage),
        (folder, seed): (&Path, u64),
        ahead: impl FnOnce(Vec<Spot>) -> io::Result<()>,
    ) -> io::Result<usize> {
        let mut state = self.0.lock().await;
        state.count += 1;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_add(state.count));
        let changes = draw(folder, &damage, &mut rng)?;
        ahead(changes.iter().map(Change::spot).collect())?;
        // Known before the first is made: what fails halfway is put back, too.
        let (_, changes) = state.done.entry(instance.clone()).or_insert((damage, changes));
        changes.iter().try_for_each(Change::make)?;
        Ok(found(changes))
    }

    /// Puts back what was changed. Says at how many spots, how many had been written to since, and the first that could
    /// be neither; what could not is tried again when it is asked for again.
    pub(super) async fn repair(&self, instance: &Instance) -> (usize, usize, io::Result<()>) {
        let mut state = self.0.lock().await;
        let Some((damage, mut changes)) = state.done.remove(instance) else {
            return (0, 0, Ok(()));
        };
        let (mut back, mut rewritten, mut first) = (0, 0, Ok(()));
        // The last one was made on what the others had left.
        changes.reverse();
        changes.retain(|change| match change.undo() {
            Ok(was) => {
                back += usize::from(was);
                rewritten += usize::from(!was);
                false
            }
            Err(error) => {
                let text = format!("{} at {}: {error}", change.file, change.offset);
                if first.is_ok() {
                    first = Err(io::Error::new(error.kind(), text));
                }
                true
            }
        });
        changes.reverse();
        if !changes.is_empty() {
            state.done.insert(instance.clone(), (damage, changes));
        }
        (back, rewritten, first)
    }

    /// At how many spots an instance's files are as they were changed, when they are opened now.
    pub(super) async fn spots(&self, instance: &Instance) -> usize {
        let state = self.0.lock().await;
        state.done.get(instance).map_or(0, |(_, changes)| found(changes))
    }
}

impl Change {
    fn spot(&self) -> Spot {
        Spot {
            file: self.file.clone(),
            offset: self.offset,
            bytes: self.was.len() as u64,
        }
    }

    fn make(&self) -> io::Result<()> {
        let file = opened(&self.path)?;
        match self.is.is_empty() {
            true => file.set_len(self.offset),
            false => file.write_all_at(&self.is, self.offset),
        }
    }

    /// Puts back what was there, if what is there is still the damage, and reads it back. Says whether it was.
    fn undo(&self) -> io::Result<bool> {
        let file = match opened(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        if !self.is_there(&file)? {
            return Ok(false);
        }
        file.write_all_at(&self.was, self.offset)?;
        match holds(&File::open(&self.path)?, &self.was, self.offset)? {
            true => Ok(true),
            false => Err(io::Error::other("what was put back was not there when it was read")),
        }
    }

    /// Whether what is in a file is the damage.
    fn is_there(&self, file: &File) -> io::Result<bool> {
        match self.is.is_empty() {
            true => Ok(file.metadata()?.len() == self.offset),
            false => holds(file, &self.is, self.offset),
        }
    }
}

/// At how many spots a file is as it was changed.
fn found(changes: &[Change]) -> usize {
    let there = |change: &&Change| File::open(&change.path).and_then(|file| change.is_there(&file));
    changes.iter().filter(|change| there(change).unwrap_or(false)).count()
}

/// Whether a file holds something at a place; one that ends before does not.
fn holds(file: &File, what: &[u8], at: u64) -> io::Result<bool> {
    let mut now = vec![0; what.len()];
    match file.read_exact_at(&mut now, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| now == what),
    }
}

fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// Where what is changed; nothing where no file fits.
fn draw(folder: &Path, damage: &Damage, rng: &mut Xoshiro256PlusPlus) -> io::Result<Vec<Change>> {
    let mut files = Vec::new();
    list(folder, "", &mut files)?;
    files.retain(|(name, _)| fits(&damage.files, name));
    // Whatever order the filesystem has them in.
    files.sort();
    let (mut changes, mut taken) = (Vec::new(), BTreeSet::new());
    let mut tries = damage.spots.saturating_mul(TRIES);
    while changes.len() < damage.spots as usize && !files.is_empty() && tries > 0 {
        tries -= 1;
        let (name, size) = &files[rng.random_range(0..files.len())];
        let place = match damage.how {
            Harm::BitFlip => (name, rng.random_range(0..*size)),
            Harm::Truncate => (name, 0),
            Harm::TornWrite => (name, rng.random_range(0..size.div_ceil(BLOCK)) * BLOCK),
        };
        if taken.insert(place) {
            let (offset, size) = (place.1, *size);
            changes.extend(change((folder, name), damage.how, (offset, size), rng)?);
        }
    }
    Ok(changes)
}

/// One change; none where it would change nothing.
fn change(
    (folder, name): (&Path, &str),
    how: Harm,
    (offset, size): (u64, u64),
    rng: &mut Xoshiro256PlusPlus,
) -> io::Result<Option<Change>> {
    let path = folder.join(name);
    let (from, to) = match how {
        Harm::BitFlip => (offset, offset + 1),
        Harm::Truncate => (rng.random_range(size.saturating_sub(MOST_LOST)..size), size),
        Harm::TornWrite => {
            let end = (offset + BLOCK).min(size);
            let sectors = (end - offset).div_ceil(SECTOR);
            // At least one sector was written, and at least one was not; of a single one half.
            let written = match sectors {
                1 => (end - offset) / 2,
                sectors => rng.random_range(1..sectors) * SECTOR,
            };
            (offset + written, end)
        }
    };
    let mut was = vec![0; usize::try_from(to - from).unwrap_or(0)];
    opened(&path)?.read_exact_at(&mut was, from)?;
    let is = match how {
        Harm::BitFlip => vec![was[0] ^ 1 << rng.random_range(0..8)],
        Harm::Truncate => Vec::new(),
        Harm::TornWrite => vec![0; was.len()],
    };
    let file = name.to_owned();
    Ok((was != is).then_some(Change {
        path,
        file,
        offset: from,
        was,
        is,
    }))
}

/// The files below a folder that hold anything, with their sizes, by their path below it.
fn list(folder: &Path, below: &str, files: &mut Vec<(String, u64)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        // Of the entry itself: what a link leads to may be anybody's.
        let Ok(about) = entry.metadata() else { continue };
        if about.is_dir() {
            list(&entry.path(), &format!("{name}/"), files)?;
        } else if about.is_file() && about.len() > 0 {
            files.push((name, about.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damage(files: &str, how: Harm, spots: u32) -> Damage {
        Damage {
            files: files.to_owned(),
            how,
            spots,
            stopped: false,
        }
    }

    fn own() -> Instance {
        Instance::new("db", 1)
    }

    /// A folder with files, and one beside it that a link in it leads to.
    fn folder() -> (tempfile::TempDir, PathBuf) {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("own");
        fs::create_dir_all(folder.join("base/1")).unwrap();
        fs::create_dir(all.path().join("other")).unwrap();
        let bytes = |from: u8| {
            (0..10_000)
                .map(|n| from.wrapping_add((n % 251) as u8) | 1)
                .collect::<Vec<_>>()
        };
        fs::write(folder.join("base/1/a"), bytes(1)).unwrap();
        fs::write(folder.join("base/b"), bytes(2)).unwrap();
        fs::write(folder.join("short"), b"0123456789").unwrap();
        fs::write(folder.join("empty"), b"").unwrap();
        fs::write(all.path().join("other/c"), bytes(3)).unwrap();
        std::os::unix::fs::symlink(all.path().join("other"), folder.join("base/link")).unwrap();
        (all, folder)
    }

    fn contents(folder: &Path) -> Vec<Vec<u8>> {
        let files = ["base/1/a", "base/b", "short", "empty", "../other/c"];
        files.iter().map(|file| fs::read(folder.join(file)).unwrap()).collect()
    }

    async fn inflicted(damages: &Damages, folder: &Path, what: Damage) -> Vec<Spot> {
        let (mut told, before) = (Vec::new(), contents(folder));
        let ahead = |spots: Vec<Spot>| {
            assert_eq!(contents(folder), before, "written before it was told");
            told = spots;
            Ok(())
        };
        let found = damages.inflict((&own(), what), (folder, 7), ahead).await.unwrap();
        assert_eq!(found, told.len(), "read back");
        told
    }

    #[tokio::test]
    async fn each_harm_changes_what_was_told_before_and_nothing_else_and_is_put_back() {
        for (how, files, spots) in [
            (Harm::BitFlip, "base/*", 3),
            (Harm::Truncate, "base/*", 2),
            (Harm::TornWrite, "base/*", 3),
            (Harm::TornWrite, "short", 1),
        ] {
            let (_all, folder) = folder();
            let (damages, before) = (Damages::default(), contents(&folder));
            let told = inflicted(&damages, &folder, damage(files, how, spots)).await;
            assert_eq!(
                (told.len(), damages.spots(&own()).await),
                (spots as usize, spots as usize),
                "{how:?}"
            );
            let after = contents(&folder);
            for (file, (was, is)) in ["base/1/a", "base/b", "short", "empty", ""]
                .iter()
                .zip(before.iter().zip(&after))
            {
                let inside = |at: u64| {
                    told.iter()
                        .any(|spot| spot.file == *file && (spot.offset..spot.offset + spot.bytes).contains(&at))
                };
                let differs = |at: &usize| was.get(*at) != is.get(*at);
                let others = (0..was.len()).filter(differs).all(|at| inside(at as u64));
                let mine = told
                    .iter()
                    .filter(|spot| spot.file == *file)
                    .all(|spot| differs(&(spot.offset as usize + spot.bytes as usize - 1)));
                assert!(others && mine, "{how:?} {file}");
            }
            if how == Harm::BitFlip {
                let bits: u32 = before
                    .iter()
                    .zip(&after)
                    .flat_map(|(was, is)| was.iter().zip(is).map(|(a, b)| (a ^ b).count_ones()))
                    .sum();
                assert_eq!(bits, spots);
            }
            assert_eq!(repaired(&damages).await, (spots as usize, 0));
            assert_eq!(contents(&folder), before, "{how:?}");
            assert_eq!(repaired(&damages).await, (0, 0));
        }
    }

    async fn repaired(damages: &Damages) -> (usize, usize) {
        let (back, rewritten, failed) = damages.repair(&own()).await;
        failed.unwrap();
        (back, rewritten)
    }

    #[tokio::test]
    async fn what_can_not_be_put_back_is_no_file_that_was_written_to_and_is_tried_again() {
        let (_all, folder) = folder();
        let (damages, before) = (Damages::default(), contents(&folder));
        inflicted(&damages, &folder, damage("base/b", Harm::BitFlip, 2)).await;
        // It is out of reach for a while.
        let (path, away) = (folder.join("base/b"), folder.join("base/away"));
        fs::rename(&path, &away).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(damages.spots(&own()).await, 0);
        let (back, rewritten, failed) = damages.repair(&own()).await;
        assert_eq!((back, rewritten), (0, 0));
        assert!(failed.unwrap_err().to_string().starts_with("base/b at "));
        fs::remove_dir(&path).unwrap();
        fs::rename(&away, &path).unwrap();
        assert_eq!(damages.spots(&own()).await, 2);
        assert_eq!(repaired(&damages).await, (2, 0));
        assert_eq!(contents(&folder), before);
    }

    #[tokio::test]
    async fn what_was_written_to_since_is_left_as_it_is() {
        let (_all, folder) = folder();
        let damages = Damages::default();
        inflicted(&damages, &folder, damage("short", Harm::Truncate, 1)).await;
        // Longer than what was cut off from: what was there may not be written into it.
        fs::write(folder.join("short"), b"written anew").unwrap();
        let before = contents(&folder);
        assert_eq!(repaired(&damages).await, (0, 1));
        assert_eq!(contents(&folder), before);
        inflicted(&damages, &folder, damage("base/b", Harm::BitFlip, 2)).await;
        fs::write(folder.join("base/b"), vec![0; 10_000]).unwrap();
        assert_eq!(repaired(&damages).await, (0, 2));
        fs::remove_file(folder.join("base/b")).unwrap();
        inflicted(&damages, &folder_with_b(&folder), damage("base/b", Harm::BitFlip, 1)).await;
        fs::remove_file(folder.join("base/b")).unwrap();
        assert_eq!(repaired(&damages).await, (0, 1));
    }

    fn folder_with_b(folder: &Path) -> PathBuf {
        fs::write(folder.join("base/b"), b"again").unwrap();
        folder.to_owned()
    }

    #[tokio::test]
    async fn the_seed_says_where_and_what_fits_nothing_changes_nothing() {
        let mut all = Vec::new();
        for _ in 0..2 {
            let (_all, folder) = folder();
            let damages = Damages::default();
            let first = inflicted(&damages, &folder, damage("base/*", Harm::BitFlip, 4)).await;
            repaired(&damages).await;
            let second = inflicted(&damages, &folder, damage("base/*", Harm::BitFlip, 4)).await;
            assert_ne!(first, second);
            all.push((first, second));
        }
        assert_eq!(all[0], all[1]);
        let (_all, folder) = folder();
        let (damages, before) = (Damages::default(), contents(&folder));
        assert!(
            inflicted(&damages, &folder, damage("nothing/*", Harm::Truncate, 4))
                .await
                .is_empty()
        );
        // No link is followed.
        assert!(
            inflicted(&Damages::default(), &folder, damage("base/link/*", Harm::Truncate, 4))
                .await
                .is_empty()
        );
        assert_eq!(contents(&folder), before);
    }

    #[tokio::test]
    async fn what_holds_already_is_not_done_again() {
        let (_all, folder) = folder();
        let (damages, what) = (Damages::default(), damage("base/*", Harm::BitFlip, 1));
        let wanted = [Condition::Frozen, Condition::Damaged(what.clone())];
        assert!(matches!(damages.task(&own(), &wanted).await, Task::Inflict(_)));
        inflicted(&damages, &folder, what).await;
        assert!(matches!(damages.task(&own(), &wanted).await, Task::Nothing));
        assert!(matches!(
            damages.task(&own(), &[]).await,
            Task::Repair { stopped: false }
        ));
        repaired(&damages).await;
        assert!(matches!(damages.task(&own(), &[]).await, Task::Nothing));
    }
}
