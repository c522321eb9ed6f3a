//! What is secret is nowhere in what a run leaves and says.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "secrets/leaky.rs"]
mod leaky;
#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use place::Place;

/// Secrets a service is given, by the names it is given them under.
const GIVEN: [(&str, &str); 6] = [
    ("SALT", "hunter2hunter2"),
    ("SHORT_HEX", "9f8e7d6c5b4a"),
    ("QUOTED", r#"pa"ss\wo'rd 1"#),
    ("DATABASE", "postgres://somebody:s3cretpw-77@db.example:5432/x"),
    ("PEM", "-----BEGIN KEY-----\nMIIabc123def456\n-----END KEY-----"),
    ("LICENSE_KEY", "allletters"),
];

/// Secrets squall itself is started with; services inherit them.
const INHERITED: [(&str, &str); 2] = [
    ("DEPLOY_TOKEN", "owntoken-12345"),
    ("OTHER_URL", "amqp://u:inherited-pw@mq/"),
];

/// What may never be found. Of a URL, its password; of several lines, each that tells something.
const HIDDEN: [&str; 9] = [
    "hunter2hunter2",
    "9f8e7d6c5b4a",
    r#"pa"ss\wo'rd 1"#,
    r#"pa\"ss\\wo'rd 1"#,
    "s3cretpw-77",
    "MIIabc123def456",
    "allletters",
    "owntoken-12345",
    "inherited-pw",
];

/// Settings that are no secrets: they must stay readable.
const PLAIN: [(&str, &str); 5] = [
    ("NAME", "worker-1"),
    ("LEASE", "2000ms"),
    ("SHARE", "95%"),
    ("LEVEL", "debug"),
    ("COUNT", "4096"),
];

/// Proves that the search finds what is there.
const MARKER: &str = "harmless marker";

/// Runs the leaky service once; what it was told secretly is in `seen.txt`.
fn run(extra: &[(&str, &str)]) -> (Place, Output) {
    let place = Place::new();
    let own = std::env::current_exe().unwrap();
    let quoted = |text: &str| serde_json::Value::String(text.to_owned()).to_string();
    let env: Vec<String> = (GIVEN.iter().chain(&PLAIN))
        .map(|(name, value)| format!("      {name}: {}\n", quoted(value)))
        .collect();
    let system = include_str!("secrets/system.yaml")
        .replace("PROGRAM", own.to_str().unwrap())
        .replace("FILE", place.path().join("seen.txt").to_str().unwrap())
        .replace("      ENV: here\n", &env.concat());
    place.write("system.yaml", system);
    place.write("leak.yaml", include_str!("secrets/leak.yaml"));
    let mut command = place.squall(&["run", "-v", "-s", "leak.yaml", "--pace", "20"]);
    command.envs(INHERITED).envs(extra.iter().copied());
    let output = command.output().unwrap();
    (place, output)
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() && !path.is_symlink() {
                folders.push(path);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    found
}

/// Where `text` is found: file names, `stdout` and `stderr`.
fn found(place: &Place, output: &Output, text: &str) -> Vec<String> {
    let contains = |bytes: &[u8]| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    let files = files(&place.path().join("tmp"));
    let mut places: Vec<String> = files
        .iter()
        .filter(|path| contains(&fs::read(path).unwrap()))
        .map(name)
        .collect();
    let streams = [("stdout", &output.stdout), ("stderr", &output.stderr)];
    places.extend(
        streams
            .iter()
            .filter(|(_, bytes)| contains(bytes))
            .map(|(name, _)| (*name).to_owned()),
    );
    places
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn secrets_are_nowhere_and_the_search_can_find() {
    let (place, output) = run(&[]);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let told = fs::read_to_string(place.path().join("seen.txt")).unwrap();
    let told: Vec<&str> = told.lines().collect();
    assert!(
        told.iter().any(|line| line.len() == 20),
        "no password was seen: {told:?}"
    );
    assert!(told.contains(&leaky::TOKEN), "no token was seen: {told:?}");
    for secret in HIDDEN.iter().chain(&told) {
        assert_eq!(found(&place, &output, secret), Vec::<String>::new(), "{secret}");
    }
    // The service did say them, and all places were looked through.
    let logs = found(&place, &output, "SALT is ‹secret›");
    let markers = found(&place, &output, MARKER);
    for name in ["leaky-1.log", "journal.jsonl", "chaos-test.log", "stderr"] {
        assert!(logs.iter().any(|place| place == name), "{name} is not among {logs:?}");
        assert!(
            markers.iter().any(|place| place == name),
            "{name} is not among {markers:?}"
        );
    }
    for (name, value) in PLAIN {
        let line = format!("{name} is {value}");
        assert!(!found(&place, &output, &line).is_empty(), "`{line}` was hidden");
    }
    for file in ["report.html", "report.json", "report.md", "junit.xml"] {
        assert!(place.run_folder().join(file).is_file(), "no {file}");
    }
}

/// A weak password may be a word everything else needs.
#[test]
fn a_password_that_is_an_everyday_word_does_not_spoil_the_record() {
    let weak = [
        ("POSTGRES_PASSWORD", "postgres"),
        ("A_SECRET", "leaky-1"),
        ("B_SECRET", "instance"),
        ("C_SECRET", "traffic"),
        ("D_SECRET", "answer"),
        ("E_SECRET", "000000"),
    ];
    let (place, output) = run(&weak);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
    let judged = place.output(&["judge", "tmp/latest"]);
    assert_eq!(judged.status.code(), Some(0), "{}", words(&judged));
}

#[test]
fn what_goes_wrong_is_said_without_secrets() {
    let place = Place::new();
    let text = "system: small\nentry: one\nservices:\n  one: { run: './nonesuch --db postgres://u:s3cretpw-77@h/x --key hunter2hunter2' }\n";
    place.write("system.yaml", text);
    place.write("leak.yaml", include_str!("secrets/leak.yaml"));
    let mut command = place.squall(&["run", "-s", "leak.yaml", "--pace", "20"]);
    let output = command.env("SOME_KEY", "hunter2hunter2").output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", words(&output));
    assert!(words(&output).contains("./nonesuch"), "{}", words(&output));
    for secret in ["s3cretpw-77", "hunter2hunter2"] {
        assert_eq!(found(&place, &output, secret), Vec::<String>::new(), "{secret}");
    }
}
