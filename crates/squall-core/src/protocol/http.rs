//! HTTP/1.1 and 1.0: heads, and bodies by their length, in chunks, or to the end (RFC 9112).

use super::{Ask, Fare, Fate, HEAD, Owes, Request, Said, line};

/// No method is longer; what has no blank by then is none.
const METHOD: usize = 32;
/// No line between chunks is longer.
const LINE: usize = 4096;

/// What is still to come of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Body {
    #[default]
    Done,
    Bytes(u64),
    Size,
    /// A chunk, with its line's end.
    Chunk(u64),
    Trailer,
    ToEnd,
}

/// How a body goes on.
enum Next {
    More,
    Bytes(usize),
    Foreign,
}

impl Body {
    fn next(&mut self, input: &[u8]) -> Next {
        let all = input.len();
        match *self {
            Body::Done => Next::Bytes(0),
            _ if input.is_empty() => Next::More,
            Body::ToEnd => Next::Bytes(all),
            Body::Bytes(left) | Body::Chunk(left) => {
                let len = usize::try_from(left).map_or(all, |left| left.min(all));
                let left = left - len as u64;
                *self = match *self {
                    Body::Chunk(_) if left == 0 => Body::Size,
                    Body::Chunk(_) => Body::Chunk(left),
                    _ if left == 0 => Body::Done,
                    _ => Body::Bytes(left),
                };
                Next::Bytes(len)
            }
            Body::Size | Body::Trailer => {
                let Some((text, len)) = line(input) else {
                    return if all > LINE { Next::Foreign } else { Next::More };
                };
                *self = match *self {
                    Body::Trailer if text.is_empty() => Body::Done,
                    Body::Trailer => Body::Trailer,
                    _ => match chunk(text) {
                        Some(0) => Body::Trailer,
                        Some(size) => Body::Chunk(size + 2),
                        None => return Next::Foreign,
                    },
                };
                Next::Bytes(len)
            }
        }
    }
}

fn chunk(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?.split(';').next()?.trim();
    let plain = !text.is_empty() && text.len() <= 15 && text.bytes().all(|c| c.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

/// A head: its first line, and what its fields say of the body.
struct Head<'a> {
    first: &'a str,
    len: usize,
    body: Option<Body>,
    expects: bool,
}

enum Heads<'a> {
    More,
    Foreign,
    Head(Head<'a>),
}

fn head(input: &[u8]) -> Heads<'_> {
    let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if input.len() > HEAD {
            Heads::Foreign
        } else {
            Heads::More
        };
    };
    let Ok(text) = std::str::from_utf8(&input[..end]) else {
        return Heads::Foreign;
    };
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let (mut length, mut chunked, mut expects) = (None, false, false);
    for field in lines {
        let Some((name, value)) = field.split_once(':') else {
            return Heads::Foreign;
        };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            match value.parse::<u64>() {
                Ok(bytes) if length.is_none_or(|before| before == bytes) => length = Some(bytes),
                _ => return Heads::Foreign,
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            chunked = value
                .rsplit(',')
                .next()
                .is_some_and(|last| last.trim().eq_ignore_ascii_case("chunked"));
            if !chunked {
                return Heads::Foreign;
            }
        } else if name.eq_ignore_ascii_case("expect") {
            expects = true;
        }
    }
    let body = match (chunked, length) {
        // Ends that read it differently would take one request for two.
        (true, Some(_)) => return Heads::Foreign,
        (true, None) => Some(Body::Size),
        (false, Some(0)) => Some(Body::Done),
        (false, Some(bytes)) => Some(Body::Bytes(bytes)),
        (false, None) => None,
    };
    let len = end + 4;
    Heads::Head(Head {
        first,
        len,
        body,
        expects,
    })
}

/// What a client sends.
#[derive(Default)]
pub(super) struct Requests {
    body: Body,
    /// The client waits for leave to send the body of the request that began last.
    pub(super) expects: bool,
}

impl Requests {
    pub(super) fn next(&mut self, input: &[u8]) -> Ask {
        match self.body.next(input) {
            Next::Bytes(0) => {}
            Next::Bytes(len) => return Ask::Rest(len),
            Next::More => return Ask::More,
            Next::Foreign => return Ask::Foreign,
        }
        match input {
            [] | [b'\r'] => return Ask::More,
            // An empty line before a request is to be overlooked.
            [b'\r', b'\n', ..] => return Ask::Rest(2),
            _ => {}
        }
        let method = input
            .iter()
            .take(METHOD)
            .take_while(|c| c.is_ascii_uppercase() || **c == b'-')
            .count();
        if method == METHOD || method == 0 || input.get(method).is_some_and(|next| *next != b' ') {
            return Ask::Foreign;
        }
        let head = match head(input) {
            Heads::More => return Ask::More,
            Heads::Foreign => return Ask::Foreign,
            Heads::Head(head) => head,
        };
        let mut words = head.first.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Ask::Foreign;
        };
        // A tunnel's bytes are none of HTTP's.
        if !version.starts_with("HTTP/1.") || method == "CONNECT" {
            return Ask::Foreign;
        }
        self.body = head.body.unwrap_or_default();
        self.expects = head.expects && self.body != Body::Done;
        Ask::Message {
            len: head.len,
            request: Some(Request {
                command: method.to_owned(),
                path: Some(path(target).to_owned()),
            }),
            owes: if method == "HEAD" { Owes::Head } else { Owes::Reply },
        }
    }

    /// Whether the request that began last has come as a whole.
    pub(super) fn is_whole(&self) -> bool {
        self.body == Body::Done
    }
}

fn path(target: &str) -> &str {
    let path = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    path.split(['?', '#']).next().unwrap_or_default()
}

/// What a server sends.
#[derive(Default)]
pub(super) struct Replies {
    body: Body,
    inside: bool,
}

impl Replies {
    pub(super) fn next(&mut self, input: &[u8], owed: Option<Owes>) -> Said {
        let bytes = |len, ends| Said::Bytes {
            len,
            fare: Fare::Pass,
            ends,
        };
        if self.inside {
            return match self.body.next(input) {
                Next::Bytes(len) => {
                    self.inside = self.body != Body::Done;
                    bytes(len, !self.inside)
                }
                Next::More => Said::More,
                Next::Foreign => Said::Foreign,
            };
        }
        let sign = b"HTTP/1.";
        if !sign.iter().zip(input).all(|(one, other)| one == other) {
            return Said::Foreign;
        }
        let head = match head(input) {
            Heads::More => return Said::More,
            Heads::Foreign => return Said::Foreign,
            Heads::Head(head) => head,
        };
        let status = head.first.split(' ').nth(1).and_then(|status| status.parse().ok());
        match status {
            None => Said::Foreign,
            Some(101) => Said::Over,
            Some(100..200) => bytes(head.len, false),
            Some(204 | 304) => bytes(head.len, true),
            Some(_) if owed == Some(Owes::Head) => bytes(head.len, true),
            Some(_) => {
                self.body = head.body.unwrap_or(Body::ToEnd);
                self.inside = self.body != Body::Done;
                bytes(head.len, !self.inside)
            }
        }
    }
}

/// Said to a client in the server's place.
pub(super) fn error(code: &str, requests: &Requests) -> Fate {
    let reason = match code {
        "400" => "Bad Request",
        "404" => "Not Found",
        "409" => "Conflict",
        "429" => "Too Many Requests",
        "500" => "Internal Server Error",
        "502" => "Bad Gateway",
        "503" => "Service Unavailable",
        "504" => "Gateway Timeout",
        _ => "Error",
    };
    let text = "squall: this request was intercepted\n";
    // Told before its body was sent a client may leave that out, and nobody could tell where its next request begins.
    let closes = requests.expects;
    let close = if closes { "connection: close\r\n" } else { "" };
    let bytes = format!(
        "HTTP/1.1 {code} {reason}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n{close}\r\n{text}",
        text.len()
    );
    Fate::Answer {
        bytes: bytes.into_bytes(),
        ready: closes,
        closes,
    }
}

/// The same for a request whose reply has no body.
pub(super) fn without_body(bytes: &mut Vec<u8>) {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    bytes.truncate(end.map_or(bytes.len(), |end| end + 4));
}
