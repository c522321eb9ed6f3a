//! HTTP/1.1 requests, rendered ahead but for what differs from one to the next.

use std::io::Write;

/// Methods whose requests say how long their body is even when it is empty.
const WITH_BODY: [&str; 3] = ["POST", "PUT", "PATCH"];
/// Headers that are written here, each exactly once.
const OWN: [&str; 3] = ["host", "content-length", "transfer-encoding"];

/// Requests that differ in path and body only.
#[derive(Debug, Clone)]
pub struct Requests {
    /// Up to the path.
    before: Vec<u8>,
    /// From the path to the last header but `content-length`.
    after: Vec<u8>,
    to_head: bool,
    says_length: bool,
}

/// What differs from one request to the next.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// Path and query; bytes that can't stand there are percent-encoded, a missing `/` is put before it.
    pub path: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

/// A request that can't be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// No method has this name.
    #[error("`{0}` is no HTTP method; a method is a word such as GET")]
    Method(String),
    /// The header can't be sent.
    #[error("the header `{0}` can't be sent: its name is no word, or its value has a line end")]
    Header(String),
    /// The header is written by squall.
    #[error("the header `{0}` is written by squall itself; leave it out")]
    Own(String),
}

impl Requests {
    /// Requests with this method to this host, `name` or `name:port`, each with these headers.
    ///
    /// # Errors
    /// When one of them can't stand in a request.
    pub fn new(method: &str, host: &str, headers: &[(&str, &str)]) -> Result<Self, BadRequest> {
        if !is_word(method) {
            return Err(BadRequest::Method(method.to_owned()));
        }
        let mut after = b" HTTP/1.1\r\n".to_vec();
        if let Some((name, _)) = headers
            .iter()
            .find(|(name, _)| OWN.iter().any(|own| own.eq_ignore_ascii_case(name)))
        {
            return Err(BadRequest::Own((*name).to_owned()));
        }
        for (name, value) in [("host", host)].iter().chain(headers) {
            if !is_word(name) || value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
                return Err(BadRequest::Header((*name).to_owned()));
            }
            after.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        Ok(Self {
            before: format!("{method} ").into_bytes(),
            after,
            to_head: method == "HEAD",
            says_length: WITH_BODY.contains(&method),
        })
    }

    /// Whether they are HEAD requests, whose replies have no body.
    pub fn to_head(&self) -> bool {
        self.to_head
    }

    /// Appends a request to `out`.
    pub fn write(&self, parts: &Parts, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        if parts.path.first() != Some(&b'/') {
            out.push(b'/');
        }
        for byte in &parts.path {
            match byte {
                b'!'..=b'~' => out.push(*byte),
                _ => put(out, format_args!("%{byte:02X}")),
            }
        }
        out.extend_from_slice(&self.after);
        if self.says_length || !parts.body.is_empty() {
            put(out, format_args!("content-length: {}\r\n", parts.body.len()));
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&parts.body);
    }
}

fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    _ = out.write_fmt(what);
}

/// What HTTP calls a token.
fn is_word(text: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(method: &str, path: &str, body: &str) -> String {
        let requests = Requests::new(method, "a:80", &[("accept", "*/*")]).unwrap();
        let parts = Parts {
            path: path.into(),
            body: body.into(),
        };
        let mut out = Vec::new();
        requests.write(&parts, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_request_is_written_as_http_says() {
        assert_eq!(
            written("GET", "/x?y=1", ""),
            "GET /x?y=1 HTTP/1.1\r\nhost: a:80\r\naccept: */*\r\n\r\n"
        );
        assert_eq!(
            written("POST", "/x", "{}"),
            "POST /x HTTP/1.1\r\nhost: a:80\r\naccept: */*\r\ncontent-length: 2\r\n\r\n{}"
        );
        assert!(written("POST", "/x", "").contains("content-length: 0\r\n"));
    }

    #[test]
    fn a_path_never_breaks_out_of_its_line() {
        let text = written("GET", "x y\r\nhost: b\u{e9}", "");
        assert!(
            text.starts_with("GET /x%20y%0D%0Ahost:%20b%C3%A9 HTTP/1.1\r\n"),
            "{text}"
        );
    }

    #[test]
    fn what_can_not_be_sent_is_refused() {
        let refused = |method, headers: &[(&str, &str)]| Requests::new(method, "a", headers).unwrap_err();
        assert!(matches!(refused("GE T", &[]), BadRequest::Method(_)));
        assert!(matches!(refused("GET", &[("a", "b\r\nc: d")]), BadRequest::Header(_)));
        assert!(matches!(refused("GET", &[("a b", "c")]), BadRequest::Header(_)));
        assert!(matches!(refused("GET", &[("Content-Length", "1")]), BadRequest::Own(_)));
    }
}
