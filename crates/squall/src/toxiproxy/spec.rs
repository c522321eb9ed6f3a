//! What clients say of a proxy, and how they are told that it can't be.

use std::borrow::Cow;
use std::io;

use serde_json::{Map, Value};

/// Why a request was refused, in Toxiproxy's words, and the status it is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// In words.
    pub error: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
}

impl Refused {
    pub(super) const STREAM: Self = Self::new("stream was invalid, can be either upstream or downstream", 400);
    pub(super) const TYPE: Self = Self::new("invalid toxic type", 400);
    pub(super) const NO_PROXY: Self = Self::new("proxy not found", 404);
    pub(super) const NO_TOXIC: Self = Self::new("toxic not found", 404);
    pub(super) const PROXY_THERE: Self = Self::new("proxy already exists", 409);
    pub(super) const TOXIC_THERE: Self = Self::new("toxic already exists", 409);

    const fn new(error: &'static str, status: u16) -> Self {
        let error = Cow::Borrowed(error);
        Self { error, status }
    }

    /// A body that can't be read.
    pub(super) fn body(why: &str) -> Self {
        let error = format!("bad request body: {why}").into();
        Self { error, status: 400 }
    }

    fn missing(field: &str) -> Self {
        let error = format!("missing required field: {field}").into();
        Self { error, status: 400 }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        let error = error.to_string().into();
        Self { error, status: 500 }
    }
}

/// What a client says of a proxy.
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) listen: String,
    pub(super) upstream: String,
    pub(super) enabled: bool,
    pub(super) toxics: Vec<Value>,
}

impl Spec {
    pub(super) fn read(body: &Value) -> Result<Self, Refused> {
        let body = body
            .as_object()
            .ok_or_else(|| Refused::body("an object was expected"))?;
        let needed = |field| match text(body, field)? {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(Refused::missing(field)),
        };
        Ok(Self {
            name: needed("name")?,
            upstream: needed("upstream")?,
            listen: text(body, "listen")?.unwrap_or_default(),
            enabled: truth(body, "enabled")?.unwrap_or(true),
            toxics: body
                .get("toxics")
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default(),
        })
    }
}

/// All that a list asks for, or the first thing wrong with it; nothing has happened by then.
pub(super) fn specs(body: &Value) -> Result<Vec<Spec>, Refused> {
    let list = body.as_array().ok_or_else(|| Refused::body("a list was expected"))?;
    let specs = list.iter().enumerate().map(|(number, body)| {
        Spec::read(body).map_err(|refused| match refused.error.starts_with("missing") {
            true => Refused {
                error: format!("{} at proxy {}", refused.error, number + 1).into(),
                ..refused
            },
            false => refused,
        })
    });
    specs.collect()
}

/// A text, if there is one.
pub(super) fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refused::body(&format!("{name} is not a text"))),
    }
}

/// Whether something is so, if it is said.
pub(super) fn truth(body: &Map<String, Value>, name: &str) -> Result<Option<bool>, Refused> {
    match body.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(truth)) => Ok(Some(*truth)),
        Some(_) => Err(Refused::body(&format!("{name} is not true or false"))),
    }
}
