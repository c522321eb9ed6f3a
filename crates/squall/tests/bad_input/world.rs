//! Surroundings that fail.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::place::{Place, SQUALL};
use super::{Table, check, sound};

const RUN: [&str; 7] = ["run", "--system", "system.yaml", "-s", "calm.yaml", "--pace", "20"];

const CALM: &str = "scenario: calm\nhypothesis: Nothing breaks.\nchecks: [none_stuck]\n";

/// A place whose one service is `service`, with what else is in the system file after it.
fn one(service: &str, rest: &str) -> Place {
    let place = Place::new();
    place.write(
        "system.yaml",
        format!("system: small\nentry: one\nservices:\n  one: {service}\n{rest}"),
    );
    place.write("calm.yaml", CALM);
    place
}

#[test]
fn what_can_not_be_built_or_started_is_said_with_its_cause() {
    let sleeps = "{ run: sleep 600 }";
    let cases: [(&str, &str, &str, &[&str]); 9] = [
        (
            "build fails",
            sleeps,
            "build: env false",
            &["the build failed", "`env false`", "exit status: 1"],
        ),
        (
            "build says why",
            sleeps,
            "build: ls /nonesuch",
            &["the build failed", "ls /nonesuch", "exit status", "No such file"],
        ),
        (
            "no build program",
            sleeps,
            "build: nonesuch --fast",
            &["the build failed", "nonesuch", "no such program"],
        ),
        (
            "no program",
            "{ run: ./nonesuch --listen }",
            "",
            &["one-1 can't be started", "./nonesuch", "was it built"],
        ),
        (
            "no program but a folder",
            "{ run: /tmp }",
            "",
            &["one-1 can't be started", "/tmp", "Permission denied", "executable"],
        ),
        (
            "ends at once",
            "{ run: ls /nonesuch, ready: { path: / } }",
            "",
            &["one-1 ended", "exit status: 2", "No such file"],
        ),
        (
            "ends without a word",
            "{ run: env false, ready: { path: / } }",
            "",
            &["one-1 ended", "wrote nothing"],
        ),
        (
            "never ready",
            "{ run: sleep 600, ready: { path: /up, within: 300ms } }",
            "",
            &["one-1 was not ready within 300ms", "/up"],
        ),
        (
            "session refused",
            sleeps,
            "contracts: { session: [ { method: POST, path: /login } ] }",
            &["opening a session", "POST /login", "connection refused"],
        ),
    ];
    let mut table = Table::default();
    for (name, service, rest, says) in cases {
        let place = one(service, rest);
        table.check(name, &place, &place.output(&RUN), (3, says));
    }
    table.end();
}

#[test]
fn a_port_that_is_taken_is_named() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    let place = one("{ run: sleep 600 }", "");
    let args: Vec<&str> = RUN.iter().copied().chain(["--port", &port]).collect();
    check(
        "port",
        &place,
        &place.output(&args),
        3,
        &[&format!("port {port} is taken"), "--port"],
    );
}

#[test]
fn a_missing_postgresql_is_said_with_how_to_get_it() {
    let place = one("{ preset: postgres }", "");
    let output = place.squall(&RUN).env("SQUALL_PG_BIN", "/nonesuch").output().unwrap();
    check(
        "pg",
        &place,
        &output,
        3,
        &["PostgreSQL", "not installed", "SQUALL_PG_BIN", "/nonesuch"],
    );
}

#[test]
fn an_output_that_can_not_be_written_is_named() {
    let place = sound();
    place.write("tmp-file", "");
    place.write("calm.yaml", CALM);
    let args: Vec<&str> = RUN.iter().copied().chain(["--output", "tmp-file"]).collect();
    check("a file", &place, &place.output(&args), 3, &["tmp-file", "--output"]);
    let args: Vec<&str> = RUN.iter().copied().chain(["--output", "/proc/nonesuch"]).collect();
    check(
        "no folder",
        &place,
        &place.output(&args),
        3,
        &["/proc/nonesuch", "--output"],
    );
}

/// As somebody who may not write there.
#[test]
fn an_output_this_user_may_not_write_to_is_named() {
    let place = one("{ run: sleep 600 }", "");
    let output = place.path().join("closed");
    fs::create_dir(&output).unwrap();
    fs::set_permissions(&output, fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = place.squall(&RUN);
    if nix::unistd::Uid::effective().is_root() {
        let copy = place.path().join("squall");
        fs::copy(SQUALL, &copy).unwrap();
        command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(copy)
            .args(RUN);
        command
            .current_dir(place.path())
            .env("TMPDIR", place.path().join("scratch"));
    }
    match command.args(["--output", "closed"]).output() {
        Ok(output) => drop(check(
            "closed",
            &place,
            &output,
            3,
            &["closed", "Permission denied", "--output"],
        )),
        Err(error) => panic!("setpriv can't be run ({error}): install util-linux, or be another user than root"),
    }
}

/// A disk that is full soon, made by a limit on files: the journal can't be written.
#[test]
fn a_journal_that_can_not_be_written_ends_the_run_and_says_so() {
    let place = one("{ run: yes }", "");
    let limited = "trap '' XFSZ; ulimit -f 16; exec \"$@\"";
    let mut command = Command::new("sh");
    command
        .args(["-c", limited, "sh", SQUALL])
        .args(RUN)
        .current_dir(place.path());
    command.env("TMPDIR", place.path().join("scratch"));
    let output = command.output().unwrap();
    check("full", &place, &output, 3, &["journal", "File too large"]);
}

/// As a run leaves it of which both processes were killed; and one that goes on beside it.
#[test]
fn what_a_run_left_behind_whose_two_processes_died_is_named_until_it_is_healed() {
    let place = Place::new();
    let mut ended = Command::new("true").spawn().unwrap();
    ended.wait().unwrap();
    let me = std::process::id();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let began = stat.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap();
    let remember = |run: &str, pid: u32, began: &str| {
        let (folder, scratch) = (
            place.path().join("tmp").join(run),
            place.path().join("scratch/squall-").display().to_string() + run,
        );
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir(&scratch).unwrap();
        let line = format!(r#"{{"run":"{run}","scratch":"{scratch}","pid":{pid},"started":{began}}}"#);
        fs::write(folder.join("heal.jsonl"), line + "\n").unwrap();
    };
    remember("2026-01-01T00-00-00-seed1-1", ended.id(), "1");
    remember("2026-01-01T00-00-00-seed2-2", me, began);
    let status = |args: &[&str]| {
        let output = place.output(&[&["status"], args].concat());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap())
    };
    let [up, left] = status(&[]);
    assert_eq!(up, "no system is up\n");
    assert_eq!(
        left,
        "run 2026-01-01T00-00-00-seed1-1: both of squall's processes died; `squall heal` removes what they left\n"
    );
    let [up, left] = status(&["--json", "--output", "./tmp"]);
    assert_eq!(up, "[]\n");
    assert!(left.contains("`squall heal --output ./tmp`"), "{left}");
    assert_eq!(status(&["--system", "2026-01-01T00-00-00-seed1"])[1].lines().count(), 1);
    assert_eq!(status(&["--system", "another"])[1], "");
    let healed = place.output(&["heal"]);
    assert_eq!(
        String::from_utf8(healed.stdout).unwrap(),
        "2026-01-01T00-00-00-seed1-1: nothing of it is left\n"
    );
    assert_eq!(status(&[]), ["no system is up\n", ""]);
}
