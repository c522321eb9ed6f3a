//! What an instance says of its wall clock: the date of its answers, or what its database thinks it is.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use squall_core::event::{Said, SaidBy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::process::ready::Condition;

/// Who does not answer within this is asked again at the next look.
const PATIENCE: Duration = Duration::from_millis(500);
/// A head of an answer that is longer has no date worth looking for.
const HEAD: u64 = 16 << 10;
const SECOND: i64 = 1_000_000_000;
/// Servers make a date once a second, and may be that late with it.
const LATE: i64 = SECOND / 2;

/// What whoever answers a ready condition says of its clock; `None` where it says nothing.
pub(in crate::world) async fn ask(ready: &Condition) -> Option<Said> {
    let asked = async {
        match ready {
            Condition::Running => None,
            Condition::Path(addr, path) => date(*addr, path).await,
            Condition::Postgres(url) => query(url).await,
        }
    };
    timeout(PATIENCE, asked).await.ok().flatten()
}

/// Squall's own wall clock, in nanoseconds since 1970.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

async fn date(addr: SocketAddr, path: &str) -> Option<Said> {
    let mut stream = TcpStream::connect(addr).await.ok()?;
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    let before = now();
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut head = Vec::new();
    let mut stream = stream.take(HEAD);
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && stream.read_buf(&mut head).await.ok()? > 0 {}
    let after = now();
    dated(&String::from_utf8_lossy(&head), (before, after))
}

/// What the head of an answer says that was asked for and came at these times.
fn dated(head: &str, (before, after): (i64, i64)) -> Option<Said> {
    let mut lines = head.split("\r\n").take_while(|line| !line.is_empty());
    let date = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then_some(value.trim())
    })?;
    let date = jiff::fmt::rfc2822::parse(date).ok()?.timestamp().as_second();
    let date = date.checked_mul(SECOND)?;
    Some(Said {
        by: SaidBy::Date,
        least: date - after - LATE,
        most: date + SECOND - before + LATE,
    })
}

async fn query(url: &str) -> Option<Said> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.ok()?;
    let driver = tokio::spawn(connection);
    let before = now();
    let row = client
        .query_one("select extract(epoch from clock_timestamp())::float8", &[])
        .await;
    let after = now();
    driver.abort();
    let seconds: f64 = row.ok()?.try_get(0).ok()?;
    // It knows microseconds.
    let time = (seconds * 1e6).round() as i64 * 1000;
    Some(Said {
        by: SaidBy::Query,
        least: time - after - 1000,
        most: time - before + 1000,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 1994-11-06 08:49:37 UTC.
    const THEN: i64 = 784_111_777 * SECOND;

    #[test]
    fn a_date_says_within_what_its_clock_was() {
        let head = "HTTP/1.1 503 Busy\r\nServer: x\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\nDate: nonsense";
        let said = dated(head, (THEN - 90 * SECOND, THEN - 89 * SECOND)).unwrap();
        assert!(said.allows(89 * SECOND) && said.allows(91 * SECOND) && !said.allows(0) && !said.allows(93 * SECOND));
        let said = dated(head, (THEN, THEN + SECOND)).unwrap();
        assert!(said.allows(0) && !said.allows(3 * SECOND));
    }

    #[test]
    fn an_answer_without_a_date_says_nothing() {
        for head in [
            "HTTP/1.1 200 OK\r\n\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT",
            "HTTP/1.1 200 OK\r\nDate: soon\r\n\r\n",
            "",
        ] {
            assert_eq!(dated(head, (THEN, THEN)), None, "{head}");
        }
    }
}
