//! Connections: squall opens and holds all a database allows.

use std::time::{Duration, Instant};

use squall_core::event::ShortageLook;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls};

/// So many are opened at once.
const AT_ONCE: usize = 4;
/// A database of this machine answers within this, or is in trouble of its own.
const ANSWER: Duration = Duration::from_secs(2);
/// All are taken within this.
const WITHIN: Duration = Duration::from_secs(30);
/// What squall's connections are called, so that these alone are spared.
const NAME: &str = "squall takes all";
/// Ends everybody else's.
const EVICT: &str = "select count(pg_terminate_backend(pid)) from pg_stat_activity \
     where backend_type = 'client backend' and application_name <> 'squall takes all'";

/// Connections that are held.
#[derive(Debug)]
pub(super) struct Taken {
    config: Config,
    held: Vec<Connection>,
    /// Since the last look.
    refused: u32,
}

/// One connection; dropped, it is closed.
#[derive(Debug)]
struct Connection {
    client: Client,
    driver: JoinHandle<()>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// What came of asking for one.
enum Asked {
    Given(Connection),
    TooMany,
    Failed,
}

impl Taken {
    /// Takes all there are; with `evict` those that others have, too.
    ///
    /// # Errors
    /// The database refuses none within the bound.
    pub(super) async fn all(url: &str, evict: bool) -> std::io::Result<Self> {
        let mut config: Config = url.parse().map_err(std::io::Error::other)?;
        config.application_name(NAME).connect_timeout(ANSWER);
        let mut taken = Self {
            config,
            held: Vec::new(),
            refused: 0,
        };
        let until = Instant::now() + WITHIN;
        while taken.refused == 0 {
            if Instant::now() > until {
                let held = taken.held.len();
                let text = format!("{held} connections were taken within {WITHIN:?}, and it never refused one");
                return Err(std::io::Error::other(text));
            }
            taken.take_more().await;
        }
        if let Some(connection) = taken.held.first().filter(|_| evict) {
            // Those that come back at once are as many as squall is late.
            let _ = timeout(ANSWER, connection.client.query_one(EVICT, &[])).await;
            taken.take_more().await;
        }
        // That much was needed to take all, and shows nothing of whether anything stays so.
        taken.refused = 0;
        Ok(taken)
    }

    /// Asks for several at once.
    async fn take_more(&mut self) {
        let mut asking = JoinSet::new();
        for _ in 0..AT_ONCE {
            asking.spawn(ask(self.config.clone()));
        }
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok(Asked::Given(connection)) => self.held.push(connection),
                Ok(Asked::TooMany) => self.refused += 1,
                Ok(Asked::Failed) | Err(_) => {}
            }
        }
    }

    /// Asks for more: what others gave back meanwhile is taken, and that another is refused is seen.
    pub(super) async fn look(&mut self) -> ShortageLook {
        self.held.retain(|connection| !connection.client.is_closed());
        loop {
            match ask(self.config.clone()).await {
                Asked::Given(connection) => self.held.push(connection),
                Asked::TooMany => {
                    self.refused += 1;
                    break;
                }
                Asked::Failed => break,
            }
        }
        ShortageLook::Connections {
            held: self.held.len() as u32,
            refused: std::mem::take(&mut self.refused),
        }
    }

    /// Closes all, and waits until the database gives connections again.
    ///
    /// # Errors
    /// It still refuses one because it had too many.
    pub(super) async fn give_back(&mut self) -> std::io::Result<()> {
        self.held.clear();
        let until = Instant::now() + ANSWER;
        // One that does not answer at all has another trouble.
        while matches!(ask(self.config.clone()).await, Asked::TooMany) {
            if Instant::now() > until {
                let text =
                    format!("squall closed all its connections, and {ANSWER:?} later the database still refused one");
                return Err(std::io::Error::other(text));
            }
            sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

async fn ask(config: Config) -> Asked {
    match timeout(ANSWER, config.connect(NoTls)).await {
        Ok(Ok((client, connection))) => {
            let driver = tokio::spawn(async move {
                // It ends with the connection, which is what is asked of it.
                let _ = connection.await;
            });
            Asked::Given(Connection { client, driver })
        }
        Ok(Err(error)) if error.code() == Some(&SqlState::TOO_MANY_CONNECTIONS) => Asked::TooMany,
        Ok(Err(_)) | Err(_) => Asked::Failed,
    }
}
