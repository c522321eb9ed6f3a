//! How soon an idle worker begins: from the commit of a task, as PostgreSQL stamps it, to the start of its handler.
//!
//! In turns with it, the least there could be: an insert that notifies in its own transaction, from its commit to the
//! moment a listener hears it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgListener};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::process::{Process, free_port};
use crate::table::{Row, median, quantile, sorted, spread};
use crate::{connect, order, row, until, worker};

/// Samples of each kind in a round.
const SAMPLES: usize = 100;
/// Between samples, so that each finds the worker idle.
const PAUSE: Duration = Duration::from_millis(13);
/// When a transaction was committed, in microseconds since 1970.
const COMMITTED: &str = "(extract(epoch FROM pg_xact_commit_timestamp(born::text::xid)) * 1e6)::float8";

/// Microseconds of one round, smallest first.
struct Round {
    ours: Vec<f64>,
    ours_from_request: Vec<f64>,
    bare: Vec<f64>,
    bare_from_statement: Vec<f64>,
}

/// Both wake-ups.
pub async fn measure(cluster: &Cluster, rounds: usize) -> Vec<Row> {
    let address = format!("127.0.0.1:{}", free_port());
    let url = cluster.url();
    let env = [("DATABASE_URL", url.as_str()), ("RUST_LOG", "warn")];
    let _server = Process::start(&["server", "--listen", &address], &env);
    let _worker = worker(cluster, &[]);
    let mut connection = connect(cluster, "tasks").await;
    // Who was born in which transaction: the moment of its commit is on record.
    let born = "ADD COLUMN born xid8 DEFAULT pg_current_xact_id()";
    let columns = [
        "TRUNCATE tasks".to_owned(),
        format!("ALTER TABLE tasks {born}"),
        "CREATE TABLE bare (id bigint PRIMARY KEY)".to_owned(),
        format!("ALTER TABLE bare {born}"),
    ];
    order(&mut connection, &columns.each_ref().map(String::as_str)).await;
    let caller = Caller::log_in(&address).await;
    let mut heard = listen(cluster).await;
    let mut measured = Vec::new();
    for _ in 0..rounds {
        measured.push(round(&caller, &mut connection, &mut heard).await);
    }
    rows(&measured)
}

fn rows(rounds: &[Round]) -> Vec<Row> {
    let over = |pick: fn(&Round) -> &Vec<f64>, share: f64| -> Vec<f64> {
        rounds.iter().map(|round| quantile(pick(round), share)).collect()
    };
    let (ours, bare) = (over(|round| &round.ours, 0.5), over(|round| &round.bare, 0.5));
    let ratios: Vec<f64> = ours.iter().zip(&bare).map(|(ours, bare)| ours / bare).collect();
    let slow: Vec<f64> = over(|round| &round.ours, 0.99);
    let shown = |what, values: Vec<f64>| row("G9", what, "", (spread(&values, 0, "us"), None));
    vec![
        shown("commit to handler, p50", ours),
        shown("bare wake-up from commit, p50", bare),
        row(
            "G9",
            "p50 / bare",
            "<= 3",
            (spread(&ratios, 2, ""), Some(median(&ratios) <= 3.0)),
        ),
        row(
            "G9",
            "commit to handler, p99",
            "<= 5000 us",
            (spread(&slow, 0, "us"), Some(median(&slow) <= 5000.0)),
        ),
        shown("bare wake-up from commit, p99", over(|round| &round.bare, 0.99)),
        shown(
            "request sent to handler, p50",
            over(|round| &round.ours_from_request, 0.5),
        ),
        shown(
            "bare statement sent to wake-up, p50",
            over(|round| &round.bare_from_statement, 0.5),
        ),
    ]
}

async fn round(caller: &Caller, connection: &mut PgConnection, heard: &mut mpsc::UnboundedReceiver<f64>) -> Round {
    order(connection, &["TRUNCATE tasks", "TRUNCATE bare"]).await;
    let (mut sent, mut told, mut woken) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..SAMPLES {
        sleep(PAUSE).await;
        sent.push(now());
        caller.create().await;
        sleep(PAUSE).await;
        told.push(now());
        let statement =
            "WITH added AS (INSERT INTO bare VALUES ($1) RETURNING id) SELECT pg_notify('bare', '') FROM added";
        sqlx::query(statement)
            .bind(number as i64)
            .execute(&mut *connection)
            .await
            .unwrap();
        woken.push(heard.recv().await.unwrap());
    }
    until(
        connection,
        "SELECT NOT EXISTS (SELECT FROM tasks WHERE status <> 'completed')",
    )
    .await;
    let ours = times(
        connection,
        &format!("SELECT (result->>'began_us')::float8, {COMMITTED} FROM tasks ORDER BY created_at"),
    )
    .await;
    let bare = times(
        connection,
        &format!("SELECT 0::float8, {COMMITTED} FROM bare ORDER BY id"),
    )
    .await;
    Round {
        ours: sorted(ours.iter().map(|(began, committed)| began - committed).collect()),
        ours_from_request: sorted(ours.iter().zip(&sent).map(|((began, _), sent)| began - sent).collect()),
        bare: sorted(
            bare.iter()
                .zip(&woken)
                .map(|((_, committed), woken)| woken - committed)
                .collect(),
        ),
        bare_from_statement: sorted(told.iter().zip(&woken).map(|(told, woken)| woken - told).collect()),
    }
}

async fn times(connection: &mut PgConnection, sql: &str) -> Vec<(f64, f64)> {
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .fetch_all(connection)
        .await
        .unwrap()
}

/// Tells the moment of everything heard on the channel `bare`.
async fn listen(cluster: &Cluster) -> mpsc::UnboundedReceiver<f64> {
    let mut listener = PgListener::connect(&cluster.url()).await.unwrap();
    listener.listen("bare").await.unwrap();
    let (sender, receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move { while listener.recv().await.is_ok() && sender.send(now()).is_ok() {} });
    receiver
}

/// Microseconds since 1970, by the clock that PostgreSQL and taskhub stamp with.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as f64
}

/// Somebody who may create tasks.
struct Caller {
    client: Client,
    address: String,
    token: String,
}

impl Caller {
    async fn log_in(address: &str) -> Self {
        let mut caller = Self {
            client: Client::builder().no_proxy().build().unwrap(),
            address: address.to_owned(),
            token: String::new(),
        };
        let user = json!({ "username": "waker", "email": "waker@example.org", "password": "correct horse" });
        caller.post("/auth/register", &user).await;
        let login = caller.post("/auth/login", &user).await;
        caller.token = login["token"].as_str().unwrap().to_owned();
        caller
    }

    async fn create(&self) {
        self.post("/tasks", &json!({ "task_type": "noop", "payload": {} }))
            .await;
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("http://{}{path}", self.address));
        let answer = request.bearer_auth(&self.token).json(body).send().await.unwrap();
        let bytes = answer.error_for_status().unwrap().bytes().await.unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}
