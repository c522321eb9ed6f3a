//! How fast a queue is emptied, with claims in batches of ten and a handler that does nothing.
//!
//! The queue is filled, a worker is started, and the clock runs from its start until nothing is left to do. pgbench
//! brings its own clock.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::postgres::PgConnection;
use tokio::time::Instant;

use crate::cluster::Cluster;
use crate::process::Process;
use crate::table::{Row, median, spread};
use crate::{connect, order, peer, row, until, worker};

/// Tasks in a full queue: a multiple of the batch times pgbench's clients.
const TASKS: usize = 30_000;
/// Claimed at once by everybody.
const BATCH: &str = "10";
/// What pgbench's clients do: claim ten with a lease, acknowledge the ten.
const TEN: &str = "\
WITH claimed AS (
    UPDATE tasks SET status = 'running', attempt = attempt + 1, worker = 'pgbench',
        lease_until = now() + interval '2 s', updated_at = now()
    WHERE id IN (SELECT id FROM tasks WHERE status IN ('pending', 'retrying') AND run_at <= now()
        ORDER BY run_at, id LIMIT 10 FOR UPDATE SKIP LOCKED)
    RETURNING id)
SELECT coalesce(array_agg(id)::text, '{}') AS ids FROM claimed \\gset
UPDATE tasks SET status = 'completed', result = '{}', lease_until = NULL, completed_at = now(), updated_at = now()
    WHERE id = ANY (:ids::uuid[]);
";

/// One who empties a queue.
struct Side<'a> {
    start: Box<dyn Fn() -> Process + 'a>,
    fill: String,
    empty: &'static str,
}

/// Jobs per second of all sides.
pub async fn measure(cluster: &Cluster, rounds: usize) -> Vec<Row> {
    let mut connection = set_up(cluster).await;
    let hub = Side {
        start: Box::new(|| worker(cluster, &[("TASKHUB_BATCH", BATCH)])),
        fill: format!(
            "TRUNCATE tasks; INSERT INTO tasks (id, user_id, task_type, payload, max_attempts)
             SELECT gen_random_uuid(), (SELECT user_id FROM users WHERE username = 'bench'), 'noop', '{{}}', 3
             FROM generate_series(1, {TASKS})"
        ),
        empty: "SELECT NOT EXISTS (SELECT FROM tasks WHERE status IN ('pending', 'retrying'))
            AND NOT EXISTS (SELECT FROM tasks WHERE status = 'running')",
    };
    let program = peer::build();
    let crates = match &program {
        Some(program) => Some(their_side(cluster, &mut connection, program).await),
        None => None,
    };
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(script.path(), TEN).unwrap();

    let (mut ceiling, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        prepare(&mut connection, &hub.fill).await;
        ceiling.push(pgbench(cluster, script.path()));
        until(&mut connection, hub.empty).await;
        ours.push(hub.drain(&mut connection).await);
        if let Some(side) = &crates {
            theirs.push(side.drain(&mut connection).await);
        }
    }
    let mut rows = vec![
        row("G8", "taskhub, jobs/s", "", (spread(&ours, 0, ""), None)),
        row(
            "G8",
            "pgbench, claim and ack by ten",
            "",
            (spread(&ceiling, 0, ""), None),
        ),
        compared("taskhub / pgbench", 0.7, &ours, &ceiling),
    ];
    if !theirs.is_empty() {
        rows.push(row("G8", "graphile_worker, jobs/s", "", (spread(&theirs, 0, ""), None)));
        rows.push(compared("taskhub / graphile_worker", 1.0, &ours, &theirs));
    }
    rows
}

/// A database as taskhub makes it, with somebody who has tasks.
async fn set_up(cluster: &Cluster) -> PgConnection {
    let _first = worker(cluster, &[]);
    let mut connection = connect(cluster, "tasks").await;
    let user = "INSERT INTO users VALUES (gen_random_uuid(), 'bench', 'bench', '')";
    // The question whether a queue is empty must not read all that is done.
    order(&mut connection, &[user, "SET enable_seqscan = off"]).await;
    connection
}

async fn their_side<'a>(cluster: &'a Cluster, connection: &mut PgConnection, program: &'a Path) -> Side<'a> {
    let start = move || Process::run(program, &[&cluster.url(), BATCH], &[]);
    // A first one makes its tables.
    let _first = start();
    until(
        connection,
        "SELECT to_regclass('graphile_worker._private_tasks') IS NOT NULL",
    )
    .await;
    let known = "SELECT EXISTS (SELECT FROM graphile_worker._private_tasks WHERE identifier = 'noop')";
    until(connection, known).await;
    Side {
        start: Box::new(start),
        fill: format!(
            "TRUNCATE graphile_worker._private_jobs CASCADE; INSERT INTO graphile_worker._private_jobs (task_id, payload)
             SELECT (SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'noop'), '{{}}'
             FROM generate_series(1, {TASKS})"
        ),
        empty: "SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs)",
    }
}

impl Side<'_> {
    /// Fills the queue and has it emptied; returns jobs per second.
    async fn drain(&self, connection: &mut PgConnection) -> f64 {
        prepare(connection, &self.fill).await;
        let begun = Instant::now();
        let worker = (self.start)();
        until(connection, self.empty).await;
        let rate = TASKS as f64 / begun.elapsed().as_secs_f64();
        drop(worker);
        rate
    }
}

/// The median of the rounds' ratios.
fn compared(what: &str, goal: f64, ours: &[f64], theirs: &[f64]) -> Row {
    let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
    let met = median(&ratios) >= goal;
    row(
        "G8",
        what,
        &format!(">= {goal:.1}"),
        (spread(&ratios, 2, ""), Some(met)),
    )
}

/// Fills the queue and lets the database come to rest.
async fn prepare(connection: &mut PgConnection, fill: &str) {
    order(connection, &[fill, "VACUUM ANALYZE", "CHECKPOINT"]).await;
}

/// Empties the queue by pgbench; returns jobs per second.
fn pgbench(cluster: &Cluster, script: &Path) -> f64 {
    let (clients, batch) = (4, 10);
    let each = TASKS / clients / batch;
    let output = Command::new(cluster.program("pgbench"))
        .args([
            "-n",
            "-M",
            "prepared",
            "-c",
            &clients.to_string(),
            "-j",
            "1",
            "-t",
            &each.to_string(),
        ])
        .arg("-f")
        .arg(script)
        .arg(cluster.url())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let tps = said
        .lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse::<f64>().ok());
    tps.expect("pgbench tells its rate") * batch as f64
}
