//! What is wrong with a file, shown where it is wrong: all mistakes at once, each with its line, a
//! caret and a hint.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode,
    SourceSpan, SpanContents,
};

/// One thing wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// What is wrong, in one line.
    pub message: String,
    /// What stands under the caret.
    pub label: String,
    /// How to put it right.
    pub help: Option<String>,
    /// Where: offset and length in bytes of the file's text.
    pub span: (usize, usize),
}

/// Everything wrong with one file, in the order of its lines.
#[derive(Debug, Clone)]
pub struct Mistakes {
    // Private, because showing relies on sorted spans inside the text.
    file: String,
    text: Arc<str>,
    list: Vec<Mistake>,
}

/// More than anyone reads at once; showing one costs a walk through the text.
const MOST_SHOWN: usize = 50;

impl Mistakes {
    /// Collects `list`, sorted by place. A span that leaves the text is cut to it.
    pub fn new(file: impl Into<String>, text: Arc<str>, mut list: Vec<Mistake>) -> Self {
        for mistake in &mut list {
            let (offset, length) = mistake.span;
            let start = text.floor_char_boundary(offset);
            let end = text.floor_char_boundary(offset.saturating_add(length));
            mistake.span = (start, end - start);
        }
        list.sort_by_key(|mistake| mistake.span);
        let file = file.into();
        Self { file, text, list }
    }

    /// The file's name, as the user wrote it.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The file's whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The mistakes, sorted by place; their spans lie inside the text.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// For a terminal of `width` columns: each mistake with its source line, caret and hint. The first
    /// fifty are shown, then how many more there are.
    pub fn render(&self, colour: bool, width: usize) -> String {
        let theme = match colour {
            true => GraphicalTheme::unicode(),
            false => GraphicalTheme::unicode_nocolor(),
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_links(false);
        let mut out = String::new();
        for mistake in self.list.iter().take(MOST_SHOWN) {
            let placed = Placed { mistake, file: self };
            if handler.render_report(&mut out, &placed).is_err() {
                // Not reachable with a String; the message must not be lost if it ever is.
                out.push_str(&mistake.message);
            }
            out.push('\n');
        }
        match self.list.len().saturating_sub(MOST_SHOWN) {
            0 => {}
            more => out.push_str(&format!("… and {more} more\n")),
        }
        out
    }

    /// One line per mistake, for machines and narrow places: `file:line:column: message (help)`.
    /// Lines and columns count from 1, columns in characters.
    pub fn plain(&self) -> String {
        let mut out = String::new();
        let mut from = (0, 1);
        for mistake in &self.list {
            let (line, column) = self.line_and_column(mistake.span.0, from);
            // The list is sorted: no line is counted twice.
            from = (mistake.span.0, line);
            let (file, message) = (&self.file, &mistake.message);
            let help = match &mistake.help {
                Some(help) => format!(" ({help})"),
                None => String::new(),
            };
            let text = format!("{file}:{line}:{column}: {message}{help}");
            // A message may quote the file, and so may hold a line break.
            out.push_str(&text.replace(['\n', '\r'], " "));
            out.push('\n');
        }
        out
    }

    /// Of `offset`, counting from an earlier offset whose line is known.
    fn line_and_column(&self, offset: usize, (start, line): (usize, usize)) -> (usize, usize) {
        let newlines = self.text[start..offset].matches('\n').count();
        let line_start = self.text[..offset].rfind('\n').map_or(0, |at| at + 1);
        let column = self.text[line_start..offset].chars().count() + 1;
        (line + newlines, column)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.list.as_slice() {
            [only] => write!(f, "{}: {}", self.file, only.message),
            list => write!(f, "{}: {} mistakes", self.file, list.len()),
        }
    }
}

impl Error for Mistakes {}

impl Diagnostic for Mistakes {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.list.iter().map(|it| it as &dyn Diagnostic)))
    }
}

impl SourceCode for Mistakes {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let read = self.text.read_span(span, before, after)?;
        // Miette counts columns in bytes; both forms here should say the same.
        let (_, column) = self.line_and_column(read.span().offset(), (0, 1));
        Ok(Box::new(MietteSpanContents::new_named(
            self.file.clone(),
            read.data(),
            *read.span(),
            read.line(),
            column - 1,
            read.line_count(),
        )))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Mistake {}

impl Diagnostic for Mistake {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.help.as_ref()?;
        Some(Box::new(help))
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let (offset, length) = self.span;
        let label = (!self.label.is_empty()).then(|| self.label.clone());
        let label = LabeledSpan::new(label, offset, length);
        Some(Box::new(std::iter::once(label)))
    }
}

/// A mistake together with its file, so that it can be shown alone.
#[derive(Debug)]
struct Placed<'a> {
    mistake: &'a Mistake,
    file: &'a Mistakes,
}

impl fmt::Display for Placed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mistake.fmt(f)
    }
}

impl Error for Placed<'_> {}

impl Diagnostic for Placed<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(self.file)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.mistake.help()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.mistake.labels()
    }
}

/// The candidate which `word` is most likely a slip of, if any is close: up to one edit in three
/// letters, where swapping two neighbours is one edit, and case and `-` for `_` cost nothing. Of
/// dotted names, the leading parts that agree do not make the rest any closer.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = plain_word(word);
    candidates
        .into_iter()
        .filter_map(|candidate| Some((distance(&word, &plain_word(candidate))?, candidate)))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}

/// Edits from one word to the other; `None` if they are not close.
fn distance(one: &str, other: &str) -> Option<usize> {
    let agreeing = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b);
    let end = agreeing.enumerate().filter(|(_, (byte, _))| *byte == b'.').last();
    let shared = end.map_or(0, |(at, _)| at + 1);
    let (one, other) = (&one[shared..], &other[shared..]);
    let (length, other_length) = (one.chars().count(), other.chars().count());
    let longest = length.max(other_length);
    let allowed = longest.div_ceil(3).min(longest.saturating_sub(1));
    // Also spares a long walk over a word that cannot be close.
    if length.abs_diff(other_length) > allowed {
        return None;
    }
    let edits = strsim::damerau_levenshtein(one, other);
    (edits <= allowed).then_some(edits)
}

fn plain_word(word: &str) -> String {
    word.to_lowercase().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Mistakes {
        let text = "wörkload: 3\nchecks: [none]\n";
        let mistake = |word: &str, message: &str, help: Option<&str>| Mistake {
            message: message.to_owned(),
            label: "here".to_owned(),
            help: help.map(str::to_owned),
            span: (text.find(word).unwrap(), word.len()),
        };
        let list = vec![
            mistake("none", "unknown check `none`", None),
            mistake("wörkload", "unknown key `wörkload`", Some("did you mean `workload`?")),
        ];
        Mistakes::new("a.yaml", text.into(), list)
    }

    #[test]
    fn all_mistakes_are_shown_in_the_order_of_their_lines() {
        insta::assert_snapshot!(two().render(false, 80));
    }

    #[test]
    fn colours_are_only_there_when_asked_for() {
        assert!(two().render(true, 80).contains("\u{1b}["));
        assert!(!two().render(false, 80).contains('\u{1b}'));
    }

    #[test]
    fn the_plain_form_is_one_line_per_mistake() {
        insta::assert_snapshot!(two().plain());
    }

    #[test]
    fn miette_shows_the_same_mistakes_when_it_is_the_reporter() {
        let mut out = String::new();
        GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
            .render_report(&mut out, &two())
            .unwrap();
        assert!(out.contains("a.yaml:1:1") && out.contains("a.yaml:2:10"), "{out}");
    }

    #[test]
    fn a_span_outside_the_text_is_cut_to_it() {
        let Mistakes { file, text, mut list } = two();
        list[0].span = (9_999, 3);
        list[1].span = (2, usize::MAX);
        let mistakes = Mistakes::new(file, text, list);
        assert!(mistakes.render(false, 40).contains("unknown check"));
        assert!(mistakes.plain().starts_with("a.yaml:1:2: "));
    }

    #[test]
    fn slips_of_the_finger_find_their_word() {
        let words = ["workload", "checks", "on", "within"];
        assert_eq!(nearest("worklaod", words), Some("workload"));
        assert_eq!(nearest("Check", words), Some("checks"));
        assert_eq!(nearest("no", words), Some("on"));
        assert_eq!(nearest("whithin", words), Some("within"));
        assert_eq!(nearest("x", words), None);
        assert_eq!(nearest("throughput", words), None);
        assert_eq!(nearest("", words), None);
        let names = ["level.tasks", "level.rate"];
        assert_eq!(nearest("level.taks", names), Some("level.tasks"));
        assert_eq!(nearest("lvel.rate", names), Some("level.rate"));
        assert_eq!(nearest("level.none", names), None);
    }
}
