//! A real PostgreSQL behind the proxy of a link: whatever is done with a statement, both ends agree on what holds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use squall::secrets::Secrets;
use squall::store::{Recorder, RunId};
use squall::world::Setting;
use squall::world::process::{Cluster, Means, ProcessWorld};
use squall_core::document::Document;
use squall_core::event::LinkCounts;
use squall_core::place::{Condition, Intercept, Place, Which};
use squall_core::protocol::{Act, Protocol};
use squall_core::system::System;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

const PATIENCE: Duration = Duration::from_secs(20);
/// Long enough for any answer to come that comes at all.
const A_WHILE: Duration = Duration::from_millis(700);

/// A database, a link to it, and the address of that.
struct Rig {
    world: ProcessWorld,
    url: String,
    run: RunId,
    /// What holds on the link.
    held: Mutex<Vec<Condition>>,
    _folder: tempfile::TempDir,
}

impl Drop for Rig {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(self.run.scratch());
    }
}

impl Rig {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (run, secrets) = (RunId::new(u64::from(std::process::id())), Secrets::default());
        let told: PathBuf = folder.path().join("url");
        let script = folder.path().join("app.sh");
        fs::write(
            &script,
            format!("printf %s \"$1\" > {}\nexec sleep 1000\n", told.display()),
        )
        .unwrap();
        let text = format!(
            "system: s\nentry: app\nservices:\n  db: {{ preset: postgres }}\n  \
             app: {{ run: 'sh {} ${{links.db.url}}', links: [db] }}\n",
            script.display()
        );
        let system = System::read(&Document::parse("system.yaml", &text).unwrap()).unwrap();
        let recorder = Recorder::open(&folder.path().join("journal.jsonl"), secrets.clone()).unwrap();
        let cluster = Cluster::prepare(&run, &secrets).await.unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).unwrap();
        let setting = Setting {
            run: run.clone(),
            logs,
            scratch: run.scratch().join("s"),
            port: None,
            witness: String::new(),
            seed: 1,
            filled: BTreeSet::new(),
            slowed: BTreeSet::new(),
            powered: BTreeSet::new(),
            spoken: BTreeMap::from([(("app".to_owned(), "db".to_owned()), Protocol::Postgres)]),
        };
        let means = Means {
            recorder: &recorder,
            cluster: Some(&cluster),
        };
        let world = ProcessWorld::start(&system, &setting, means).await.unwrap();
        let begun = Instant::now();
        let url = loop {
            match fs::read_to_string(&told) {
                Ok(url) if !url.is_empty() => break url,
                _ => assert!(begun.elapsed() < PATIENCE, "the entry service never started"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let _folder = folder;
        Self {
            world,
            url,
            run,
            held: Mutex::default(),
            _folder,
        }
    }

    async fn connect(&self) -> Client {
        let (client, connection) = tokio_postgres::connect(&self.url, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Past the proxy.
    async fn rows(&self) -> i64 {
        let (_, postgres) = self.world.clusters().next().unwrap();
        let (client, connection) = tokio_postgres::connect(&postgres.direct_url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.query_one("select count(*) from t", &[]).await.unwrap().get(0)
    }

    async fn impose(&self, command: &str, which: Which, then: Act) {
        self.wanted(&[Condition::Intercepted(Intercept {
            protocol: Protocol::Postgres,
            command: Some(command.to_owned()),
            path: None,
            which,
            then,
        })])
        .await;
    }

    async fn wanted(&self, conditions: &[Condition]) {
        let link: Place = "app-1->db".parse().unwrap();
        self.world.impose(&link, || conditions.to_vec()).await.unwrap();
        *self.held.lock().unwrap() = conditions.to_vec();
    }

    fn counts(&self) -> LinkCounts {
        let (link, held) = ("app-1->db".parse().unwrap(), self.held.lock().unwrap());
        self.world.counts(&link, &held[0]).unwrap()
    }

    async fn until_taken(&self, count: u64) {
        let begun = Instant::now();
        while self.counts().intercepted < count {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.counts());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn fails(code: Option<&str>) -> Act {
    let code = code.map(str::to_owned);
    Act::Error { code }
}

#[tokio::test]
async fn whatever_is_done_with_a_statement_both_ends_agree_on_what_holds() {
    let rig = Rig::start().await;
    let client = rig.connect().await;
    client.batch_execute("create table t (a int)").await.unwrap();
    let insert = client.prepare("insert into t values ($1)").await.unwrap();
    errors(&rig, &client, &insert).await;
    commits_that_fail(&rig, &client).await;
    late(&rig, &client).await;
    replies_that_are_lost(&rig).await;
    joined_in_the_middle(&rig).await;
    rig.wanted(&[]).await;
}

/// Plain and prepared statements fail with the code that is wanted, in a transaction and without.
async fn errors(rig: &Rig, client: &Client, insert: &tokio_postgres::Statement) {
    rig.impose("INSERT", Which::Nth(2), fails(Some("40001"))).await;
    client.execute(insert, &[&1]).await.unwrap();
    // It was prepared before anything was picked out.
    let error = client.execute(insert, &[&2]).await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE), "{error:?}");
    client.execute(insert, &[&3]).await.unwrap();
    assert_eq!((rig.rows().await, rig.counts().intercepted), (2, 1));
    rig.wanted(&[]).await;

    rig.impose("UPDATE", Which::All, fails(None)).await;
    client.batch_execute("begin").await.unwrap();
    client.execute(insert, &[&4]).await.unwrap();
    let error = client.batch_execute("update t set a = 0").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    // The server has it, too, that this transaction has failed.
    let error = client.batch_execute("select 1").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::IN_FAILED_SQL_TRANSACTION));
    client.batch_execute("commit").await.unwrap();
    assert_eq!(rig.rows().await, 2);
    rig.wanted(&[]).await;
    client.batch_execute("update t set a = 0").await.unwrap();
}

/// The transaction is over and nothing of it is there, however the commit was asked for.
async fn commits_that_fail(rig: &Rig, client: &Client) {
    rig.impose("COMMIT", Which::All, fails(Some("40001"))).await;
    for prepared in [false, true] {
        client.batch_execute("begin; insert into t values (5)").await.unwrap();
        let error = match prepared {
            false => client.batch_execute("commit").await.unwrap_err(),
            true => client.execute("commit", &[]).await.unwrap_err(),
        };
        assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE), "{error:?}");
        // Neither open nor failed: a statement stands for itself.
        let row = client
            .query_one("select pg_current_xact_id_if_assigned() is null", &[])
            .await
            .unwrap();
        assert!(row.get::<_, bool>(0));
        assert_eq!(rig.rows().await, 2, "prepared: {prepared}");
    }
    assert_eq!(rig.counts().intercepted, 2);
    rig.wanted(&[]).await;
}

async fn late(rig: &Rig, client: &Client) {
    rig.impose("DELETE", Which::All, Act::Delay(Duration::from_millis(300)))
        .await;
    let begun = Instant::now();
    client.batch_execute("select 1").await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(250), "{:?}", begun.elapsed());
    let begun = Instant::now();
    client.batch_execute("delete from t").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(300), "{:?}", begun.elapsed());
    // Healing hastens what waits.
    rig.impose("DELETE", Which::All, Act::Delay(Duration::from_secs(60)))
        .await;
    let taken = rig.counts().intercepted;
    let waits = client.batch_execute("delete from t");
    let heals = async {
        rig.until_taken(taken + 1).await;
        rig.wanted(&[]).await;
    };
    let both = async { tokio::join!(waits, heals) };
    tokio::time::timeout(PATIENCE, both).await.unwrap().0.unwrap();
}

/// What was committed is there, and the client was not told.
async fn replies_that_are_lost(rig: &Rig) {
    let client = rig.connect().await;
    client.batch_execute("begin; insert into t values (6)").await.unwrap();
    rig.impose("COMMIT", Which::All, Act::HangUp).await;
    let error = client.batch_execute("commit").await.unwrap_err();
    assert!(error.code().is_none(), "{error:?}");
    assert_eq!((rig.rows().await, rig.counts().intercepted), (1, 1));
    rig.wanted(&[]).await;

    let client = rig.connect().await;
    rig.impose("COMMIT", Which::All, Act::DropReply).await;
    client.batch_execute("begin; insert into t values (7)").await.unwrap();
    let commit = tokio::time::timeout(A_WHILE, client.batch_execute("commit"));
    assert!(commit.await.is_err(), "the client was told");
    assert_eq!((rig.rows().await, rig.counts().intercepted), (2, 1));
    rig.wanted(&[]).await;
    let error = tokio::time::timeout(PATIENCE, client.batch_execute("select 1"))
        .await
        .unwrap();
    assert!(error.is_err(), "its stream has a hole");
    rig.connect().await.batch_execute("select 1").await.unwrap();
}

/// A proxy that was told nothing before joins connections that are open.
async fn joined_in_the_middle(rig: &Rig) {
    let (_, postgres) = rig.world.clusters().next().unwrap();
    let direct = postgres.direct_url();
    let (before, addr) = direct.rsplit_once('@').unwrap();
    let (addr, after) = addr.split_once('/').unwrap();
    let any = "127.0.0.1:0".parse().unwrap();
    let proxy = squall::proxy::Proxy::open(any, addr.parse().unwrap(), 1).await.unwrap();
    let url = format!("{before}@{}/{after}", proxy.addr());
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("select 1").await.unwrap();
    let picked = Condition::Intercepted(Intercept {
        protocol: Protocol::Postgres,
        command: Some("TRUNCATE".to_owned()),
        path: None,
        which: Which::All,
        then: fails(None),
    });
    proxy.impose(&[picked]).await.unwrap();
    client.batch_execute("select 1").await.unwrap();
    let error = client.batch_execute("truncate t").await.unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::QUERY_CANCELED));
    proxy.impose(&[]).await.unwrap();
    client.batch_execute("truncate t").await.unwrap();
    let stats = proxy.stats();
    assert_eq!((stats.requests, stats.intercepted, stats.foreign), (2, 1, 0));
    assert_eq!(stats.accepted, 1);
}
