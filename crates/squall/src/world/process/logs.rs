//! What instances write: into a file each, and into the journal, without secrets.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use squall_core::event::{Fact, Line, NoteKind, line as kind, shortened};
use squall_core::place::Instance;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

use super::super::Trouble;
use crate::store::Recorder;

/// The journal takes so many lines a second from an instance; the file takes all.
const PER_SECOND: u32 = 200;
/// Longer lines are cut in the journal.
const LONGEST: usize = 500;
/// So many last lines are kept for error messages.
const LAST: usize = 12;

/// Where one instance's output goes, across its restarts.
#[derive(Debug, Clone)]
pub(super) struct Log {
    instance: Instance,
    recorder: Recorder,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    last: std::collections::VecDeque<String>,
    second: u64,
    lines: u32,
    left_out: u64,
}

impl Log {
    pub(super) fn open(folder: &Path, instance: &Instance, recorder: Recorder) -> Result<Self, Trouble> {
        let path = folder.join(format!("{instance}.log"));
        let file = File::create(&path).map_err(Trouble::io(path.display().to_string()))?;
        let inner = Inner {
            file,
            last: Default::default(),
            second: 0,
            lines: 0,
            left_out: 0,
        };
        Ok(Self {
            instance: instance.clone(),
            recorder,
            inner: Arc::new(Mutex::new(inner)),
        })
    }

    /// Takes everything `from` says until it ends.
    pub(super) async fn take(self, from: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(from);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            self.line(String::from_utf8_lossy(&line).trim_end());
            line.clear();
        }
    }

    fn line(&self, line: &str) {
        let masked = self.recorder.secrets().mask(line);
        let at = self.recorder.now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not end the run by way of a log file: the journal says so by itself.
        let _ = writeln!(inner.file, "{:>10.3} {masked}", at as f64 / 1e9);
        if inner.last.len() == LAST {
            inner.last.pop_front();
        }
        inner.last.push_back(masked.clone());
        if inner.second != at / 1_000_000_000 {
            inner.second = at / 1_000_000_000;
            inner.lines = 0;
        }
        inner.lines += 1;
        // However much is written, a panic is news.
        if inner.lines > PER_SECOND && kind(&masked) != Line::Panic {
            inner.left_out += 1;
            return;
        }
        drop(inner);
        self.recorder.record(Fact::Log {
            instance: self.instance.clone(),
            line: shortened(&masked, LONGEST).to_owned(),
        });
    }

    /// The last lines, for error messages.
    pub(super) fn last(&self) -> String {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner
            .last
            .iter()
            .map(|line| format!("  {line}"))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Says in the journal how many lines only the file has.
    pub(super) fn finish(&self) {
        let left_out = self.inner.lock().unwrap_or_else(PoisonError::into_inner).left_out;
        if left_out > 0 {
            let text = format!("{} lines of {} are only in its log file", left_out, self.instance);
            self.recorder.record(Fact::Note {
                kind: NoteKind::Unlogged,
                text,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::Secrets;

    #[tokio::test]
    async fn a_panic_reaches_the_journal_however_much_stands_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = folder.path().join("journal.jsonl");
        let recorder = Recorder::open(&journal, Secrets::default()).unwrap();
        let instance = Instance::new("server", 1);
        let log = Log::open(folder.path(), &instance, recorder.clone()).unwrap();
        let written = format!(
            "{{\"fields\": \"{}\", \"message\": \"panicked at main.rs:7\"}}\n",
            "x".repeat(2 * LONGEST)
        );
        log.take(written.as_bytes()).await;
        recorder.flush().unwrap();
        let text = std::fs::read_to_string(&journal).unwrap();
        assert!(text.contains("panicked at main.rs:7"), "{text}");
        assert!(text.len() < 2 * LONGEST, "{text}");
    }
}
