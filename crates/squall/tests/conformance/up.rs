//! A system that is up, to put faults in force on, and the portrait of it that must be the same before and after.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

use super::PATIENCE;
use super::place::Place;
use super::residue::Trail;
use super::seen::{Echo, Process, answer, people, processes, wrong_clocks};

/// So many bytes are sent on a link to see how it is.
const BYTES: usize = 4000;

/// What is seen of a system, by what it is seen of.
pub type Portrait = BTreeMap<String, String>;

/// One that is up.
pub struct Up {
    pub place: Place,
    pub trail: Trail,
    /// Its run, and squall's two processes.
    pub run: String,
    pub pair: [u32; 2],
    /// Where the echo is itself, and through the caller's link.
    pub echo: SocketAddr,
    pub link: SocketAddr,
    pub folder: PathBuf,
    /// The database itself, and its folder.
    db: String,
    data: PathBuf,
    runtime: Runtime,
    watch: RefCell<Option<Client>>,
}

/// A folder with the system in it.
pub fn folder() -> Place {
    let place = Place::new();
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/system.yaml")).unwrap();
    let program = std::env::current_exe().unwrap();
    let text = text.replace("PROGRAM", program.to_str().unwrap());
    let told = place.path().join("told");
    place.write("system.yaml", text.replace("TOLD-FILE", told.to_str().unwrap()));
    place
}

/// Waits until something is so.
///
/// # Panics
/// It is not within [`PATIENCE`]: `what` was waited for, and what was seen last.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(seen) => return seen,
            Err(seen) => assert!(
                Instant::now() < end,
                "{what}: not within {PATIENCE:?}; the last seen was: {seen}"
            ),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process of a run by its name, once it is there.
pub fn named(run: &str, root: u32, name: &str) -> Result<Process, String> {
    let mut found = processes(run, root).into_iter();
    let found = found.find(|process| process.var("NAME") == Some(name) && process.words.contains("target::serve"));
    found.ok_or_else(|| format!("no process of {name}"))
}

impl Up {
    /// Starts one, in a folder that holds it.
    pub fn start(place: Place) -> Self {
        let output = place.output(&["up", "--detach"]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let status = place.output(&["status", "--json"]);
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let pair = [0, 1].map(|index| status[0]["squall"][index].as_u64().unwrap() as u32);
        let run = status[0]["run"].as_str().unwrap().to_owned();
        let trail = Trail::follow(pair[0], place.path());
        let var = |name: &str, variable: &str| {
            let process = until(name, || named(&run, pair[0], name));
            process.var(variable).unwrap().to_owned()
        };
        let [echo, link] = [("echo-1", "LISTEN"), ("caller-1", "ECHO")].map(|(name, variable)| var(name, variable));
        let through = var("caller-1", "DB");
        let postmaster = processes(&run, pair[0])
            .into_iter()
            .find(|process| process.words.contains("postgres -D"));
        let words = postmaster.unwrap().words;
        let after = |flag: &str| words.split_once(flag).unwrap().1.split_whitespace().next().unwrap();
        let (port, data) = (after(" -p "), PathBuf::from(after(" -D ")));
        let (before, rest) = through.rsplit_once(':').unwrap();
        let db = format!("{before}:{port}/{}", rest.split_once('/').unwrap().1);
        until("its tag to be seen", || match trail.runs().is_empty() {
            true => Err("none".to_owned()),
            false => Ok(()),
        });
        trail.rest();
        Self {
            folder: PathBuf::from(status[0]["folder"].as_str().unwrap()),
            place,
            trail,
            run,
            pair,
            echo: echo.parse().unwrap(),
            link: link.parse().unwrap(),
            db,
            data,
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            watch: RefCell::new(None),
        }
    }

    /// A process of it by its name.
    pub fn process(&self, name: &str) -> Result<Process, String> {
        named(&self.run, self.pair[0], name)
    }

    /// What stands in a file of the database that it reads when it starts.
    pub fn version(&self) -> Vec<u8> {
        fs::read(self.data.join("PG_VERSION")).unwrap_or_default()
    }

    /// All that faults change and healing must put back.
    pub fn portrait(&self) -> Portrait {
        let mut seen = people(&self.run, self.pair[0]);
        let mut add = |what: &str, how: String| drop(seen.insert(what.to_owned(), how));
        add("processes with other clocks", wrong_clocks(&self.run, self.pair[0]));
        add("a request", answer(self.echo, "/up"));
        add("a request for memory", answer(self.echo, "/memory"));
        add("a request to write", answer(self.echo, "/write"));
        add("the link", Echo::of(self.link, BYTES, super::seen::SOON).told());
        add("a request on the link", answer(self.link, "/up"));
        add("a connection to the database", self.connected());
        add(
            "clients of the database",
            format!("{:?}", self.clients().map(|(there, _)| there)),
        );
        let right = |ahead: Result<f64, String>| ahead.map(|ahead| ahead.abs() < 1.5);
        add(
            "the date of an answer is right",
            format!("{:?}", right(super::seen::date_ahead(self.echo))),
        );
        add(
            "the time of the database is right",
            format!("{:?}", right(self.database_ahead())),
        );
        add("a file of the database", format!("{:?}", self.version()));
        let scratch = fs::read_dir(self.place.path().join("scratch")).unwrap().flatten();
        let folders: Vec<String> = scratch
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        add("scratch", folders.join(", "));
        seen
    }

    /// What is not as it was: nothing, when all is.
    pub fn differences(&self, before: &Portrait) -> Vec<String> {
        let now = self.portrait();
        let names = before
            .keys()
            .chain(now.keys().filter(|name| !before.contains_key(*name)));
        let differs = names.filter(|name| before.get(*name) != now.get(*name));
        let of = |portrait: &Portrait, name: &String| portrait.get(name).cloned().unwrap_or_else(|| "none".to_owned());
        differs
            .map(|name| format!("{name}: {} before, {} now", of(before, name), of(&now, name)))
            .collect()
    }

    /// What comes of connecting to the database itself.
    pub fn connected(&self) -> String {
        let connect = async {
            let (client, connection) = tokio_postgres::connect(&self.db, NoTls).await?;
            let driver = tokio::spawn(connection);
            drop(client);
            // Closed when it ends, so that nobody counts it.
            driver.await.unwrap()
        };
        match self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, connect).await })
        {
            Ok(Ok(())) => "given".to_owned(),
            Ok(Err(error)) => match error.code() {
                Some(code) => code.code().to_owned(),
                None => error.to_string(),
            },
            Err(_) => "no answer".to_owned(),
        }
    }

    /// How many clients the database has, and how many it may have, as it says itself on a connection kept for that.
    pub fn clients(&self) -> Result<(i64, i64), String> {
        let ask = "select (select count(*) from pg_stat_activity where backend_type = 'client backend'), \
                   current_setting('max_connections')::int8";
        let mut watch = self.watch.borrow_mut();
        self.runtime.block_on(async {
            if watch.as_ref().is_none_or(Client::is_closed) {
                let opened = tokio_postgres::connect(&self.db, NoTls).await;
                let (client, connection) = opened.map_err(|error| error.to_string())?;
                tokio::spawn(connection);
                *watch = Some(client);
            }
            let client = watch.as_ref().ok_or("no connection")?;
            let row = client.query_one(ask, &[]).await.map_err(|error| error.to_string())?;
            Ok((row.get(0), row.get(1)))
        })
    }

    /// By how many seconds the database's clock is ahead of this one.
    pub fn database_ahead(&self) -> Result<f64, String> {
        let asked = async {
            let (client, connection) = tokio_postgres::connect(&self.db, NoTls).await?;
            let driver = tokio::spawn(connection);
            let row = client
                .query_one("select extract(epoch from clock_timestamp())::float8", &[])
                .await;
            drop(client);
            // Closed when it ends, so that nobody counts it.
            driver.await.unwrap()?;
            row.map(|row| row.get::<_, f64>(0))
        };
        let asked = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, asked).await });
        let said = asked.map_err(|_| "no answer")?.map_err(|error| error.to_string())?;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        Ok(said - now.as_secs_f64())
    }

    /// Who was told to end, and how often the database was told to end at once.
    pub fn told(&self) -> (usize, usize) {
        let lines = |file: PathBuf, part: &str| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().filter(|line| line.contains(part)).count()
        };
        let log = self.folder.join("logs/db-1.log");
        (
            lines(self.place.path().join("told"), ""),
            lines(log, "fast shutdown request"),
        )
    }

    /// How often squall wrote down to have looked at what it watches.
    pub fn looks(&self) -> usize {
        let events = fs::read_to_string(self.folder.join("events.jsonl")).unwrap_or_default();
        let looks = ["\"shortage\"", "\"skew\""];
        events
            .lines()
            .filter(|line| looks.iter().any(|look| line.contains(look)))
            .count()
    }

    /// How often a process of the echo's ended.
    pub fn ends(&self) -> usize {
        let events = fs::read_to_string(self.folder.join("events.jsonl")).unwrap_or_default();
        let end = |line: &&str| line.contains("\"exited\"") && line.contains("\"echo-1\"");
        events.lines().filter(end).count()
    }

    /// Keeps no connection to its database.
    pub fn close(&self) {
        self.watch.borrow_mut().take();
    }

    /// Takes it down; nothing may be left.
    pub fn down(self) {
        self.close();
        let output = self.place.output(&["down"]);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let left = self.trail.residue();
        assert!(left.none(), "{left:#?}");
    }
}

impl Drop for Up {
    /// A test that failed leaves nothing, either.
    fn drop(&mut self) {
        self.trail.clear();
    }
}
