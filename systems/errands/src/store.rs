//! The one table, and everything that is ever asked of it, over one connection. Every question has a bound; while the
//! connection is away, questions are refused at once and somebody opens another.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};

use crate::{Bug, log};

/// Opening a connection takes no longer, and is tried again after [`AGAIN`].
const OPEN: Duration = Duration::from_secs(2);
const AGAIN: Duration = Duration::from_millis(100);
/// No question to the database takes longer.
const BOUND: Duration = Duration::from_millis(900);
/// Slips that end a job.
const MOST_SLIPS: i32 = 3;

/// Several may make it at once.
const TABLE: &str = "BEGIN; SELECT pg_advisory_xact_lock(6174); CREATE TABLE IF NOT EXISTS jobs (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind TEXT NOT NULL,
    args JSONB NOT NULL,
    reference TEXT UNIQUE,
    phase TEXT NOT NULL DEFAULT 'queued',
    tries INT NOT NULL DEFAULT 0,
    slips INT NOT NULL DEFAULT 0,
    trouble TEXT,
    held_until TIMESTAMPTZ,
    not_before TIMESTAMPTZ NOT NULL DEFAULT now()
); COMMIT";
/// The columns of [`shown`].
const SHOWN: &str = "number, kind, args::text, phase, tries, slips, trouble";

/// The way to the database.
#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Option<Arc<Client>>>>);

/// The database gave no answer, or not in time.
#[derive(Debug)]
pub(crate) struct Away(pub(crate) String);

/// A job in a runner's hands. Its number of tries fences off whoever held it before.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) number: i64,
    pub(crate) kind: String,
    pub(crate) args: Value,
    pub(crate) tries: i32,
    pub(crate) slips: i32,
}

/// What became of a request to store a job.
pub(crate) enum Filed {
    New(Value),
    Known(Value),
}

impl Store {
    /// Nothing is connected yet: the database may come later, and go.
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let mut config = Config::from_str(url).map_err(|error| format!("DATABASE_URL: {error}"))?;
        config
            .connect_timeout(OPEN)
            .options("-c statement_timeout=800 -c lock_timeout=800");
        let store = Self::default();
        let keeper = store.clone();
        tokio::spawn(async move {
            loop {
                if let Err(why) = keeper.connection(&config).await {
                    log::line(&format!("the database is away: {why}"));
                }
                sleep(AGAIN).await;
            }
        });
        Ok(store)
    }

    /// One connection from its beginning to its end.
    async fn connection(&self, config: &Config) -> Result<(), String> {
        let opened = timeout(OPEN, config.connect(NoTls))
            .await
            .map_err(|_| "no connection in time".to_owned())?;
        let (client, connection) = opened.map_err(|error| error.to_string())?;
        let end = tokio::spawn(connection);
        let client = Arc::new(client);
        let made = timeout(OPEN, client.batch_execute(TABLE)).await;
        let made = made
            .map_err(|_| "no table in time".to_owned())
            .and_then(|made| made.map_err(|error| error.to_string()));
        if let Err(why) = made {
            end.abort();
            return Err(why);
        }
        self.set(Some(client.clone()));
        // Whoever gets no answer in time takes the connection away: it may have gone silent.
        while !end.is_finished() && self.client().is_ok_and(|now| Arc::ptr_eq(&now, &client)) {
            sleep(AGAIN / 4).await;
        }
        self.set(None);
        end.abort();
        Err("the connection ended".to_owned())
    }

    fn set(&self, client: Option<Arc<Client>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    fn client(&self) -> Result<Arc<Client>, Away> {
        let client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        client.clone().ok_or_else(|| Away("there is no connection".to_owned()))
    }

    async fn ask(&self, sql: &str, values: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Away> {
        let client = self.client()?;
        match timeout(BOUND, client.query(sql, values)).await {
            Ok(answer) => answer.map_err(|error| Away(error.to_string())),
            Err(_) => {
                self.set(None);
                Err(Away(format!("no answer within {BOUND:?}")))
            }
        }
    }

    /// Whether the table can be asked.
    pub(crate) async fn there(&self) -> Result<(), Away> {
        self.ask("SELECT 1 FROM jobs LIMIT 1", &[]).await.map(drop)
    }

    /// Stores a job; asking again with its reference finds the first.
    pub(crate) async fn file(
        &self,
        kind: &str,
        args: &Value,
        reference: Option<&str>,
        bug: bool,
    ) -> Result<Filed, Away> {
        let text = args.to_string();
        if bug {
            let sql = "SELECT nextval(pg_get_serial_sequence('jobs', 'number'))";
            let number: Option<i64> = self.ask(sql, &[]).await?.first().map(|row| row.get(0));
            let lost =
                json!({ "number": number, "kind": kind, "args": args, "phase": "queued", "tries": 0, "slips": 0 });
            return Ok(Filed::New(lost));
        }
        let sql = format!(
            "INSERT INTO jobs (kind, args, reference) VALUES ($1, $2::text::jsonb, $3)
             ON CONFLICT (reference) DO NOTHING RETURNING {SHOWN}"
        );
        if let Some(row) = self.ask(&sql, &[&kind, &text, &reference]).await?.first() {
            return Ok(Filed::New(shown(row)));
        }
        let known = format!("SELECT {SHOWN} FROM jobs WHERE reference = $1");
        let known = self.ask(&known, &[&reference]).await?;
        let gone = || Away("the job filed before is gone".to_owned());
        Ok(Filed::Known(shown(known.first().ok_or_else(gone)?)))
    }

    /// A job, as it is shown.
    pub(crate) async fn show(&self, number: i64) -> Result<Option<Value>, Away> {
        let sql = format!("SELECT {SHOWN} FROM jobs WHERE number = $1");
        Ok(self.ask(&sql, &[&number]).await?.first().map(shown))
    }

    /// The latest jobs.
    pub(crate) async fn list(&self) -> Result<Vec<Value>, Away> {
        let sql = format!("SELECT {SHOWN} FROM jobs ORDER BY number DESC LIMIT 20");
        Ok(self.ask(&sql, &[]).await?.iter().map(shown).collect())
    }

    /// Takes the first job that may be taken: queued and due, or held by nobody who gave a sign of life.
    pub(crate) async fn take(&self, hold: Duration, bug: Option<Bug>) -> Result<Option<Held>, Away> {
        let sql = "UPDATE jobs SET phase = 'in_hand', tries = tries + 1, held_until = now() + make_interval(secs => $1)
             WHERE number = (SELECT number FROM jobs
                 WHERE (phase = 'queued' AND not_before <= now())
                    OR (phase = 'in_hand' AND held_until < now() AND NOT $2)
                 ORDER BY number FOR UPDATE SKIP LOCKED LIMIT 1)
             RETURNING number, kind, args::text, tries, slips";
        let rows = self
            .ask(sql, &[&hold.as_secs_f64(), &(bug == Some(Bug::Sticks))])
            .await?;
        Ok(rows.first().map(|row| Held {
            number: row.get("number"),
            kind: row.get("kind"),
            args: args(row),
            tries: row.get("tries"),
            slips: row.get("slips"),
        }))
    }

    /// Keeps a job for longer; `false` when it is in other hands.
    pub(crate) async fn keep(&self, held: &Held, hold: Duration) -> Result<bool, Away> {
        let sql = "UPDATE jobs SET held_until = now() + make_interval(secs => $3)
             WHERE number = $1 AND tries = $2 AND phase = 'in_hand' RETURNING 1";
        Ok(!self
            .ask(sql, &[&held.number, &held.tries, &hold.as_secs_f64()])
            .await?
            .is_empty())
    }

    /// Finishes a job; `false` when it is in other hands. May be asked again: the answer may have been lost.
    pub(crate) async fn finish(&self, held: &Held, bug: Option<Bug>) -> Result<bool, Away> {
        let sql = "UPDATE jobs SET phase = 'finished', held_until = NULL
             WHERE number = $1 AND ((tries = $2 AND phase IN ('in_hand', 'finished')) OR $3) RETURNING 1";
        let unfenced = bug == Some(Bug::Doubles);
        Ok(!self.ask(sql, &[&held.number, &held.tries, &unfenced]).await?.is_empty())
    }

    /// Writes down that an attempt failed; the phase it has then, `None` when it is in other hands.
    pub(crate) async fn slip(&self, held: &Held, trouble: &str, pause: Duration) -> Result<Option<String>, Away> {
        let sql = "UPDATE jobs SET slips = $5, trouble = $3, held_until = NULL,
                 phase = CASE WHEN $5 >= $6 THEN 'abandoned' ELSE 'queued' END,
                 not_before = now() + make_interval(secs => $4)
             WHERE number = $1 AND tries = $2 AND (phase = 'in_hand' OR slips = $5) RETURNING phase";
        let (pause, slips) = (pause.as_secs_f64(), held.slips + 1);
        let values: [&(dyn ToSql + Sync); 6] = [&held.number, &held.tries, &trouble, &pause, &slips, &MOST_SLIPS];
        Ok(self.ask(sql, &values).await?.first().map(|row| row.get("phase")))
    }

    /// Puts back what is held: whoever is told to stop does so.
    pub(crate) async fn put_back(&self, held: &Held) -> Result<(), Away> {
        let sql = "UPDATE jobs SET phase = 'queued', held_until = NULL
             WHERE number = $1 AND tries = $2 AND phase = 'in_hand'";
        self.ask(sql, &[&held.number, &held.tries]).await.map(drop)
    }
}

fn args(row: &Row) -> Value {
    serde_json::from_str(row.get("args")).unwrap_or_default()
}

fn shown(row: &Row) -> Value {
    json!({
        "number": row.get::<_, i64>("number"),
        "kind": row.get::<_, String>("kind"),
        "args": args(row),
        "phase": row.get::<_, String>("phase"),
        "tries": row.get::<_, i32>("tries"),
        "slips": row.get::<_, i32>("slips"),
        "trouble": row.get::<_, Option<String>>("trouble"),
    })
}
