//! What words usually mean: states, fields and paths have no standard, but habits.

/// What a task's state may mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Meaning {
    Waiting,
    Running,
    Done,
    Dead,
    Cancelled,
}

impl Meaning {
    /// All, with their keys in a system file; the first three must be there.
    pub(super) const ALL: [(Meaning, &'static str); 5] = [
        (Meaning::Waiting, "waiting"),
        (Meaning::Running, "running"),
        (Meaning::Done, "done"),
        (Meaning::Dead, "dead"),
        (Meaning::Cancelled, "cancelled"),
    ];

    /// What a word most likely means.
    pub(super) fn of(word: &str) -> Option<Self> {
        let word = folded(word);
        let is = |words: &str| words.split(' ').any(|one| one == word);
        if is(
            "pending queued waiting retrying retry scheduled created new accepted submitted enqueued deferred received backoff delayed ready todo",
        ) {
            Some(Meaning::Waiting)
        } else if is(
            "running inprogress processing active started working executing claimed leased locked doing inflight",
        ) {
            Some(Meaning::Running)
        } else if is("done completed complete succeeded success successful finished fulfilled processed ok") {
            Some(Meaning::Done)
        } else if is(
            "dead failed failure error errored exhausted rejected abandoned expired deadletter discarded givenup",
        ) {
            Some(Meaning::Dead)
        } else if is("cancelled canceled aborted revoked stopped") {
            Some(Meaning::Cancelled)
        } else {
            None
        }
    }
}

/// A word without case and joints: `inProgress`, `in_progress` and `IN-PROGRESS` are one.
pub(super) fn folded(word: &str) -> String {
    word.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

/// Whether a name is one of `words`, folded.
pub(super) fn named(name: &str, words: &str) -> bool {
    let name = folded(name);
    words.split(' ').any(|word| word == name)
}

/// Whether the last step of a path is one of `words`.
pub(super) fn ends(path: &str, words: &str) -> bool {
    path.rsplit('/')
        .find(|step| !step.is_empty())
        .is_some_and(|step| named(step, words))
}
