//! One question, asked over and over: a GET on connections that are kept, at a fraction of what a whole HTTP client
//! costs. It is asked a hundred times a second of a system whose machine squall must not take.

use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Answered, Reply, Silence};
use crate::load::{self, BadRequest, Http, Parts, Read, Requests, Wire};

/// So many bytes of an answer are kept; one about health is short.
const KEPT: usize = 64 << 10;

/// A question and the connections it is asked on.
#[derive(Debug)]
pub(super) struct Question {
    to: SocketAddr,
    text: Vec<u8>,
    idle: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    wire: Http,
}

impl Question {
    /// What is there at a path of an address.
    ///
    /// # Errors
    /// The path can't stand in a request.
    pub(super) fn new(to: SocketAddr, path: &str) -> Result<Self, BadRequest> {
        let mut text = Vec::new();
        let requests = Requests::new("GET", &to.to_string(), &[])?;
        let path = path.as_bytes().to_vec();
        requests.write(&Parts { path, body: Vec::new() }, &mut text);
        let idle = Mutex::default();
        Ok(Self { to, text, idle })
    }

    /// Asks, and waits for what comes of it as long as the caller does: who stops waiting closes the connection.
    pub(super) async fn ask(&self) -> Reply {
        let call = Instant::now();
        let what = self.answer().await;
        let ret = Instant::now();
        Reply { call, ret, what }
    }

    async fn answer(&self) -> Result<Answered, Silence> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // Whoever listens may have closed it meanwhile, which says nothing of how it is now.
        if let Some(kept) = kept
            && let Ok(answered) = self.on(kept).await
        {
            return Ok(answered);
        }
        let stream = TcpStream::connect(self.to).await.map_err(|error| match error.kind() {
            io::ErrorKind::ConnectionRefused => Silence::Refused,
            _ => Silence::CutOff,
        })?;
        // Without it the question is sent all the same.
        let _ = stream.set_nodelay(true);
        let wire = Http::new(KEPT);
        self.on(Connection { stream, wire }).await.map_err(|_| Silence::CutOff)
    }

    async fn on(&self, mut connection: Connection) -> io::Result<Answered> {
        let Connection { stream, wire } = &mut connection;
        stream.write_all(&self.text).await?;
        wire.expect(false);
        let mut piece = [0; 4096];
        let reply = loop {
            let count = stream.read(&mut piece).await?;
            let read = match piece.get(..count) {
                Some([]) | None => match wire.end() {
                    Some(reply) => break reply,
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
                Some(bytes) => wire.read(bytes).map_err(io::Error::other)?,
            };
            if let Read::Done { used, reply } = read {
                // What comes unasked would be taken for the next answer.
                let reuse = reply.reuse && used == count;
                break load::Reply { reuse, ..reply };
            }
        };
        let json = serde_json::from_slice(wire.body()).ok();
        if reply.reuse {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(connection);
        }
        let status = reply.status;
        Ok(Answered { status, json })
    }
}

#[cfg(test)]
mod tests {
    use squall_core::event::Answer;
    use tokio::net::TcpListener;

    use super::*;

    /// Answers each question on a connection with the next of its answers, closes it after the last, takes the next;
    /// one list for each connection.
    async fn server(connections: &'static [&'static [&'static str]]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answers in connections {
                let (mut stream, _) = listener.accept().await.unwrap();
                for answer in *answers {
                    let mut asked = Vec::new();
                    while !asked.ends_with(b"\r\n\r\n") {
                        asked.push(stream.read_u8().await.unwrap());
                    }
                    assert!(asked.starts_with(b"GET /ready HTTP/1.1\r\n"));
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            }
        });
        at
    }

    const READY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const NOT_READY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}";
    const BAD_GATEWAY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 3\r\n\r\nbad";

    async fn asked(question: &Question) -> Answer {
        question.ask().await.judge(Some(200), None).answer
    }

    #[tokio::test]
    async fn it_is_asked_on_the_connection_that_is_there_and_on_another_once_that_has_gone() {
        let to = server(&[
            &[READY, NOT_READY, BAD_GATEWAY],
            &[READY, "HTTP/1.1 2"],
            &["rubbish\r\n"],
        ])
        .await;
        let question = Question::new(to, "/ready").unwrap();
        assert_eq!(asked(&question).await, Answer::Right);
        assert_eq!(asked(&question).await, Answer::Refused);
        assert_eq!(asked(&question).await, Answer::Wrong);
        // The server has closed the first connection. Nothing was wrong with it.
        assert_eq!(asked(&question).await, Answer::Right);
        // Half an answer on the second, and none at all on the third.
        assert_eq!(asked(&question).await, Answer::Down);
        // Nobody takes a fourth.
        assert_eq!(asked(&question).await, Answer::Down);
    }
}
