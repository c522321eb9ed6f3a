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
    // Where a line names its level, that is its level, whatever its words.
    let level = text.split_whitespace().find_map(level);
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["panicked at", "panic:"]) {
        Line::Panic
    } else if let Some(level) = level {
        level
    } else if says(&["error", "fatal"]) {
        Line::Error
    } else if says(&["warn"]) {
        Line::Warning
    } else {
        Line::Plain
    }
}

/// The level a word names, as most logs write it.
fn level(word: &str) -> Option<Line> {
    match word.trim_matches(|c: char| !c.is_ascii_alphanumeric()) {
        "FATAL" | "ERROR" => Some(Line::Error),
        "WARN" | "WARNING" => Some(Line::Warning),
        "INFO" | "DEBUG" | "TRACE" => Some(Line::Plain),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_decides_and_without_one_the_words_do() {
        assert_eq!(line("10:00 WARN db: error returned"), Line::Warning);
        assert_eq!(line("[INFO] 0 errors"), Line::Plain);
        assert_eq!(line("ERROR: nobody warned us"), Line::Error);
        assert_eq!(line("an error occurred"), Line::Error);
        assert_eq!(line("warn: slow"), Line::Warning);
        assert_eq!(line("INFO thread 'main' panicked at x.rs"), Line::Panic);
    }
}
