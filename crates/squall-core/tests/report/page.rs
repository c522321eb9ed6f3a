//! Reading a page as strictly as a test needs: every element closed, every link landing, nothing from outside.

use std::collections::BTreeSet;

/// Elements HTML never closes.
const VOID: [&str; 3] = ["meta", "br", "hr"];

/// Elements that begin a line of words.
const BLOCKS: [&str; 10] = ["tr", "p", "li", "h1", "h2", "h3", "h4", "summary", "div", "a"];

/// A piece of a page.
enum Piece<'a> {
    Open { name: &'a str, attributes: &'a str },
    Close(&'a str),
    Text(&'a str),
}

/// Panics unless the page is well-formed, self-contained, and all its links land.
pub fn check(page: &str) {
    let mut open = Vec::new();
    let mut ids = BTreeSet::new();
    let mut links = BTreeSet::new();
    for piece in pieces(page) {
        match piece {
            Piece::Open { name, attributes } => {
                assert!(
                    !["script", "link", "img", "iframe", "object"].contains(&name),
                    "<{name}> is not ours"
                );
                if let Some(id) = attribute(attributes, "id") {
                    assert!(ids.insert(id), "the id {id} is there twice");
                }
                links.extend(attribute(attributes, "href"));
                assert_eq!(attribute(attributes, "src"), None);
                if !VOID.contains(&name) {
                    open.push(name);
                }
            }
            Piece::Close(name) => assert_eq!(open.pop(), Some(name), "closed out of order"),
            Piece::Text(_) => {}
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "never closed");
    for link in links {
        let id = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads outside"));
        assert!(ids.contains(id), "{link} leads nowhere");
    }
    for outside in [
        "http://",
        "https://",
        "url(//",
        "@import",
        "@font-face",
        "<b>by design</b>",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

/// The words of a page, one line for each piece of text outside pictures and style.
pub fn words(page: &str) -> String {
    let mut text = String::new();
    let mut hidden = 0;
    for piece in pieces(page) {
        match piece {
            Piece::Open {
                name: "svg" | "style", ..
            } => hidden += 1,
            Piece::Close("svg" | "style") => hidden -= 1,
            Piece::Open { name, .. } if BLOCKS.contains(&name) => text.push('\n'),
            Piece::Open { .. } if !text.ends_with([' ', '\n']) => text.push(' '),
            Piece::Text(words) if hidden == 0 => text.push_str(words),
            _ => {}
        }
    }
    let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = attributes.split_once(&format!(" {name}=\""))?;
    value.split_once('"').map(|(value, _)| value)
}

fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").expect("a document type");
    while let Some((text, after)) = rest.split_once('<') {
        assert!(!text.contains('>') || text.contains('{'), "a stray > in {text}");
        pieces.push(Piece::Text(text));
        let (tag, after) = after.split_once('>').expect("a tag ends");
        pieces.push(match tag.strip_prefix('/') {
            Some(name) => Piece::Close(name),
            None => {
                let end = tag.find(' ').unwrap_or(tag.len());
                Piece::Open {
                    name: &tag[..end],
                    attributes: &tag[end..],
                }
            }
        });
        rest = after;
    }
    pieces
}
