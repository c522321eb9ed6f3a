//! The page that is written: lines, and beside them why they are what they are.

use serde_json::Value;

use super::{Draft, Todo};

/// The lines so far.
#[derive(Debug, Default)]
pub(super) struct Page {
    lines: Vec<(String, Option<Note>)>,
}

/// What stands beside a line.
#[derive(Debug, Clone)]
pub(super) enum Note {
    /// Nobody said so; why it is likely.
    Guess(String),
    /// What to write there.
    Todo(String),
}

impl Note {
    pub(super) fn guess(why: impl Into<String>) -> Self {
        Note::Guess(why.into())
    }
}

impl Page {
    /// A line that is known.
    pub(super) fn say(&mut self, indent: usize, text: impl AsRef<str>) {
        self.lines.push((indented(indent, text.as_ref()), None));
    }

    /// A line with something beside it.
    pub(super) fn note(&mut self, indent: usize, text: impl AsRef<str>, note: Note) {
        self.lines.push((indented(indent, text.as_ref()), Some(note)));
    }

    /// A line that is a guess.
    pub(super) fn guess(&mut self, indent: usize, text: impl AsRef<str>, why: impl Into<String>) {
        self.note(indent, text, Note::guess(why));
    }

    /// A line that says what to write there.
    pub(super) fn todo(&mut self, indent: usize, what: impl Into<String>) {
        self.note(indent, "", Note::Todo(what.into()));
    }

    /// The whole.
    pub(super) fn finish(self) -> Draft {
        let mut draft = Draft {
            text: String::new(),
            guesses: 0,
            todo: Vec::new(),
        };
        for (number, (text, note)) in self.lines.into_iter().enumerate() {
            let gap = if text.trim().is_empty() { "" } else { "  " };
            draft.text += &match note {
                None => text,
                Some(Note::Guess(why)) => {
                    draft.guesses += 1;
                    format!("{text}{gap}# guessed: {}", one_line(&why))
                }
                Some(Note::Todo(what)) => {
                    let what = one_line(&what);
                    let line = format!("{text}{gap}# TODO: {what}");
                    draft.todo.push(Todo { line: number + 1, what });
                    line
                }
            };
            draft.text.push('\n');
        }
        draft
    }
}

fn indented(indent: usize, text: &str) -> String {
    format!("{:indent$}{}", "", one_line(text))
}

/// What others wrote must not begin a line of its own.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'], " ")
}

/// A name out of letters, digits and dashes.
pub(super) fn slug(text: &str) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let dashed: String = text.chars().map(letter).collect();
    let words: Vec<&str> = dashed.split('-').filter(|word| !word.is_empty()).collect();
    words.join("-")
}

/// Text as one YAML scalar, plain where that is safe anywhere, quoted otherwise.
pub(super) fn scalar(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || "/$".contains(c))
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-./@$".contains(c))
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    match plain {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

/// A value in one line.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| format!("{}: {}", scalar(key), flow(value));
            format!("{{ {} }}", map.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// Text of another file, where `${` means nothing.
pub(super) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_yaml_would_take_for_something_else_is_quoted() {
        for (text, written) in [
            ("pending", "pending"),
            ("/v1/jobs", "/v1/jobs"),
            ("$.data.id", "$.data.id"),
            ("yes", "\"yes\""),
            ("8080", "\"8080\""),
            ("/jobs/${id}", "\"/jobs/${id}\""),
            ("a: b # c", "\"a: b # c\""),
            ("", "\"\""),
        ] {
            assert_eq!(scalar(text), written);
        }
        assert_eq!(flow(&json!({"a": ["x", 1], "b": {}})), "{ a: [x, 1], b: {} }");
    }

    #[test]
    fn nothing_taken_from_a_file_begins_a_line_of_its_own() {
        let mut page = Page::default();
        page.guess(2, "name: x", "it says\nentry: evil");
        page.todo(2, "write\r\nsomething");
        let draft = page.finish();
        assert_eq!(draft.text.lines().count(), 2);
        assert_eq!(draft.todo[0].line, 2);
    }
}
