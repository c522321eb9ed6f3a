//! When a started process counts as ready.

use std::net::SocketAddr;
use std::time::Duration;

use squall_core::system::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// One look may take this long; then it is taken again.
const LOOK: Duration = Duration::from_millis(500);

/// What a process must do to count as ready.
#[derive(Debug, Clone)]
pub(super) enum Condition {
    /// Nothing: it is ready when it runs.
    Running,
    /// Answer 200 at this path.
    Path(SocketAddr, String),
    /// Answer a query.
    Postgres(String),
}

impl Condition {
    pub(super) fn of(service: &Service, addr: SocketAddr) -> Self {
        match service.ready.as_ref().and_then(|ready| ready.path.clone()) {
            Some(path) => Condition::Path(addr, path),
            None => Condition::Running,
        }
    }

    /// In words, for waits that end in vain.
    pub(super) fn words(&self) -> String {
        match self {
            Condition::Running => "it to run".to_owned(),
            Condition::Path(addr, path) => format!("200 from GET http://{addr}{path}"),
            Condition::Postgres(_) => "an answer to `select 1`".to_owned(),
        }
    }

    /// Whether it holds now.
    pub(super) async fn holds(&self) -> bool {
        match self {
            Condition::Running => true,
            Condition::Path(addr, path) => timeout(LOOK, ok(*addr, path)).await.is_ok_and(|ok| ok.unwrap_or(false)),
            Condition::Postgres(url) => timeout(LOOK, answers(url)).await.unwrap_or(false),
        }
    }
}

/// The status line is all that matters, so no client library stands between.
async fn ok(addr: SocketAddr, path: &str) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(addr).await?;
    // Closed by reset: thousands of looks must not leave their ports waiting.
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; 12];
    stream.read_exact(&mut status).await?;
    Ok(&status[9..12] == b"200")
}

async fn answers(url: &str) -> bool {
    let Ok((client, connection)) = tokio_postgres::connect(url, tokio_postgres::NoTls).await else {
        return false;
    };
    let driver = tokio::spawn(connection);
    let answered = client.simple_query("select 1").await.is_ok();
    driver.abort();
    answered
}
