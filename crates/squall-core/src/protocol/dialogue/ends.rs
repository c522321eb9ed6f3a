//! The two ends of a connection, each as its protocol has it.

use super::super::{Ask, Fate, Protocol, Said, Slot, http, postgres, resp};

/// What a client sends.
pub(super) enum Client {
    Http(http::Requests),
    Resp(resp::Requests),
    Postgres(postgres::Requests),
}

/// What a server sends.
pub(super) enum Server {
    Http(http::Replies),
    Resp(resp::Replies),
    Postgres(postgres::Replies),
}

/// Both ends of a connection that begins now, if `fresh`.
pub(super) fn speak(protocol: Protocol, fresh: bool) -> (Client, Server) {
    match protocol {
        Protocol::Http => (Client::Http(Default::default()), Server::Http(Default::default())),
        Protocol::Resp => (Client::Resp(Default::default()), Server::Resp(Default::default())),
        Protocol::Postgres => (
            Client::Postgres(postgres::Requests::new(fresh)),
            Server::Postgres(Default::default()),
        ),
    }
}

impl Client {
    pub(super) fn next(&mut self, input: &[u8]) -> Ask {
        match self {
            Client::Http(requests) => requests.next(input),
            Client::Resp(requests) => requests.next(input),
            Client::Postgres(requests) => requests.next(input),
        }
    }

    /// Whether what began last has come as a whole.
    pub(super) fn is_whole(&self) -> bool {
        match self {
            Client::Http(requests) => requests.is_whole(),
            Client::Resp(requests) => requests.is_whole(),
            Client::Postgres(requests) => requests.is_whole(),
        }
    }
}

impl Server {
    pub(super) fn next(&mut self, input: &[u8], slot: Option<&Slot>) -> Said {
        match self {
            Server::Http(_) if input.is_empty() => Said::More,
            Server::Http(replies) => replies.next(input, slot.map(|slot| slot.owes)),
            Server::Resp(replies) => {
                let swap = slot.is_some_and(|slot| matches!(slot.fate, Fate::Swap { .. }));
                replies.next(input, swap)
            }
            Server::Postgres(replies) => replies.next(input, slot),
        }
    }
}
