//! Tasks in batches: the same promises as one by one.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::client::System;
use crate::cluster::Cluster;
use crate::process::PATIENCE;
use crate::witness::Witness;

/// Claims by ten.
const BATCH: (&str, &str) = ("TASKHUB_BATCH", "10");

/// A task that takes its time, and four that wait behind it in the same worker's hands.
async fn one_and_four(system: &System, ms: u64) -> (String, Vec<String>) {
    let long = system.create("delay", json!({ "ms": ms })).await;
    system.wait_task(&long, "running").await;
    let mut behind = Vec::new();
    for _ in 0..4 {
        behind.push(system.create("noop", json!({})).await);
    }
    for task in &behind {
        system.wait_task(task, "running").await;
    }
    (long, behind)
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_done_once_and_reported_once() {
    let mut cluster = Cluster::start();
    let witness = Witness::start().await;
    let mut system = System::start(&cluster.url(), &[BATCH, ("WITNESS_URL", &witness.url)]);
    let _workers = [system.worker("w1"), system.worker("w2")];
    system.log_in("ada").await;
    let mut tasks = Vec::new();
    for _ in 0..60 {
        tasks.push(system.create("noop", json!({})).await);
    }
    for task in &tasks {
        let done = system.wait_task(task, "completed").await;
        assert_eq!((&done["attempt"], &done["failures"]), (&json!(1), &json!(0)));
        assert!(done["result"]["began_us"].is_i64(), "{done}");
        let worker = done["worker"].as_str().unwrap();
        witness.wait_for(task, &format!("committed/1/{worker}")).await;
        let order = ["start", "effect", "committed"].map(|event| format!("{event}/1/{worker}"));
        assert_eq!(witness.about(task), order);
    }
    let flaky = system.create("flaky", json!({ "fail_times": 2 })).await;
    let failing = system.create("failing", json!({})).await;
    assert_eq!(system.wait_task(&flaky, "completed").await["failures"], 2);
    assert_eq!(system.wait_task(&failing, "dead").await["failures"], 3);

    // What was in hand when the database went away is done when it is back.
    for _ in 0..30 {
        tasks.push(system.create("noop", json!({})).await);
    }
    cluster.stop();
    cluster.resume();
    system.wait_status("/health/ready", 200, PATIENCE).await;
    for task in &tasks {
        system.wait_task(task, "completed").await;
        let commits = |line: &String| line.starts_with("committed");
        let about = witness.about(task);
        assert!(about.iter().filter(|line| commits(line)).count() <= 1, "{about:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_in_a_worker_is_kept_and_given_back_when_it_stops() {
    let cluster = Cluster::start();
    let env = [BATCH, ("TASKHUB_SHUTDOWN", "1s")];
    let mut system = System::start(&cluster.url(), &env);
    let mut holder = system.worker("holder");
    system.log_in("ada").await;

    // Three leases long, with another worker that would take what lapses.
    let (long, behind) = one_and_four(&system, 1800).await;
    let other = system.worker("other");
    system.wait_task(&long, "completed").await;
    for task in &behind {
        let done = system.wait_task(task, "completed").await;
        assert_eq!(
            (&done["attempt"], &done["worker"]),
            (&json!(1), &json!("holder")),
            "{done}"
        );
    }
    drop(other);

    let (long, behind) = one_and_four(&system, 60_000).await;
    holder.signal(Signal::SIGTERM);
    // Those that had not begun come back at once, before the grace of the one that runs is over.
    for task in &behind {
        let back = system.wait_task(task, "pending").await;
        assert_eq!((&back["deaths"], &back["attempt"]), (&json!(0), &json!(1)), "{back}");
    }
    assert_eq!(holder.exit_code(), Some(0));
    assert_eq!(system.get(&format!("/tasks/{long}")).await.1["status"], "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_frozen_leaves_alone_what_waited_in_it() {
    let cluster = Cluster::start();
    let witness = Witness::start().await;
    let mut system = System::start(&cluster.url(), &[BATCH, ("WITNESS_URL", &witness.url)]);
    system.log_in("ada").await;
    let frozen = system.worker("frozen");
    let (long, behind) = one_and_four(&system, 1000).await;
    frozen.signal(Signal::SIGSTOP);
    let successor = system.worker("successor");
    for task in behind.iter().chain([&long]) {
        let done = system.wait_task(task, "completed").await;
        assert_eq!(
            (&done["attempt"], &done["worker"]),
            (&json!(2), &json!("successor")),
            "{done}"
        );
    }
    drop(successor);
    frozen.signal(Signal::SIGCONT);
    let next = system.create("noop", json!({})).await;
    witness.wait_for(&next, "committed/1/frozen").await;
    for task in &behind {
        let about = witness.about(task);
        assert!(!about.contains(&"start/1/frozen".to_owned()), "{about:?}");
    }
    let commits = |line: &&String| line.starts_with("committed");
    assert_eq!(witness.about(&long).iter().filter(commits).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_cancelled_in_hand_stays_cancelled() {
    let cluster = Cluster::start();
    let mut system = System::start(&cluster.url(), &[BATCH]);
    let _worker = system.worker("w1");
    system.log_in("ada").await;
    let (long, behind) = one_and_four(&system, 60_000).await;
    for task in [&long, &behind[1]] {
        assert_eq!(system.post(&format!("/tasks/{task}/cancel"), json!({})).await.0, 200);
    }
    for task in [&behind[0], &behind[2], &behind[3]] {
        system.wait_task(task, "completed").await;
    }
    for task in [&long, &behind[1]] {
        assert_eq!(system.get(&format!("/tasks/{task}")).await.1["status"], "cancelled");
    }
}
