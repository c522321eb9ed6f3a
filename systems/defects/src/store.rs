//! One connection to PostgreSQL, opened beside the questions: while there is none they are refused at once.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

use crate::say;

/// Opening a connection keeps nobody waiting.
const OPEN: Duration = Duration::from_secs(5);
/// Between two tries to connect.
const AGAIN: Duration = Duration::from_millis(50);

/// A connection, while there is one.
#[derive(Clone)]
pub(crate) struct Store {
    connection: watch::Receiver<Option<Arc<Connection>>>,
    /// No question takes longer.
    bound: Duration,
}

struct Connection {
    client: Client,
    /// It gave no answer in time.
    silent: Notify,
}

impl Store {
    /// Keeps a connection to `url` from now on, in which `tables` are made first. Whoever comes first makes them, the
    /// others wait for that. No question takes longer than `bound`.
    pub(crate) fn open(url: &str, tables: &'static str, bound: Duration) -> Result<Self, String> {
        let mut config = Config::from_str(url).map_err(|error| format!("DATABASE_URL: {error}"))?;
        config.connect_timeout(OPEN);
        let (sender, connection) = watch::channel(None);
        tokio::spawn(async move {
            loop {
                if let Err(why) = keep(&config, tables, &sender).await {
                    say(&format!("no database: {why}"));
                }
                sender.send_replace(None);
                sleep(AGAIN).await;
            }
        });
        Ok(Self { connection, bound })
    }

    /// Asks one question.
    pub(crate) async fn ask(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, String> {
        let connection = self.connection.borrow().clone().ok_or("the database is away")?;
        let bound = self.bound;
        match timeout(bound, connection.client.query(sql, values)).await {
            Ok(rows) => rows.map_err(|error| error.to_string()),
            Err(_) => {
                connection.silent.notify_one();
                Err(format!("the database gave no answer within {bound:?}"))
            }
        }
    }
}

/// One connection from its beginning to its end, or until it gave no answer.
async fn keep(config: &Config, tables: &str, sender: &watch::Sender<Option<Arc<Connection>>>) -> Result<(), String> {
    let late = |_| format!("none within {OPEN:?}");
    let opened = timeout(OPEN, config.connect(NoTls)).await.map_err(late)?;
    let (client, driver) = opened.map_err(|error| error.to_string())?;
    tokio::pin!(driver);
    let first = format!("BEGIN; SELECT pg_advisory_xact_lock(1); {tables} COMMIT");
    let made = tokio::select! {
        made = timeout(OPEN, client.batch_execute(&first)) => made.map_err(late)?,
        end = &mut driver => end,
    };
    made.map_err(|error| error.to_string())?;
    let silent = Notify::new();
    let connection = Arc::new(Connection { client, silent });
    sender.send_replace(Some(connection.clone()));
    tokio::select! {
        end = driver => end.map_err(|error| error.to_string()),
        () = connection.silent.notified() => Err("no answer in time".to_owned()),
    }
}
