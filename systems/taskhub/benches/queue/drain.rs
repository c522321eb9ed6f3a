//! How fast a queue is emptied, with claims in batches of ten and a handler that does nothing.
//!
//! A worker is started, emptied a queue once and then frozen; the queue is filled; the clock runs from the thaw until
//! nothing is left to do. pgbench brings its own clock.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
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

/// A worker that is frozen but while it is measured.
struct Side {
    worker: Process,
    fill: String,
    empty: &'static str,
}

/// Jobs per second of all sides.
pub async fn measure(cluster: &Cluster, rounds: usize) -> Vec<Row> {
    let ours = worker(cluster, &[("TASKHUB_BATCH", BATCH)]);
    let mut connection = connect(cluster, "tasks").await;
    let user = "INSERT INTO users VALUES (gen_random_uuid(), 'bench', 'bench', '')";
    order(&mut connection, &[user]).await;
    let fill = format!(
        "TRUNCATE tasks; INSERT INTO tasks (id, user_id, task_type, payload, max_attempts)
         SELECT gen_random_uuid(), (SELECT user_id FROM users WHERE username = 'bench'), 'noop', '{{}}', 3
         FROM generate_series(1, {TASKS})"
    );
    let ours = Side {
        worker: ours,
        fill: fill.clone() + "; SELECT pg_notify('taskhub_tasks', '')",
        empty: "SELECT NOT EXISTS (SELECT FROM tasks WHERE status IN ('pending', 'retrying'))
            AND NOT EXISTS (SELECT FROM tasks WHERE status = 'running')",
    };
    let theirs = match peer::build() {
        Some(program) => Some(start_peer(cluster, &mut connection, &program).await),
        None => None,
    };
    let script = tempfile::NamedTempFile::new().unwrap();
    fs::write(script.path(), TEN).unwrap();

    let (mut bench, mut hub, mut crates) = (Vec::new(), Vec::new(), Vec::new());
    // The first drain of a side opens its connections and is not counted.
    ours.drain(&mut connection).await;
    if let Some(theirs) = &theirs {
        theirs.drain(&mut connection).await;
    }
    for _ in 0..rounds {
        prepare(&mut connection, &fill).await;
        bench.push(pgbench(cluster, script.path()));
        until(&mut connection, ours.empty).await;
        hub.push(ours.drain(&mut connection).await);
        if let Some(theirs) = &theirs {
            crates.push(theirs.drain(&mut connection).await);
        }
    }
    let mut rows = vec![
        row("G8", "taskhub, jobs/s", "", (spread(&hub, 0, ""), None)),
        row("G8", "pgbench, claim and ack by ten", "", (spread(&bench, 0, ""), None)),
        compared("taskhub / pgbench", 0.7, &hub, &bench),
    ];
    if !crates.is_empty() {
        rows.push(row("G8", "graphile_worker, jobs/s", "", (spread(&crates, 0, ""), None)));
        rows.push(compared("taskhub / graphile_worker", 1.0, &hub, &crates));
    }
    rows
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

async fn start_peer(cluster: &Cluster, connection: &mut PgConnection, program: &Path) -> Side {
    let worker = Process::run(program, &[&cluster.url(), BATCH], &[]);
    until(
        connection,
        "SELECT to_regclass('graphile_worker._private_tasks') IS NOT NULL",
    )
    .await;
    until(
        connection,
        "SELECT EXISTS (SELECT FROM graphile_worker._private_tasks WHERE identifier = 'noop')",
    )
    .await;
    let fill = format!(
        "TRUNCATE graphile_worker._private_jobs; INSERT INTO graphile_worker._private_jobs (task_id, payload)
         SELECT (SELECT id FROM graphile_worker._private_tasks WHERE identifier = 'noop'), '{{}}'
         FROM generate_series(2, {TASKS}); SELECT graphile_worker.add_job('noop', '{{}}')"
    );
    Side {
        worker,
        fill,
        empty: "SELECT NOT EXISTS (SELECT FROM graphile_worker._private_jobs)",
    }
}

impl Side {
    /// Fills the queue and has it emptied; returns jobs per second.
    async fn drain(&self, connection: &mut PgConnection) -> f64 {
        self.worker.signal(Signal::SIGSTOP);
        prepare(connection, &self.fill).await;
        let begun = Instant::now();
        self.worker.signal(Signal::SIGCONT);
        until(connection, self.empty).await;
        let rate = TASKS as f64 / begun.elapsed().as_secs_f64();
        self.worker.signal(Signal::SIGSTOP);
        rate
    }
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
