//! What stands in a Compose file for something squall decides: ports, hosts, the addresses of other services.

use super::compose::{Compose, Part, Role, speaks_of};
use super::page::literal;

/// A text with its `${NAME:-default}` filled in by their defaults, and `$$` as `$`.
///
/// # Errors
/// The name of a variable without a default.
pub(super) fn variables(text: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((inner, after)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            let end = inner.find([':', '-', '?', '+']).unwrap_or(inner.len());
            let (name, how) = inner.split_at(end);
            match how.trim_start_matches(':').strip_prefix('-') {
                Some(default) => out += default,
                None => return Err(name.to_owned()),
            }
            rest = after;
        } else {
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .unwrap_or(rest.len());
            match &rest[..end] {
                "" => out.push('$'),
                name => return Err(name.to_owned()),
            }
        }
    }
    Ok(out + rest)
}

/// A text as a system file has it, and why it is not what it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filled {
    pub(super) text: String,
    /// What it was.
    pub(super) was: String,
    pub(super) why: Option<String>,
    /// The service it speaks of.
    pub(super) link: Option<String>,
}

impl Filled {
    fn new(was: &str, text: String, why: Option<&str>) -> Self {
        Self {
            text,
            was: literal(was),
            why: why.map(str::to_owned),
            link: None,
        }
    }

    /// It speaks of another service.
    fn to(was: &str, other: &str, text: String, why: &str) -> Self {
        Self {
            link: Some(other.to_owned()),
            ..Self::new(was, text, Some(why))
        }
    }

    /// Whether it says where to listen.
    pub(super) fn listens(&self) -> bool {
        self.text.contains("${self.")
    }
}

/// Whose text it is.
pub(super) struct Owner<'a> {
    pub(super) compose: &'a Compose<'a>,
    pub(super) part: &'a Part,
}

impl Owner<'_> {
    /// A setting of the environment.
    pub(super) fn setting(&self, name: &str, value: &str) -> Filled {
        if speaks_of(name, &["port"])
            && let Some(other) = self.port_of(name, value)
        {
            return Filled::to(
                value,
                &other,
                format!("${{links.{other}.port}}"),
                &format!("the port of `{other}`"),
            );
        }
        if speaks_of(name, &["port"]) && self.own_port(value) {
            return Filled::new(value, "${self.port}".to_owned(), Some("its own port"));
        }
        if speaks_of(name, &["host", "server", "hostname", "addr", "address"])
            && let Some(other) = self.called(value)
        {
            let part = if speaks_of(name, &["addr", "address"]) {
                "addr"
            } else {
                "host"
            };
            return Filled::to(
                value,
                &other,
                format!("${{links.{other}.{part}}}"),
                &format!("where `{other}` is"),
            );
        }
        // A number alone may be anything in the environment.
        match value.parse::<u16>() {
            Ok(_) => Filled::new(value, literal(value), None),
            Err(_) => self.word(value),
        }
    }

    /// A word of a command, or of anything else.
    pub(super) fn word(&self, word: &str) -> Filled {
        if let Some((head, value)) = word.split_once('=').filter(|(head, _)| head.starts_with('-')) {
            let filled = self.word(value);
            return Filled {
                text: format!("{}={}", literal(head), filled.text),
                was: literal(word),
                ..filled
            };
        }
        if let Some((scheme, rest)) = word.split_once("://") {
            return self.url(word, scheme, rest);
        }
        if word == "0.0.0.0" || word == "::" {
            return Filled::new(word, "${self.host}".to_owned(), Some("where it listens"));
        }
        if self.own_port(word) {
            return Filled::new(word, "${self.port}".to_owned(), Some("its own port"));
        }
        if let Some((host, port)) = word.rsplit_once(':') {
            if ["", "0.0.0.0", "[::]"].contains(&host) && self.own_port(port) {
                return Filled::new(word, "${self.addr}".to_owned(), Some("where it listens"));
            }
            if let (Some(other), Ok(_)) = (self.called(host), port.parse::<u16>()) {
                return Filled::to(
                    word,
                    &other,
                    format!("${{links.{other}.addr}}"),
                    &format!("where `{other}` is"),
                );
            }
        }
        Filled::new(word, literal(word), None)
    }

    fn url(&self, whole: &str, scheme: &str, rest: &str) -> Filled {
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit('@').next().unwrap_or(authority);
        let (name, port) = host.split_once(':').unwrap_or((host, ""));
        let of = |address: &str| format!("{}://{address}{}", literal(scheme), literal(path));
        let Some(other) = self.called(name) else {
            let own = ["0.0.0.0", "[::]", "localhost", "127.0.0.1"].contains(&name) && self.own_port(port);
            return match own {
                true => Filled::new(whole, of("${self.addr}"), Some("its own address")),
                false => Filled::new(whole, literal(whole), None),
            };
        };
        let mut parts = self.compose.parts.iter();
        if parts.any(|part| part.name == other && self.compose.role(part) == Role::Postgres) {
            let mut why = "the address of the database squall makes, with its password".to_owned();
            if !["postgres", "postgresql"].contains(&scheme) {
                why += &format!("; it began with {scheme}://");
            }
            return Filled::to(whole, &other, format!("${{links.{other}.url}}"), &why);
        }
        let text = of(&format!("${{links.{other}.addr}}"));
        Filled::to(whole, &other, text, &format!("where `{other}` is"))
    }

    fn own_port(&self, text: &str) -> bool {
        text.parse().is_ok_and(|port: u16| self.part.ports().contains(&port))
    }

    /// The service a host's name means.
    fn called(&self, host: &str) -> Option<String> {
        let others = self
            .compose
            .parts
            .iter()
            .filter(|part| part.name != self.part.name && self.compose.stays(&part.name));
        let found = others.into_iter().find(|part| part.is_called(host))?;
        Some(found.name.clone())
    }

    /// The service whose port a setting names: `DB_PORT` beside `DB_HOST: db`.
    fn port_of(&self, name: &str, value: &str) -> Option<String> {
        value.parse::<u16>().ok()?;
        let stem = name
            .get(..name.len().checked_sub("port".len())?)
            .filter(|stem| !stem.is_empty())?;
        let env = self.part.env();
        let host = env.iter().find(|(other, _)| {
            other.len() > stem.len() && other.starts_with(stem) && speaks_of(other, &["host", "server", "hostname"])
        })?;
        self.called(&variables(host.1.as_deref()?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variables_take_their_defaults_and_name_those_without() {
        for (text, filled) in [
            ("${TAG:-v1}/x", Ok("v1/x")),
            ("${TAG-v1}", Ok("v1")),
            ("a$$b", Ok("a$b")),
            ("$HOME/x", Err("HOME")),
            ("${PW:?must be set}", Err("PW")),
            ("100$", Ok("100$")),
        ] {
            assert_eq!(
                variables(text),
                filled.map(str::to_owned).map_err(str::to_owned),
                "{text}"
            );
        }
    }

    #[test]
    fn what_squall_decides_is_left_to_it() {
        let root = json!({ "services": {
            "web": { "build": ".", "ports": ["8080:80"], "environment": { "DB_HOST": "db", "DB_PORT": "5432" } },
            "db": { "image": "postgres:16" },
            "cache": { "image": "redis" },
        } });
        let compose = Compose::new(&root);
        let owner = Owner {
            compose: &compose,
            part: &compose.parts[0],
        };
        for (name, value, text) in [
            ("DATABASE_URL", "postgres://u:p@db:5432/app", "${links.db.url}"),
            ("CACHE", "redis://cache:6379/1", "redis://${links.cache.addr}/1"),
            ("CACHE_ADDR", "cache:6379", "${links.cache.addr}"),
            ("DB_HOST", "db", "${links.db.host}"),
            ("DB_PORT", "5432", "${links.db.port}"),
            ("PORT", "80", "${self.port}"),
            ("LISTEN", "0.0.0.0:80", "${self.addr}"),
            ("BASE", "http://localhost:80/x", "http://${self.addr}/x"),
            ("OTHER", "https://example.test/${x}", "https://example.test/$${x}"),
            ("TIMEOUT", "80", "80"),
        ] {
            assert_eq!(owner.setting(name, value).text, text, "{name}");
        }
        assert_eq!(owner.word("--bind=0.0.0.0:80").text, "--bind=${self.addr}");
    }
}
