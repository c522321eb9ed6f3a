//! The folder of a run: `tmp/TIME-SEED/`, one folder in it for each scenario, and `tmp/latest`.

use std::fmt;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use squall_core::journal::{BadJournal, Journal, Lines};
use squall_core::report::LeftOut;

use crate::gate;
use crate::processes::{self, Life};

/// A run's id: when it began, and its seed. Also the tag on everything the run makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunId {
    id: String,
    scratch: PathBuf,
}

impl RunId {
    /// The id of a run that begins now.
    pub fn new(seed: u64) -> Self {
        let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H-%M-%S");
        // The process id keeps two runs of one second and seed apart.
        Self::given(&format!("{now}-seed{seed}-{}", std::process::id()))
    }

    /// An id another process made.
    pub fn given(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            scratch: std::env::temp_dir().join(format!("squall-{id}")),
        }
    }

    /// The same run, whose folder for what goes is known to be elsewhere.
    fn in_scratch(self, scratch: &Path) -> Self {
        Self {
            scratch: scratch.to_owned(),
            ..self
        }
    }

    /// The seed it was made with.
    pub fn seed(&self) -> u64 {
        let digits = self.id.split("-seed").nth(1).and_then(|rest| rest.split('-').next());
        digits.and_then(|digits| digits.parse().ok()).unwrap_or_default()
    }

    /// The folder for sockets, databases and all else that goes when the run ends.
    pub fn scratch(&self) -> PathBuf {
        self.scratch.clone()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.id)
    }
}

/// The folder of a run.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// A journal that can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// The folder or file can't be read.
    #[error("{path}: {cause}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// It is no journal.
    #[error("{path}: {cause}")]
    Bad {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: BadJournal,
    },
    /// There is none.
    #[error("{0}: holds no journal (expected SCENARIO/journal.jsonl in it)")]
    None(PathBuf),
}

impl Folder {
    /// Makes the folder of run `id` below `output`, and points `output/latest` at it.
    ///
    /// # Errors
    /// When it can't be made, named with its path.
    pub fn create(output: &Path, id: &RunId) -> io::Result<Self> {
        let folder = Self::aside(output, id)?;
        // A convenience for people: where links can't be made the run goes on without.
        let latest = output.join("latest");
        let _ = gate::pass(|| {
            let fresh = output.join(format!(".latest-{id}"));
            std::os::unix::fs::symlink(id.to_string(), &fresh)?;
            fs::rename(&fresh, &latest).or_else(|_| fs::remove_file(&fresh))
        });
        Ok(folder)
    }

    /// The same for what is no run and has no report: `output/latest` stays as it is.
    ///
    /// # Errors
    /// When it can't be made, named with its path.
    pub fn aside(output: &Path, id: &RunId) -> io::Result<Self> {
        let named =
            |path: &Path, error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
        fs::create_dir_all(output).map_err(|error| named(output, error))?;
        let path = output.join(id.to_string());
        fs::create_dir(&path).map_err(|error| named(&path, error))?;
        Ok(Self { path })
    }

    /// The folder of run `id` below `output`, whether or not it was made yet.
    pub fn of(output: &Path, id: &RunId) -> Self {
        Self {
            path: output.join(id.to_string()),
        }
    }

    /// A folder that is there.
    pub fn open(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder of one scenario, with `logs/` in it.
    ///
    /// # Errors
    /// When it can't be made.
    pub fn scenario(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.path.join(name);
        fs::create_dir_all(path.join("logs"))?;
        Ok(path)
    }

    /// Writes a file whole or not at all.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let partial = self.path.join(format!(".{name}{PARTIAL}"));
        gate::pass(|| {
            let written = fs::File::create(&partial).and_then(|mut file| file.write_all(text.as_bytes()));
            let done = written.and_then(|()| fs::rename(&partial, self.path.join(name)));
            if done.is_err() {
                let _ = fs::remove_file(&partial);
            }
            done
        })
    }

    /// Writes down, before anything is made, what there may be to heal; and from then on each process that is started.
    ///
    /// # Errors
    /// When it can't be written: then nothing may be made either.
    pub fn remember(&self, id: &RunId) -> io::Result<()> {
        let pid = std::process::id();
        let started = processes::stat(pid).map(|stat| stat.started);
        let line = serde_json::json!({
            "run": id.to_string(), "scratch": id.scratch(), "pid": pid, "started": started, "boot": processes::boot(),
        });
        let mut file = fs::File::create(self.path.join(HEAL))?;
        writeln!(file, "{line}")?;
        file.sync_all()?;
        gate::witness(move |pid| {
            let Some(stat) = processes::stat(pid) else { return };
            let line = serde_json::json!({ "pid": pid, "started": stat.started });
            // In one piece. On a full disk it still has its tag to be known by.
            let _ = file.write_all(format!("{line}\n").as_bytes());
        });
        Ok(())
    }

    /// The processes the run started itself, as far as they were written down since the machine was booted.
    pub fn lives(&self) -> Vec<Life> {
        let first = remembered(&self.path);
        if first.is_none_or(|first| first["boot"].as_str() != Some(&processes::boot())) {
            return Vec::new();
        }
        let text = fs::read_to_string(self.path.join(HEAL)).unwrap_or_default();
        // The last line may have been cut off by a death.
        let lines = text.lines().skip(1).filter_map(|line| serde_json::from_str(line).ok());
        let life = |line: serde_json::Value| {
            let pid = u32::try_from(line["pid"].as_u64()?).ok()?;
            Some((pid, line["started"].as_u64()?))
        };
        lines.filter_map(life).collect()
    }

    /// The process that works here, while it runs; `None` when nothing is left to heal.
    pub fn worker(&self) -> Option<Option<u32>> {
        let line = remembered(&self.path)?;
        Some(goes_on(&line))
    }

    /// Nothing is left to heal.
    pub fn forget(&self) {
        // Left behind, it costs a sweep that finds nothing.
        let _ = fs::remove_file(self.path.join(HEAL));
    }

    /// The runs below `output` that were not seen to end, and whose processes are gone.
    ///
    /// # Errors
    /// When `output` can't be read.
    pub fn unhealed(output: &Path) -> io::Result<Vec<(Self, RunId)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(output)?.flatten() {
            let path = entry.path();
            if path.is_symlink() {
                continue;
            }
            let Some(line) = remembered(&path) else { continue };
            let Some(run) = line["run"].as_str() else { continue };
            // A run that goes on heals itself.
            if goes_on(&line).is_some() {
                continue;
            }
            // Where it was made: this command may have been given another TMPDIR.
            let id = RunId::given(run);
            let id = match line["scratch"].as_str().map(Path::new) {
                // The file may be damaged or somebody's: only a folder that bears the run's name may be removed.
                Some(scratch) if scratch.file_name() != id.scratch().file_name() || scratch.is_symlink() => continue,
                Some(scratch) => id.in_scratch(scratch),
                None => id,
            };
            found.push((Self { path }, id));
        }
        Ok(found)
    }

    /// Writes down which scenarios shall be run: one that never was must not be forgotten.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn plan(&self, scenarios: &[String], left_out: &[LeftOut]) -> io::Result<()> {
        let left_out = left_out.iter().map(|left| format!("{}\t{}", left.scenario, left.why));
        let lines: Vec<String> = scenarios.iter().cloned().chain(left_out).collect();
        self.write(PLANNED, &format!("{}\n", lines.join("\n")))
    }

    /// Which scenarios were to be run, and which could not be; none where that was never written down.
    pub fn planned(&self) -> (Vec<String>, Vec<LeftOut>) {
        let text = fs::read_to_string(self.path.join(PLANNED)).unwrap_or_default();
        let (mut planned, mut left_out) = (Vec::new(), Vec::new());
        for line in text.lines() {
            match line.split_once('\t') {
                Some((scenario, why)) => left_out.push(LeftOut {
                    scenario: scenario.to_owned(),
                    why: why.to_owned(),
                }),
                None => planned.push(line.to_owned()),
            }
        }
        (planned, left_out)
    }

    /// Removes what was cut off while it was made, and the way in for orders.
    pub fn remove_partial(&self) {
        for name in [SOCKET, TOKEN] {
            let _ = fs::remove_file(self.path.join(name));
        }
        if let (Some(output), Some(id)) = (self.path.parent(), self.path.file_name()) {
            let _ = fs::remove_file(output.join(format!(".latest-{}", id.to_string_lossy())));
        }
        let Ok(entries) = fs::read_dir(&self.path) else { return };
        for entry in entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().ends_with(PARTIAL))
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn remembered(folder: &Path) -> Option<serde_json::Value> {
    let text = fs::read_to_string(folder.join(HEAL)).ok()?;
    serde_json::from_str(text.lines().next()?).ok()
}

/// The process a `heal.jsonl` names, if it runs. Its number alone may be another's by now.
fn goes_on(line: &serde_json::Value) -> Option<u32> {
    let pid = u32::try_from(line["pid"].as_u64()?).ok()?;
    let started = line["started"].as_u64();
    (processes::runs(pid) && processes::stat(pid).map(|stat| stat.started) == started).then_some(pid)
}

/// The socket orders come in by, while there is one.
pub const SOCKET: &str = "control.sock";

/// What every order must carry, for nobody's eyes but the owner's.
pub const TOKEN: &str = "control.token";

/// The ending of what is being made.
pub const PARTIAL: &str = ".partial";

/// The scenarios that were to be run, a line each; one that can't be with a tab and why.
const PLANNED: &str = "scenarios.txt";

/// What there may be to heal: there from before the first process until after the last. The run in its first line, then
/// a line for each process.
const HEAL: &str = "heal.jsonl";

/// All journals of a run's folder, in the order they were opened; or the one journal `path` names.
///
/// # Errors
/// The first that can't be read, or that there is none.
pub fn journals(path: &Path) -> Result<Vec<Journal>, Unreadable> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |cause| Unreadable::Io { path, cause }
    };
    let mut files = Vec::new();
    if path.is_file() {
        files.push(path.to_owned());
    } else {
        if path.join(JOURNAL).is_file() {
            files.push(path.join(JOURNAL));
        }
        for entry in fs::read_dir(path).map_err(io(path))? {
            let file = entry.map_err(io(path))?.path().join(JOURNAL);
            if file.is_file() {
                files.push(file);
            }
        }
    }
    let mut journals = Vec::new();
    for file in files {
        journals.push(journal(&file)?);
    }
    journals.sort_by(|one: &Journal, other: &Journal| one.header().opened.cmp(&other.header().opened));
    if journals.is_empty() {
        Err(Unreadable::None(path.to_owned()))
    } else {
        Ok(journals)
    }
}

fn journal(file: &Path) -> Result<Journal, Unreadable> {
    let io = |cause| Unreadable::Io {
        path: file.to_owned(),
        cause,
    };
    let bad = |cause| Unreadable::Bad {
        path: file.to_owned(),
        cause,
    };
    let mut reader = BufReader::with_capacity(256 * 1024, fs::File::open(file).map_err(io)?);
    let (mut lines, mut line) = (Lines::default(), String::new());
    while reader.read_line(&mut line).map_err(io)? > 0 {
        lines.take(&line).map_err(bad)?;
        line.clear();
    }
    lines.end().map_err(bad)
}

/// The journal's file name.
pub const JOURNAL: &str = "journal.jsonl";
