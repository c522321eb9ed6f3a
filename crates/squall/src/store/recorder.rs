//! The journal's one writer: numbers and stamps every fact, and has it on disk before a fault acts.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use squall_core::event::{Event, EventId, Fact};
use squall_core::time::{Nanos, nanos};

use crate::secrets::Secrets;

/// Facts wait here at most this long before they are handed to the kernel.
const LINGER: Duration = Duration::from_millis(50);
/// At most so many bytes wait.
const FULL: usize = 256 * 1024;

/// Writes the journal. Cheap to clone; all clones write one file.
#[derive(Debug, Clone)]
pub struct Recorder {
    origin: Instant,
    secrets: Secrets,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    buffer: Vec<u8>,
    last: EventId,
    /// Who else wants to see events as they are written: the live view.
    watcher: Option<Sender<Event>>,
    /// The first error, kept: a journal with a hole is no evidence.
    broken: Option<io::Error>,
    closed: bool,
}

impl Recorder {
    /// Opens a new journal at `path`; its clock starts now.
    ///
    /// # Errors
    /// When the file can't be made, or exists.
    pub fn open(path: &Path, secrets: Secrets) -> io::Result<Self> {
        let file = File::options().write(true).create_new(true).open(path)?;
        let inner = Inner {
            file,
            buffer: Vec::with_capacity(FULL),
            last: 0,
            watcher: None,
            broken: None,
            closed: false,
        };
        let recorder = Self {
            origin: Instant::now(),
            secrets,
            inner: Arc::new(Mutex::new(inner)),
        };
        let lingering = Arc::downgrade(&recorder.inner);
        std::thread::Builder::new().name("journal".to_owned()).spawn(move || {
            while let Some(inner) = lingering.upgrade() {
                let mut inner = lock(&inner);
                inner.hand_over();
                if inner.closed {
                    break;
                }
                drop(inner);
                std::thread::sleep(LINGER);
            }
        })?;
        Ok(recorder)
    }

    /// From now on `watcher` is sent every event besides the probes' many looks.
    pub fn watch(&self, watcher: Sender<Event>) {
        lock(&self.inner).watcher = Some(watcher);
    }

    /// Writes a fact down; it is on its way to disk within 50 ms.
    pub fn record(&self, fact: Fact) -> EventId {
        let mut inner = lock(&self.inner);
        if inner.closed {
            // What is still seen afterwards is no part of the run.
            return inner.last;
        }
        let id = inner.last + 1;
        inner.last = id;
        // The end is the last there is, however long it takes until it is on the disk.
        inner.closed = matches!(fact, Fact::Closed { .. });
        let event = Event {
            id,
            at: self.now(),
            fact,
        };
        let start = inner.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut inner.buffer, &event) {
            inner.broken.get_or_insert_with(|| io::Error::other(error));
        }
        let mut event = event;
        if self.secrets.find(&inner.buffer[start..]) {
            let line = String::from_utf8_lossy(&inner.buffer[start..]).into_owned();
            inner.buffer.truncate(start);
            let (masked, line) = masked(&self.secrets, event, &line);
            event = masked;
            inner.buffer.extend_from_slice(line.as_bytes());
        }
        inner.buffer.push(b'\n');
        if let Some(watcher) = &inner.watcher
            && !matches!(
                event.fact,
                Fact::Pulse(_)
                    | Fact::Usage(_)
                    | Fact::Machine(_)
                    | Fact::Connections { .. }
                    | Fact::Database(_)
                    | Fact::Shortage { .. }
                    | Fact::Skew { .. }
            )
        {
            // A view that went away is no reason to stop.
            let _ = watcher.send(event);
        }
        if inner.buffer.len() >= FULL {
            inner.hand_over();
        }
        id
    }

    /// Writes a fact down and has it in the kernel's hands before returning: it then survives any
    /// death of this process. For what is about to act.
    ///
    /// # Errors
    /// The first error the journal met, now or before: nothing may act without a journal.
    pub fn record_ahead(&self, fact: Fact) -> io::Result<EventId> {
        let id = self.record(fact);
        self.flush()?;
        Ok(id)
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// The first error the journal met, now or before.
    pub fn flush(&self) -> io::Result<()> {
        let mut inner = lock(&self.inner);
        inner.hand_over();
        match &inner.broken {
            Some(error) => Err(io::Error::new(error.kind(), error.to_string())),
            None => Ok(()),
        }
    }

    /// Has everything on the disk itself: at the borders between the parts of a run.
    ///
    /// # Errors
    /// The first error the journal met, now or before.
    pub fn sync(&self) -> io::Result<()> {
        self.flush()?;
        lock(&self.inner).file.sync_data()
    }

    /// Ends the journal.
    ///
    /// # Errors
    /// The first error the journal met, now or before.
    pub fn close(&self) -> io::Result<()> {
        let synced = self.sync();
        let mut inner = lock(&self.inner);
        inner.closed = true;
        // Whoever watches waits for the end, and clones of this may outlive it.
        inner.watcher = None;
        synced
    }

    /// The journal's clock, now.
    pub fn now(&self) -> Nanos {
        nanos(self.origin.elapsed())
    }

    /// The journal's clock at `instant`.
    pub fn at(&self, instant: Instant) -> Nanos {
        nanos(instant.saturating_duration_since(self.origin))
    }

    /// The moment the journal's clock shows `at`.
    pub fn instant(&self, at: Nanos) -> Instant {
        self.origin + Duration::from_nanos(at)
    }

    /// What is removed from everything written.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }
}

impl Inner {
    fn hand_over(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        if self.broken.is_none() {
            self.broken = self.file.write_all(&self.buffer).err();
        }
        self.buffer.clear();
    }
}

/// An event without secrets, and its line. A secret may be spelled like a word of the journal's
/// own, which must stay readable: then only values give way, as far as they can.
fn masked(secrets: &Secrets, event: Event, line: &str) -> (Event, String) {
    let masked = secrets.mask(line);
    if let Ok(event) = serde_json::from_str(&masked) {
        return (event, masked);
    }
    let Ok(mut value) = serde_json::from_str::<Value>(line) else {
        return (event, masked);
    };
    for pointer in texts(&value, String::new()) {
        let mut tried = value.clone();
        if let Some(Value::String(text)) = tried.pointer_mut(&pointer) {
            *text = secrets.mask(text);
        }
        if Event::deserialize(&tried).is_ok() {
            value = tried;
        }
    }
    match Event::deserialize(&value) {
        Ok(event) => (event, value.to_string()),
        Err(_) => (event, masked),
    }
}

/// The pointers of all texts in `value`.
fn texts(value: &Value, at: String) -> Vec<String> {
    match value {
        Value::String(_) => vec![at],
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .flat_map(|(index, item)| texts(item, format!("{at}/{index}")))
                .collect()
        }
        Value::Object(map) => {
            let step = |key: &String| key.replace('~', "~0").replace('/', "~1");
            map.iter()
                .flat_map(|(key, item)| texts(item, format!("{at}/{}", step(key))))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// A thread that died while writing leaves a whole buffer: events are appended in one piece.
fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use squall_core::event::{End, NoteKind, Phase};

    fn recorder(secrets: Secrets) -> (tempfile::TempDir, Recorder) {
        let folder = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(&folder.path().join("journal.jsonl"), secrets).unwrap();
        (folder, recorder)
    }

    #[test]
    fn nothing_comes_after_the_end_although_it_is_not_on_the_disk_yet() {
        let (folder, recorder) = recorder(Secrets::default());
        let end = End::Interrupted;
        recorder.record(Fact::Closed { end });
        recorder.record(Fact::Phase(Phase::Audit));
        recorder.close().unwrap();
        let text = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
    }

    #[test]
    fn what_is_recorded_ahead_is_in_the_file_at_once_and_in_order() {
        let (folder, recorder) = recorder(Secrets::default());
        recorder.record(Fact::Phase(Phase::Start));
        recorder.record_ahead(Fact::Phase(Phase::Storm)).unwrap();
        let text = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
        let events: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(events.iter().map(|event| event.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(events[1].fact, Fact::Phase(Phase::Storm));
    }

    #[test]
    fn a_secret_spelled_like_a_word_of_the_journal_leaves_it_readable() {
        let secrets = Secrets::default();
        secrets.add("instance");
        let (folder, recorder) = recorder(secrets);
        let (sender, seen) = std::sync::mpsc::channel();
        recorder.watch(sender);
        let line = "instance is the password".to_owned();
        let instance = "worker-1".parse().unwrap();
        recorder.record_ahead(Fact::Log { instance, line }).unwrap();
        let text = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
        let event: Event = serde_json::from_str(text.trim()).unwrap();
        assert!(
            matches!(&event.fact, Fact::Log { line, .. } if line == "‹secret› is the password"),
            "{text}"
        );
        // Who watches sees what is written, and no more.
        assert_eq!(seen.recv().unwrap(), event);
    }

    #[test]
    fn a_secret_never_reaches_the_file() {
        let secrets = Secrets::default();
        secrets.add("hunter2hunter2");
        let (folder, recorder) = recorder(secrets);
        recorder
            .record_ahead(Fact::Note {
                kind: NoteKind::Blind,
                text: "password is hunter2hunter2".to_owned(),
            })
            .unwrap();
        let text = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
        assert!(!text.contains("hunter2") && text.contains("password is"), "{text}");
    }
}
