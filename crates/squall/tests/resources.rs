//! Services that are short of something: each shortage is felt, healed, gone with squall however it ends, and refused
//! beforehand where it can't be.
//!
//! They need errands' program (`cargo build -p errands`), PostgreSQL, and util-linux's `unshare`.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Place, Running, SQUALL, built, workspace};
use squall_core::check::Outcome;
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with errands, its server with a disk, and one scenario.
fn folder(storm: &str) -> Place {
    let place = Place::with_errands();
    let text = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let text = text.replace(
        "ready: { path: /readyz }",
        "ready: { path: /readyz }\n    disk: { megabytes: 2 }",
    );
    place.write("system.yaml", text);
    place.write(
        "short.yaml",
        format!(
            "scenario: short\nhypothesis: It holds.\n\
             workload: {{ tasks: {{ count: 4, takes: 2s }}, writes: [ {{ rate: 5/s, kind: work }} ], api: {{ rate: 10/s }}, \
             bulky: {{ rate: 2/s, megabytes: 80 }} }}\n\
             storm:\n{storm}\
             checks: [ stays_up, no_task_lost, {{ recovery: {{ warn: 20s, within: 30s }} }} ]\n"
        ),
    );
    place
}

/// Errands' server refuses what is too large for it, and writes nothing: a full disk is felt by the one of the conformance
/// tests. Its workers ask for no memory while they work.
const ALL: &str = "  - cpu_load: { on: server, share: 80%, at: 500ms, for: 2s }\n  \
    - memory_load: { on: server, megabytes: 64, after: 500ms, for: 2s }\n  \
    - fds_taken: { on: server, after: 500ms, for: 2s }\n  \
    - connections_taken: { on: db, after: 3s, for: 4s }\n";

/// The processes whose arguments hold all of `parts`.
fn processes(parts: &[&str]) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| {
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        parts.iter().all(|part| words.contains(part))
    })
    .collect()
}

/// Waits until something holds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "{what} within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn every_shortage_is_felt_and_healed_and_the_service_lives_through_it() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = folder(ALL);
    let output = place.output(&["run", "-s", "short.yaml", "--pace", "2", "--seed", "11"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).expect(&said);
    let report: Report = serde_json::from_str(&report).unwrap();
    let short = &report.scenarios[0];
    for fault in &short.faults {
        assert!(fault.seen, "{}", fault.proof);
    }
    assert_eq!(short.faults.len(), 4);
    assert_eq!(short.outcome, Outcome::Pass, "{:?} {:#?}", short.doubts, short.verdicts);
    assert!(
        short
            .clocks
            .iter()
            .all(|clock| !clock.expected || clock.serving.is_some()),
        "{:#?}",
        short.clocks
    );
}

/// Kills one of squall's two processes while processors are taken: nothing of it stays.
fn nothing_stays(whom: impl Fn(u32) -> u32) {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    let place = folder(
        "  - cpu_load: { on: server, share: 50%, at: 100ms, for: 60s }\n  \
         - disk_full: { on: server, after: 1s, for: 1s }\n",
    );
    let mut running = Running::start(place.squall(&["run", "-s", "short.yaml", "--seed", "11"]));
    assert!(running.until(": in force", PATIENCE), "{:#?}", running.said);
    until("a busy process", || !processes(&["inner burn"]).is_empty());
    let busy = processes(&["inner burn"]);
    kill(Pid::from_raw(whom(running.child.id()) as i32), Signal::SIGKILL).unwrap();
    running.end(PATIENCE);
    let errands = built("errands");
    until("all is gone", || {
        let words = errands.to_string_lossy();
        let left = processes(&[&words]);
        left.is_empty() && processes(&["inner burn"]).iter().all(|pid| !busy.contains(pid))
    });
    assert_eq!(fs::read_dir(place.path().join("scratch")).unwrap().count(), 0);
}

#[test]
fn a_guard_that_is_killed_leaves_no_processor_taken() {
    nothing_stays(|guard| guard);
}

#[test]
fn a_worker_process_that_is_killed_leaves_no_processor_taken() {
    nothing_stays(|guard| {
        let all = processes(&["/proc/self/exe", "run", "short.yaml"]);
        let child = all.into_iter().find(|pid| *pid != guard);
        child.expect("squall's second process")
    });
}

/// Squall where the kernel gives no mount namespace.
fn without_namespaces(place: &Place, args: &[&str]) -> std::process::Output {
    let script = "echo 0 > /proc/sys/user/max_mnt_namespaces && exec \"$@\"";
    Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c", script, "sh", SQUALL])
        .args(args)
        .current_dir(place.path())
        .output()
        .unwrap()
}

#[test]
fn where_no_disk_can_be_made_filling_one_is_refused_before_anything_is_run() {
    let place = folder("  - disk_full: { on: server, at: 1s, for: 2s }\n");
    let refused = without_namespaces(&place, &["plan", "-s", "short.yaml"]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for part in [
        "short.yaml:",
        "`disk_full` can't be put in force here: no copy can get a disk of its own (",
        "user namespaces",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    // The bundled one is left out among all, and refused by its name.
    let text = fs::read_to_string(workspace().join("systems/taskhub/system.yaml")).unwrap();
    place.write("system.yaml", text);
    let all = without_namespaces(&place, &["plan", "-s", "all"]);
    let shown = String::from_utf8_lossy(&all.stdout);
    assert_eq!(all.status.code(), Some(0), "{}", String::from_utf8_lossy(&all.stderr));
    assert!(
        shown.contains("resource-exhaustion: not run: `disk_full` can't be put in force here: no copy can"),
        "{shown}"
    );
    let named = without_namespaces(&place, &["plan", "-s", "resource-exhaustion"]);
    assert_eq!(named.status.code(), Some(2));
    assert!(!place.path().join("tmp").exists());
}

#[test]
fn what_a_service_has_not_can_not_be_used_up() {
    let place = folder(
        "  - disk_full: { on: worker, at: 1s, for: 2s }\n  - connections_taken: { on: server, at: 1s, for: 2s }\n  \
         - cpu_load: { on: server, share: 20%, at: 1s, for: 2s }\n",
    );
    let said = |args: &[&str]| {
        let output = place.output(args);
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(said(&["plan", "-s", "short.yaml"]).contains("no such share can be taken"));
    let text = fs::read_to_string(place.path().join("short.yaml")).unwrap();
    place.write("short.yaml", text.replace("20%", "80%"));
    let text = said(&["plan", "-s", "short.yaml"]);
    assert!(text.contains("`worker` has no disk that can be filled"), "{text}");
    assert!(
        text.contains("`server` is no database squall knows how to connect to"),
        "{text}"
    );
}
