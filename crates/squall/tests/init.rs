//! `squall init`: a first system file from what a project has; nothing overwritten, every mistake said.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;

use place::{Place, workspace};
use squall_core::document::Document;
use squall_core::level::{LevelScope, levels};
use squall_core::system::System;

const COMPOSE: &str = "services:\n  web:\n    build: .\n    command: web --port 80\n    ports: [\"80:80\"]\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn system(text: &str) -> System {
    let level = levels().unwrap().remove(0);
    let doc = Document::parse("system.yaml", text).unwrap();
    System::read(&doc.expand(&LevelScope::new(&level, &[], 1.0)).unwrap())
        .unwrap_or_else(|wrong| panic!("{}", wrong.plain()))
}

/// Somebody who answers one request with the document.
fn described(document: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/openapi.json", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 2048];
        let _ = stream.read(&mut request).unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            document.len()
        );
        stream.write_all((head + &document).as_bytes()).unwrap();
    });
    url
}

#[test]
fn what_is_guessed_for_the_reference_system_agrees_with_the_file_written_by_hand() {
    let document = fs::read_to_string(workspace().join("systems/taskhub/openapi.json")).unwrap();
    let by_hand = fs::read_to_string(workspace().join("systems/taskhub/system.yaml")).unwrap();
    let by_hand = system(&by_hand).contracts;
    let place = Place::new();
    let output = place.output(&["init", "--from", &described(document)]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains("not complete") && said.contains("system.yaml:8:3: service `server` says neither"),
        "{said}"
    );
    let guessed = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let guessed = system(&guessed.replace("  server:\n", "  server:\n    run: server\n")).contracts;
    let both = guessed.tasks.as_ref().zip(by_hand.tasks.as_ref());
    let (guess, hand) = both.unwrap();
    assert_eq!((&guess.headers, &guess.create.path), (&hand.headers, &hand.create.path));
    assert_eq!(
        (&guess.create.json, &guess.create.id),
        (&hand.create.json, &hand.create.id)
    );
    assert_eq!(
        (guess.create.expect, &guess.show.path),
        (hand.create.expect, &hand.show.path)
    );
    assert_eq!(
        (&guess.show.state, &guess.show.attempts),
        (&hand.show.state, &hand.show.attempts)
    );
    assert_eq!(
        (&guess.show.failures, &guess.show.deaths),
        (&hand.show.failures, &hand.show.deaths)
    );
    assert_eq!(
        (&guess.show.reason, &guess.show.payload),
        (&hand.show.reason, &hand.show.payload)
    );
    let states = |tasks: &squall_core::contract::Tasks| {
        let states = tasks.states.clone();
        [
            states.waiting,
            states.running,
            states.done,
            states.dead,
            states.cancelled,
        ]
    };
    assert_eq!(states(guess), states(hand));
    assert_eq!(guess.kinds["work"].type_name, hand.kinds["work"].type_name);
    assert_eq!(guess.kinds["work"].payload, hand.kinds["work"].payload);
    let (guess, hand) = (guessed.health.unwrap(), by_hand.health.unwrap());
    assert_eq!((guess.live, guess.ready), (hand.live, hand.ready));
    let session = |all: &[squall_core::contract::Request]| -> Vec<_> {
        all.iter()
            .map(|one| (one.path.clone(), one.json.clone(), one.take.clone()))
            .collect()
    };
    assert_eq!(session(&guessed.session), session(&by_hand.session));
    assert_eq!(guessed.session_check.unwrap().path, by_hand.session_check.unwrap().path);
}

#[test]
fn a_file_that_is_there_is_never_written_over_unless_forced() {
    let place = Place::new();
    place.write("compose.yaml", COMPOSE);
    place.write("system.yaml", "mine");
    let output = place.output(&["init"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("system.yaml is already there"));
    assert_eq!(fs::read_to_string(place.path().join("system.yaml")).unwrap(), "mine");
    let output = place.output(&["init", "--force"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("compose.yaml: a Compose file, 1 services"));
    assert!(text(&output.stdout).contains("It can be read as it stands. Do what is to do"));
    let output = place.output(&["validate", "system.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

#[test]
fn both_usual_files_are_found_and_said() {
    let place = Place::new();
    place.write("docker-compose.yml", COMPOSE);
    place.write(
        "openapi.yaml",
        "openapi: 3.1.0\npaths: { /health: { get: { responses: { 200: {} } } } }\n",
    );
    let output = place.output(&["init", "-o", "other.yaml"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stderr);
    assert!(
        said.contains("docker-compose.yml: a Compose file")
            && said.contains("openapi.yaml: an OpenAPI document, 1 paths")
    );
    let system = system(&fs::read_to_string(place.path().join("other.yaml")).unwrap());
    assert_eq!(system.contracts.health.unwrap().ready, "/health");
}

#[test]
fn bad_input_is_one_error_with_its_remedy_and_writes_nothing() {
    let place = Place::new();
    place.write("swagger.json", "{\"swagger\": \"2.0\"}");
    place.write("notes.txt", "a: b\n");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (args, what) in [
        (vec!["init"], "looked for compose.yaml"),
        (vec!["init", "--from", "none.yaml"], "none.yaml can't be read"),
        (vec!["init", "--from", "swagger.json"], "only OpenAPI 3 is read"),
        (
            vec!["init", "--from", "notes.txt"],
            "neither a Compose file nor an OpenAPI document",
        ),
        (
            vec!["init", "--from", &format!("http://{gone}/openapi.json")],
            "connection refused",
        ),
        (
            vec!["init", "--from", "http://example.test/openapi.json"],
            "is not this machine",
        ),
        (
            vec!["init", "--from", "swagger.json", "-o", "none/system.yaml"],
            "only OpenAPI 3 is read",
        ),
    ] {
        let output = place.output(&args);
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        assert!(
            text(&output.stderr).contains(what),
            "{args:?}: {}",
            text(&output.stderr)
        );
        assert!(!place.path().join("system.yaml").exists());
    }
}

#[test]
fn what_is_guessed_for_a_system_of_another_shape_is_what_its_file_began_with() {
    let folder = workspace().join("systems/errands");
    let place = Place::new();
    for name in ["compose.yaml", "openapi.json"] {
        place.write(name, fs::read_to_string(folder.join(name)).unwrap());
    }
    let output = place.output(&["init"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(
        said.contains("put into one of these lists: in_hand"),
        "a word nobody knows is said: {said}"
    );
    let guessed = system(&fs::read_to_string(place.path().join("system.yaml")).unwrap());
    let by_hand = system(&fs::read_to_string(folder.join("system.yaml")).unwrap());
    assert_eq!(
        guessed.services["desk"].env["DATABASE_URL"],
        by_hand.services["server"].env["DATABASE_URL"]
    );
    assert!(
        by_hand.services["server"]
            .run
            .as_ref()
            .unwrap()
            .ends_with(guessed.services["desk"].run.as_ref().unwrap())
    );
    let both = guessed.contracts.tasks.zip(by_hand.contracts.tasks);
    let (guess, hand) = both.unwrap();
    assert_eq!(
        (guess.headers, guess.create.path, guess.create.id),
        (hand.headers, hand.create.path, hand.create.id)
    );
    assert_eq!((guess.create.json, guess.show.path), (hand.create.json, hand.show.path));
    assert_eq!(
        (guess.show.state, guess.show.attempts),
        (hand.show.state, hand.show.attempts)
    );
    assert_eq!(
        (guess.states.done, guess.states.dead),
        (hand.states.done, hand.states.dead)
    );
}
