//! Protocols: requests and replies told apart while their bytes pass, in bounded memory and however they are cut up.
//!
//! Nothing is guessed. A stream that does not read as its protocol, or is encrypted, passes as it is and is said to be
//! foreign. What stands in for a request that shall fail keeps both ends of one mind about their session: HTTP has none,
//! so the request is answered in the server's place; a RESP or PostgreSQL server is asked something that fails of itself,
//! and its error is told as another one.

mod dialogue;
mod http;
mod postgres;
mod resp;
mod words;

pub use dialogue::{Dialogue, Ending, Passed};

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What must be there to tell what a message is; one that needs more is not understood.
const HEAD: usize = 64 << 10;

/// A protocol whose requests can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// HTTP/1.1 and 1.0.
    Http,
    /// Redis' protocol, versions 2 and 3.
    Resp,
    /// PostgreSQL's protocol, version 3.
    Postgres,
}

impl Protocol {
    /// The word used for it.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Resp => "resp",
            Protocol::Postgres => "postgres",
        }
    }

    /// The code of an error that nobody asked another one for.
    fn usual_code(self) -> &'static str {
        match self {
            Protocol::Http => "503",
            Protocol::Resp => "ERR",
            // "Query canceled": the class of what an operator does, which no client takes for its own mistake.
            Protocol::Postgres => "57014",
        }
    }

    /// Why a text can't be the code of an error, if so.
    pub fn objection(self, code: &str) -> Option<&'static str> {
        let word = |len: std::ops::RangeInclusive<usize>, fits: fn(u8) -> bool| {
            len.contains(&code.len()) && code.bytes().all(fits)
        };
        match self {
            Protocol::Http if !matches!(code.parse(), Ok(400..=599)) => Some("write a status from 400 to 599"),
            Protocol::Resp if !word(1..=32, |c| c.is_ascii_uppercase()) => Some("write a word such as LOADING"),
            Protocol::Postgres if !word(5..=5, |c| c.is_ascii_uppercase() || c.is_ascii_digit()) => {
                Some("write a SQLSTATE such as 40001")
            }
            _ => None,
        }
    }
}

/// What a client asks for, as far as it is told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// HTTP: the method. RESP: the command. PostgreSQL: the statement's first word. In capitals; empty when not known.
    pub command: String,
    /// HTTP: the path, without what follows a question mark.
    pub path: Option<String>,
}

/// What is done with a request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It fails with the protocol's own error, and is not carried out.
    Error {
        /// The error's code; the protocol's usual one when absent.
        code: Option<String>,
    },
    /// It is passed on so much later, and all after it on its connection.
    Delay(Duration),
    /// It is carried out, and neither its reply nor any later one arrives.
    DropReply,
    /// It is carried out, and instead of its reply the connection is reset.
    HangUp,
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Error { code: None } => f.write_str("fails"),
            Act::Error { code: Some(code) } => write!(f, "fails with {code}"),
            Act::Delay(by) => write!(f, "waits {by:?}"),
            Act::DropReply => f.write_str("loses its reply"),
            Act::HangUp => f.write_str("loses its reply and its connection"),
        }
    }
}

/// What was seen and done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests that were understood.
    pub requests: u64,
    /// Those something was done with that an end could feel.
    pub intercepted: u64,
    /// Connections that could not be read.
    pub foreign: u64,
}

/// What comes next of what a client sends.
enum Ask {
    /// Not enough is there to tell.
    More,
    /// So many bytes begin a message, which is this request if it is one.
    Message {
        len: usize,
        request: Option<Request>,
        owes: Owes,
    },
    /// So many bytes go on with it.
    Rest(usize),
    /// Requests and replies end here: what follows is something else.
    Over,
    /// It is another protocol, or encrypted.
    Foreign,
}

/// What a message makes the server owe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owes {
    /// Nothing.
    Nothing,
    /// A reply.
    Reply,
    /// A reply without a body.
    Head,
    /// One byte, which says whether what follows is encrypted.
    Byte,
    /// A part of a reply that others have a part in.
    Part,
    /// The end of such a reply.
    LastPart,
}

/// What comes next of what a server sends.
enum Said {
    /// Not enough is there to tell.
    More,
    /// So many bytes, which belong to a reply or to none.
    Bytes { len: usize, fare: Fare, ends: bool },
    /// Requests and replies end here.
    Over,
    /// It is another protocol, or encrypted.
    Foreign,
}

/// What becomes of bytes of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fare {
    /// They go on.
    Pass,
    /// They are the reply to something the client did not ask.
    Skip,
    /// They are the error that is told as another one.
    Swap,
}

/// A reply that is owed, and its fate.
#[derive(Debug)]
struct Slot {
    owes: Owes,
    fate: Fate,
}

#[derive(Debug, PartialEq, Eq)]
enum Fate {
    /// It passes.
    Pass,
    /// The server is not asked: this is said in its place once the whole request has come, or before.
    Answer { bytes: Vec<u8>, ready: bool, closes: bool },
    /// Its error is told as this one. PostgreSQL: the parts from here to there are to something the client did not ask.
    Swap { error: Vec<u8>, quiet: (u32, u32) },
    /// It is lost, and with it the connection or all that comes later.
    Lost { hang_up: bool },
}

/// Whether a text is of a form in which `*` stands for any characters.
pub fn fits(form: &str, text: &str) -> bool {
    let Some((first, rest)) = form.split_once('*') else {
        return form == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = &text[at + part.len()..],
            None => return false,
        }
    }
    text.ends_with(last)
}

/// A path as many others like it are: what names or numbers one thing among them becomes `*`.
pub fn form(path: &str) -> String {
    let names_one = |part: &&str| part.bytes().any(|byte| byte.is_ascii_digit()) || part.len() > 40;
    let parts = path.split('/').map(|part| if names_one(&part) { "*" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// The bytes up to a line's end and the length with that; `None` while it has not come.
fn line(input: &[u8]) -> Option<(&[u8], usize)> {
    let at = input.iter().position(|byte| *byte == b'\n')?;
    let text = &input[..at];
    Some((text.strip_suffix(b"\r").unwrap_or(text), at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters_and_everything_else_for_itself() {
        for (form, text, fit) in [
            ("/tasks", "/tasks", true),
            ("/tasks", "/tasks/1", false),
            ("/tasks/*", "/tasks/1", true),
            ("/tasks/*", "/tasks", false),
            ("*", "", true),
            ("/*/x*y", "/a/b/x1y", true),
            ("/*/x*y", "/a/b/x1z", false),
            ("ab*ba", "aba", false),
            ("/a.c", "/abc", false),
        ] {
            assert_eq!(fits(form, text), fit, "{form} {text}");
        }
    }

    #[test]
    fn a_form_of_a_path_fits_all_like_it() {
        for (path, formed) in [
            ("/tasks", "/tasks"),
            ("/tasks/17/events", "/tasks/*/events"),
            ("/users/9f1c-aa", "/users/*"),
            ("/", "/"),
        ] {
            assert_eq!(form(path), formed);
            assert!(fits(formed, path));
        }
    }

    #[test]
    fn a_code_is_one_of_its_protocol() {
        for (protocol, good, bad) in [
            (Protocol::Http, "429", "200"),
            (Protocol::Resp, "LOADING", "no way"),
            (Protocol::Postgres, "40001", "4000"),
        ] {
            assert_eq!(protocol.objection(good), None);
            assert_eq!(protocol.objection(protocol.usual_code()), None);
            assert!(protocol.objection(bad).is_some());
        }
    }
}
