//! How a protocol's replies are read, and HTTP/1.1's requests written.

mod http;
mod request;

pub use http::Http;
pub use request::{BadRequest, Parts, Requests};

/// Reads the replies on one connection, in whatever pieces they come. Each connection has a reader of its own, which
/// lives as long as the connection.
pub trait Wire: Send + 'static {
    /// What has to be known of a request to read its reply.
    type Expect: Copy + Send;

    /// A request was put on the connection, whose reply is read from now on.
    fn expect(&mut self, expect: Self::Expect);

    /// Reads a piece of the reply. Not called again once it was done, until the next request.
    ///
    /// # Errors
    /// When this is no reply. The connection is of no more use.
    fn read(&mut self, bytes: &[u8]) -> Result<Read, Malformed>;

    /// The connection has ended: the reply, if its end is what completes it.
    fn end(&mut self) -> Option<Reply>;

    /// The body of the last reply, or as much of it as is kept.
    fn body(&self) -> &[u8];
}

/// How far a piece brought the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Read {
    /// It was all used, and more is needed.
    More,
    /// The reply is complete.
    Done {
        /// So many bytes of the piece were the reply's.
        used: usize,
        /// The reply.
        reply: Reply,
    },
}

/// A complete reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// HTTP's status. Protocols without one say 200 for success and 500 for an error.
    pub status: u16,
    /// Whether the connection takes another request.
    pub reuse: bool,
}

/// Bytes that are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Malformed {
    /// A line does not end as it should.
    #[error("a line does not end in CR LF")]
    LineEnd,
    /// The first line.
    #[error("the first line is no HTTP/1.0 or HTTP/1.1 status line")]
    StatusLine,
    /// A header line.
    #[error("a header line is not `name: value`")]
    Header,
    /// The length of the body.
    #[error("content-length is no number, or more than one")]
    Length,
    /// A chunk of the body.
    #[error("a chunk's size is no hexadecimal number, or its bytes do not end there")]
    Chunk,
    /// Head, trailers or a chunk's size.
    #[error("the head, the trailers or a chunk's size line are too long")]
    TooLong,
}
