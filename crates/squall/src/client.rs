//! Clients: requests as the contract describes them, and what came of each.
//!
//! A request is stamped before its first byte is sent and after its reply is parsed, both with the
//! journal's clock. What it did is one of three things: it took effect, it certainly did not, or
//! nobody knows.

mod address;
mod asking;
mod bulky;
mod object;
mod template;

pub use address::{Address, BadAddress, Reach};
pub use asking::{Asked, Created, tasks_create};
pub use object::Operated;
pub use template::{Names, fill_json, take};

use std::collections::BTreeMap;
use std::error::Error;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use squall_core::contract::Method;
use squall_core::event::{Answer, Outcome};

/// A client waits so long for an answer; then it is counted as hung.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Sends requests to one system. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

/// A request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path and query.
    pub path: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its JSON body.
    pub json: Option<serde_json::Value>,
}

/// What came of a request.
#[derive(Debug)]
pub struct Reply {
    /// Just before its first byte was sent.
    pub call: Instant,
    /// After its reply was parsed, or it was given up.
    pub ret: Instant,
    /// The answer, or why there was none.
    pub what: Result<Answered, Silence>,
}

/// An answer.
#[derive(Debug)]
pub struct Answered {
    /// HTTP status.
    pub status: u16,
    /// The body, where it is JSON.
    pub json: Option<serde_json::Value>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// The connection was refused: nothing was sent.
    Refused,
    /// No TLS connection came about: nothing was sent.
    NoTls,
    /// The connection ended before a reply.
    CutOff,
    /// Nothing came in time.
    TimedOut,
}

/// A reply held against what was expected.
#[derive(Debug)]
pub struct Judged {
    /// Whether it was the right one.
    pub answer: Answer,
    /// Whether the request took effect.
    pub outcome: Outcome,
    /// HTTP status, where one came.
    pub status: Option<u16>,
    /// What was wrong, in words.
    pub fault: Option<String>,
}

impl Client {
    /// A client of the system at an address.
    ///
    /// # Errors
    /// When the machine can't give what a client needs.
    pub fn at(address: &Address) -> Result<Self, reqwest::Error> {
        Self::new(address.base())
    }

    /// A client of the system at a base address that was read as an [`Address`], or that squall gave it.
    ///
    /// # Errors
    /// When the machine can't give what a client needs.
    pub fn new(base: &str) -> Result<Self, reqwest::Error> {
        let base = base.to_owned();
        let http = http(&base, PATIENCE)?;
        Ok(Self { http, base })
    }

    /// Where its requests go, for a load generator that opens connections itself: the first address of the host that
    /// takes one.
    ///
    /// # Errors
    /// Nobody listens there.
    pub async fn reach(&self) -> std::io::Result<Reach> {
        address::reach(&self.base).await
    }

    /// Asks for the very address it is a client of: status and text.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn page(&self) -> Result<(u16, String), Silence> {
        let response = self
            .http
            .get(&self.base)
            .send()
            .await
            .map_err(|error| silence(&error))?;
        let status = response.status().as_u16();
        let text = response.text().await.map_err(|error| silence(&error))?;
        Ok((status, text))
    }

    /// Sends a request and waits for what comes of it, at most [`PATIENCE`].
    pub async fn send(&self, call: &Call) -> Reply {
        let method = match call.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut request = self.http.request(method, format!("{}{}", self.base, call.path));
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(json) = &call.json {
            request = request.json(json);
        }
        let call = Instant::now();
        let what = match request.send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                match response.bytes().await {
                    Ok(body) => Ok(Answered {
                        status,
                        json: serde_json::from_slice(&body).ok(),
                    }),
                    Err(error) => Err(silence(&error)),
                }
            }
            Err(error) => Err(silence(&error)),
        };
        Reply {
            call,
            ret: Instant::now(),
            what,
        }
    }
}

/// What speaks HTTP to a base address, and to nobody it may be sent on to.
///
/// # Errors
/// When the machine can't give what it needs: for `https://` that is a list of certificates to trust.
pub fn http(base: &str, patience: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // The ports are those of each request. This name must never lead elsewhere.
    let here = [
        SocketAddr::from(([127, 0, 0, 1], 0)),
        SocketAddr::from((Ipv6Addr::LOCALHOST, 0)),
    ];
    let builder = reqwest::Client::builder()
        .no_proxy()
        .resolve_to_addrs(address::SELF, &here)
        .timeout(patience)
        .pool_max_idle_per_host(64)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::none());
    match base.starts_with("https:") {
        true => builder.build(),
        // A machine without certificates speaks plain HTTP all the same.
        false => builder.tls_certs_only([]).build(),
    }
}

fn silence(error: &reqwest::Error) -> Silence {
    if error.is_timeout() {
        return Silence::TimedOut;
    }
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::ConnectionRefused
        {
            return Silence::Refused;
        }
        cause = inner.source();
    }
    let secure = error.url().is_some_and(|url| url.scheme() == "https");
    if secure && error.is_connect() {
        return Silence::NoTls;
    }
    Silence::CutOff
}

impl Reply {
    /// Holds the reply against what was expected: a status (any 2xx when absent), and what the
    /// JSON must contain at least.
    pub fn judge(&self, expect: Option<u16>, has: Option<&serde_json::Value>) -> Judged {
        let answered = match &self.what {
            Ok(answered) => answered,
            Err(silence) => return silence.judged(),
        };
        let status = answered.status;
        let outcome = match status {
            200..300 => Outcome::Ok,
            400..500 => Outcome::Failed,
            _ => Outcome::Unknown,
        };
        let expected = expect.map_or((200..300).contains(&status), |expect| expect == status);
        let missing = has.and_then(|has| match &answered.json {
            Some(json) => lacks(json, has, String::new()),
            None => Some("the answer is no JSON".to_owned()),
        });
        let (answer, fault) = match (expected, missing) {
            (true, None) => (Answer::Right, None),
            (true, Some(missing)) => (Answer::Wrong, Some(missing)),
            (false, _) if status == 503 && answered.json.is_some() => (Answer::Refused, None),
            (false, _) => {
                let wanted = expect.map_or("2xx".to_owned(), |expect| expect.to_string());
                (Answer::Wrong, Some(format!("{status} instead of {wanted}")))
            }
        };
        Judged {
            answer,
            outcome,
            status: Some(status),
            fault,
        }
    }
}

impl Silence {
    /// It in words.
    pub fn words(self) -> &'static str {
        match self {
            Silence::Refused => "connection refused",
            Silence::NoTls => "no TLS connection: is its certificate one this machine trusts?",
            Silence::CutOff => "cut off before a reply",
            Silence::TimedOut => "no answer in time",
        }
    }

    fn judged(self) -> Judged {
        let (answer, outcome) = match self {
            Silence::Refused | Silence::NoTls => (Answer::Down, Outcome::Failed),
            Silence::CutOff => (Answer::Down, Outcome::Unknown),
            Silence::TimedOut => (Answer::Hung, Outcome::Unknown),
        };
        Judged {
            answer,
            outcome,
            status: None,
            fault: Some(self.words().to_owned()),
        }
    }
}

/// What `json` lacks of `has`; objects may have more, an empty list may be any, everything else must be equal.
fn lacks(json: &serde_json::Value, has: &serde_json::Value, at: String) -> Option<String> {
    match (json, has) {
        (serde_json::Value::Object(json), serde_json::Value::Object(has)) => has.iter().find_map(|(key, wanted)| {
            let at = format!("{at}.{key}");
            match json.get(key) {
                Some(found) => lacks(found, wanted, at),
                None => Some(format!("the answer has no `{}`", at.trim_start_matches('.'))),
            }
        }),
        // An empty list asks for a list: what is in it changes as the system works.
        (serde_json::Value::Array(_), serde_json::Value::Array(wanted)) if wanted.is_empty() => None,
        (found, wanted) if found == wanted => None,
        (found, wanted) => Some(format!(
            "`{}` is {found} instead of {wanted}",
            at.trim_start_matches('.')
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reply(what: Result<Answered, Silence>) -> Reply {
        Reply {
            call: Instant::now(),
            ret: Instant::now(),
            what,
        }
    }

    fn answered(status: u16, json: Option<serde_json::Value>) -> Reply {
        reply(Ok(Answered { status, json }))
    }

    #[test]
    fn a_503_is_an_honest_refusal_only_with_a_json_body() {
        assert_eq!(
            answered(503, Some(json!({}))).judge(Some(200), None).answer,
            Answer::Refused
        );
        assert_eq!(answered(503, None).judge(Some(200), None).answer, Answer::Wrong);
        assert_eq!(
            answered(503, Some(json!({}))).judge(Some(200), None).outcome,
            Outcome::Unknown
        );
    }

    #[test]
    fn a_timeout_is_unknown_and_only_a_refused_connection_certainly_failed() {
        assert_eq!(
            reply(Err(Silence::TimedOut)).judge(None, None).outcome,
            Outcome::Unknown
        );
        assert_eq!(reply(Err(Silence::CutOff)).judge(None, None).outcome, Outcome::Unknown);
        assert_eq!(reply(Err(Silence::Refused)).judge(None, None).outcome, Outcome::Failed);
    }

    #[test]
    fn an_answer_may_have_more_than_asked_but_not_less_and_nothing_else() {
        let has = json!({"status": "healthy", "db": {"up": true}});
        let right = json!({"status": "healthy", "db": {"up": true, "ms": 3}, "more": 1});
        assert_eq!(
            answered(200, Some(right)).judge(Some(200), Some(&has)).answer,
            Answer::Right
        );
        let wrong = answered(200, Some(json!({"status": "healthy", "db": {"up": false}}))).judge(Some(200), Some(&has));
        assert_eq!(wrong.answer, Answer::Wrong);
        assert_eq!(wrong.fault.as_deref(), Some("`db.up` is false instead of true"));
        let page = answered(200, None).judge(Some(200), Some(&json!({})));
        assert_eq!(page.answer, Answer::Wrong);
        let list = answered(200, Some(json!({"tasks": [1]}))).judge(Some(200), Some(&json!({"tasks": []})));
        assert_eq!(list.answer, Answer::Right);
        let less = answered(200, Some(json!({"status": "healthy"}))).judge(Some(200), Some(&has));
        assert_eq!(less.fault.as_deref(), Some("the answer has no `db`"));
    }
}
