//! What the service promises while something is broken.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::client::System;
use crate::cluster::Cluster;
use crate::process::PATIENCE;
use crate::witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_worker_is_replaced_and_a_frozen_one_fenced_off() {
    let cluster = Cluster::start();
    let witness = Witness::start().await;
    let mut system = System::start(&cluster.url(), &[("WITNESS_URL", &witness.url)]);
    system.log_in("ada").await;

    let mut killed = system.worker("killed");
    let task = system.create("delay", json!({ "ms": 500 })).await;
    witness.wait_for(&task, "start/1/killed").await;
    killed.kill();
    let frozen = system.worker("frozen");
    let done = system.wait_task(&task, "completed").await;
    assert_eq!((&done["attempt"], &done["deaths"]), (&json!(2), &json!(1)));
    assert_eq!(done["failures"], 0, "a death is not a failure");

    let task = system.create("delay", json!({ "ms": 500 })).await;
    witness.wait_for(&task, "start/1/frozen").await;
    frozen.signal(Signal::SIGSTOP);
    let _successor = system.worker("successor");
    let done = system.wait_task(&task, "completed").await;
    assert_eq!((&done["attempt"], &done["worker"]), (&json!(2), &json!("successor")));
    witness.wait_for(&task, "committed/2/successor").await;

    // Thawed, the old worker must leave that task alone and take the next ones.
    drop(_successor);
    frozen.signal(Signal::SIGCONT);
    let next = system.create("email", json!({})).await;
    witness.wait_for(&next, "committed/1/frozen").await;
    let commits = witness.about(&task);
    assert_eq!(commits.iter().filter(|line| line.starts_with("committed")).count(), 1);
    assert_eq!(system.get(&format!("/tasks/{task}")).await.1["worker"], "successor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_told_to_stop_finishes_or_hands_back() {
    let cluster = Cluster::start();
    let witness = Witness::start().await;
    let env = [("WITNESS_URL", witness.url.as_str()), ("TASKHUB_SHUTDOWN", "1s")];
    let mut system = System::start(&cluster.url(), &env);
    system.log_in("ada").await;

    let mut worker = system.worker("w1");
    let short = system.create("delay", json!({ "ms": 300 })).await;
    witness.wait_for(&short, "start/1/w1").await;
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.exit_code(), Some(0));
    assert_eq!(system.get(&format!("/tasks/{short}")).await.1["status"], "completed");

    let mut worker = system.worker("w2");
    let long = system.create("delay", json!({ "ms": 60_000 })).await;
    witness.wait_for(&long, "start/1/w2").await;
    worker.signal(Signal::SIGTERM);
    assert_eq!(worker.exit_code(), Some(0));
    let (_, task) = system.get(&format!("/tasks/{long}")).await;
    assert_eq!((&task["status"], &task["deaths"]), (&json!("pending"), &json!(0)));
    system.server.signal(Signal::SIGTERM);
    assert_eq!(system.server.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_every_answer_is_prompt_and_true() {
    let mut cluster = Cluster::start();
    let url = cluster.url();
    let mut system = System::start(&url, &[]);
    let _worker = system.worker("w1");
    system.log_in("ada").await;
    let task = system.create("delay", json!({ "ms": 100 })).await;

    cluster.stop();
    system.wait_status("/health/ready", 503, Duration::from_secs(1)).await;
    assert_refused(&system).await;
    assert_eq!(system.get("/health/live").await.0, 200);
    assert_eq!(system.get("/health").await.0, 503);
    assert_eq!(system.get("/metrics").await.0, 200);

    // A server that starts now listens, lives, and says that it is not ready.
    system.restart();
    system.wait_status("/health/live", 200, PATIENCE).await;
    assert_eq!(system.get("/health/ready").await.0, 503);

    cluster.resume();
    system.wait_status("/health/ready", 200, Duration::from_secs(1)).await;
    assert_eq!(system.get("/auth/me").await.0, 200, "the session survived");
    system.wait_task(&task, "completed").await;
    let after = system.create("email", json!({})).await;
    system.wait_task(&after, "completed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_holds_nobody_up() {
    let cluster = Cluster::start();
    let mut system = System::start(&cluster.url(), &[]);
    system.log_in("ada").await;

    cluster.freeze();
    // The first requests meet the silence before the health check does.
    assert_refused(&system).await;
    system.wait_status("/health/ready", 503, Duration::from_secs(1)).await;
    assert_refused(&system).await;

    cluster.thaw();
    system.wait_status("/health/ready", 200, Duration::from_secs(1)).await;
    assert_eq!(system.get("/auth/me").await.0, 200);
}

/// Requests that need the database are answered 503, in the API's form, in time.
async fn assert_refused(system: &System) {
    let begun = Instant::now();
    let body = json!({ "task_type": "email", "payload": {} });
    let create = system.post("/tasks", body);
    let (created, listed) = tokio::join!(create, system.get("/tasks"));
    assert!(begun.elapsed() < Duration::from_secs(2), "took {:?}", begun.elapsed());
    for (status, answer) in [created, listed] {
        assert_eq!(status, 503, "{answer}");
        assert_eq!(answer["error"]["code"], "database_unavailable");
    }
}
