//! The access log: one line of JSON for each request, in a folder of its own.
//!
//! It is for people, and no answer depends on it. A thread writes it, so that a disk that hangs holds nobody up; a line
//! that can't be written is left out and counted, and the next one is tried again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use chrono::Utc;
use serde_json::json;

use crate::bug::Bug;
use crate::settings::Settings;

/// So many lines may wait to be written.
const WAITING: usize = 1024;
/// Then the file is put aside, and the one put aside before is gone.
const FULL: u64 = 1024 * 1024;

/// Where lines go; nowhere without a folder.
pub struct AccessLog {
    lines: Option<SyncSender<String>>,
    lost: Arc<AtomicU64>,
}

impl AccessLog {
    /// Starts the thread that writes it, where there is to be one.
    pub fn start(settings: &Settings) -> io::Result<Self> {
        let lost = Arc::new(AtomicU64::new(0));
        let Some(folder) = settings.server.access_log.clone() else {
            return Ok(Self { lines: None, lost });
        };
        let (lines, inbox) = sync_channel(WAITING);
        let writer = Writer {
            path: folder.join("access.log"),
            file: None,
            dies: settings.has(Bug::DiesOnDiskFull),
            lost: Arc::clone(&lost),
        };
        std::thread::Builder::new()
            .name("access log".to_owned())
            .spawn(move || writer.run(&inbox))?;
        let lines = Some(lines);
        Ok(Self { lines, lost })
    }

    /// Writes down a request that was answered.
    pub fn note(&self, method: &Method, path: &str, status: StatusCode, took: Duration) {
        let Some(lines) = &self.lines else { return };
        let line = json!({
            "at": Utc::now(),
            "method": method.as_str(),
            "path": path,
            "status": status.as_u16(),
            "micros": took.as_micros() as u64,
        });
        if lines.try_send(format!("{line}\n")).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many lines could not be written.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

struct Writer {
    path: PathBuf,
    /// The file and its length; opened when there is something to write.
    file: Option<(File, u64)>,
    dies: bool,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn run(mut self, inbox: &Receiver<String>) {
        let mut well = true;
        for line in inbox {
            let written = self.write(&line);
            if let Err(error) = &written {
                self.lost.fetch_add(1, Ordering::Relaxed);
                // What was written of the line is cut off with the file's end: the next begins a file anew or goes on.
                self.file = None;
                if well {
                    tracing::warn!(%error, "the access log can't be written, lines are left out");
                }
                if self.dies {
                    std::process::exit(1);
                }
            }
            well = written.is_ok();
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.file.as_ref().is_none_or(|(_, length)| *length > FULL) {
            self.file = Some(open(&self.path)?);
        }
        if let Some((file, length)) = &mut self.file {
            file.write_all(line.as_bytes())?;
            *length += line.len() as u64;
        }
        Ok(())
    }
}

/// Opens the file to add to it; a full one is put aside first.
fn open(path: &Path) -> io::Result<(File, u64)> {
    if fs::metadata(path).is_ok_and(|data| data.len() > FULL) {
        fs::rename(path, path.with_extension("log.1"))?;
    }
    let file = File::options().create(true).append(true).open(path)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(path: &Path) -> Writer {
        Writer {
            path: path.to_owned(),
            file: None,
            dies: false,
            lost: Arc::default(),
        }
    }

    #[test]
    fn a_full_file_is_put_aside_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut writer = writer(&path);
        let line = "x".repeat(1000);
        for _ in 0..3000 {
            writer.write(&line).unwrap();
        }
        let mut names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(names, ["access.log", "access.log.1"]);
        assert!(fs::metadata(path).unwrap().len() <= FULL + 1000);
    }

    #[test]
    fn lines_that_can_not_be_written_are_counted_and_the_next_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("later/access.log");
        let (lines, inbox) = sync_channel(WAITING);
        let lost = {
            let writer = writer(&path);
            let lost = Arc::clone(&writer.lost);
            lines.send("lost\n".to_owned()).unwrap();
            drop(lines);
            writer.run(&inbox);
            lost
        };
        assert_eq!(lost.load(Ordering::Relaxed), 1);
        fs::create_dir(folder.path().join("later")).unwrap();
        writer(&path).write("kept\n").unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "kept\n");
    }
}
