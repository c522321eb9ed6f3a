//! Requests whose body is far too large: sent piece by piece, so that it takes no memory here, and given up as soon as
//! there is an answer.
//!
//! Written by hand, because whoever refuses such a request does so before it has come to its end, and may close the
//! connection at once: a client that looks at the failed write first never sees the answer.

use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Answered, Call, Client, PATIENCE, Reply, Silence};

/// So many bytes are sent at once.
const PIECE: usize = 64 * 1024;
/// An answer is not longer than this.
const ANSWER: usize = 64 * 1024;

impl Client {
    /// Sends a call with a JSON text of so many bytes as its body, and waits for what comes of it, at most [`PATIENCE`].
    pub async fn send_bulky(&self, call: &Call, bytes: u64) -> Reply {
        let begun = Instant::now();
        let what = timeout(PATIENCE, self.bulky(call, bytes)).await;
        Reply {
            call: begun,
            ret: Instant::now(),
            what: what.unwrap_or(Err(Silence::TimedOut)),
        }
    }

    async fn bulky(&self, call: &Call, bytes: u64) -> Result<Answered, Silence> {
        let reach = self.reach().await.map_err(|_| Silence::Refused)?;
        let mut stream = TcpStream::connect(reach.addr).await.map_err(|_| Silence::Refused)?;
        let bytes = bytes.max(2);
        let mut head = format!(
            "{} {}{} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {bytes}\r\n",
            call.method.name(),
            reach.path,
            call.path,
            reach.host
        );
        for (name, value) in &call.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += "connection: close\r\n\r\n\"";
        let (mut read, mut write) = stream.split();
        let sending = async {
            let piece = vec![b'a'; PIECE];
            let mut left = bytes - 2;
            let mut sent = write.write_all(head.as_bytes()).await;
            while sent.is_ok() && left > 0 {
                let next = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
                sent = write.write_all(&piece[..next]).await;
                left -= next as u64;
            }
            if sent.is_ok() {
                // What became of it the answer tells.
                let _ = write.write_all(b"\"").await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            biased;
            answer = answer(&mut read) => answer,
            () = sending => Err(Silence::CutOff),
        }
    }
}

/// Reads an answer up to its length, or to the end of the connection.
async fn answer(read: &mut (impl AsyncReadExt + Unpin)) -> Result<Answered, Silence> {
    let mut buffer = Vec::new();
    let mut piece = [0; 4096];
    loop {
        if let Some(answered) = answered(&buffer, false) {
            return Ok(answered);
        }
        match read.read(&mut piece).await {
            Ok(n) if n > 0 && buffer.len() < ANSWER => buffer.extend_from_slice(&piece[..n]),
            _ => return answered(&buffer, true).ok_or(Silence::CutOff),
        }
    }
}

/// The answer in so many bytes: once all of it is there, or what is there when no more will come.
fn answered(bytes: &[u8], over: bool) -> Option<Answered> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    let body = &bytes[end..];
    let complete = length.is_some_and(|length| body.len() >= length);
    (complete || over).then(|| Answered {
        status,
        json: serde_json::from_slice(body).ok(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_there_with_its_last_byte_or_with_the_end_of_the_connection() {
        let text = b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\n{}";
        assert!(answered(&text[..text.len() - 1], false).is_none());
        let whole = answered(text, false).unwrap();
        assert_eq!((whole.status, whole.json), (413, Some(serde_json::json!({}))));
        let cut = answered(&text[..text.len() - 1], true).unwrap();
        assert_eq!((cut.status, cut.json), (413, None));
        assert!(answered(b"HTTP/1.1 413", true).is_none());
    }

    #[tokio::test]
    async fn a_refusal_is_seen_although_the_connection_is_closed_under_the_body() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut some = [0; 1000];
                // A look whether somebody listens sends nothing.
                if matches!(stream.read(&mut some).await, Ok(n) if n > 0) {
                    let refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\n\r\n{}";
                    let _ = stream.write_all(refusal).await;
                }
            }
        });
        let client = Client::new(&base).unwrap();
        let call = Call {
            method: squall_core::contract::Method::Post,
            path: "/tasks".to_owned(),
            headers: std::collections::BTreeMap::new(),
            json: None,
        };
        for _ in 0..50 {
            let reply = client.send_bulky(&call, 20_000_000).await;
            assert_eq!(reply.what.unwrap().status, 413);
        }
    }
}
