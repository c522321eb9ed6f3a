//! The report's page in a real browser: it draws what the journal says, keeps to itself, fits and can be read.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "browser/chrome.rs"]
mod chrome;

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use squall_core::event::{Fact, TaskEvent};
use squall_core::journal::Journal;
use tempfile::TempDir;

use chrome::Chrome;

const PASSING: &str = include_str!("fixtures/worker-restart-pass.jsonl");
const FAILING: &str = include_str!("fixtures/worker-restart-fail.jsonl");

/// Normal text is readable from this ratio of luminances on: WCAG 2.2, 1.4.3, level AA.
const READABLE: f64 = 4.5;

/// How far the page is wider than its window.
const OVERFLOW: &str = "const page = document.documentElement; return page.scrollWidth - page.clientWidth;";

/// Renders the report of both recorded runs as `squall judge` does.
fn report() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, journal) in [("one", PASSING), ("other", FAILING)] {
        let scenario = folder.path().join(name);
        fs::create_dir(&scenario).unwrap();
        fs::write(scenario.join("journal.jsonl"), journal).unwrap();
    }
    let judged = Command::new(env!("CARGO_BIN_EXE_squall"))
        .arg("judge")
        .arg(folder.path())
        .output()
        .unwrap();
    assert_eq!(
        judged.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&judged.stderr)
    );
    folder
}

/// Strikes and started attempts, straight from the journals.
fn expected() -> (u64, u64) {
    let (mut strikes, mut attempts) = (0, 0);
    for text in [PASSING, FAILING] {
        let journal = Journal::parse(text).unwrap();
        let facts = journal.events().iter().map(|event| &event.fact);
        strikes += facts
            .clone()
            .filter(|fact| matches!(fact, Fact::Imposing { .. }))
            .count();
        let started = facts.filter_map(|fact| match fact {
            Fact::Task(task) if task.event == TaskEvent::Start => Some((&task.task, task.attempt, &task.worker)),
            _ => None,
        });
        attempts += started.collect::<BTreeSet<_>>().len();
    }
    (strikes as u64, attempts as u64)
}

#[tokio::test]
async fn the_page_shows_every_strike_and_attempt_alone_and_fits_and_can_be_read() {
    let folder = report();
    let page = format!("file://{}", folder.path().join("report.html").display());
    let chrome = Chrome::start().await;
    for (width, height) in [(1280, 900), (400, 800)] {
        for scheme in ["light", "dark"] {
            let at = format!("{width} wide, {scheme}");
            chrome.look(width, height, scheme).await;
            chrome.open(&page).await;
            assert_eq!(chrome.run("return window.innerWidth;").await, width, "{at}");
            let dark = chrome
                .run("return matchMedia('(prefers-color-scheme: dark)').matches;")
                .await;
            assert_eq!(dark, scheme == "dark", "{at}");

            let count = |what: &str| format!("return document.querySelectorAll('{what}').length;");
            let bands = chrome.run(&count(".fault-band[data-step]")).await;
            let bars = chrome.run(&count(".task-bar")).await;
            assert_eq!((bands.as_u64().unwrap(), bars.as_u64().unwrap()), expected(), "{at}");

            assert_eq!(chrome.run(OVERFLOW).await, 0, "{at}: it can be scrolled sideways");

            let worst = chrome.run(include_str!("browser/contrast.js")).await;
            assert!(worst["badges"].as_u64().unwrap() > 2, "{at}: {worst}");
            assert!(
                worst["ratio"].as_f64().unwrap() >= READABLE,
                "{at}: hard to read: {worst}"
            );

            let asked = chrome.asked_for().await;
            assert_eq!(asked, [page.as_str()], "{at}: more was asked for than the file");
        }
    }
    chrome.end().await;
}
