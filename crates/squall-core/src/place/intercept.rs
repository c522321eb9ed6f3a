//! Requests that are picked out of a link, and what is done with them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Share;
use crate::protocol::{Act, Protocol, Request, fits};

/// Which requests of a link are picked out, and what is done with each.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Intercept {
    /// How both ends speak.
    pub protocol: Protocol,
    /// Those with this command, in capitals; all when absent.
    pub command: Option<String>,
    /// Those whose path has this form; all when absent.
    pub path: Option<String>,
    /// Which of these.
    pub which: Which,
    /// What is done.
    pub then: Act,
}

/// Which of the requests that fit; they are counted on the whole link, in the order in which they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// Every one.
    All,
    /// This one alone, from 1.
    Nth(u32),
    /// Each so-manieth.
    Each(u32),
    /// Each with this chance.
    Chance(Share),
}

impl Intercept {
    /// Whether a request is one of those that are counted.
    pub fn fits(&self, request: &Request) -> bool {
        let command = self.command.as_ref().is_none_or(|command| *command == request.command);
        let path = self.path.as_ref().is_none_or(|form| {
            let path = request.path.as_deref();
            path.is_some_and(|path| fits(form, path))
        });
        command && path
    }
}

impl Which {
    /// Whether the request that is the `ordinal`-th to fit, from 1, is taken; `drawn` is from 0 to below 1.
    pub fn takes(self, ordinal: u64, drawn: f64) -> bool {
        match self {
            Which::All => true,
            Which::Nth(nth) => ordinal == u64::from(nth),
            Which::Each(each) => ordinal.is_multiple_of(u64::from(each)),
            Which::Chance(share) => drawn < share.fraction(),
        }
    }
}

impl fmt::Display for Intercept {
    /// What becomes of which: `(postgres): COMMIT, number 3 alone, loses its reply`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = self.command.as_deref().unwrap_or("any request");
        write!(f, "({}): {command}", self.protocol.word())?;
        if let Some(path) = &self.path {
            write!(f, " {path}")?;
        }
        match self.which {
            Which::All => f.write_str(" ")?,
            Which::Nth(nth) => write!(f, ", number {nth} alone, ")?,
            Which::Each(each) => write!(f, ", one in {each}, ")?,
            Which::Chance(share) => write!(f, ", {share} of them, ")?,
        }
        self.then.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_http(command: Option<&str>, path: Option<&str>) -> Intercept {
        Intercept {
            protocol: Protocol::Http,
            command: command.map(str::to_owned),
            path: path.map(str::to_owned),
            which: Which::All,
            then: Act::HangUp,
        }
    }

    #[test]
    fn a_request_fits_by_its_command_and_its_path() {
        let request = Request {
            command: "GET".to_owned(),
            path: Some("/tasks/1".to_owned()),
        };
        for (command, path, fit) in [
            (None, None, true),
            (Some("GET"), None, true),
            (Some("POST"), None, false),
            (None, Some("/tasks/*"), true),
            (Some("GET"), Some("/users/*"), false),
        ] {
            assert_eq!(of_http(command, path).fits(&request), fit);
        }
        let bare = Request { path: None, ..request };
        assert!(!of_http(None, Some("*")).fits(&bare));
    }

    #[test]
    fn some_of_those_that_fit_are_taken() {
        let taken = |which: Which| {
            (1..=6)
                .filter(|n| which.takes(*n, *n as f64 / 10.0))
                .collect::<Vec<_>>()
        };
        assert_eq!(taken(Which::All), [1, 2, 3, 4, 5, 6]);
        assert_eq!(taken(Which::Nth(3)), [3]);
        assert_eq!(taken(Which::Each(2)), [2, 4, 6]);
        assert_eq!(taken(Which::Chance(Share::of(0.35))), [1, 2, 3]);
    }
}
