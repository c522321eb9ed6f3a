//! RESP, versions 2 and 3: commands as arrays of strings or as plain lines, and a reply to each.

use super::{Ask, Fare, Fate, HEAD, Owes, Request, Said, line};

/// No line with a length is longer.
const LENGTH: usize = 32;
/// No command's name is longer.
const NAME: u64 = 64;
/// No string is longer, as servers have it.
const STRING: u64 = 512 << 20;
/// No reply holds replies within replies deeper than this.
const DEPTH: usize = 32;

/// After these a connection carries no more replies to requests.
const TURNS: [&str; 6] = ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "MONITOR", "SYNC", "PSYNC"];

/// A number at a line's front, after its sign; `None` while the line has not come, an error when it is none.
fn number(input: &[u8]) -> Result<Option<(i64, usize)>, ()> {
    let Some((text, len)) = line(&input[..input.len().min(LENGTH)]) else {
        return if input.len() >= LENGTH { Err(()) } else { Ok(None) };
    };
    let text = text.get(1..).and_then(|text| std::str::from_utf8(text).ok());
    let number = text.and_then(|text| text.parse::<i64>().ok()).ok_or(())?;
    Ok(Some((number, len)))
}

/// What a client sends.
#[derive(Default)]
pub(super) struct Requests {
    /// Bytes to come of a string, with its line's end.
    left: u64,
    /// Strings to come.
    strings: i64,
    over: bool,
}

impl Requests {
    pub(super) fn next(&mut self, input: &[u8]) -> Ask {
        self.step(input).unwrap_or(Ask::Foreign)
    }

    /// Whether the command that began last has come as a whole.
    pub(super) fn is_whole(&self) -> bool {
        self.left == 0 && self.strings == 0
    }

    fn step(&mut self, input: &[u8]) -> Result<Ask, ()> {
        if self.over {
            return Ok(Ask::Over);
        }
        let Some(first) = input.first() else {
            return Ok(Ask::More);
        };
        if self.left > 0 {
            let len = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
            self.left -= len as u64;
            return Ok(Ask::Rest(len));
        }
        if self.strings > 0 {
            let Some((size, len)) = string(input)? else {
                return Ok(Ask::More);
            };
            self.strings -= 1;
            self.left = size + 2;
            return Ok(Ask::Rest(len));
        }
        match first {
            b'*' => self.array(input),
            b'\r' | b'\n' => Ok(Ask::Rest(1)),
            first if first.is_ascii_alphabetic() => self.inline(input),
            _ => Err(()),
        }
    }

    fn array(&mut self, input: &[u8]) -> Result<Ask, ()> {
        let Some((strings, before)) = number(input)? else {
            return Ok(Ask::More);
        };
        if strings <= 0 {
            return Ok(Ask::Rest(before));
        }
        let Some((size, len)) = string(&input[before..])? else {
            return Ok(Ask::More);
        };
        let begin = before + len;
        if size > NAME {
            (self.left, self.strings) = (size + 2, strings - 1);
            return Ok(self.command(begin, &[]));
        }
        let end = begin + size as usize + 2;
        let Some(name) = input.get(begin..end) else {
            return Ok(Ask::More);
        };
        let name = name.strip_suffix(b"\r\n").ok_or(())?;
        self.strings = strings - 1;
        Ok(self.command(end, name))
    }

    fn inline(&mut self, input: &[u8]) -> Result<Ask, ()> {
        let whole = line(input);
        let text = whole.map_or(input, |(text, _)| text);
        if text.len() > HEAD || !text.iter().all(|c| c.is_ascii_graphic() || *c == b' ' || *c == b'\r') {
            return Err(());
        }
        let Some((text, len)) = whole else {
            return Ok(Ask::More);
        };
        let name = text.split(|c| *c == b' ').next().unwrap_or_default();
        Ok(self.command(len, name))
    }

    fn command(&mut self, len: usize, name: &[u8]) -> Ask {
        let command = String::from_utf8_lossy(name).to_ascii_uppercase();
        self.over = TURNS.contains(&command.as_str());
        Ask::Message {
            len,
            request: Some(Request { command, path: None }),
            owes: Owes::Reply,
        }
    }
}

/// The length of a string from the line before it.
fn string(input: &[u8]) -> Result<Option<(u64, usize)>, ()> {
    match input.first() {
        None => Ok(None),
        Some(b'$') => match number(input)? {
            None => Ok(None),
            Some((size, len)) => match u64::try_from(size) {
                Ok(size) if size <= STRING => Ok(Some((size, len))),
                _ => Err(()),
            },
        },
        Some(_) => Err(()),
    }
}

/// What a server sends.
#[derive(Default)]
pub(super) struct Replies {
    /// Bytes to come of a string, with its line's end.
    left: u64,
    /// Replies to come within each reply that holds others.
    open: Vec<u64>,
    /// What comes is no reply to anybody: a push, or what is said beside a reply.
    aside: bool,
    /// A line goes on.
    line: bool,
}

impl Replies {
    pub(super) fn next(&mut self, input: &[u8], swap: bool) -> Said {
        self.step(input, swap).unwrap_or(Said::Foreign)
    }

    fn step(&mut self, input: &[u8], swap: bool) -> Result<Said, ()> {
        let (len, ends) = match self.take(input)? {
            None => return Ok(Said::More),
            Some(Took::Part(len)) => (len, false),
            Some(Took::Value(len)) => (len, self.close()),
            Some(Took::Opened(len)) => (len, false),
        };
        let aside = self.aside;
        self.aside &= !ends;
        let fare = match (swap && !aside, ends) {
            (false, _) => Fare::Pass,
            (true, false) => Fare::Skip,
            (true, true) => Fare::Swap,
        };
        let ends = ends && !aside;
        Ok(Said::Bytes { len, fare, ends })
    }

    fn take(&mut self, input: &[u8]) -> Result<Option<Took>, ()> {
        let Some(first) = input.first() else {
            return Ok(None);
        };
        if self.left > 0 {
            let len = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
            self.left -= len as u64;
            return Ok(Some(if self.left == 0 {
                Took::Value(len)
            } else {
                Took::Part(len)
            }));
        }
        if self.line || matches!(first, b'+' | b'-' | b':' | b'_' | b'#' | b',' | b'(') {
            // A line may be long, and is not needed as a whole.
            let whole = line(input);
            self.line = whole.is_none();
            return Ok(Some(whole.map_or(Took::Part(input.len()), |(_, len)| Took::Value(len))));
        }
        let Some((count, len)) = number(input)? else {
            return Ok(None);
        };
        // Nothing at all is said by a count of -1.
        let wanted = u64::try_from(count).unwrap_or(0);
        match first {
            b'$' | b'!' | b'=' if wanted > STRING => Err(()),
            b'$' | b'!' | b'=' if count < 0 => Ok(Some(Took::Value(len))),
            b'$' | b'!' | b'=' => {
                self.left = wanted + 2;
                Ok(Some(Took::Part(len)))
            }
            _ => self.open(*first, wanted, len).map(Some),
        }
    }

    /// A value that holds other values begins.
    fn open(&mut self, first: u8, count: u64, len: usize) -> Result<Took, ()> {
        let outermost = self.open.is_empty();
        let count = match first {
            b'*' | b'~' | b'>' => Some(count),
            b'%' => count.checked_mul(2),
            // What is said beside a value is followed by it, and both count for one.
            b'|' => count
                .checked_mul(2)
                .and_then(|count| count.checked_add(u64::from(!outermost))),
            _ => None,
        };
        let count = count.filter(|_| self.open.len() < DEPTH).ok_or(())?;
        self.aside |= outermost && matches!(first, b'>' | b'|');
        if count == 0 {
            return Ok(Took::Value(len));
        }
        self.open.push(count);
        Ok(Took::Opened(len))
    }

    /// Closes whatever a whole value closes; whether nothing is open any more.
    fn close(&mut self) -> bool {
        while let Some(count) = self.open.last_mut() {
            *count = count.saturating_sub(1);
            if *count > 0 {
                return false;
            }
            self.open.pop();
        }
        true
    }
}

/// What was taken of a reply.
enum Took {
    /// A part of a value.
    Part(usize),
    /// The rest of a value.
    Value(usize),
    /// The beginning of one that holds others.
    Opened(usize),
}

/// What is asked in place of a command that shall fail: something no server knows, so that a transaction it stands in fails,
/// too; and for the end of one, that it be discarded.
pub(super) fn instead(request: &Request) -> Vec<u8> {
    let command = if request.command == "EXEC" { "DISCARD" } else { "SQUALL" };
    format!("*1\r\n${}\r\n{command}\r\n", command.len()).into_bytes()
}

/// Told to a client instead of what the server said to that.
pub(super) fn error(code: &str) -> Fate {
    Fate::Swap {
        error: format!("-{code} squall: this command was intercepted\r\n").into_bytes(),
        quiet: (0, 0),
    }
}
