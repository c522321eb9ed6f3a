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

/// What lines of a panic say, in any case.
const PANIC: [&str; 2] = ["panicked at", "panic:"];

/// What kind of line this is.
pub fn line(text: &str) -> Line {
    // Where a line names its level, that is its level, whatever its words.
    let level = text.split_whitespace().find_map(level);
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&PANIC) {
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

/// At most `longest` bytes of a line: its beginning, or of a panic the part that says so, for what is left is judged.
pub fn shortened(text: &str, longest: usize) -> &str {
    // Lower case in ASCII moves nothing.
    let lower = text.to_ascii_lowercase();
    let word = PANIC
        .iter()
        .filter_map(|word| Some((lower.find(word)?, word.len())))
        .min();
    let from = match word {
        // What is lost comes before; what panicked stands behind.
        Some((at, length)) if at + length > longest => text.ceil_char_boundary(at.min(text.len() - longest)),
        _ => 0,
    };
    &text[from..text.floor_char_boundary(from + longest)]
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

    #[test]
    fn a_shortened_line_speaks_of_a_panic_wherever_that_stood() {
        for before in ["", "ä", "€", "a field=1 "] {
            for repeated in 0..60 {
                for after in ["", " src/main.rs:1:1: ä€", &"€ and more ".repeat(9)] {
                    let whole = format!("{}Panicked At{after}", before.repeat(repeated));
                    let short = shortened(&whole, 50);
                    assert!(short.len() <= 50, "{short}");
                    assert_eq!(line(short), Line::Panic, "{whole}: {short}");
                    assert!(whole.len() < 50 || short.len() >= 47, "{whole}: {short}");
                }
            }
        }
        assert_eq!(shortened("plain", 50), "plain");
        assert_eq!(shortened(&"é".repeat(40), 51), "é".repeat(25));
    }
}
