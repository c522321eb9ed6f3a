//! What makes an idle worker begin: being told, and, without that, looking.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::client::System;
use crate::cluster::Cluster;
use crate::process::PATIENCE;

/// Longer than any test: a worker that begins in time has been told to.
const NEVER: (&str, &str) = ("TASKHUB_POLL", "1h");

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_worker_is_told_and_told_again_after_the_database_was_away() {
    let mut cluster = Cluster::start();
    let mut system = System::start(&cluster.url(), &[NEVER]);
    let _worker = system.worker("w1");
    system.log_in("ada").await;
    for _ in 0..3 {
        let task = system.create("noop", json!({})).await;
        system.wait_task(&task, "completed").await;
    }

    cluster.stop();
    system.wait_status("/health/ready", 503, PATIENCE).await;
    cluster.resume();
    system.wait_status("/health/ready", 200, PATIENCE).await;
    for _ in 0..3 {
        let task = system.create("noop", json!({})).await;
        system.wait_task(&task, "completed").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hears_nothing_looks_by_itself() {
    let cluster = Cluster::start();
    let poll = Duration::from_millis(300);
    let deaf = [("TASKHUB_LISTEN", "off"), ("TASKHUB_POLL", "300ms")];
    let mut system = System::start(&cluster.url(), &deaf);
    let _worker = system.worker("w1");
    system.log_in("ada").await;
    let mut waits = Vec::new();
    for _ in 0..6 {
        let begun = Instant::now();
        let task = system.create("noop", json!({})).await;
        system.wait_task(&task, "completed").await;
        waits.push(begun.elapsed());
    }
    // Each task is created just after one was found, and so waits for the next look. What a busy machine adds is bounded.
    assert!(
        waits.iter().all(|wait| *wait < poll + Duration::from_secs(2)),
        "{waits:?}"
    );
    assert!(
        waits[1..].iter().any(|wait| *wait > poll / 2),
        "{waits:?}: somebody told it"
    );
}
