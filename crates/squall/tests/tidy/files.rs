//! The repository's files, as a fresh clone has them.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that hold nothing written by people.
const MADE: [&str; 7] = [".git", "target", "tmp", "book", "corpus", "artifacts", "node_modules"];

/// A text of the repository.
pub(crate) struct File {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    /// Whether the whole file is tests.
    pub(crate) fn is_test(&self) -> bool {
        self.path.contains("/tests/")
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text, in order of its path.
pub(crate) fn all() -> Vec<File> {
    let root = root();
    let mut folders = vec![root.clone()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let kind = entry.file_type().unwrap();
            if MADE.contains(&name.as_str()) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(text) = fs::read_to_string(entry.path())
            {
                let path = entry.path().strip_prefix(&root).unwrap().display().to_string();
                files.push(File { path, text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(files.len() > 100, "the repository's files were not found");
    files
}

/// Every Rust file but these rules, which must spell out what they forbid.
pub(crate) fn rust() -> Vec<File> {
    let rules = |path: &str| path.starts_with("crates/squall/tests/tidy");
    all()
        .into_iter()
        .filter(|file| file.path.ends_with(".rs") && !rules(&file.path))
        .collect()
}

/// One text, which must be there.
pub(crate) fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}; write it"))
}
