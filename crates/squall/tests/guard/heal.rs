//! `squall heal`, after both processes died at once.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use super::moment::{Moment, child, pid};
use super::place::{Place, Running};
use super::residue::{Trail, words};
use super::{BUILD, BUILD_SH, PATIENCE, RUN};

/// Kills both processes so that neither can do anything about it.
fn kill_both(running: &mut Running, trail: &Trail) {
    let guard = running.child.id();
    let both = [guard, child(trail, guard).unwrap()];
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        both.iter().for_each(|process| kill(pid(*process), signal).unwrap());
    }
    running.child.wait().unwrap();
}

/// Waits until a process with this command line was seen.
fn seen(trail: &Trail, line: &str) {
    let until = Instant::now() + PATIENCE;
    while !trail.living().iter().any(|(_, words)| words == line) {
        assert!(
            Instant::now() < until,
            "no `{line}` within {PATIENCE:?}: {:#?}",
            trail.living()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that is none of squall's, whatever its name says.
fn bystander(name: &str, tag: &str) -> std::process::Child {
    Command::new("sleep")
        .arg0(name)
        .arg("600")
        .env("SQUALL_RUN", tag)
        .stdin(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn heal_removes_all_of_a_dead_run_and_touches_nothing_else() {
    let place = Place::with_taskhub(BUILD);
    place.write("build.sh", BUILD_SH);
    let mut dead = Running::start(place.squall(&RUN));
    let dead_trail = Trail::follow(dead.child.id(), place.path());
    assert!(Moment::Reference.wait(&mut dead, &dead_trail, place.path()));
    // At once: started beside another it might end by itself first.
    kill_both(&mut dead, &dead_trail);

    // The other lives in a place of its own, so that what it uses is told apart, but has its record in the same folder.
    let other = Place::with_taskhub(BUILD);
    other.write("build.sh", BUILD_SH);
    let output = place.path().join("tmp").display().to_string();
    let args: Vec<&str> = RUN.iter().copied().chain(["--output", &output]).collect();
    let mut alive = Running::start(other.squall(&args));
    let alive_trail = Trail::follow(alive.child.id(), other.path());
    assert!(alive.until(" start", PATIENCE), "{:#?}", alive.said);

    let run = dead_trail.runs().into_iter().next().unwrap();
    let scratch = place.path().join(format!("scratch/squall-{run}"));
    let names = [
        bystander(
            &format!("postgres -D {}/worker-restart/db-1", scratch.display()),
            "none",
        ),
        bystander(&format!("SQUALL_RUN={run}"), &format!("{run}0")),
    ];
    let left = dead_trail.residue();
    // With another TMPDIR: what is to be removed was written down.
    let healed = other.output(&["heal", "--output", &output]);
    let after = dead_trail.residue();
    let others: Vec<String> = names.iter().map(|bystander| words(bystander.id())).collect();
    for mut bystander in names {
        let lived = bystander.try_wait().unwrap().is_none();
        bystander.kill().unwrap();
        bystander.wait().unwrap();
        assert!(lived, "a bystander was killed: {others:?}");
    }
    dead_trail.clear();
    let code = alive.end(PATIENCE);
    let rest = alive_trail.residue();
    alive_trail.clear();

    assert!(
        left.processes.len() > 4,
        "both were killed, so there must be remains: {left:#?}"
    );
    assert!(healed.status.success(), "{healed:?}");
    assert!(String::from_utf8_lossy(&healed.stdout).contains(&run), "{healed:?}");
    assert!(after.none(), "{after:#?}");
    assert_eq!(code, Some(0), "the other run was disturbed: {:#?}", alive.said);
    assert!(rest.none(), "{rest:#?}");
    let again = place.output(&["heal"]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), "nothing to heal\n");
}

#[test]
fn heal_ends_the_copying_of_a_cluster_too() {
    let place = Place::with_taskhub(BUILD);
    place.write("build.sh", BUILD_SH);
    // One that takes its time: the moment is short where the disk is fast.
    let copies = place.path().join("bin/cp");
    std::fs::create_dir(place.path().join("bin")).unwrap();
    place.write("bin/cp", "#!/bin/sh\nexec sleep 600\n");
    std::fs::set_permissions(&copies, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var("PATH").unwrap();
    let mut command = place.squall(&RUN);
    command.env("PATH", format!("{}:{path}", place.path().join("bin").display()));
    let mut dead = Running::start(command);
    let trail = Trail::follow(dead.child.id(), place.path());
    seen(&trail, "sleep 600");
    kill_both(&mut dead, &trail);
    let left = trail.residue();
    let healed = place.output(&["heal"]);
    let after = trail.residue();
    trail.clear();
    assert!(
        left.processes.iter().any(|(_, words)| words == "sleep 600"),
        "{left:#?}"
    );
    assert!(healed.status.success(), "{healed:?}");
    assert!(after.none(), "{after:#?}");
}

#[test]
fn heal_knows_what_overwrote_its_environment_and_nobody_who_has_its_number_by_now() {
    let place = Place::with_taskhub(BUILD);
    place.write("build.sh", BUILD_SH);
    let system = std::fs::read_to_string(place.path().join("system.yaml")).unwrap();
    let shy = "services:\n  shy:\n    run: env -i sh shy.sh\n";
    place.write("system.yaml", system.replacen("services:\n", shy, 1));
    place.write("shy.sh", "sleep 601 &\nwait\n");
    let mut dead = Running::start(place.squall(&RUN));
    let trail = Trail::follow(dead.child.id(), place.path());
    assert!(
        Moment::Reference.wait(&mut dead, &trail, place.path()),
        "{:#?}",
        dead.said
    );
    seen(&trail, "sleep 601");
    kill_both(&mut dead, &trail);
    // As if the number of one that ended had been given to somebody else.
    let mut other = bystander("somebody", "none");
    let heal = place.run_folder().join("heal.jsonl");
    let mut text = std::fs::read_to_string(&heal).unwrap();
    text += &format!("{{\"pid\":{},\"started\":1}}\n{{\"pid\":", other.id());
    std::fs::write(&heal, text).unwrap();
    let left = trail.residue();
    let healed = place.output(&["heal"]);
    let after = trail.residue();
    trail.clear();
    let lived = other.try_wait().unwrap().is_none();
    other.kill().unwrap();
    other.wait().unwrap();
    for words in ["sh shy.sh", "sleep 601"] {
        assert!(left.processes.iter().any(|(_, left)| left == words), "{left:#?}");
    }
    assert!(healed.status.success(), "{healed:?}");
    assert!(after.none(), "{after:#?}");
    assert!(lived, "a bystander was killed");
}
