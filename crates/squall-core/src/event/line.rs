//! What a log line speaks of.

/// What a log line is, by its words: systems agree on no more than these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line {
    /// A panic.
    Panic,
    /// An error.
    Error,
    /// A warning.
    Warning,
    /// None of these.
    Plain,
}

/// What kind of line this is.
pub fn line(text: &str) -> Line {
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["panicked at", "panic:"]) {
        Line::Panic
    } else if says(&["error", "fatal"]) {
        Line::Error
    } else if says(&["warn"]) {
        Line::Warning
    } else {
        Line::Plain
    }
}
