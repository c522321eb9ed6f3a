//! Everything that can be set, read once from the environment.
//!
//! The table in `README.md` lists the variables; this file is where they get
//! their defaults and their meaning.

mod duration;

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;
use sqlx::postgres::PgConnectOptions;

use crate::bug::Bug;

/// A variable whose value can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{name}={value:?}: expected {expected}")]
pub struct BadSetting {
    name: &'static str,
    value: String,
    expected: &'static str,
}

/// Which part of the service reads the settings; the pool size depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Answers HTTP requests.
    Server,
    /// Runs tasks.
    Worker,
}

/// All settings of one process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who reads them.
    pub role: Role,
    /// Where the database is and how long to wait for it.
    pub database: DatabaseSettings,
    /// What only the server needs.
    pub server: ServerSettings,
    /// What only workers need.
    pub worker: WorkerSettings,
    /// When breakers open, and for how long.
    pub breaker: BreakerSettings,
    /// Time to finish work after SIGTERM.
    pub shutdown: Duration,
    /// The planted defect, if any.
    pub bug: Option<Bug>,
}

/// Where the database is and how long anything may wait for it.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Address, user and database name.
    pub address: PgConnectOptions,
    /// Most connections open at once, apart from the one that checks health.
    pub pool: usize,
    /// Longest wait for a connection, connecting included.
    pub acquire: Duration,
    /// Longest wait for one statement.
    pub statement: Duration,
    /// Longest wait for the health check's query.
    pub probe: Duration,
    /// Longest time a request may take as a whole.
    pub request: Duration,
    /// While the health check says the database is away: refuse at once, or wait for it.
    pub fail_fast: bool,
}

/// What only the server needs.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// How long a login is good for.
    pub session: Duration,
    /// Failed attempts after which a task is dead, unless the task says otherwise.
    pub max_attempts: i32,
    /// The folder of the access log; none is written without it.
    pub access_log: Option<PathBuf>,
}

/// What only workers need.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The name by which tasks and witness know this worker.
    pub name: String,
    /// Base address of the external API that `webhook` tasks call.
    pub partner_url: Option<String>,
    /// Where evidence of the work is posted, if anywhere.
    pub witness_url: Option<String>,
    /// Hosts besides loopback that a task's own address may name.
    pub hook_hosts: Vec<String>,
    /// How long a claim holds without renewal.
    pub lease: Duration,
    /// How often a claim is renewed.
    pub heartbeat: Duration,
    /// How often an idle worker looks for work unasked.
    pub poll: Duration,
    /// Whether servers may wake an idle worker, or only the poll.
    pub listen: bool,
    /// Most tasks claimed at once. Above one, outcomes are written in batches, too.
    pub batch: usize,
    /// Lost leases after which a task is dead.
    pub max_deaths: i32,
    /// Wait before the first retry; doubles with every failure.
    pub backoff: Duration,
    /// Longest wait before a retry.
    pub backoff_max: Duration,
}

/// When breakers open, and for how long.
#[derive(Clone, Copy, Debug)]
pub struct BreakerSettings {
    /// Consecutive failures that open a breaker.
    pub threshold: i32,
    /// How long it stays open before one attempt is let through.
    pub open: Duration,
}

impl Settings {
    /// Reads the process environment.
    pub fn from_env(role: Role) -> Result<Self, BadSetting> {
        Self::read(role, |name| std::env::var(name).ok())
    }

    /// Reads settings through `lookup`, which maps a variable to its value.
    pub fn read(role: Role, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, BadSetting> {
        let env = Env(&lookup);
        let bug = env.optional("TASKHUB_BUG", "a known name", |text| Bug::from_str(text, false).ok())?;
        Ok(Self {
            role,
            database: DatabaseSettings::read(role, &env, bug)?,
            server: ServerSettings {
                session: env.duration("TASKHUB_SESSION", Duration::from_secs(3600))?,
                max_attempts: env.count("TASKHUB_MAX_ATTEMPTS", 3)?,
                access_log: env.optional("TASKHUB_ACCESS_LOG", "a folder", |text| Some(text.into()))?,
            },
            worker: WorkerSettings::read(&env)?,
            breaker: BreakerSettings {
                threshold: env.count("TASKHUB_BREAKER_THRESHOLD", 5)?,
                open: env.duration("TASKHUB_BREAKER_OPEN", Duration::from_secs(5))?,
            },
            shutdown: env.duration("TASKHUB_SHUTDOWN", Duration::from_secs(10))?,
            bug,
        })
    }

    /// Whether this defect was planted.
    pub fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

impl DatabaseSettings {
    fn read(role: Role, env: &Env<'_>, bug: Option<Bug>) -> Result<Self, BadSetting> {
        let expected = "an address such as postgres://user@host:5432/name";
        let address = env.required("DATABASE_URL", expected, |text| PgConnectOptions::from_str(text).ok())?;
        let pool = match role {
            Role::Server => 10,
            Role::Worker => 4,
        };
        let mut settings = Self {
            address,
            pool: env.count("TASKHUB_POOL", pool)? as usize,
            acquire: env.duration("TASKHUB_ACQUIRE", Duration::from_secs(1))?,
            statement: env.duration("TASKHUB_STATEMENT", Duration::from_secs(1))?,
            probe: env.duration("TASKHUB_PROBE", Duration::from_millis(700))?,
            request: env.duration("TASKHUB_REQUEST", Duration::from_millis(1500))?,
            fail_fast: true,
        };
        if bug == Some(Bug::HangOnDbLoss) {
            settings.acquire = Duration::from_secs(60);
            settings.statement = Duration::from_secs(60);
            settings.request = Duration::from_secs(60);
            settings.fail_fast = false;
        }
        Ok(settings)
    }
}

impl WorkerSettings {
    fn read(env: &Env<'_>) -> Result<Self, BadSetting> {
        let lease = env.duration("TASKHUB_LEASE", Duration::from_secs(2))?;
        let name = env.optional("WORKER_ID", "a name", |text| Some(text.to_owned()))?;
        Ok(Self {
            name: name.unwrap_or_else(default_name),
            partner_url: env.optional("PARTNER_URL", "an http:// address", http_url)?,
            witness_url: env.optional("WITNESS_URL", "an http:// address", http_url)?,
            hook_hosts: env
                .optional("TASKHUB_HOOK_HOSTS", "names separated by commas", names)?
                .unwrap_or_default(),
            lease,
            heartbeat: env.duration("TASKHUB_HEARTBEAT", lease / 3)?,
            poll: env.duration("TASKHUB_POLL", Duration::from_millis(250))?,
            listen: env.optional("TASKHUB_LISTEN", "on or off", on_or_off)?.unwrap_or(true),
            batch: env.count("TASKHUB_BATCH", 1)? as usize,
            max_deaths: env.count("TASKHUB_MAX_DEATHS", 20)?,
            backoff: env.duration("TASKHUB_BACKOFF", Duration::from_millis(500))?,
            backoff_max: env.duration("TASKHUB_BACKOFF_MAX", Duration::from_secs(5))?,
        })
    }
}

/// The environment, with one reader per kind of value.
struct Env<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Env<'_> {
    /// An absent or empty variable is `None`; one that can't be read is an error.
    fn optional<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<Option<T>, BadSetting> {
        match (self.0)(name).filter(|value| !value.is_empty()) {
            None => Ok(None),
            Some(value) => match parse(&value) {
                Some(parsed) => Ok(Some(parsed)),
                None => Err(BadSetting { name, value, expected }),
            },
        }
    }

    fn required<T>(
        &self,
        name: &'static str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, BadSetting> {
        self.optional(name, expected, parse)?.ok_or(BadSetting {
            name,
            value: String::new(),
            expected,
        })
    }

    fn duration(&self, name: &'static str, default: Duration) -> Result<Duration, BadSetting> {
        let read = |text: &str| duration::parse(text).filter(|d| !d.is_zero());
        let expected = "a duration above zero such as 2s or 150ms";
        Ok(self.optional(name, expected, read)?.unwrap_or(default))
    }

    fn count(&self, name: &'static str, default: i32) -> Result<i32, BadSetting> {
        let read = |text: &str| text.parse().ok().filter(|n| (1..=100_000).contains(n));
        let expected = "a whole number from 1 to 100000";
        Ok(self.optional(name, expected, read)?.unwrap_or(default))
    }
}

/// Accepts plain-text HTTP only: the service is built without TLS.
fn http_url(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text).ok()?;
    (url.scheme() == "http").then(|| text.trim_end_matches('/').to_owned())
}

/// Names separated by commas.
fn names(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    names.iter().all(|name| !name.is_empty()).then_some(names)
}

fn on_or_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// Host and process id: unique enough to tell workers apart.
fn default_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "worker" } else { host };
    format!("{host}-{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, BadSetting> {
        let all = [&[("DATABASE_URL", "postgres://u@localhost/db")], pairs].concat();
        Settings::read(Role::Worker, move |name| {
            let found = all.iter().rev().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn heartbeat_follows_the_lease() {
        let settings = read(&[("TASKHUB_LEASE", "3s")]).unwrap();
        assert_eq!(settings.worker.heartbeat, Duration::from_secs(1));
        assert_eq!(settings.database.pool, 4);
    }

    #[test]
    fn a_bad_value_names_variable_value_and_expectation() {
        let error = read(&[("TASKHUB_LEASE", "soon")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "TASKHUB_LEASE=\"soon\": expected a duration above zero such as 2s or 150ms"
        );
        assert!(read(&[("TASKHUB_POOL", "0")]).is_err());
        assert!(read(&[("TASKHUB_BATCH", "0")]).is_err());
        assert!(read(&[("TASKHUB_LISTEN", "maybe")]).is_err());
        assert!(read(&[("PARTNER_URL", "ftp://x")]).is_err());
        assert!(read(&[("DATABASE_URL", "")]).is_err());
        assert!(read(&[("TASKHUB_BUG", "no-such-thing")]).is_err());
    }

    #[test]
    fn planted_defects_have_kebab_names() {
        let settings = read(&[("TASKHUB_BUG", "hang-on-db-loss")]).unwrap();
        assert!(settings.has(Bug::HangOnDbLoss));
        assert_eq!(settings.database.acquire, Duration::from_secs(60));
    }
}
