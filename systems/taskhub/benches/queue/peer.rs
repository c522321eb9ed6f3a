//! Building the peer.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The peer's program, built if it isn't yet; `None`, and a word about it, if it can't be.
pub fn build() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("graphile_worker");
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), include_str!("peer/manifest.toml")).unwrap();
    fs::write(folder.join("src/main.rs"), include_str!("peer/worker.rs")).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["build", "--release", "--quiet", "--target-dir", "target"])
        .current_dir(&folder)
        .status();
    if built.is_ok_and(|status| status.success()) {
        return Some(folder.join("target/release/peer"));
    }
    eprintln!("graphile_worker is left out: it could not be built");
    None
}
