//! Secrets: what must never reach a journal, a report or a log line.

use std::collections::BTreeSet;
use std::path::Path;
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
    spared: BTreeSet<String>,
    finder: Option<AhoCorasick>,
}

impl Secrets {
    /// From now on `secret` is removed, also in its JSON-escaped form, and each of its lines.
    pub fn add(&self, secret: &str) {
        let Ok(mut inner) = self.inner.write() else { return };
        let lines = secret.lines().map(str::trim).filter(|line| *line != secret);
        let mut new = false;
        for text in std::iter::once(secret).chain(lines) {
            if text.len() < SHORTEST || inner.spared.contains(text) {
                continue;
            }
            let escaped = serde_json::Value::String(text.to_owned()).to_string();
            new |= inner.texts.insert(text.to_owned());
            new |= inner.texts.insert(escaped[1..escaped.len() - 1].to_owned());
        }
        if new {
            inner.rebuild();
        }
    }

    /// `name` is no secret, though one may be spelled like it: what the system's parts are called
    /// must be told apart in a journal.
    pub fn spare(&self, name: &str) {
        let Ok(mut inner) = self.inner.write() else { return };
        inner.spared.insert(name.to_owned());
        if inner.texts.remove(name) {
            inner.rebuild();
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
        mask_named(mask_bearer(mask_url(masked)))
    }

    /// Whether `bytes` hold a secret as they are.
    pub fn find(&self, bytes: &[u8]) -> bool {
        self.inner
            .read()
            .is_ok_and(|inner| inner.finder.as_ref().is_some_and(|finder| finder.is_match(bytes)))
    }
}

impl Inner {
    fn rebuild(&mut self) {
        // The longest secret first: one that contains another is removed whole.
        self.finder = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&self.texts)
            .ok();
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
    let number = amount(value);
    // A name may be numbered: worker-1.
    let name = value.trim_end_matches(|c: char| c.is_ascii_digit());
    let numbered = value.len() - name.len() <= 3 && (name.len() == value.len() || name.ends_with(['-', '_']));
    let letters = name.chars().all(|c| c.is_ascii_alphabetic() || "-_,=:".contains(c));
    let word = value.len() <= 24 && numbered && letters;
    // A secret may begin with a slash, too.
    let path = Path::new(value).is_absolute()
        && (Path::new(value).exists()
            || Path::new(value)
                .parent()
                .is_some_and(|parent| parent != "/" && parent.exists()));
    let address = value.parse::<std::net::SocketAddr>().is_ok();
    url || number || word || path || address
}

/// Numbers with or without units: 3, 0.5, 95%, 10/s, 2000ms, 1m30s, 64MiB.
fn amount(value: &str) -> bool {
    const UNITS: [&str; 20] = [
        "", "%", "/s", "/m", "/h", "ns", "us", "µs", "ms", "s", "m", "h", "d", "b", "k", "kb", "mb", "gb", "kib", "mib",
    ];
    let digit = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = value;
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(digit);
        if unit.len() == rest.len() {
            return false;
        }
        let end = unit.find(digit).unwrap_or(unit.len());
        if !UNITS.contains(&unit[..end].to_lowercase().as_str()) {
            return false;
        }
        rest = &unit[end..];
    }
    !value.is_empty()
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

/// Removes what is called a password, a token or the like: a system may say it before squall was
/// told it.
fn mask_named(text: String) -> String {
    const NAMES: [&str; 6] = ["password", "passwd", "secret", "token", "api_key", "apikey"];
    let lower = text.to_ascii_lowercase();
    let mut out = String::new();
    let mut from = 0;
    while let Some(end) = NAMES
        .iter()
        .filter_map(|name| Some(lower[from..].find(name)? + name.len()))
        .min()
    {
        let name_end = from + end;
        out.push_str(&text[from..name_end]);
        from = name_end;
        // `"token":"…"`, `token=…`, `TOKEN is …` has no sign and is left.
        let after = text[from..].trim_start_matches(['"', '\'', '\\', ' ']);
        let Some(rest) = after.strip_prefix([':', '=']) else {
            continue;
        };
        let value = rest.trim_start_matches(['"', '\'', '\\', ' ']);
        let start = text.len() - value.len();
        let length = value
            .find(|c: char| c.is_whitespace() || "\"'\\,;&<>{}()".contains(c))
            .unwrap_or(value.len());
        if length >= SHORTEST && !plain(&value[..length]) && !value.starts_with(MASK) {
            out.push_str(&text[from..start]);
            out.push_str(MASK);
            from = start + length;
        }
    }
    out.push_str(&text[from..]);
    out
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
    fn each_line_of_a_secret_is_one_and_a_spared_name_is_none() {
        let secrets = Secrets::default();
        secrets.add("-----BEGIN-----\nabc123def456\n-----END-----");
        assert_eq!(secrets.mask("key abc123def456"), format!("key {MASK}"));
        secrets.add("postgres");
        secrets.spare("postgres");
        secrets.add("postgres");
        assert_eq!(secrets.mask("postgres"), "postgres");
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
    fn what_is_called_a_secret_is_one_and_what_is_told_of_it_is_none() {
        let secrets = Secrets::default();
        assert_eq!(
            secrets.mask(r#"{"token":"abc.123.def"}"#),
            format!(r#"{{"token":"{MASK}"}}"#)
        );
        assert_eq!(
            secrets.mask(r#"{\"Password\": \"abc123!x\"}"#),
            format!(r#"{{\"Password\": \"{MASK}\"}}"#)
        );
        assert_eq!(secrets.mask("api_key=9f8e7d6c5b4a&x=1"), format!("api_key={MASK}&x=1"));
        for harmless in [
            "token: expired",
            "token_ttl=2000ms",
            "token",
            "secret:",
            "a secret: 2 tokens",
            "password=µ",
        ] {
            assert_eq!(secrets.mask(harmless), harmless);
        }
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
        let settings = [
            "worker-1",
            "eu-west-1",
            "1m30s",
            "95%",
            "10/s",
            "64MiB",
            "0.5",
            "read-committed",
            "/tmp",
            "127.0.0.1:80",
        ];
        let hidden = [
            "9f8e7d6c5b4a",
            "hunter2hunter2",
            "a1b2c3d4",
            "pass-12345",
            "p@ssword",
            "/9j4AAQSkZJRg",
        ];
        for value in settings.iter().chain(&hidden) {
            let secrets = Secrets::default();
            secrets.add_variable("SETTING", value);
            assert_eq!(secrets.mask(value) == MASK, hidden.contains(value), "{value}");
        }
    }
}
