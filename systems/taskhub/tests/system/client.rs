//! A system under test: a server, its workers, and a client that talks to them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::process::{PATIENCE, Process, free_port};

/// A server and the way to talk to it.
pub struct System {
    /// The server's process.
    pub server: Process,
    address: String,
    env: Vec<(String, String)>,
    client: reqwest::Client,
    token: Option<String>,
}

impl System {
    /// Starts a server on this database, with short timings and these variables besides.
    pub fn start(database: &str, extra: &[(&str, &str)]) -> Self {
        let short = [
            ("DATABASE_URL", database),
            ("TASKHUB_LEASE", "600ms"),
            ("TASKHUB_POLL", "50ms"),
            ("TASKHUB_BACKOFF", "50ms"),
            ("TASKHUB_BREAKER_OPEN", "300ms"),
        ];
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let env: Vec<_> = short.iter().chain(extra).map(owned).collect();
        let address = format!("127.0.0.1:{}", free_port());
        let server = start_process(&["server", "--listen", &address], &env, &[]);
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self {
            server,
            address,
            env,
            client,
            token: None,
        }
    }

    /// Replaces the server's process by a new one on the same address.
    pub fn restart(&mut self) {
        self.server.kill();
        self.server = start_process(&["server", "--listen", &self.address], &self.env, &[]);
    }

    /// Starts a worker of this name.
    pub fn worker(&self, name: &str) -> Process {
        start_process(&["worker"], &self.env, &[("WORKER_ID", name)])
    }

    /// Waits until the server answers `path` with this status; returns the wait.
    pub async fn wait_status(&self, path: &str, status: u16, within: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            let answer = self.client.get(format!("http://{}{path}", self.address)).send().await;
            if answer.is_ok_and(|answer| answer.status() == status) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < within, "{path} was not {status} within {within:?}");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until ready, registers a user and keeps the token.
    pub async fn log_in(&mut self, name: &str) -> Value {
        self.wait_status("/health/ready", 200, PATIENCE).await;
        let user = json!({
            "username": name, "email": format!("{name}@example.org"), "password": "correct horse",
        });
        let (status, _) = self.post("/auth/register", user).await;
        assert_eq!(status, 201);
        let credentials = json!({ "username": name, "password": "correct horse" });
        let (status, login) = self.post("/auth/login", credentials).await;
        assert_eq!(status, 200, "{login}");
        self.token = login["token"].as_str().map(str::to_owned);
        login
    }

    /// Sends with this token, or none, from now on.
    pub fn use_token(&mut self, token: Option<&str>) {
        self.token = token.map(str::to_owned);
    }

    /// `GET`: status and body.
    pub async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await
    }

    /// `POST`: status and body.
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Creates a task and returns its id.
    pub async fn create(&self, task_type: &str, payload: Value) -> String {
        let body = json!({ "task_type": task_type, "payload": payload });
        let (status, task) = self.post("/tasks", body).await;
        assert_eq!(status, 201, "{task}");
        task["id"].as_str().unwrap().to_owned()
    }

    /// Waits until the task has this status and returns it.
    pub async fn wait_task(&self, id: &str, status: &str) -> Value {
        let begun = Instant::now();
        loop {
            let (code, task) = self.get(&format!("/tasks/{id}")).await;
            if code == 200 && task["status"] == status {
                return task;
            }
            assert!(begun.elapsed() < PATIENCE, "never {status}: {code} {task}");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn start_process(args: &[&str], env: &[(String, String)], extra: &[(&str, &str)]) -> Process {
    let mut all: Vec<_> = env
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    all.extend(extra);
    Process::start(args, &all)
}
