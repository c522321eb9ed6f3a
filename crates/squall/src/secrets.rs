//! Secrets: what must never reach a journal, a report or a log line.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};

/// What stands in a secret's place.
pub const MASK: &str = "‹secret›";

/// Shorter texts are too common to be replaced everywhere.
const SHORTEST: usize = 6;

/// Texts to be removed from everything that is written down. Cheap to clone; all clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    inner: Arc<RwLock<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    texts: BTreeSet<String>,
    finder: Option<AhoCorasick>,
}

impl Secrets {
    /// From now on `secret` is removed, also in its JSON-escaped form.
    pub fn add(&self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let Ok(mut inner) = self.inner.write() else { return };
        let escaped = serde_json::Value::String(secret.to_owned()).to_string();
        let mut new = inner.texts.insert(secret.to_owned());
        new |= inner.texts.insert(escaped[1..escaped.len() - 1].to_owned());
        if new {
            // The longest secret first: one that contains another is removed whole.
            inner.finder = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(&inner.texts)
                .ok();
        }
    }

    /// Adds what an environment variable gives away: its value, unless it is plainly no secret.
    pub fn add_variable(&self, name: &str, value: &str) {
        if let Some(password) = password_of(value) {
            self.add(password);
        }
        if named_like_a_secret(name) || !plain(value) {
            self.add(value);
        }
    }

    /// Adds those of squall's own environment whose names say that they are secret: services inherit it.
    pub fn add_own_environment(&self) {
        for (name, value) in std::env::vars() {
            if named_like_a_secret(&name) {
                self.add(&value);
            } else if let Some(password) = password_of(&value) {
                self.add(password);
            }
        }
    }

    /// `text` without secrets.
    pub fn mask(&self, text: &str) -> String {
        let masked = match self.inner.read() {
            Ok(inner) => match &inner.finder {
                Some(finder) if finder.is_match(text) => finder.replace_all(text, &vec![MASK; inner.texts.len()]),
                _ => text.to_owned(),
            },
            // A poisoned lock means a thread died while adding: better no text than a leak.
            Err(_) => MASK.to_owned(),
        };
        mask_bearer(mask_url(masked))
    }

    /// Whether `bytes` hold a secret as they are.
    pub fn find(&self, bytes: &[u8]) -> bool {
        self.inner
            .read()
            .is_ok_and(|inner| inner.finder.as_ref().is_some_and(|finder| finder.is_match(bytes)))
    }
}

/// The password of a URL, where it has one.
fn password_of(value: &str) -> Option<&str> {
    let rest = value.split_once("://")?.1;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

fn named_like_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "_KEY",
        "CREDENTIAL",
        "DSN",
        "CANARY",
    ]
    .iter()
    .any(|word| name.contains(word))
}

/// Values that give nothing away: numbers, durations, words, addresses and URLs without a password.
fn plain(value: &str) -> bool {
    let url = value.contains("://") && password_of(value).is_none();
    let number = value.starts_with(|c: char| c.is_ascii_digit()) && value.len() <= 12;
    let word = value.len() <= 24 && value.chars().all(|c| c.is_ascii_alphabetic() || "-_,=:".contains(c));
    let path = value.starts_with('/');
    let address = value.parse::<std::net::SocketAddr>().is_ok();
    url || number || word || path || address
}

/// Removes the password of any URL, also of one nobody told us about.
fn mask_url(text: String) -> String {
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find("://") {
        let (head, tail) = rest.split_at(at + 3);
        out.push_str(head);
        let end = tail
            .find(|c: char| c.is_whitespace() || "/\"'<>".contains(c))
            .unwrap_or(tail.len());
        match tail[..end].rfind('@') {
            Some(sign) => {
                out.push_str(MASK);
                rest = &tail[sign..];
            }
            None => rest = tail,
        }
    }
    out.push_str(rest);
    out
}

/// Removes bearer tokens, also ones the system made itself.
fn mask_bearer(text: String) -> String {
    let Some(at) = text.to_ascii_lowercase().find("bearer ") else {
        return text;
    };
    let (head, tail) = text.split_at(at + "bearer ".len());
    let end = tail
        .find(|c: char| c.is_whitespace() || "\"',;".contains(c))
        .unwrap_or(tail.len());
    if end < SHORTEST {
        text.clone()
    } else {
        format!("{head}{MASK}{}", mask_bearer(tail[end..].to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_removed_wherever_it_stands_and_however_it_is_escaped() {
        let secrets = Secrets::default();
        secrets.add("pa\"ss word");
        assert_eq!(secrets.mask("x pa\"ss word y"), format!("x {MASK} y"));
        assert_eq!(
            secrets.mask(r#"{"line":"pa\"ss word"}"#),
            format!(r#"{{"line":"{MASK}"}}"#)
        );
    }

    #[test]
    fn the_longer_of_two_secrets_goes_whole() {
        let secrets = Secrets::default();
        secrets.add("abcdef");
        secrets.add("abcdefghi");
        assert_eq!(secrets.mask("abcdefghi"), MASK);
    }

    #[test]
    fn passwords_in_urls_and_bearer_tokens_go_without_being_known() {
        let secrets = Secrets::default();
        assert_eq!(
            secrets.mask("to postgres://u:p@127.0.0.1/x ok"),
            format!("to postgres://{MASK}@127.0.0.1/x ok")
        );
        assert_eq!(
            secrets.mask("Authorization: Bearer abcdef123"),
            format!("Authorization: Bearer {MASK}")
        );
        assert_eq!(secrets.mask("http://127.0.0.1:80/a"), "http://127.0.0.1:80/a");
    }

    #[test]
    fn settings_are_no_secrets_and_other_values_are() {
        let secrets = Secrets::default();
        secrets.add_variable("TASKHUB_LEASE", "2000ms");
        secrets.add_variable("WITNESS_URL", "http://127.0.0.1:1/w");
        secrets.add_variable("SALT", "x9-K2l!m44");
        secrets.add_variable("CANARY", "canary");
        assert_eq!(
            secrets.mask("2000ms http://127.0.0.1:1/w"),
            "2000ms http://127.0.0.1:1/w"
        );
        assert_eq!(secrets.mask("x9-K2l!m44 canary"), format!("{MASK} {MASK}"));
    }
}
