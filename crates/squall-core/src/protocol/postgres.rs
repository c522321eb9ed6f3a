//! PostgreSQL's protocol, version 3: messages with a letter and a length, and what statements say by their names.

mod replies;

use std::collections::HashMap;

use super::{Ask, Fate, Owes, Request};
pub(super) use replies::Replies;

/// No message is longer, as servers have it.
const LONGEST: usize = 1 << 30;
/// Of a message so much is looked at.
const LOOKED_AT: usize = 16 << 10;
/// So many statements and portals are remembered by their names, each at most so long.
const REMEMBERED: usize = 4096;
const NAME: usize = 256;
/// No word of SQL is longer.
const WORD: usize = 32;
/// How a start-up packet says what it is.
const VERSIONS: std::ops::Range<u32> = 196_608..262_144;
const CANCEL: u32 = 80_877_102;
const ENCRYPT: [u32; 2] = [80_877_103, 80_877_104];
/// No start-up packet is longer, as servers have it.
const LONGEST_START: usize = 10_000;

/// The name of something that does not exist, by which the server's error is known again.
const NOBODY: &str = "squall_intercepted";

/// What a client sends.
pub(super) struct Requests {
    /// The start-up packet has not come.
    starts: bool,
    /// Bytes to come of a message.
    left: usize,
    /// Nothing more is understood: a request to cancel another connection's statement.
    over: bool,
    statements: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, String>,
    /// Parts the open reply will have.
    pub(super) parts: u32,
    /// The message before was an order to execute, and no plain query.
    executed: bool,
}

impl Requests {
    pub(super) fn new(fresh: bool) -> Self {
        Self {
            starts: fresh,
            left: 0,
            over: false,
            statements: HashMap::new(),
            portals: HashMap::new(),
            parts: 0,
            executed: false,
        }
    }

    pub(super) fn next(&mut self, input: &[u8]) -> Ask {
        if self.over {
            return Ask::Over;
        }
        if input.is_empty() {
            return Ask::More;
        }
        if self.left > 0 {
            let len = self.left.min(input.len());
            self.left -= len;
            return Ask::Rest(len);
        }
        if self.starts {
            return self.start(input);
        }
        let kind = input[0];
        if !b"QPBEDCHSFdcfXp".contains(&kind) {
            return Ask::Foreign;
        }
        let Some(length) = word(&input[1..]) else {
            return Ask::More;
        };
        let length = length as usize;
        if !(4..LONGEST).contains(&length) {
            return Ask::Foreign;
        }
        let all = &input[5..];
        let payload = &all[..all.len().min(length - 4)];
        let whole = payload.len() == length - 4;
        if !whole && payload.len() < LOOKED_AT && b"QPBEC".contains(&kind) && !tells(kind, payload) {
            return Ask::More;
        }
        let request = self.understand(kind, payload, whole);
        self.left = length - 4 - payload.len();
        let owes = match kind {
            b'Q' | b'F' => Owes::Reply,
            b'P' | b'B' | b'E' | b'D' | b'C' | b'H' => Owes::Part,
            b'S' => Owes::LastPart,
            _ => Owes::Nothing,
        };
        match owes {
            Owes::Part if kind != b'H' => self.parts += 1,
            Owes::Reply | Owes::LastPart => self.parts = 0,
            _ => {}
        }
        Ask::Message {
            len: 5 + payload.len(),
            request,
            owes,
        }
    }

    /// Whether the message that began last has come as a whole.
    pub(super) fn is_whole(&self) -> bool {
        self.left == 0
    }

    fn start(&mut self, input: &[u8]) -> Ask {
        let (Some(length), Some(code)) = (word(input), input.get(4..).and_then(word)) else {
            return Ask::More;
        };
        let length = length as usize;
        if !(8..=LONGEST_START).contains(&length) {
            return Ask::Foreign;
        }
        let owes = match code {
            code if ENCRYPT.contains(&code) && length == 8 => Owes::Byte,
            CANCEL => Owes::Nothing,
            code if VERSIONS.contains(&code) => Owes::Reply,
            _ => return Ask::Foreign,
        };
        self.over = owes == Owes::Nothing;
        self.starts = owes == Owes::Byte;
        self.left = length - 8;
        Ask::Message {
            len: 8,
            request: None,
            owes,
        }
    }

    /// What a message says, and what is remembered of it.
    fn understand(&mut self, kind: u8, payload: &[u8], whole: bool) -> Option<Request> {
        self.executed = kind == b'E';
        match kind {
            b'Q' => Some(request(statement_word(payload, whole).flatten())),
            b'P' => {
                let (name, rest) = text(payload)?;
                let word = statement_word(rest, whole).flatten();
                remember(&mut self.statements, name, word);
                None
            }
            b'B' => {
                let (portal, rest) = text(payload)?;
                let word = text(rest).and_then(|(name, _)| self.statements.get(name).cloned());
                remember(&mut self.portals, portal, word);
                None
            }
            b'E' => Some(request(
                text(payload).and_then(|(portal, _)| self.portals.get(portal).cloned()),
            )),
            b'C' => {
                let (kind, rest) = payload.split_first()?;
                let (name, _) = text(rest)?;
                _ = match kind {
                    b'S' => self.statements.remove(name),
                    _ => self.portals.remove(name),
                };
                None
            }
            _ => None,
        }
    }

    /// What is asked in place of a request that shall fail, and what becomes of its reply: the server is asked for what
    /// does not exist, and so its transaction fails as any other does. One that is to be committed is rolled back.
    pub(super) fn instead(&self, request: &Request, code: &str) -> (Vec<u8>, Fate) {
        let ends = matches!(request.command.as_str(), "COMMIT" | "END");
        let (mut bytes, mut quiet) = (Vec::new(), (0, u32::MAX));
        if self.executed {
            // The part that is replaced is counted already.
            let before = self.parts.saturating_sub(1);
            quiet = (before, before);
            if ends {
                message(&mut bytes, b'P', &[NOBODY.as_bytes(), b"\0ROLLBACK\0\0\0"]);
                message(&mut bytes, b'B', &[b"\0", NOBODY.as_bytes(), b"\0\0\0\0\0\0\0"]);
                message(&mut bytes, b'E', &[b"\0\0\0\0\0"]);
                message(&mut bytes, b'C', &[b"S", NOBODY.as_bytes(), b"\0"]);
                quiet.1 += 4;
            }
            message(&mut bytes, b'E', &[NOBODY.as_bytes(), b"\0\0\0\0\0"]);
        } else {
            let before = if ends { "ROLLBACK; " } else { "" };
            let text = format!("{before}EXECUTE {NOBODY}\0");
            message(&mut bytes, b'Q', &[text.as_bytes()]);
        }
        let error = error(code);
        (bytes, Fate::Swap { error, quiet })
    }
}

fn request(command: Option<String>) -> Request {
    Request {
        command: command.unwrap_or_default(),
        path: None,
    }
}

fn message(to: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length = 4 + parts.iter().map(|part| part.len()).sum::<usize>();
    to.push(kind);
    to.extend((length as u32).to_be_bytes());
    parts.iter().for_each(|part| to.extend(*part));
}

/// Told to a client instead of what the server said.
fn error(code: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let text = "squall: this statement was intercepted";
    let fields = format!("SERROR\0VERROR\0C{code}\0M{text}\0\0");
    message(&mut bytes, b'E', &[fields.as_bytes()]);
    bytes
}

fn remember(names: &mut HashMap<Vec<u8>, String>, name: &[u8], word: Option<String>) {
    names.remove(name);
    if let Some(word) = word
        && name.len() <= NAME
        && names.len() < REMEMBERED
    {
        names.insert(name.to_vec(), word);
    }
}

/// Whether what has come of a message says what it is.
fn tells(kind: u8, payload: &[u8]) -> bool {
    match kind {
        b'Q' => statement_word(payload, false).is_some(),
        b'P' => text(payload).is_some_and(|(_, rest)| statement_word(rest, false).is_some()),
        b'B' => text(payload).is_some_and(|(_, rest)| text(rest).is_some()),
        b'E' => text(payload).is_some(),
        _ => payload.len() > 1 && text(&payload[1..]).is_some(),
    }
}

/// A big-endian word at the front.
fn word(input: &[u8]) -> Option<u32> {
    input.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
}

/// A text up to its zero byte, and what follows.
fn text(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = input.iter().position(|byte| *byte == 0)?;
    Some((&input[..end], &input[end + 1..]))
}

/// The first word of a statement, past blanks and comments, in capitals; no word where it begins otherwise. `None` while it
/// can't be told, because more is to come.
fn statement_word(mut input: &[u8], whole: bool) -> Option<Option<String>> {
    let more = if whole { Some(None) } else { None };
    loop {
        input = input.trim_ascii_start();
        if let Some(rest) = input.strip_prefix(b"--") {
            let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
                return more;
            };
            input = &rest[end..];
        } else if let Some(rest) = input.strip_prefix(b"/*") {
            let Some(end) = rest.windows(2).position(|two| two == b"*/") else {
                return more;
            };
            input = &rest[end + 2..];
        } else {
            break;
        }
    }
    let len = input
        .iter()
        .take_while(|c| c.is_ascii_alphabetic() || **c == b'_')
        .count();
    if !whole && (len == input.len() || (len == 0 && input.len() < 2)) {
        return None;
    }
    let word = String::from_utf8_lossy(&input[..len.min(WORD + 1)]).to_ascii_uppercase();
    Some((1..=WORD).contains(&word.len()).then_some(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_begins_with_its_first_word_past_blanks_and_comments() {
        for (text, word) in [
            ("commit", Some("COMMIT")),
            ("  \n-- a\n/* b */ Select 1", Some("SELECT")),
            ("INSERT\tinto", Some("INSERT")),
            ("(select 1)", None),
            ("", None),
            ("-- only a comment", None),
        ] {
            let told = statement_word(text.as_bytes(), true).unwrap();
            assert_eq!(told.as_deref(), word, "{text}");
        }
    }

    #[test]
    fn a_word_that_may_go_on_is_not_taken_for_the_whole() {
        for text in ["COM", "/* a", "-- a", "  ", "-", "/"] {
            assert_eq!(statement_word(text.as_bytes(), false), None, "{text}");
        }
        assert_eq!(statement_word(b"COMMIT;", false), Some(Some("COMMIT".to_owned())));
    }
}
