//! `GET /openapi.json`: the API described for machines.

use axum::Json;
use serde_json::{Map, Value, json};

/// Method, path, whether a token is needed, statuses, and what it does.
const OPERATIONS: &[(&str, &str, bool, &[&str], &str)] = &[
    ("get", "/health", false, &["200", "503"], "Whether the service works"),
    ("get", "/health/live", false, &["200"], "Whether the process lives"),
    (
        "get",
        "/health/ready",
        false,
        &["200", "503"],
        "Whether requests can be served",
    ),
    (
        "get",
        "/health/detailed",
        false,
        &["200", "503"],
        "Database, queue and breakers",
    ),
    (
        "post",
        "/auth/register",
        false,
        &["201", "409", "422", "503"],
        "Create an account",
    ),
    (
        "post",
        "/auth/login",
        false,
        &["200", "401", "422", "503"],
        "Get a token",
    ),
    ("get", "/auth/me", true, &["200", "401", "503"], "The caller's account"),
    (
        "post",
        "/auth/refresh",
        true,
        &["200", "401", "503"],
        "Exchange the token for a new one",
    ),
    ("post", "/auth/logout", true, &["204", "401", "503"], "End the token"),
    (
        "post",
        "/tasks",
        true,
        &["200", "201", "401", "413", "422", "503"],
        "Create a task; 200 if the idempotency key is known",
    ),
    ("get", "/tasks", true, &["200", "401", "422", "503"], "List own tasks"),
    (
        "get",
        "/tasks/{id}",
        true,
        &["200", "401", "404", "422", "503"],
        "Show a task",
    ),
    (
        "post",
        "/tasks/{id}/cancel",
        true,
        &["200", "401", "404", "409", "422", "503"],
        "Call a task off",
    ),
    (
        "post",
        "/tasks/{id}/retry",
        true,
        &["200", "401", "404", "409", "422", "503"],
        "Start a dead task afresh",
    ),
    ("get", "/tasks/stats", false, &["200", "503"], "Tasks per status"),
    (
        "get",
        "/tasks/dead-letter",
        true,
        &["200", "401", "422", "503"],
        "Own tasks given up",
    ),
    (
        "get",
        "/tasks/types",
        true,
        &["200", "401", "503"],
        "Types with a handler",
    ),
    ("get", "/metrics", false, &["200"], "Prometheus metrics"),
    ("get", "/openapi.json", false, &["200"], "This description"),
];

/// `GET /openapi.json`
pub async fn show() -> Json<Value> {
    Json(document())
}

fn document() -> Value {
    let mut paths = Map::new();
    for (method, path, needs_token, statuses, summary) in OPERATIONS {
        let describe = |status: &&str| ((*status).to_owned(), json!({ "description": summary }));
        let responses: Map<String, Value> = statuses.iter().map(describe).collect();
        let mut operation = json!({ "summary": summary, "responses": responses });
        if *needs_token {
            operation["security"] = json!([{ "bearer": [] }]);
        }
        if path.contains("{id}") {
            let schema = json!({ "type": "string", "format": "uuid" });
            operation["parameters"] = json!([{ "name": "id", "in": "path", "required": true, "schema": schema }]);
        }
        let entry = paths.entry(*path).or_insert_with(|| json!({}));
        entry[*method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "taskhub", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer" } },
        },
    })
}
