//! What a PostgreSQL server sends: replies end when it says that it is ready for another query.

use super::super::{Fare, Fate, HEAD, Owes, Said, Slot};
use super::{LONGEST, NOBODY, word};

/// What a server sends.
#[derive(Default)]
pub(in crate::protocol) struct Replies {
    /// Bytes to come of a message, and what becomes of them.
    left: usize,
    fare: Option<Fare>,
    /// The message is the last of its reply.
    last: bool,
    /// Parts of the open reply that have come.
    parts: u32,
}

impl Replies {
    pub(in crate::protocol) fn next(&mut self, input: &[u8], slot: Option<&Slot>) -> Said {
        if input.is_empty() {
            return Said::More;
        }
        if self.left > 0 {
            let len = self.left.min(input.len());
            self.left -= len;
            return self.bytes(len);
        }
        if slot.is_some_and(|slot| slot.owes == Owes::Byte) {
            return match input[0] {
                b'N' => Said::Bytes {
                    len: 1,
                    fare: Fare::Pass,
                    ends: true,
                },
                _ => Said::Foreign,
            };
        }
        let kind = input[0];
        if !kind.is_ascii_alphanumeric() {
            return Said::Foreign;
        }
        let Some(length) = word(&input[1..]) else {
            return Said::More;
        };
        let length = length as usize;
        if !(4..LONGEST).contains(&length) {
            return Said::Foreign;
        }
        let size = 1 + length;
        let fate = slot.map_or(&Fate::Pass, |slot| &slot.fate);
        let swaps = matches!(fate, Fate::Swap { .. }) && kind == b'E' && size <= HEAD;
        if swaps && input.len() < size {
            return Said::More;
        }
        let own = |message: &[u8]| message.windows(NOBODY.len()).any(|part| part == NOBODY.as_bytes());
        self.fare = Some(match fate {
            Fate::Swap { .. } if swaps && own(&input[..size]) => Fare::Swap,
            Fate::Swap { quiet, .. } if self.is_quiet(kind, *quiet) => Fare::Skip,
            _ => Fare::Pass,
        });
        self.last = kind == b'Z';
        // Each ends what one message of the client began.
        self.parts += u32::from(b"123CIsnT".contains(&kind));
        let len = size.min(input.len());
        self.left = size - len;
        self.bytes(len)
    }

    /// Whether a message is to something the client did not ask.
    fn is_quiet(&self, kind: u8, (from, to): (u32, u32)) -> bool {
        let about_the_session = b"EZSA".contains(&kind);
        !about_the_session && (from..to).contains(&self.parts)
    }

    fn bytes(&mut self, len: usize) -> Said {
        let ends = self.left == 0 && self.last;
        let fare = self.fare.unwrap_or(Fare::Pass);
        if ends {
            self.parts = 0;
        }
        // What is told instead of a message is told once: with its end.
        let fare = match fare {
            Fare::Swap if self.left > 0 => Fare::Skip,
            fare => fare,
        };
        Said::Bytes { len, fare, ends }
    }
}
