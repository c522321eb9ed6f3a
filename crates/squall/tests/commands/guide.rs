//! The guide, from top to bottom: a server, its API, a session, a flood, a service that dies.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use super::place::{Place, free_port, workspace};
use super::{BUILD, Up, err, get, out, request, said, script, wait_until};

#[test]
fn the_guides_commands_do_what_it_says() {
    let place = Place::with_taskhub(BUILD);
    // The guide's, where nobody has it.
    let theirs = TcpListener::bind(("127.0.0.1", 3000)).map(|_| 3000);
    let port = theirs.unwrap_or_else(|_| free_port());
    let number = port.to_string();
    let started = script(&place, "dev-server.sh", &[&number]).output().unwrap();
    let up = Up::of(place, port);
    let url = format!("http://127.0.0.1:{port}");
    said(&started, 0, &[&url, "logs/server-1.log", "squall down"]);

    for path in ["/health", "/tasks/stats"] {
        assert_eq!(get(port, path, None).0, 200, "{path} answers without a token");
    }
    let verified = up.script("test-with-curl.sh", &["localhost", &number]);
    said(
        &verified,
        0,
        &["Total: 33", "Passed: 33", "Failed: 0", "Success rate: 100%"],
    );
    assert_eq!(out(&verified).matches('✅').count(), 33);
    said(
        &up.script("test-server.sh", &[&number]),
        0,
        &["/health/ready", "Success rate: 100%"],
    );
    let status = up.script("status.sh", &[]);
    said(
        &status,
        0,
        &[
            "db-1",
            "partner-1",
            "server-1",
            "worker-2",
            "ready",
            &number,
            "server-1.log",
        ],
    );

    let token = token(&up);
    let flood = ["--count", "100", "--delay", "0.1", "--auth", &token];
    let flooded = up.script("helpers/task-flood.sh", &flood);
    said(
        &flooded,
        0,
        &[
            "Created: 100\n",
            "Refused: 0\n",
            "Failed: 0\n",
            "Rate: ",
            "p50 ",
            "p99 ",
        ],
    );
    an_unknown_type_ends_in_the_dead_letter_queue(&up, &token);

    a_killed_server_comes_back_and_its_log_is_followed_to_the_end(up);
}

/// `auth-helper.sh --prefix "chaos_test"`, which prints one JSON object and nothing else.
fn token(up: &Up) -> String {
    let given = up.script("helpers/auth-helper.sh", &["--prefix", "chaos_test"]);
    said(&given, 0, &[]);
    let given: Value = serde_json::from_slice(&given.stdout).unwrap_or_else(|_| panic!("{}", err(&given)));
    let names: Vec<&str> = given.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["token", "user_id"]);
    let token = given["token"].as_str().unwrap();
    let (status, me) = get(up.port, "/auth/me", Some(token));
    assert_eq!((status, &me["user_id"]), (200, &given["user_id"]));
    assert!(me["username"].as_str().unwrap().starts_with("chaos_test_"), "{me}");
    token.to_owned()
}

fn an_unknown_type_ends_in_the_dead_letter_queue(up: &Up, token: &str) {
    let args = [
        "--type",
        "nonexistent_type",
        "--count",
        "20",
        "--delay",
        "0.02",
        "--auth",
        token,
    ];
    said(
        &up.script("helpers/task-flood.sh", &args),
        0,
        &["Created: 20\n", "Failed: 0\n"],
    );
    wait_until("the dead-letter queue to name the reason", || {
        let (_, dead) = get(up.port, "/tasks/dead-letter?limit=50", Some(token));
        dead.to_string().contains("no handler for type 'nonexistent_type'")
    });
    wait_until("the breaker of that type, and of no other, to open", || {
        let (_, health) = get(up.port, "/health/detailed", None);
        let breakers = health["breakers"].as_array().cloned().unwrap_or_default();
        let open = |kind: &str| {
            breakers
                .iter()
                .any(|row| row["task_type"] == kind && row["state"] == "open")
        };
        open("nonexistent_type") && !open("email")
    });
    let email = r#"{"task_type":"email","payload":{"to":"a@example.test"}}"#;
    let (status, task) = request(up.port, "POST", "/tasks", Some(token), email);
    assert_eq!(status, 201, "{task}");
    let path = format!("/tasks/{}", task["id"].as_str().unwrap());
    wait_until("a task of another type to be done", || {
        get(up.port, &path, Some(token)).1["status"] == "completed"
    });
}

fn a_killed_server_comes_back_and_its_log_is_followed_to_the_end(up: Up) {
    let mut follow = up
        .place
        .squall(&["logs", "-f", "server"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines();
    let restart = ["restart", "--service", "server", "--delay", "2"];
    let restarted = up.script("helpers/service-chaos.sh", &restart);
    said(
        &restarted,
        0,
        &["server-1 killed", "started again in 2 s", "recovery took"],
    );
    assert_eq!(up.service("server-1")["restarts"], 1);
    let listens = lines
        .by_ref()
        .map_while(Result::ok)
        .filter(|line| line.contains("server listens"));
    assert_eq!(listens.take(2).count(), 2, "both starts are in its log");
    up.down();
    assert_eq!(
        lines
            .map_while(Result::ok)
            .filter(|line| line.contains("server listens"))
            .count(),
        0
    );
    assert!(follow.wait().unwrap().success());
}

/// The guide's scripts, and whose flags they take.
const SCRIPTS: [(&str, &str); 9] = [
    ("test-chaos.sh", "squall run"),
    ("deploy-validation.sh", "squall run"),
    ("dev-server.sh", "squall up"),
    ("test-with-curl.sh", "squall verify"),
    ("test-server.sh", "squall verify"),
    ("status.sh", "squall status"),
    ("helpers/auth-helper.sh", "squall auth"),
    ("helpers/task-flood.sh", "squall flood"),
    ("helpers/service-chaos.sh", "squall service"),
];

#[test]
fn every_script_takes_the_flags_of_its_verb_also_by_a_link_from_elsewhere() {
    let place = Place::with_taskhub(BUILD);
    for (name, verb) in SCRIPTS {
        let link = place.path().join(name.replace('/', "-"));
        std::os::unix::fs::symlink(workspace().join("scripts").join(name), &link).unwrap();
        for program in [name, link.to_str().unwrap()] {
            // Joined to an absolute path, a folder before it counts for nothing.
            let help = script(&place, program, &["--help"]).output().unwrap();
            said(&help, 0, &[&format!("Usage: {verb}")]);
            assert!(!out(&help).contains('✅'), "{name}: nothing was done");
        }
        let wrong = script(&place, name, &["--nonesuch"]).output().unwrap();
        let code = if name == "deploy-validation.sh" { 1 } else { 2 };
        said(&wrong, code, &["--nonesuch"]);
    }
}

#[test]
fn the_workflow_runs_what_is_there() {
    let read = |name: &str| std::fs::read_to_string(workspace().join(name)).unwrap();
    let workflow = read(".github/workflows/chaos.yml");
    for part in [
        "push:",
        "pull_request:",
        "branches: [main]",
        "uses: ./",
        "difficulty: 2",
    ] {
        assert!(workflow.contains(part), "{part}");
    }
    let scripts = workflow.split("./scripts/").skip(1);
    let scripts: Vec<&str> = scripts.filter_map(|rest| rest.split_whitespace().next()).collect();
    assert_eq!(scripts, ["dev-server.sh", "test-with-curl.sh"]);
    let action = read("action.yml");
    for part in [
        "chaos-test-results",
        "GITHUB_STEP_SUMMARY",
        "default: tmp",
        "!${{ inputs.output }}/**/control.*",
    ] {
        assert!(action.contains(part), "{part}");
    }
}
