//! First system files: what is guessed from realistic Compose files and OpenAPI documents, and what is left to do.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

use squall_core::document::Document;
use squall_core::draft::{Draft, Source, draft};
use squall_core::level::{LevelScope, levels};
use squall_core::system::System;

const SHOP: (&str, &str) = ("compose.yaml", include_str!("draft/shop-compose.yaml"));
const IMAGES: (&str, &str) = ("docker-compose.yml", include_str!("draft/images-compose.yml"));
const FASTAPI: (&str, &str) = ("openapi.json", include_str!("draft/fastapi.json"));
const ENVELOPE: (&str, &str) = ("openapi.yaml", include_str!("draft/envelope.yaml"));

fn drafted(files: &[(&str, &str)]) -> Draft {
    let sources: Vec<Source> = files
        .iter()
        .map(|(name, text)| Source::read(name, text).unwrap_or_else(|wrong| panic!("{}", wrong.plain())))
        .collect();
    draft("folder", &sources)
}

/// As `squall validate` reads it, at every level.
fn read(text: &str) -> Result<System, String> {
    let mut read = Err("there are no levels".to_owned());
    for level in levels().unwrap() {
        let doc = Document::parse("system.yaml", text).and_then(|doc| doc.expand(&LevelScope::new(&level, &[], 1.0)));
        read = Ok(doc.and_then(|doc| System::read(&doc)).map_err(|wrong| wrong.plain())?);
    }
    read
}

/// Every line to do is where it is said to be.
fn accounted(draft: &Draft) {
    let lines: Vec<&str> = draft.text.lines().collect();
    for todo in &draft.todo {
        assert!(lines[todo.line - 1].contains("# TODO: "), "{}", lines[todo.line - 1]);
        assert!(lines[todo.line - 1].ends_with(&todo.what));
    }
    let count = |mark: &str| lines.iter().skip(2).filter(|line| line.contains(mark)).count();
    assert_eq!(
        (count("# TODO: "), count("# guessed: ")),
        (draft.todo.len(), draft.guesses)
    );
}

#[test]
fn a_compose_file_with_anchors_and_commands_becomes_services_that_are_accepted() {
    let draft = drafted(&[SHOP]);
    accounted(&draft);
    insta::assert_snapshot!("shop", draft.text);
    let system = read(&draft.text).unwrap();
    assert_eq!((system.system.as_str(), system.entry.as_str()), ("shop", "api"));
    assert_eq!(system.services["api"].links, ["cache", "db"]);
    assert!(
        !system.services.contains_key("migrate"),
        "what ends by itself is no service"
    );
    assert_eq!(system.services["worker"].replicas, 2);
    assert_eq!(system.services["worker"].env["DATABASE_URL"], "${links.db.url}");
    assert!(
        !draft.text.contains("secret"),
        "the password in the file is not squall's"
    );
    // The contract it proposes is one, once it is no comment any more.
    let proposed = draft.text.lines().filter(|line| !line.starts_with("#   tasks"));
    let taken = |line: &str| match line.starts_with("# contracts") || line.starts_with("#   ") {
        true => line.replacen("# ", "", 1),
        false => line.to_owned(),
    };
    let text: Vec<String> = proposed.map(taken).collect();
    assert!(read(&text.join("\n")).unwrap().contracts.health.is_some());
}

#[test]
fn where_a_command_is_missing_the_file_says_on_which_line() {
    let draft = drafted(&[IMAGES]);
    accounted(&draft);
    insta::assert_snapshot!("images", draft.text);
    let wrong = read(&draft.text).unwrap_err();
    assert_eq!(wrong.lines().count(), 1, "{wrong}");
    assert!(wrong.contains("service `gateway` says neither"));
    // With its command written it is accepted: the circle was left out, and said.
    let mended = draft.text.replace("  gateway:\n", "  gateway:\n    run: gateway\n");
    let system = read(&mended).unwrap();
    assert_eq!(system.services["gateway"].links, ["orders"]);
    assert_eq!(system.services["orders"].links, ["db"]);
    assert!(draft.text.contains("a link to `gateway` would close a circle"));
}

#[test]
fn an_api_with_a_login_becomes_a_session_and_a_contract() {
    let draft = drafted(&[FASTAPI]);
    accounted(&draft);
    insta::assert_snapshot!("fastapi", draft.text);
    let wrong = read(&draft.text).unwrap_err();
    assert!(wrong.contains("service `server` says neither"), "{wrong}");
    let system = read(&draft.text.replace("  server:\n", "  server:\n    run: app\n")).unwrap();
    let (tasks, contracts) = (system.contracts.tasks.unwrap(), &system.contracts.session);
    assert_eq!((tasks.create.path.as_str(), tasks.create.expect), ("/api/renders", 202));
    assert_eq!(
        (tasks.create.id.as_str(), tasks.show.state.as_str()),
        ("$.render_id", "$.state")
    );
    assert_eq!(tasks.show.attempts.as_deref(), Some("$.tries"));
    assert_eq!(tasks.create.json["title"], "${mark}");
    assert_eq!(tasks.create.json["width"], 16);
    assert_eq!(
        (tasks.states.done, tasks.states.dead),
        (vec!["SUCCEEDED".to_owned()], vec!["FAILED".to_owned()])
    );
    assert!(
        draft.todo.iter().any(|todo| todo.what.contains("PARKED")),
        "a word nobody knows is said"
    );
    assert_eq!(contracts.len(), 2);
    assert_eq!(contracts[1].take["token"], "$.access_token");
    // A query that is required can't be guessed, and `/ping` is asked first.
    assert!(!system.contracts.api.iter().any(|case| case.path == "/api/users"));
    assert_eq!(system.contracts.api[0].path, "/ping");
    assert_eq!(system.contracts.health.unwrap().live, None);
}

#[test]
fn envelopes_integer_ids_and_a_key_from_the_compose_file_are_seen() {
    let compose = (
        "compose.yaml",
        "services:\n  web:\n    build: .\n    command: web\n    ports: [\"80:80\"]\n    environment: { API_KEY: local-key, JOB_LEASE_MS: \"1500\", PORT: 80 }\n",
    );
    let draft = drafted(&[compose, ENVELOPE]);
    accounted(&draft);
    insta::assert_snapshot!("envelope", draft.text);
    let system = read(&draft.text).unwrap();
    assert_eq!(system.system, "mail-room");
    let tasks = system.contracts.tasks.unwrap();
    assert_eq!(tasks.headers["x-api-key"], "local-key");
    assert_eq!(tasks.create.path, "/v2/jobs");
    assert_eq!(
        (tasks.create.id.as_str(), tasks.show.state.as_str()),
        ("$.data.number", "$.data.phase")
    );
    assert_eq!(tasks.show.payload.as_deref(), Some("$.data.data"));
    assert_eq!(tasks.kinds["work"].type_name, "sleep");
    assert_eq!(tasks.kinds["work"].payload["duration_ms"], "${ms}");
    assert_eq!(tasks.lease.to_string(), "1.5s");
    assert!(system.contracts.session.is_empty());
}

#[test]
fn other_files_are_refused_with_what_was_expected() {
    for (text, what) in [
        ("swagger: \"2.0\"\n", "only OpenAPI 3 is read"),
        ("openapi: 4.0.0\n", "only OpenAPI 3 is read"),
        ("name: x\n", "this is neither a Compose file nor an OpenAPI document"),
        ("[1, 2]\n", "this is neither"),
        ("services: [\n", "this is not YAML"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e]\n",
            "its aliases stand for more than",
        ),
    ] {
        let wrong = Source::read("it.yaml", text).unwrap_err().plain();
        assert!(wrong.starts_with("it.yaml:1:") || text.starts_with("a:"), "{wrong}");
        assert!(wrong.contains(what), "{wrong}");
    }
}

#[test]
fn an_empty_one_of_each_still_makes_a_file() {
    let draft = drafted(&[
        ("compose.yaml", "services: {}\n"),
        ("openapi.json", "{\"openapi\": \"3.0.0\"}"),
    ]);
    accounted(&draft);
    assert!(draft.text.contains("system: folder"));
    assert!(draft.todo.iter().any(|todo| todo.what.contains("`entry: NAME`")));
    assert!(draft.todo.iter().any(|todo| todo.what.contains("`tasks:`")));
}
