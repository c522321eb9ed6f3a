use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use squall_core::document::Document;
use squall_core::place::{Cut, Death};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::processes;
use crate::secrets::Secrets;
use crate::store::RunId;

const PATIENCE: Duration = Duration::from_secs(20);

/// Two services that do nothing, and the link between them.
async fn world(folder: &std::path::Path) -> ProcessWorld {
    let text = "system: s\nentry: app\nservices:\n  db: { run: 'sleep 1000', restart: { after: 10ms } }\n  \
                app: { run: 'sleep 1000', links: [db] }\n";
    started(folder, text).await
}

async fn started(folder: &std::path::Path, text: &str) -> ProcessWorld {
    let system = System::read(&Document::parse("system.yaml", text).unwrap()).unwrap();
    let recorder = Recorder::open(&folder.join("journal.jsonl"), Secrets::default()).unwrap();
    let setting = Setting {
        run: RunId::new(u64::from(std::process::id())),
        logs: folder.to_owned(),
        scratch: folder.join("scratch"),
        port: None,
        witness: String::new(),
        seed: 1,
        filled: BTreeSet::new(),
        slowed: BTreeSet::new(),
        powered: BTreeSet::new(),
        spoken: BTreeMap::new(),
    };
    let means = Means {
        recorder: &recorder,
        cluster: None,
    };
    ProcessWorld::start(&system, &setting, means).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_imposes_second_at_a_place_waits_and_an_older_list_undoes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(world(folder.path()).await);
    let app = Instance::new("app", 1);
    let link: Place = "app-1->db".parse().unwrap();
    for (place, broken) in [
        (Place::Instance(app.clone()), Condition::Frozen),
        (link.clone(), Condition::Cut(Cut::Refuse)),
    ] {
        let wanted = Arc::new(Mutex::new(vec![broken]));
        let (read, was_read) = mpsc::channel();
        let (go, gone) = mpsc::channel::<()>();
        let (waits, gone) = (AtomicBool::new(true), Mutex::new(gone));
        // It reads what is wanted, and is slow from there on.
        let slow = {
            let (world, place, wanted) = (world.clone(), place.clone(), wanted.clone());
            let list = move || {
                let list = wanted.lock().unwrap().clone();
                if waits.swap(false, Ordering::Relaxed) {
                    read.send(()).unwrap();
                    gone.lock().unwrap().recv_timeout(PATIENCE).unwrap();
                }
                list
            };
            tokio::spawn(async move { world.impose(&place, list).await })
        };
        tokio::task::block_in_place(|| was_read.recv_timeout(PATIENCE)).unwrap();
        wanted.lock().unwrap().clear();
        let mut second = std::pin::pin!(world.impose(&place, || wanted.lock().unwrap().clone()));
        let early = timeout(Duration::from_millis(100), &mut second).await;
        go.send(()).unwrap();
        early.expect_err("it did not wait for its turn");
        timeout(PATIENCE, second).await.expect("its turn never came").unwrap();
        slow.await.unwrap().unwrap();
    }
    let state = processes::stat(world.pid(&app).unwrap()).unwrap().state;
    assert_ne!(state, 'T', "it is frozen, and nobody wants that any more");
    // Nobody listens behind the proxy: only a cut link refuses.
    let refused = |error: std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    let taken = TcpStream::connect(world.links[&link].proxy.addr()).await;
    assert!(
        !taken.is_err_and(refused),
        "the link is cut, and nobody wants that any more"
    );
    Arc::into_inner(world).unwrap().end().await;
}

#[tokio::test]
async fn only_deaths_after_the_first_say_that_it_went_down_again() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path()).await;
    let (db, lives) = (Instance::new("db", 1), Duration::ZERO);
    let place = Place::Instance(db.clone());
    let down = |death| move || vec![Condition::Down(death)];
    for (death, falls) in [
        (Death::Kill, 0),
        (Death::Again { lives, most: Some(3) }, 2),
        (Death::Again { lives, most: Some(1) }, 0),
    ] {
        world.impose(&place, down(death)).await.unwrap();
        assert_eq!((world.falls(&db), world.pid(&db)), (0, None), "{death:?}");
        // It is left alone once it went down so often as it shall.
        let until = Instant::now() + PATIENCE;
        while world.falls(&db) < falls || (death.recurs() && world.pid(&db).is_none()) {
            assert!(Instant::now() < until, "{death:?}: {} falls", world.falls(&db));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.impose(&place, Vec::new).await.unwrap();
        assert_eq!(world.falls(&db), falls, "{death:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn what_does_not_end_when_asked_to_is_killed_once_its_grace_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let text = "system: s\nentry: app\nservices:\n  polite: { run: 'sleep 1000' }\n  \
                app: { run: \"sh -c 'trap : TERM; echo > FOLDER/deaf; while :; do sleep 0.1; done'\" }\n";
    let text = text.replace("FOLDER", &folder.path().display().to_string());
    let world = started(folder.path(), &text).await;
    let until = Instant::now() + PATIENCE;
    while !folder.path().join("deaf").exists() {
        assert!(Instant::now() < until, "it never began");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let [app, polite] = ["app", "polite"].map(|name| Instance::new(name, 1));
    let down = |death| move || vec![Condition::Down(death)];
    for who in [&app, &polite] {
        let place = Place::Instance(who.clone());
        let ended = world.impose(&place, down(Death::Terminate));
        timeout(2 * PATIENCE, ended).await.expect("it is still there").unwrap();
        assert_eq!(world.pid(who), None);
    }
    assert!(world.outstayed(&app).is_some_and(|grace| grace > 0) && world.outstayed(&polite).is_none());
    // One that is killed at once was given none.
    let place = Place::Instance(app.clone());
    world.impose(&place, Vec::new).await.unwrap();
    world.impose(&place, down(Death::Kill)).await.unwrap();
    assert_eq!((world.pid(&app), world.outstayed(&app)), (None, None));
    world.recorder.flush().unwrap();
    let journal = std::fs::read_to_string(folder.path().join("journal.jsonl")).unwrap();
    assert_eq!(journal.matches("\"outstayed\"").count(), 1, "{journal}");
    world.end().await;
}
