//! The queue beside its peers: how fast a worker empties it, and how soon an idle worker begins.
//!
//! `cargo bench -p taskhub --bench queue` starts a PostgreSQL cluster of its own, measures everything in some minutes and
//! prints one table; `-- G8` or `-- G9` only that, and a number among the words is how many rounds there are. In each
//! round every side has its turn on the same cluster, which waits for the disk at every commit.
//!
//! Peers: `pgbench` with plain statements on taskhub's own table is the ceiling; the crate `graphile_worker` is built by
//! this program into cargo's folder for temporary things, and left out, by name, where that fails.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a table is what this is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that can't go on should say where")]

#[expect(dead_code, reason = "tests do more to a cluster than is measured here")]
#[path = "../../tests/system/cluster.rs"]
mod cluster;
mod drain;
mod peer;
#[expect(dead_code, reason = "tests do more to processes than is measured here")]
#[path = "../../tests/system/process.rs"]
mod process;
#[path = "../../../../crates/squall/benches/figures/table.rs"]
mod table;
mod wake;

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::time::{Instant, sleep};

use cluster::Cluster;
use process::Process;
use table::{Row, print};

/// Rounds unless others are asked for.
const ROUNDS: usize = 5;
/// The cluster as it is delivered, but for the memory; the rest is what the figures are read from.
const CLUSTER: &[&str] = &[
    "-c",
    "shared_buffers=128MB",
    "-c",
    "max_wal_size=4GB",
    "-c",
    "track_commit_timestamp=on",
];

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let rounds = words.iter().find_map(|word| word.parse().ok()).unwrap_or(ROUNDS);
    let all = !words.iter().any(|word| word.starts_with('G'));
    let wanted = |target: &str| all || words.iter().any(|word| word == target);
    let cluster = Cluster::with(CLUSTER);
    let mut rows = Vec::new();
    if wanted("G8") {
        rows.extend(drain::measure(&cluster, rounds).await);
    }
    if wanted("G9") {
        rows.extend(wake::measure(&cluster, rounds).await);
    }
    print(&rows);
}

/// A worker of taskhub with these settings besides.
fn worker(cluster: &Cluster, settings: &[(&str, &str)]) -> Process {
    let url = cluster.url();
    let env = [&[("DATABASE_URL", url.as_str()), ("RUST_LOG", "warn")], settings].concat();
    Process::start(&["worker"], &env)
}

/// A connection of our own, once there is the table.
async fn connect(cluster: &Cluster, table: &str) -> PgConnection {
    let mut connection = PgConnection::connect(&cluster.url()).await.unwrap();
    until(&mut connection, &format!("SELECT to_regclass('{table}') IS NOT NULL")).await;
    connection
}

/// Asks until the answer is yes, seldom enough not to be a load.
async fn until(connection: &mut PgConnection, question: &str) {
    let begun = Instant::now();
    while !sqlx::query_scalar::<_, bool>(AssertSqlSafe(question))
        .fetch_one(&mut *connection)
        .await
        .unwrap()
    {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "waited a minute in vain for: {question}"
        );
        sleep(Duration::from_millis(20)).await;
    }
}

/// Runs statements that answer nothing.
async fn order(connection: &mut PgConnection, statements: &[&str]) {
    for statement in statements {
        sqlx::raw_sql(AssertSqlSafe(*statement))
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

/// A row of the table.
fn row(target: &'static str, what: &str, goal: &str, (measured, met): (String, Option<bool>)) -> Row {
    Row {
        target,
        what: what.to_owned(),
        goal: goal.to_owned(),
        measured,
        met,
    }
}
