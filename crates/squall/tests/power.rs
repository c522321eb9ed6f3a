//! Machines that lose their power: what was not synced is gone, a start that fails for it is told with its own words, and
//! nothing of a disk stays, whoever is killed.
//!
//! They need errands' program (`cargo build -p errands`) and PostgreSQL; all but the last, a
//! machine where `squall doctor` says that a disk can lose its power, or that excuses it (SQUALL_SKIP_FAULTS=power_loss).
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]
#![expect(clippy::print_stderr, reason = "what could not be tried is worth saying")]

#[path = "rig/killed.rs"]
mod killed;
#[path = "rig/place.rs"]
mod place;
#[path = "rig/possible.rs"]
mod possible;
#[path = "rig/residue.rs"]
mod residue;

use std::fs;
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use killed::{Whom, child, cleared};
use place::{Place, Running, SQUALL};
use possible::possible;
use residue::{Trail, disks};
use squall_core::check::Outcome;
use squall_core::event::{Event, Fact};
use squall_core::report::Report;

/// One storm at a time: two on a small machine would disturb each other, and say so.
static STORM: Mutex<()> = Mutex::new(());

const PATIENCE: Duration = Duration::from_secs(60);

/// Counts in a file it never syncs and in one elsewhere, and will not start with fewer than it counted.
const STORE: &str = r#"
wrote=$(grep -c . "$COUNTED" 2>/dev/null)
kept=$(grep -c . "$DISK/count" 2>/dev/null)
if [ "${kept:-0}" -lt "${wrote:-0}" ]; then
    echo "PANIC: the store is corrupt: ${kept:-0} of $wrote entries" >&2
    exit 1
fi
while kill -0 $$ 2>/dev/null; do echo entry >> "$DISK/count"; echo entry >> "$COUNTED"; sleep 0.05; done &
exec "$@"
"#;

fn folder(storm: &str) -> Place {
    let place = Place::with_errands();
    place.write(
        "dark.yaml",
        format!(
            "scenario: dark\nhypothesis: What was acknowledged is there.\n\
             workload: {{ tasks: {{ count: 4, takes: 2s }}, writes: [ {{ rate: 5/s, kind: work }} ], api: {{ rate: 10/s }} }}\n\
             storm:\n{storm}\
             checks: [ no_task_lost, {{ recovery: {{ warn: 5s, within: 10s }} }} ]\n"
        ),
    );
    place
}

fn report(place: &Place, args: &[&str]) -> Report {
    let output = place.output(&[&["run", "-s", "dark.yaml", "--pace", "2", "--seed", "1"], args].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).expect(&said);
    serde_json::from_str(&report).unwrap()
}

#[test]
fn a_database_that_syncs_loses_nothing_and_its_disk_is_seen_to_be_gone_and_back() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    if !possible("power_loss") {
        return;
    }
    let place = folder(
        "  - power_loss: { on: db, when: write_acked, at: 1s, down: 1s }\n  \
         - power_loss: { on: db, when: write_acked, after: 8s, down: 1s }\n",
    );
    let report = report(&place, &[]);
    let dark = &report.scenarios[0];
    assert_eq!(dark.outcome, Outcome::Pass, "{:?} {:#?}", dark.doubts, dark.verdicts);
    assert_eq!(dark.faults.len(), 2);
    for fault in &dark.faults {
        let says = "to a write its disk answered: Input/output error";
        assert!(fault.seen && fault.proof.contains(says), "{}", fault.proof);
    }
    let text = fs::read_to_string(place.path().join("tmp/latest/dark/journal.jsonl")).unwrap();
    let events = text.lines().map(|line| serde_json::from_str::<Event>(line).unwrap());
    let steps = events.filter_map(|event| match event.fact {
        Fact::PowerLost { .. } => Some("lost"),
        Fact::PowerBack { .. } => Some("back"),
        Fact::Ready { instance, .. } if instance.service == "db" => Some("ready"),
        _ => None,
    });
    let steps: Vec<&str> = steps.collect();
    assert_eq!(steps, ["ready", "lost", "back", "ready", "lost", "back", "ready"]);
    assert_eq!(disks(place.path()), Vec::<String>::new());
}

#[test]
fn what_can_not_start_on_what_it_kept_is_found_with_its_own_words() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    if !possible("power_loss") {
        return;
    }
    let place = folder("  - power_loss: { on: server, at: 2s, down: 1s }\n");
    place.write("store.sh", STORE);
    let system = fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let key = "DESK_KEY: desk-key-for-tests\n";
    let env = format!("{key}      DISK: ${{self.disk}}\n      COUNTED: ${{run.scratch}}/counted\n");
    let program = place::built("errands").display().to_string();
    let system = system.replacen(key, &env, 1).replacen(
        &format!("run: {program} desk"),
        &format!("disk: {{ megabytes: 8 }}\n    run: sh store.sh {program} desk"),
        1,
    );
    place.write("system.yaml", system);
    let report = report(&place, &[]);
    let dark = &report.scenarios[0];
    assert!(dark.faults[0].seen, "{}", dark.faults[0].proof);
    let verdict = dark
        .verdicts
        .iter()
        .find(|verdict| verdict.check == "recovery")
        .unwrap();
    assert_eq!(verdict.class.as_deref(), Some("no-recovery"), "{verdict:#?}");
    let advice = verdict.advice.as_deref().unwrap_or_default();
    for part in ["never ready", "PANIC: the store is corrupt: ", "`fsync`"] {
        assert!(advice.contains(part), "{part}: {advice}");
    }
}

/// Kills squall while the disk is there, or while it is gone; `squall heal` where both of its processes died.
fn struck(whom: Whom, dark: bool) {
    let what = format!("{whom:?}, dark: {dark}");
    let place = folder("  - power_loss: { on: db, at: 2s, down: 60s }\n");
    let mut running = Running::start(place.squall(&["run", "-s", "dark.yaml", "--seed", "1"]));
    let trail = Trail::follow(running.child.id(), place.path());
    let moment = if dark { ": in force" } else { " storm" };
    assert!(running.until(moment, PATIENCE), "{what}: {:#?}", running.said);
    let there: Vec<bool> = disks(place.path()).iter().map(|disk| disk.contains(" has ")).collect();
    assert_eq!(there, vec![true; usize::from(!dark)], "{what}");
    let guard = running.child.id();
    whom.strike([guard, child(&trail, guard)]);
    running.end(PATIENCE);
    cleared(&place, (&trail, whom), &what);
}

#[test]
fn whoever_is_killed_nothing_of_a_disk_stays() {
    let _alone = STORM.lock().unwrap_or_else(PoisonError::into_inner);
    if !possible("power_loss") {
        return;
    }
    for whom in [Whom::Guard, Whom::Worker, Whom::Both] {
        struck(whom, false);
        struck(whom, true);
    }
}

#[test]
fn what_keeps_nothing_on_a_disk_of_squalls_is_refused_at_its_line() {
    if !possible("power_loss") {
        return;
    }
    let place = folder("  - power_loss: { on: worker, at: 1s, down: 1s }\n");
    let output = place.output(&["plan", "-s", "dark.yaml"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("dark.yaml:5:")
            && said.contains("`worker` has no disk of squall's")
            && said.contains("add `disk:"),
        "{said}"
    );
}

#[test]
fn where_no_disk_can_lose_its_power_that_is_refused_before_anything_is_run() {
    let place = folder("  - power_loss: { on: db, at: 1s, down: 1s }\n");
    let refused = Command::new("unshare")
        .args(["--user", "--map-root-user", SQUALL, "plan", "-s", "dark.yaml"])
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    for part in [
        "dark.yaml:5:",
        "`power_loss` can't be put in force here: no copy can get a disk that loses its power (",
        "privileged",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!place.path().join("tmp").exists());
}
