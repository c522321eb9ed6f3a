//! Small servers that do exactly as a test says.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

pub(crate) const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// A server on a port of its own.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
}

/// A connection as the server sees it.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Server {
    /// Has `serve` deal with every connection, each on a thread of its own.
    pub(crate) fn start(serve: impl Fn(Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let accepted = Arc::new(AtomicUsize::new(0));
        let (serve, count) = (Arc::new(serve), Arc::clone(&accepted));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                count.fetch_add(1, Ordering::SeqCst);
                stream.set_nodelay(true).unwrap();
                let serve = Arc::clone(&serve);
                thread::spawn(move || {
                    serve(Peer {
                        stream,
                        read: Vec::new(),
                    });
                });
            }
        });
        Self { addr, accepted }
    }

    /// Answers every request with these bytes, in as many writes, and keeps the connection.
    pub(crate) fn answering(reply: &'static [&'static [u8]]) -> Self {
        Self::start(move |mut peer| {
            while peer.request().is_some() {
                if !reply.iter().all(|piece| peer.send(piece)) {
                    return;
                }
            }
        })
    }

    /// Answers the first request of each connection with these bytes, and closes.
    pub(crate) fn answering_once(reply: &'static [u8]) -> Self {
        Self::start(move |mut peer| {
            if peer.request().is_some() {
                peer.send(reply);
            }
        })
    }

    /// How many connections it has had.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Peer {
    /// The head and the body of the next request; `None` when there is none any more.
    pub(crate) fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let mut piece = vec![0; 64 << 10];
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length: usize = length.map_or(0, |length| length.parse().unwrap());
                while self.read.len() < end + 4 + length {
                    self.more(&mut piece)?;
                }
                let rest = self.read.split_off(end + 4 + length);
                let body = self.read.split_off(end + 4);
                self.read = rest;
                return Some((head, body));
            }
            self.more(&mut piece)?;
        }
    }

    fn more(&mut self, piece: &mut [u8]) -> Option<()> {
        let count = self.stream.read(piece).ok().filter(|count| *count > 0)?;
        self.read.extend_from_slice(&piece[..count]);
        Some(())
    }

    /// Whether the bytes went.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }
}
