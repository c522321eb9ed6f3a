//! Addresses: where a system is that squall did not start, and whether it may be spoken to.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use tokio::net::{TcpStream, lookup_host};

/// The name every machine has for itself.
pub(super) const SELF: &str = "localhost";

/// The base address of a system: `http://localhost:3000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    base: String,
    host: String,
}

/// Where connections to a base address go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The other end.
    pub addr: SocketAddr,
    /// What requests name as their host.
    pub host: String,
    /// What stands before every path, without a slash at its end.
    pub path: String,
}

/// An address that is not to be spoken to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAddress {
    /// It is none.
    #[error("`{text}` is no base address: {cause}")]
    None {
        /// What was given.
        text: String,
        /// Why it is none.
        cause: String,
    },
    /// It is another machine's, which nobody named.
    #[error("`{host}` is not this machine")]
    Elsewhere {
        /// Whose.
        host: String,
    },
}

impl BadAddress {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        match self {
            BadAddress::None { .. } => "an example is http://localhost:3000".to_owned(),
            BadAddress::Elsewhere { host } => format!(
                "squall works and breaks what it is pointed at; if that is what you want, name it: --allow-host {host}"
            ),
        }
    }
}

impl Address {
    /// Reads an address. It must be on loopback, or its host among those `allowed` by name. Nothing
    /// is sent, and no name is looked up.
    ///
    /// # Errors
    /// It is no address squall can speak to, or may.
    pub fn read(text: &str, allowed: &[String]) -> Result<Self, BadAddress> {
        let none = |cause: &str| BadAddress::None {
            text: without_password(text),
            cause: cause.to_owned(),
        };
        let url = Url::parse(text).map_err(|error| none(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(none("only http:// and https:// are spoken"));
        }
        let Some(host) = url.host_str() else {
            return Err(none("it names no host"));
        };
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
            return Err(none("only a host, a port and a path belong in it"));
        }
        let host = host.trim_matches(['[', ']']).to_owned();
        let named = |name: &String| name.trim_matches(['[', ']']).eq_ignore_ascii_case(&host);
        if !is_here(&host) && !allowed.iter().any(named) {
            return Err(BadAddress::Elsewhere { host });
        }
        let base = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { base, host })
    }

    /// It as a text, without a slash at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Its host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is plainly this machine, so that it need not be named.
    pub fn is_here(&self) -> bool {
        is_here(&self.host)
    }

    /// Whether what is said to it is encrypted.
    pub fn is_secure(&self) -> bool {
        self.base.starts_with("https:")
    }
}

/// The first address of a base address that takes a connection.
pub(super) async fn reach(base: &str) -> io::Result<Reach> {
    let url = Url::parse(base).map_err(io::Error::other)?;
    let (host, port) = (
        url.host_str().unwrap_or_default(),
        url.port_or_known_default().unwrap_or(80),
    );
    let name = host.trim_matches(['[', ']']);
    let found: Vec<SocketAddr> = match name {
        SELF => vec![([127, 0, 0, 1], port).into(), (Ipv6Addr::LOCALHOST, port).into()],
        _ => lookup_host((name, port)).await?.collect(),
    };
    let mut why = io::Error::new(io::ErrorKind::NotFound, format!("{name} has no address"));
    for addr in found {
        match TcpStream::connect(addr).await {
            Ok(_) => {
                let host = url.port().map_or(host.to_owned(), |port| format!("{host}:{port}"));
                let path = url.path().trim_end_matches('/').to_owned();
                return Ok(Reach { addr, host, path });
            }
            Err(error) => why = error,
        }
    }
    Err(why)
}

fn is_here(host: &str) -> bool {
    host == SELF || host.parse::<IpAddr>().is_ok_and(|addr| addr.is_loopback())
}

/// What is said of an address must not give away what is in it.
fn without_password(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => format!("…@{rest}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_needs_no_leave() {
        for text in [
            "http://localhost:3000",
            "http://LOCALHOST:3000/",
            "http://127.0.0.1:80",
            "http://127.9.9.9",
            "http://[::1]:3000/api/",
            "http://127.1:3000",
            "https://localhost",
        ] {
            assert!(Address::read(text, &[]).is_ok(), "{text}");
        }
        assert_eq!(
            Address::read("http://localhost:3000/", &[]).unwrap().base(),
            "http://localhost:3000"
        );
    }

    #[test]
    fn any_other_must_be_named() {
        for (text, host) in [
            ("http://example.test:3000", "example.test"),
            ("http://localhost.example.test", "localhost.example.test"),
            ("http://0.0.0.0:3000", "0.0.0.0"),
            ("http://10.0.0.1", "10.0.0.1"),
            ("http://[2001:db8::1]:80", "2001:db8::1"),
            ("http://[::ffff:10.0.0.1]", "::ffff:a00:1"),
        ] {
            let host = host.to_owned();
            assert_eq!(
                Address::read(text, &[]),
                Err(BadAddress::Elsewhere { host: host.clone() }),
                "{text}"
            );
            assert!(Address::read(text, std::slice::from_ref(&host)).is_ok(), "{text}");
            assert!(Address::read(text, &["other.test".to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_base_address_is_refused_without_giving_a_password_away() {
        for text in [
            "localhost:3000",
            "ftp://localhost",
            "http://",
            "http://user:hunter2@localhost",
            "http://localhost@example.test",
            "http://localhost/?a=b",
            "",
        ] {
            let error = Address::read(text, &[]).unwrap_err();
            assert!(matches!(error, BadAddress::None { .. }), "{text}: {error}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
