//! Every command of the README and the user's book is run as it is written there, block by block,
//! against a real taskhub. What a test changes first, so that it ends soon and disturbs nobody, is one table.
//!
//! Needs taskhub's release binary (`cargo build --release -p taskhub`) and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use place::{Place, SQUALL, free_port, workspace};

/// Longer than any of them takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is changed in a command before it is run: (where it contains this, this, becomes that).
const CHANGES: &[(&str, &str, &str)] = &[
    ("--repeat 10", "--repeat 10", "--repeat 2"),
    ("--delay 30", "--delay 30", "--delay 1"),
    ("--delay 10", "--delay 10", "--delay 1"),
    // Names a reader puts in.
    ("-o DIR", "DIR", "tmp"),
    (
        "-seed7-811",
        "2026-03-01T10-00-00-seed7-811",
        "$(ls tmp | grep seed | tail -n 4 | sed -n 1p)",
    ),
    (
        "-seed8-812",
        "2026-03-01T10-01-09-seed8-812",
        "$(ls tmp | grep seed | tail -n 4 | sed -n 2p)",
    ),
    // Follows until it is told to stop, so what it had to say by then is looked at.
    (
        "logs -f",
        "target/release/squall logs -f",
        "timeout 3 target/release/squall logs -f | grep -q server-1",
    ),
    // The same; the file is the reader's.
    (
        "squall proxy",
        "squall proxy --config proxies.json",
        "echo '[]' > proxies.json; timeout 3 squall proxy --port 0 --config proxies.json",
    ),
    ("squall proxy", "--seed 7", "--seed 7 || test $? = 124"),
    // A port somebody else may have.
    (
        "test-with-curl.sh",
        "test-with-curl.sh",
        "test-with-curl.sh localhost PORT",
    ),
    ("3000", "3000", "PORT"),
];

/// Commands of storms, which take minutes at real pace.
const STORMS: &[&str] = &["test-chaos.sh", "squall run"];

/// What is not run: it is this very test, among others.
const NOT_RUN: &[&str] = &["./scripts/test.sh"];

/// Blocks with these need a system that is up; where they start none themselves, the reader has.
const NEEDS_UP: &[&str] = &["scripts/helpers/"];

/// One block of commands: page, first line, text.
struct Block {
    page: String,
    line: usize,
    text: String,
}

/// All blocks a reader is to type.
fn blocks() -> Vec<Block> {
    let mut pages: Vec<PathBuf> = fs::read_dir(workspace().join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.push(workspace().join("README.md"));
    pages.sort();
    let mut blocks: Vec<Block> = Vec::new();
    for page in pages {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        let mut inside = false;
        for (index, line) in fs::read_to_string(&page).unwrap().lines().enumerate() {
            if line.trim() == "```sh" {
                inside = true;
                blocks.push(Block {
                    page: name.clone(),
                    line: index + 1,
                    text: String::new(),
                });
            } else if line.trim() == "```" {
                inside = false;
            } else if inside {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line.trim());
                block.text.push('\n');
            }
        }
    }
    blocks
}

/// A project as the book has it: `scripts`, `target/release/squall`, and `squall` on the path.
fn project() -> Place {
    let place = Place::with_taskhub("sh -c true");
    let folder = place.path();
    fs::create_dir_all(folder.join("target/release")).unwrap();
    symlink(SQUALL, folder.join("target/release/squall")).unwrap();
    symlink(workspace().join("scripts"), folder.join("scripts")).unwrap();
    // Copies: a first system file is written beside them.
    let errands = folder.join("systems/errands");
    fs::create_dir_all(&errands).unwrap();
    for name in ["compose.yaml", "openapi.json"] {
        fs::copy(workspace().join("systems/errands").join(name), errands.join(name)).unwrap();
    }
    place
}

/// Runs a script in a project; panics with what it said where a command fails.
fn run(place: &Place, title: &str, script: &str) {
    let folder = place.path();
    let said = folder.join("said.txt");
    let file = fs::File::create(&said).unwrap();
    let settings = place.squall(&[]);
    let mut command = Command::new("bash");
    for (name, value) in settings.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env("PATH", format!("{}:{path}", folder.join("target/release").display()))
        .env("SQUALL_BIN", SQUALL)
        .env("SQUALL_SYSTEM", folder.join("system.yaml"))
        // Where none is named: that all of them run is shown elsewhere.
        .env("SCENARIOS", "baseline")
        .env("OUTPUT_DIR", folder.join("tmp"))
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(file.try_clone().unwrap())
        .stderr(file);
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > deadline {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!(
                "{title}: not over after {PATIENCE:?}\n{}",
                fs::read_to_string(&said).unwrap()
            );
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let told = fs::read_to_string(&said).unwrap();
    assert!(status.success(), "{title}: {status}\n{script}\n{told}");
}

/// The block as it is run here.
fn changed(block: &Block, port: u16) -> String {
    let mut script = String::new();
    for line in block.text.lines() {
        let command = line.split(" #").next().unwrap_or(line).trim_end();
        if NOT_RUN.contains(&command) {
            continue;
        }
        let mut command = command.to_owned();
        for (with, from, to) in CHANGES {
            if command.contains(with) {
                command = command.replacen(from, to, 1);
            }
        }
        if STORMS.iter().any(|part| command.contains(part)) && !command.contains("--pace") {
            command.push_str(" --pace 10");
        }
        script.push_str(&command.replace("PORT", &port.to_string()));
        script.push('\n');
    }
    script
}

#[test]
fn every_command_of_the_book_does_what_it_says() {
    let blocks = blocks();
    assert!(blocks.len() >= 10, "the book's commands were not found");
    let place = project();
    // What pages about runs begin with: a reader has run something.
    run(&place, "a first run", "squall run -s baseline --pace 10");
    for block in blocks {
        let title = format!("{}:{}", block.page, block.line);
        let script = changed(&block, free_port());
        println!("{title}\n{script}");
        let starts = block.text.contains("squall up") || block.text.contains("dev-server.sh");
        let needs_up = !starts && NEEDS_UP.iter().any(|part| block.text.contains(part));
        if needs_up {
            run(&place, &title, &format!("squall up --detach --port {}", free_port()));
        }
        run(&place, &title, &script);
        if needs_up || (starts && !block.text.contains("squall down")) {
            run(&place, &title, "squall down");
        }
    }
}
