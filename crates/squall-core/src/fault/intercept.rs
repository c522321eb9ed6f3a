//! Requests that fail, wait or get no reply, picked out by what they say.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::amount::{Dur, Percent};
use crate::fault::{Objection, fault};
use crate::place::{Condition, Intercept, Share, Which};
use crate::protocol::{Act, Protocol};

pub(super) const DOES: &str =
    "some of one copy's requests to a service (HTTP, RESP, PostgreSQL) fail, wait or lose their reply";
pub(super) const PROOF: &str = "requests it was done with, counted by the link's proxy";

/// What is done with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Then {
    /// It fails with the protocol's own error, and is not carried out.
    Error,
    /// It is carried out, and neither its reply nor any later one on its connection arrives.
    DropReply,
    /// It is carried out, and instead of its reply its connection is reset.
    HangUp,
    /// It is passed on so much later, and all after it on its connection.
    Delay(Dur),
}

fault! {
    /// Does something with requests picked out by what they say.
    InterceptLink {
        /// The service that connects.
        from: String,
        /// The service it connects to.
        to: String,
        /// How they speak: `http`, `resp` or `postgres`.
        protocol: Protocol,
        /// Those with this method, this command, or this first word of a statement; all when absent.
        #[serde(default)]
        command: Option<String>,
        /// With `http`: those with this path, in which `*` stands for any characters; all when absent.
        #[serde(default)]
        path: Option<String>,
        /// Of those that fit the so-manieth alone, counted over all connections of the copy.
        #[serde(default)]
        nth: Option<std::num::NonZeroU32>,
        /// Each so-manieth.
        #[serde(default)]
        each: Option<std::num::NonZeroU32>,
        /// Each with this chance.
        #[serde(default)]
        chance: Option<Percent>,
        /// What is done with them: `error`, `drop_reply`, `hang_up`, or `delay: DURATION`.
        then: Then,
        /// With `error`: an HTTP status, the first word of a RESP error, or a SQLSTATE; `503`, `ERR` or `57014` when absent.
        #[serde(default)]
        code: Option<String>,
        /// How long.
        #[serde(rename = "for")]
        lasts: Dur,
    }
}

impl InterceptLink {
    pub(super) fn condition(&self) -> Condition {
        let which = match (self.nth, self.each, self.chance) {
            (Some(nth), ..) => Which::Nth(nth.get()),
            (_, Some(each), _) => Which::Each(each.get()),
            (.., Some(chance)) => Which::Chance(Share::of(chance.fraction())),
            _ => Which::All,
        };
        let then = match self.then {
            Then::Error => Act::Error {
                code: self.code.clone(),
            },
            Then::Delay(by) => Act::Delay(by.get()),
            Then::DropReply => Act::DropReply,
            Then::HangUp => Act::HangUp,
        };
        Condition::Intercepted(Intercept {
            protocol: self.protocol,
            command: self.command.as_ref().map(|command| command.to_ascii_uppercase()),
            path: self.path.clone(),
            which,
            then,
        })
    }

    pub(super) fn objection(&self) -> Option<Objection> {
        let picks = [self.nth.is_some(), self.each.is_some(), self.chance.is_some()];
        let one_word = |command: &String| !command.is_empty() && command.bytes().all(|c| c.is_ascii_graphic());
        if picks.iter().filter(|pick| **pick).count() > 1 {
            let help = "leave all but one of them out";
            return Some((
                "",
                "`nth`, `each` and `chance` each say which ones of those that fit",
                help,
            ));
        }
        if self.chance.is_some_and(|chance| chance.fraction() <= 0.0) {
            return Some(("/chance", "a chance of 0% takes none", "write more than 0%"));
        }
        if self.then == Then::Delay(Dur::ZERO) {
            return Some((
                "/then/delay",
                "a delay of nothing changes nothing",
                "write how long they wait, such as 500ms",
            ));
        }
        if !self.command.as_ref().is_none_or(one_word) {
            return Some((
                "/command",
                "no request has such a command",
                "write one word, such as GET or COMMIT",
            ));
        }
        if self.path.is_some() && self.protocol != Protocol::Http {
            return Some(("/path", "only requests of `http` have a path", "pick them by `command`"));
        }
        if self.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            return Some((
                "/path",
                "no request has such a path",
                "begin it with `/`, such as /tasks",
            ));
        }
        let code = self.code.as_ref()?;
        if self.then != Then::Error {
            return Some((
                "/code",
                "only an error has a code",
                "leave it out, or write `then: error`",
            ));
        }
        let help = self.protocol.objection(code)?;
        Some(("/code", "the protocol has no such code", help))
    }
}
