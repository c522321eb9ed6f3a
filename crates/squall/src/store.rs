//! What a run leaves on disk: its folder, and in it one journal for each scenario.

mod folder;
mod recorder;

pub use folder::{Folder, JOURNAL, PARTIAL, RunId, SOCKET, TOKEN, Unreadable, journals};
pub use recorder::Recorder;
