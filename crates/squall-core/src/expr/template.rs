//! Texts with holes: `GET /tasks/${id}` is the text `GET /tasks/` and the hole `id`.

/// A part of a text with holes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Text as it stands.
    Text(&'a str),
    /// `$${`, which means a plain `${`.
    Escape,
    /// `${inner}`, as a whole `raw`.
    Hole {
        /// What is between the braces.
        inner: &'a str,
        /// The hole with its braces.
        raw: &'a str,
    },
    /// `${` without its `}`: everything after it.
    Unclosed {
        /// What follows the opening brace.
        rest: &'a str,
        /// The same with its opening brace.
        raw: &'a str,
    },
}

/// Cuts `text` into its pieces, in order; together they are the whole text.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, length) = first(rest);
        rest = &rest[length..];
        Some(piece)
    })
}

/// The first piece of a text that is not empty, and its length in bytes.
fn first(text: &str) -> (Piece<'_>, usize) {
    if text.starts_with("$${") {
        return (Piece::Escape, 3);
    }
    let Some(opened) = text.strip_prefix("${") else {
        let end = next_special(text);
        return (Piece::Text(&text[..end]), end);
    };
    match closing_brace(opened) {
        Some(end) => {
            let (inner, raw) = (&opened[..end], &text[..end + 3]);
            (Piece::Hole { inner, raw }, raw.len())
        }
        None => {
            let (rest, raw) = (opened, text);
            (Piece::Unclosed { rest, raw }, text.len())
        }
    }
}

/// Where plain text ends: at the next `${` or `$${`.
fn next_special(text: &str) -> usize {
    match text.find("${") {
        Some(at) if text[..at].ends_with('$') => at - 1,
        Some(at) => at,
        None => text.len(),
    }
}

/// Where the `}` is that closes a hole; one inside quotes does not.
fn closing_brace(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| {
        match (quote, c) {
            (None, '}') => return Some(at),
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            _ => {}
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<Piece<'_>> {
        pieces(text).collect()
    }

    #[test]
    fn a_text_is_cut_into_text_holes_and_escapes() {
        let hole = Piece::Hole {
            inner: "b",
            raw: "${b}",
        };
        assert_eq!(
            cut("a${b}c$${d}"),
            [
                Piece::Text("a"),
                hole,
                Piece::Text("c"),
                Piece::Escape,
                Piece::Text("d}")
            ]
        );
    }

    #[test]
    fn a_brace_in_quotes_does_not_close_a_hole() {
        let inner = "max('}', \"'}\")";
        let raw = format!("${{{inner}}}");
        assert_eq!(cut(&raw), [Piece::Hole { inner, raw: &raw }]);
    }

    #[test]
    fn a_hole_that_is_not_closed_takes_the_rest() {
        assert_eq!(
            cut("a${b c"),
            [
                Piece::Text("a"),
                Piece::Unclosed {
                    rest: "b c",
                    raw: "${b c"
                }
            ]
        );
    }

    #[test]
    fn a_lone_dollar_is_text() {
        assert_eq!(cut("$5 $ {x} $$"), [Piece::Text("$5 $ {x} $$")]);
        assert_eq!(cut("$$"), [Piece::Text("$$")]);
    }
}
