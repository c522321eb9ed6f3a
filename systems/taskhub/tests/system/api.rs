//! What the API promises while nothing is broken.

use serde_json::json;

use crate::client::System;
use crate::cluster::Cluster;
use crate::process::{Process, free_port};
use crate::witness::Witness;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_tokens() {
    let cluster = Cluster::start();
    let mut system = System::start(&cluster.url(), &[]);
    let login = system.log_in("ada").await;
    let (status, me) = system.get("/auth/me").await;
    assert_eq!(
        (status, &me["username"], &me["user_id"]),
        (200, &json!("ada"), &login["user_id"])
    );

    let again = json!({ "username": "ada", "email": "x@example.org", "password": "long enough" });
    assert_eq!(system.post("/auth/register", again).await.0, 409);
    let malformed = json!({ "username": "a", "email": "no", "password": "short" });
    let (status, answer) = system.post("/auth/register", malformed).await;
    assert_eq!((status, &answer["error"]["code"]), (422, &json!("invalid")));
    let wrong = json!({ "username": "ada", "password": "wrong horse" });
    assert_eq!(system.post("/auth/login", wrong).await.0, 401);
    let nobody = json!({ "username": "nobody", "password": "wrong horse" });
    assert_eq!(system.post("/auth/login", nobody).await.0, 401);

    let (status, fresh) = system.post("/auth/refresh", json!({})).await;
    assert_eq!(status, 200);
    assert_eq!(system.get("/auth/me").await.0, 401, "the old token ended");
    system.use_token(fresh["token"].as_str());
    system.restart();
    system.wait_status("/health/ready", 200, crate::process::PATIENCE).await;
    assert_eq!(system.get("/auth/me").await.0, 200, "sessions survive a restart");
    assert_eq!(system.post("/auth/logout", json!({})).await.0, 204);
    assert_eq!(system.get("/auth/me").await.0, 401);
    system.use_token(None);
    assert_eq!(system.get("/tasks").await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn tasks_from_creation_to_completion() {
    let cluster = Cluster::start();
    let witness = Witness::start().await;
    let partner = format!("127.0.0.1:{}", free_port());
    let _partner = Process::start(&["partner", "--listen", &partner], &[]);
    let partner_url = format!("http://{partner}");
    // Server and workers meet an empty database at the same time.
    let env = [
        ("WITNESS_URL", witness.url.as_str()),
        ("PARTNER_URL", partner_url.as_str()),
    ];
    let mut system = System::start(&cluster.url(), &env);
    let _workers = [system.worker("w1"), system.worker("w2")];
    system.log_in("ada").await;

    let payload = json!({ "ms": 1, "b": { "z": 1.5, "a": [true, null] } });
    let id = system.create("delay", payload.clone()).await;
    let task = system.wait_task(&id, "completed").await;
    assert_eq!((&task["payload"], &task["attempt"]), (&payload, &json!(1)));
    let worker = task["worker"].as_str().unwrap();
    witness.wait_for(&id, &format!("committed/1/{worker}")).await;
    let order = ["start", "effect", "committed"].map(|event| format!("{event}/1/{worker}"));
    assert_eq!(witness.about(&id), order);
    let crc = crc32fast::hash(br#"{"b":{"a":[true,null],"z":1.5},"ms":1}"#);
    assert_eq!(witness.find(&id, "effect").unwrap()["payload_crc32"], crc);

    for task_type in ["email", "webhook"] {
        let id = system.create(task_type, json!({ "to": "x@example.org" })).await;
        system.wait_task(&id, "completed").await;
    }
    refusals(&system).await;

    let once = json!({ "task_type": "email", "payload": {}, "idempotency_key": "k" });
    let (first_status, first) = system.post("/tasks", once.clone()).await;
    let (second_status, second) = system.post("/tasks", once).await;
    assert_eq!((first_status, second_status), (201, 200));
    assert_eq!(first["id"], second["id"]);

    system.wait_task(first["id"].as_str().unwrap(), "completed").await;
    system.log_in("eve").await;
    assert_eq!(system.get(&format!("/tasks/{id}")).await.0, 404, "not hers");
    assert_eq!(system.get("/tasks").await.1["tasks"], json!([]));
    let (status, stats) = system.get("/tasks/stats").await;
    assert_eq!(
        (status, &stats["completed"], &stats["pending"]),
        (200, &json!(4), &json!(0))
    );
    for path in ["/metrics", "/openapi.json", "/health/detailed", "/tasks/types"] {
        assert_eq!(system.get(path).await.0, 200, "{path}");
    }
}

async fn refusals(system: &System) {
    for body in [
        json!({ "task_type": "", "payload": {} }),
        json!({ "task_type": "x".repeat(65), "payload": {} }),
        json!({ "task_type": "a b", "payload": {} }),
        json!({ "task_type": "delay", "payload": 1 }),
        json!({ "task_type": "delay" }),
        json!([]),
    ] {
        assert_eq!(system.post("/tasks", body.clone()).await.0, 422, "{body}");
    }
    let large = json!({ "task_type": "delay", "payload": { "x": "x".repeat(70_000) } });
    assert_eq!(system.post("/tasks", large).await.0, 413);
    assert_eq!(system.get("/tasks/not-a-uuid").await.0, 422);
    let unknown = "/tasks/00000000-0000-4000-8000-000000000000";
    let (status, answer) = system.get(unknown).await;
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("not_found")));
    assert_eq!(system.get("/nowhere").await.0, 404);
    assert_eq!(system.get("/tasks?status=lost").await.0, 422);
    assert_eq!(system.get("/tasks/stats/x").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_retried_then_dead_then_revived() {
    let cluster = Cluster::start();
    let mut system = System::start(&cluster.url(), &[]);
    let _worker = system.worker("w1");
    system.log_in("ada").await;

    let flaky = system.create("flaky", json!({ "fail_times": 2 })).await;
    let task = system.wait_task(&flaky, "completed").await;
    assert_eq!((&task["attempt"], &task["failures"]), (&json!(3), &json!(2)));

    let failing = system.create("failing", json!({})).await;
    let task = system.wait_task(&failing, "dead").await;
    assert_eq!((&task["failures"], &task["deaths"]), (&json!(3), &json!(0)));
    assert_eq!(task["last_error"], "fails by design");

    let unknown = system.create("nonexistent_type", json!({})).await;
    let task = system.wait_task(&unknown, "dead").await;
    assert_eq!(task["last_error"], "no handler for type 'nonexistent_type'");
    assert_eq!(task["failures"], 1);

    let (_, dead) = system.get("/tasks/dead-letter").await;
    assert_eq!(dead["tasks"].as_array().unwrap().len(), 2);
    assert_eq!(system.post(&format!("/tasks/{failing}/cancel"), json!({})).await.0, 409);
    assert_eq!(system.post(&format!("/tasks/{flaky}/retry"), json!({})).await.0, 409);
    assert_eq!(system.post(&format!("/tasks/{failing}/retry"), json!({})).await.0, 200);
    system.wait_task(&failing, "dead").await;

    // A task that runs is cancelled: its worker is fenced off and goes on to other work.
    let long = system.create("delay", json!({ "ms": 60_000 })).await;
    system.wait_task(&long, "running").await;
    assert_eq!(system.post(&format!("/tasks/{long}/cancel"), json!({})).await.0, 200);
    let next = system.create("email", json!({})).await;
    system.wait_task(&next, "completed").await;
    assert_eq!(system.get(&format!("/tasks/{long}")).await.1["status"], "cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breaker_opens_fails_fast_and_closes_again() {
    let cluster = Cluster::start();
    let partner = format!("127.0.0.1:{}", free_port());
    let partner_url = format!("http://{partner}");
    let env = [
        ("PARTNER_URL", partner_url.as_str()),
        ("TASKHUB_BREAKER_THRESHOLD", "3"),
    ];
    let mut system = System::start(&cluster.url(), &env);
    let _worker = system.worker("w1");
    system.log_in("ada").await;

    // One task fails three times, which opens the breaker; the next one meets it open.
    let first = system.create("webhook", json!({})).await;
    let task = system.wait_task(&first, "dead").await;
    assert!(task["last_error"].as_str().unwrap().starts_with("partner:"), "{task}");
    let (_, detailed) = system.get("/health/detailed").await;
    assert_eq!(detailed["breakers"][0]["task_type"], "webhook");
    assert_eq!(detailed["breakers"][0]["state"], "open");
    let body = json!({ "task_type": "webhook", "payload": {}, "max_attempts": 1 });
    let (_, second) = system.post("/tasks", body).await;
    let task = system.wait_task(second["id"].as_str().unwrap(), "dead").await;
    assert_eq!(task["last_error"], "circuit open");
    let other = system.create("email", json!({})).await;
    system.wait_task(&other, "completed").await;

    let _partner = Process::start(&["partner", "--listen", &partner], &[]);
    let body = json!({ "task_type": "webhook", "payload": {}, "max_attempts": 50 });
    let (_, third) = system.post("/tasks", body).await;
    system.wait_task(third["id"].as_str().unwrap(), "completed").await;
    let (_, detailed) = system.get("/health/detailed").await;
    assert_eq!(detailed["breakers"][0]["state"], "closed");
}

#[test]
fn bad_settings_end_with_code_2() {
    let url = ("DATABASE_URL", "postgres://localhost/db");
    for bad in [("TASKHUB_LEASE", "soon"), ("TASKHUB_BUG", "no-such-thing")] {
        let mut worker = Process::start(&["worker"], &[url, bad]);
        assert_eq!(worker.exit_code(), Some(2), "{bad:?}");
    }
}
