//! Replies of HTTP/1.0 and HTTP/1.1, read in pieces.

use super::{Malformed, Read, Reply, Wire};

/// Status line, headers and trailers of one reply have at most so many bytes.
const MOST_HEAD: usize = 64 << 10;
/// A chunk's size and its extensions have at most so many.
const MOST_CHUNK_LINE: usize = 4 << 10;

/// Reads HTTP replies. What has to be known of a request is whether it was a HEAD, whose reply has no body.
#[derive(Debug)]
pub struct Http {
    /// So many bytes of a body are kept.
    keep: usize,
    to_head: bool,
    state: State,
    /// The beginning of a line whose end has not come.
    line: Vec<u8>,
    /// The bytes of the head so far.
    head_size: usize,
    head: Head,
    body: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    StatusLine,
    Headers,
    /// So many bytes of the body are to come.
    Sized(u64),
    UntilEnd,
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    Done,
}

/// What matters of a head.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    /// HTTP/1.0, which closes unless it says otherwise.
    old: bool,
    close: bool,
    keep_alive: bool,
    length: Option<u64>,
    /// Whether the last transfer coding is `chunked`; `None` without any.
    chunked: Option<bool>,
}

impl Http {
    /// Reads replies, and keeps of their bodies so many bytes.
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            to_head: false,
            state: State::Done,
            line: Vec::new(),
            head_size: 0,
            head: Head::default(),
            body: Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.keep.saturating_sub(self.body.len());
        self.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Of `left` bytes the first of `rest`: answers how many are still left.
    fn take_of(&mut self, left: u64, rest: &mut &[u8]) -> u64 {
        let here = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
        let (taken, after) = rest.split_at(here);
        self.take(taken);
        *rest = after;
        left - here as u64
    }

    /// Takes the next line from `rest` and reads it. False when its end is not there yet.
    fn read_line(&mut self, rest: &mut &[u8]) -> Result<bool, Malformed> {
        let most = match self.state {
            State::ChunkEnd => 1,
            State::ChunkSize => MOST_CHUNK_LINE,
            _ => MOST_HEAD.saturating_sub(self.head_size),
        };
        let end = rest.iter().position(|byte| *byte == b'\n');
        let here = end.unwrap_or(rest.len());
        if self.line.len() + here > most {
            return Err(Malformed::TooLong);
        }
        let (piece, after) = rest.split_at(here);
        if end.is_none() {
            self.line.extend_from_slice(piece);
            *rest = after;
            return Ok(false);
        }
        *rest = &after[1..];
        if self.line.is_empty() {
            self.whole_line(piece)?;
        } else {
            let mut line = std::mem::take(&mut self.line);
            line.extend_from_slice(piece);
            self.whole_line(&line)?;
            line.clear();
            self.line = line;
        }
        Ok(true)
    }

    fn whole_line(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let [line @ .., b'\r'] = line else {
            return Err(Malformed::LineEnd);
        };
        if line.contains(&b'\r') {
            return Err(Malformed::LineEnd);
        }
        if !matches!(self.state, State::ChunkEnd | State::ChunkSize) {
            self.head_size += line.len() + 2;
        }
        self.state = match self.state {
            State::StatusLine => {
                self.head = Head::of(line)?;
                State::Headers
            }
            State::Headers if line.is_empty() => self.after_head(),
            State::Headers => {
                self.head.add(line)?;
                State::Headers
            }
            State::ChunkSize => match chunk_size(line)? {
                0 => State::Trailers,
                size => State::Chunk(size),
            },
            State::ChunkEnd => State::ChunkSize,
            State::Trailers if line.is_empty() => State::Done,
            other => other,
        };
        Ok(())
    }

    fn after_head(&self) -> State {
        let head = &self.head;
        match head.status {
            // 101 is the last that HTTP says here; the others announce the reply proper.
            100..200 if head.status != 101 => State::StatusLine,
            101 | 204 | 304 => State::Done,
            _ if self.to_head => State::Done,
            _ => match (head.chunked, head.length) {
                (Some(true), _) => State::ChunkSize,
                (None, Some(0)) => State::Done,
                (None, Some(length)) => State::Sized(length),
                (Some(false), _) | (None, None) => State::UntilEnd,
            },
        }
    }

    fn reply(&self) -> Reply {
        let head = &self.head;
        // Two lengths are how replies are smuggled; what follows is not to be trusted.
        let ambiguous = head.chunked.is_some() && head.length.is_some();
        let kept = if head.old { head.keep_alive } else { !head.close };
        Reply {
            status: head.status,
            reuse: kept && !head.close && !ambiguous && head.status != 101,
        }
    }
}

impl Wire for Http {
    type Expect = bool;

    fn expect(&mut self, to_head: bool) {
        self.to_head = to_head;
        self.state = State::StatusLine;
        self.line.clear();
        self.head_size = 0;
        self.body.clear();
    }

    fn read(&mut self, bytes: &[u8]) -> Result<Read, Malformed> {
        let mut rest = bytes;
        loop {
            match self.state {
                State::Done => {
                    return Ok(Read::Done {
                        used: bytes.len() - rest.len(),
                        reply: self.reply(),
                    });
                }
                _ if rest.is_empty() => return Ok(Read::More),
                State::Sized(left) => {
                    self.state = match self.take_of(left, &mut rest) {
                        0 => State::Done,
                        left => State::Sized(left),
                    }
                }
                State::Chunk(left) => {
                    self.state = match self.take_of(left, &mut rest) {
                        0 => State::ChunkEnd,
                        left => State::Chunk(left),
                    }
                }
                State::UntilEnd => {
                    self.take(rest);
                    return Ok(Read::More);
                }
                _ => {
                    if !self.read_line(&mut rest)? {
                        return Ok(Read::More);
                    }
                }
            }
        }
    }

    fn end(&mut self) -> Option<Reply> {
        let ended = self.state == State::UntilEnd;
        ended.then(|| Reply {
            reuse: false,
            ..self.reply()
        })
    }

    fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Head {
    /// From a status line.
    fn of(line: &[u8]) -> Result<Self, Malformed> {
        let (old, rest) = match line {
            [
                b'H',
                b'T',
                b'T',
                b'P',
                b'/',
                b'1',
                b'.',
                minor @ (b'0' | b'1'),
                b' ',
                rest @ ..,
            ] => (*minor == b'0', rest),
            _ => return Err(Malformed::StatusLine),
        };
        let (code, reason) = rest.split_at_checked(3).ok_or(Malformed::StatusLine)?;
        let fine = code.iter().all(u8::is_ascii_digit) && code[0] != b'0' && matches!(reason, [] | [b' ', ..]);
        if !fine {
            return Err(Malformed::StatusLine);
        }
        let status = code.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        Ok(Self {
            status,
            old,
            ..Self::default()
        })
    }

    /// Reads a header line.
    fn add(&mut self, line: &[u8]) -> Result<(), Malformed> {
        let colon = line.iter().position(|byte| *byte == b':').ok_or(Malformed::Header)?;
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.is_empty() || !name.iter().all(|byte| byte.is_ascii_graphic()) {
            return Err(Malformed::Header);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            for length in value.split(|byte| *byte == b',') {
                let length = number(length.trim_ascii(), 10).ok_or(Malformed::Length)?;
                if self.length.replace(length).is_some_and(|other| other != length) {
                    return Err(Malformed::Length);
                }
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let last = value.split(|byte| *byte == b',').next_back().unwrap_or_default();
            self.chunked = Some(last.trim_ascii().eq_ignore_ascii_case(b"chunked"));
        } else if name.eq_ignore_ascii_case(b"connection") {
            for word in value.split(|byte| *byte == b',') {
                self.close |= word.trim_ascii().eq_ignore_ascii_case(b"close");
                self.keep_alive |= word.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
            }
        }
        Ok(())
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, Malformed> {
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    number(size.trim_ascii(), 16).ok_or(Malformed::Chunk)
}

/// Digits and nothing else, unlike what `from_str_radix` takes.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = char::from(*byte).to_digit(radix)?;
        sum.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    /// Reply or mistake, how many bytes of the text it took, and the body; `None` when it never came to an end.
    type Seen = (Option<Result<Reply, Malformed>>, usize, Vec<u8>);

    const OK: &str = "HTTP/1.1 200 OK\r\n";

    /// Reads pieces, then the end of the connection.
    fn read(to_head: bool, pieces: &[&[u8]]) -> Seen {
        let mut http = Http::new(64);
        http.expect(to_head);
        let mut used = 0;
        for piece in pieces {
            match http.read(piece) {
                Ok(Read::More) => used += piece.len(),
                Ok(Read::Done { used: here, reply }) => return (Some(Ok(reply)), used + here, http.body().to_vec()),
                // Where within a piece a mistake was noticed does not matter.
                Err(mistake) => return (Some(Err(mistake)), 0, Vec::new()),
            }
        }
        let end = http.end();
        (end.map(Ok), used, http.body().to_vec())
    }

    fn whole(text: &str) -> Seen {
        read(false, &[text.as_bytes()])
    }

    fn reply(text: &str) -> (u16, bool, String, usize) {
        match whole(text) {
            (Some(Ok(reply)), used, body) => (
                reply.status,
                reply.reuse,
                String::from_utf8(body).unwrap(),
                text.len() - used,
            ),
            other => panic!("{text:?} is read as {other:?}"),
        }
    }

    /// Replies of every kind, and texts that are none.
    fn texts() -> Vec<String> {
        let heads = [
            "content-length: 5\r\n\r\nhello",
            "Content-Length:5\r\nconnection: close\r\n\r\nhello",
            "content-length: 0\r\n\r\n",
            "content-length: 5\r\n\r\nhello, and more",
            "content-length: 5\r\n\r\nhell",
            "content-length: 5, 5\r\ncontent-length: 5\r\n\r\nhello",
            "content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
            "content-length: +5\r\n\r\nhello",
            "content-length:\r\n\r\nhello",
            "content-length: 99999999999999999999\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n00\r\na: b\r\n\r\nmore",
            "transfer-encoding: gzip, Chunked\r\ncontent-length: 3\r\n\r\n1\r\nx\r\n0\r\n\r\n",
            "transfer-encoding: gzip\r\n\r\nuntil the end",
            "transfer-encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\nx\r\n",
            "transfer-encoding: chunked\r\n\r\n\r\n",
            "transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
            "\r\nuntil the end",
            "no colon\r\n\r\n",
            ": no name\r\n\r\n",
            " folded: x\r\n\r\n",
            "bare: feed\n\r\n",
            "carriage: return\rx\r\n\r\n",
        ];
        let mut texts: Vec<String> = heads.iter().map(|head| format!("{OK}{head}")).collect();
        let others = [
            "",
            "\r\n",
            "HTTP/1.1 204\r\n\r\n",
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nlink: x\r\n\r\nHTTP/1.1 201 Made\r\ncontent-length: 1\r\n\r\n!",
            "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\nnot http",
            "HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n!",
            "HTTP/1.0 200 OK\r\ncontent-length: 1\r\nconnection: Keep-Alive\r\n\r\n!",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 20\r\n\r\n",
            "HTTP/1.1 2000\r\n\r\n",
            "HTTP/1.1 099 Low\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n",
        ];
        texts.extend(others.map(str::to_owned));
        texts
    }

    #[test]
    fn a_reply_ends_where_its_head_says() {
        assert_eq!(reply(&texts()[0]), (200, true, "hello".to_owned(), 0));
        assert_eq!(reply(&texts()[1]), (200, false, "hello".to_owned(), 0));
        assert_eq!(reply(&texts()[2]), (200, true, String::new(), 0));
        assert_eq!(reply(&texts()[3]), (200, true, "hello".to_owned(), ", and more".len()));
        assert_eq!(whole(&texts()[4]).0, None);
        assert_eq!(reply(&texts()[5]).2, "hello");
        assert_eq!(
            reply("HTTP/1.1 204\r\ncontent-length: 3\r\n\r\n"),
            (204, true, String::new(), 0)
        );
        assert_eq!(reply("HTTP/1.1 304 x\r\ncontent-length: 3\r\n\r\n").0, 304);
        let to_head = read(true, &[b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"]);
        assert!(to_head.0.is_some_and(|reply| reply.is_ok_and(|reply| reply.reuse)));
    }

    #[test]
    fn chunks_are_put_together_and_trailers_read_over() {
        assert_eq!(reply(&texts()[10]), (200, true, "hello world".to_owned(), 0));
        assert_eq!(reply(&texts()[11]), (200, true, "hello".to_owned(), 4));
        assert!(!reply(&texts()[12]).1, "two lengths, and the connection kept");
    }

    #[test]
    fn without_a_length_the_connections_end_is_the_replys() {
        assert_eq!(reply(&texts()[13]), (200, false, "until the end".to_owned(), 0));
        assert_eq!(reply(&texts()[18]), (200, false, "until the end".to_owned(), 0));
    }

    #[test]
    fn what_only_announces_a_reply_is_read_over() {
        let announced = texts().into_iter().find(|text| text.contains("100 Continue")).unwrap();
        assert_eq!(reply(&announced), (201, true, "!".to_owned(), 0));
        let switched = texts().into_iter().find(|text| text.contains("101")).unwrap();
        assert!(!reply(&switched).1);
    }

    #[test]
    fn old_servers_close_unless_they_say_otherwise() {
        let old = |more: &str| reply(&format!("HTTP/1.0 200 OK\r\ncontent-length: 0\r\n{more}\r\n")).1;
        assert!(!old(""));
        assert!(old("connection: keep-alive\r\n"));
    }

    #[test]
    fn what_is_no_reply_is_a_mistake() {
        let mistake = |text: &str| whole(text).0.unwrap().unwrap_err();
        for (at, expected) in [
            (6, Malformed::Length),
            (7, Malformed::Length),
            (8, Malformed::Length),
            (9, Malformed::Length),
            (14, Malformed::TooLong),
            (15, Malformed::Chunk),
            (16, Malformed::Chunk),
            (17, Malformed::Chunk),
            (19, Malformed::Header),
            (20, Malformed::Header),
            (21, Malformed::Header),
            (22, Malformed::LineEnd),
            (23, Malformed::LineEnd),
        ] {
            assert_eq!(mistake(&texts()[at]), expected, "{:?}", texts()[at]);
        }
        for text in [
            "\r\n",
            "HTTP/2 200\r\n",
            "HTTP/1.1 20\r\n",
            "HTTP/1.1 2000\r\n",
            "HTTP/1.1 099 x\r\n",
        ] {
            assert_eq!(mistake(text), Malformed::StatusLine, "{text:?}");
        }
    }

    #[test]
    fn a_head_without_an_end_is_given_up() {
        let long = format!("{OK}{}", "name: value\r\n".repeat(MOST_HEAD / 13 + 1));
        assert_eq!(whole(&long).0, Some(Err(Malformed::TooLong)));
        let endless = "x".repeat(MOST_HEAD + 1);
        assert_eq!(whole(&endless).0, Some(Err(Malformed::TooLong)));
        let chunk = format!(
            "{OK}transfer-encoding: chunked\r\n\r\n1;{}",
            "x".repeat(MOST_CHUNK_LINE)
        );
        assert_eq!(whole(&chunk).0, Some(Err(Malformed::TooLong)));
    }

    #[test]
    fn of_a_long_body_only_the_beginning_is_kept() {
        let text = format!("{OK}content-length: 100\r\n\r\n{}", "x".repeat(100));
        assert_eq!(reply(&text), (200, true, "x".repeat(64), 0));
    }

    #[test]
    fn wherever_a_text_is_split_it_is_read_the_same() {
        for text in texts() {
            let text = text.as_bytes();
            for to_head in [false, true] {
                let expected = read(to_head, &[text]);
                for at in 0..=text.len() {
                    let (one, other) = text.split_at(at);
                    assert_eq!(
                        read(to_head, &[one, other]),
                        expected,
                        "split at {at}: {:?}",
                        text.escape_ascii()
                    );
                }
                let bytes: Vec<&[u8]> = text.chunks(1).collect();
                assert_eq!(
                    read(to_head, &bytes),
                    expected,
                    "byte by byte: {:?}",
                    text.escape_ascii()
                );
            }
        }
    }

    #[test]
    fn no_text_however_broken_makes_it_panic_or_depend_on_where_it_is_split() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
        let texts = texts();
        for _ in 0..20_000 {
            let mut text = texts[rng.random_range(0..texts.len())].clone().into_bytes();
            for _ in 0..rng.random_range(1..6) {
                let at = rng.random_range(0..=text.len());
                match rng.random_range(0..3) {
                    0 if at < text.len() => text[at] = rng.random(),
                    1 if at < text.len() => drop(text.remove(at)),
                    _ => text.insert(at, b"\r\n:;0 1f,"[rng.random_range(0..9)]),
                }
            }
            let at = rng.random_range(0..=text.len());
            let (one, other) = text.split_at(at);
            assert_eq!(
                read(false, &[one, other]),
                read(false, &[&text]),
                "{:?}",
                text.escape_ascii()
            );
        }
    }

    #[test]
    fn one_reader_reads_reply_after_reply() {
        let mut http = Http::new(64);
        for text in [&texts()[10], &texts()[0], &texts()[2]] {
            http.expect(false);
            let read = http.read(text.as_bytes()).unwrap();
            assert!(matches!(read, Read::Done { used, .. } if used == text.len()));
        }
        assert_eq!(http.body(), b"");
    }
}
