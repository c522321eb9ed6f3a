//! Every fault that `squall doctor` says this machine can be made to feel is put in force, is seen from outside, is
//! healed, and leaves everything as it was; also when either of squall's processes is killed meanwhile.
//!
//! What there is to try comes from the table that `doctor` prints: a fault without a case fails here. SQUALL_CONFORMANCE=20
//! tries each case twenty times in a row, and kills a process of squall's twenty times for each mechanism, by turns in each of its
//! cases and either process. It needs PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]
#![expect(clippy::print_stderr, reason = "what was seen is worth reading where a test fails")]

#[path = "conformance/cases.rs"]
mod cases;
#[path = "conformance/hidden.rs"]
mod hidden;
#[path = "rig/killed.rs"]
mod killed;
#[path = "rig/place.rs"]
mod place;
#[path = "rig/possible.rs"]
mod possible;
#[path = "rig/residue.rs"]
mod residue;
#[path = "conformance/seen.rs"]
mod seen;
#[path = "conformance/storm.rs"]
mod storm;
#[path = "conformance/target.rs"]
mod target;
#[path = "conformance/up.rs"]
mod up;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use cases::{Before, CASES, Case};
use killed::{Whom, cleared};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::Running;
use possible::possible;
use squall_core::mechanism::{Means, TABLE};
use up::{Portrait, Up, folder, until};

/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A copy of the system that dies whenever it is ready does so several times within this.
const LOOPS: Duration = Duration::from_millis(1500);

/// As many rounds are all that is asked for.
const ALL: usize = 20;

/// Faults that only storms put in force.
const STORMS: [&str; 4] = ["power_loss", "disk_full", "disk_slow", "script"];

/// One system at a time: two on a small machine would disturb each other's measurements.
static ALONE: Mutex<()> = Mutex::new(());

/// How often each case is tried in a row.
fn rounds() -> usize {
    let said = std::env::var("SQUALL_CONFORMANCE").ok();
    said.and_then(|said| said.parse().ok()).unwrap_or(2)
}

/// Puts a case in force; returns once it is seen from outside.
fn inject(up: &Up, case: &Case, what: &str) -> Running {
    if let Ok(seen) = (case.seen)(up, &Before::of(up, case)) {
        panic!("{what}: seen before anything was done: {seen}");
    }
    // What that look had open is not to be closed while the case is in force, or there would be more to come.
    let mut last = usize::MAX;
    until(&format!("{what}: the last look to be over"), || {
        let (talks, files) = (seen::talks(up.echo), seen::open_files(up.process("echo-1")?.pid));
        match (talks, files) == (0, std::mem::replace(&mut last, files)) {
            true => Ok(()),
            false => Err(format!("{talks} connections, {files} files")),
        }
    });
    let before = Before::of(up, case);
    let words = [&["inject", case.fault], case.keys, &["--for", "10m"]].concat();
    let mut held = Running::start(up.place.squall(&words));
    let mut looks = 0;
    let seen = until(what, || {
        if held.child.try_wait().unwrap().is_some() {
            panic!("{what}: it ended: {:?}, {:#?}", held.end(PATIENCE), held.said);
        }
        let seen = (case.seen)(up, &before)?;
        // What was on its way when it came into force was lost and counted by nobody: once more.
        looks += 1;
        if looks < 2 { Err(seen) } else { Ok(seen) }
    });
    eprintln!("{what}: {seen}");
    held
}

/// One round: undisturbed, in force and seen, healed, as before.
fn round(up: &Up, case: &Case, before: &Portrait, number: usize, rounds: usize) {
    let what = format!("{} {}, {number} of {rounds}", case.fault, case.keys.join(" "));
    let ends = up.ends();
    let mut held = inject(up, case, &what);
    let looks = up.looks();
    if number == 1 {
        // As if its heal were left out. Squall itself has one more to talk to, which shows nothing; and what comes and
        // goes may just be there.
        let differ = until(&format!("{what}: that it is not healed to be noticed"), || {
            let differ = up.differences(before).into_iter();
            let differ: Vec<String> = differ.filter(|line| !line.starts_with("/proc/self/exe up")).collect();
            let what: Vec<&str> = differ
                .iter()
                .filter_map(|line| Some(line.split_once(": ")?.0))
                .collect();
            match what.is_empty() {
                true => Err("nothing".to_owned()),
                false => Ok(what.join(", ")),
            }
        });
        eprintln!("  what differs: {differ}");
    }
    // What is watched squall itself must have looked at, too, to say that it was seen: and at work meanwhile, as what was
    // seen above may have been before its first look.
    let watched = ["_load", "_taken", "_skew"]
        .iter()
        .any(|kind| case.fault.ends_with(kind));
    until("squall's own look", || match watched && up.looks() < looks + 3 {
        true => {
            // Still in use, or nobody would miss anything.
            let _ = (case.seen)(up, &Before::of(up, case));
            Err("too few".to_owned())
        }
        false => Ok(()),
    });
    // One death is none that recurs.
    let recurs = ["crash_loop", "start_failure"].contains(&case.fault);
    until("another end", || match recurs && up.ends() < ends + 2 {
        true => Err("one".to_owned()),
        false => Ok(()),
    });
    interrupt(&held);
    let code = held.end(PATIENCE);
    assert_eq!(code, Some(0), "{what}: squall saw no effect of it: {:#?}", held.said);
    until(&format!("{what}: all to be as before"), || as_before(up, before));
    if case.fault == "crash_loop" {
        // It may look so between two deaths, too, which are about a restart apart.
        let lives = || up.process("echo-1").map(|process| process.pid);
        let life = lives();
        let end = Instant::now() + LOOPS;
        while Instant::now() < end {
            assert_eq!(lives(), life, "{what}: it is healed and dies on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Whether nothing differs from what was before; else what does.
fn as_before(up: &Up, before: &Portrait) -> Result<(), String> {
    let differ = up.differences(before);
    if differ.is_empty() {
        Ok(())
    } else {
        Err(differ.join("\n"))
    }
}

/// Only these faults, where SQUALL_FAULT names one.
fn wanted(fault: &str) -> bool {
    std::env::var("SQUALL_FAULT").map_or(true, |wanted| wanted == fault)
}

#[test]
fn every_fault_is_seen_from_outside_healed_and_leaves_all_as_it_was() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let up = Up::start(folder());
    let before = up.portrait();
    let rounds = rounds();
    for case in CASES.iter().filter(|case| wanted(case.fault)) {
        let began = Instant::now();
        (1..=rounds).for_each(|number| round(&up, case, &before, number, rounds));
        eprintln!("{}: {:?} a round", case.fault, began.elapsed() / rounds as u32);
    }
    up.down();
}

#[test]
fn every_fault_of_a_storm_is_seen_from_outside_healed_and_leaves_all_as_it_was() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    if wanted("power_loss") && possible("power_loss") {
        storm::power_is_lost(folder(), rounds());
    }
    if wanted("disk_full") && possible("disk_full") {
        storm::disk_is_filled(folder(), rounds());
    }
    if wanted("disk_slow") && possible("disk_slow") {
        storm::disk_is_slowed(folder(), rounds());
    }
    if wanted("script") {
        storm::script_is_run(rounds());
    }
}

/// As Ctrl-C does.
fn interrupt(running: &Running) {
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGINT).unwrap();
}

/// What is put in force when squall is killed.
#[derive(Clone, Copy)]
enum Way {
    By(&'static Case),
    Storm(&'static str),
}

/// Kills squall while something is in force: nothing of the system stays, frozen, limited or otherwise.
fn killed(way: Way, whom: Whom) {
    let case = match way {
        Way::By(case) => case,
        Way::Storm(fault) => return storm::killed(fault, whom),
    };
    let up = Up::start(folder());
    let what = format!("{} {}, {whom:?} killed", case.fault, case.keys.join(" "));
    let mut held = inject(&up, case, &what);
    up.close();
    whom.strike(up.pair);
    assert_eq!(held.end(PATIENCE), Some(3), "{what}: {:#?}", held.said);
    cleared(&up.place, (&up.trail, whom), &what);
}

/// All that each mechanism of the table which works here does.
fn mechanisms() -> BTreeMap<&'static str, Vec<Way>> {
    let mut all = BTreeMap::<_, Vec<Way>>::new();
    for row in TABLE.iter().filter(|row| wanted(row.fault)) {
        let Means::By(by, _) = row.process else { continue };
        if !possible(row.fault) {
            continue;
        }
        let cases = CASES.iter().filter(|case| case.fault == row.fault).map(Way::By);
        let storms = STORMS.into_iter().filter(|fault| *fault == row.fault).map(Way::Storm);
        all.entry(by).or_default().extend(cases.chain(storms));
    }
    all
}

/// Each mechanism once; where all was asked for, so many times, by turns in each of its cases and either process.
#[test]
fn whichever_of_squalls_processes_is_killed_while_a_fault_is_in_force_nothing_stays() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let times = if rounds() >= ALL { rounds() } else { 1 };
    for (number, ways) in mechanisms().into_values().enumerate() {
        let turns = [[Whom::Guard, Whom::Worker], [Whom::Worker, Whom::Guard]].into_iter();
        let turns = turns.flat_map(|turn| ways.iter().copied().zip(turn.into_iter().cycle()));
        let turns: Vec<_> = turns.collect();
        let turns = turns.into_iter().cycle().skip(number % 2);
        turns.take(times).for_each(|(way, whom)| killed(way, whom));
    }
}

#[test]
fn when_both_of_squalls_processes_are_killed_while_a_fault_is_in_force_squall_heal_leaves_nothing() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for ways in mechanisms().into_values() {
        killed(ways[0], Whom::Both);
    }
}

/// What is in the table and has no case, or the other way round.
fn uncovered<'a>(table: impl Iterator<Item = &'a str>, cases: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let [table, cases] = [table.collect::<BTreeSet<_>>(), cases.collect()];
    table.symmetric_difference(&cases).copied().collect()
}

#[test]
fn every_fault_of_the_table_has_a_case() {
    let cases = || CASES.iter().map(|case| case.fault).chain(STORMS);
    let table = || TABLE.iter().map(|row| row.fault);
    assert_eq!(uncovered(table(), cases()), BTreeSet::new());
    assert_eq!(uncovered(table().chain(["earthquake"]), cases()), ["earthquake"].into());
    // To a system that ran already only one thing can be done, and that is the same process of squall's own.
    let attached = TABLE.iter().filter(|row| matches!(row.attached, Means::By(..)));
    assert_eq!(attached.map(|row| row.fault).collect::<Vec<_>>(), ["script"]);
}

/// What a heal that was left out, or half done, would leave is noticed, each for itself.
#[test]
fn whatever_stays_is_noticed() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let up = Up::start(folder());
    let before = up.portrait();
    let noticed = |what: &str, part: &str| {
        let differ = up.differences(&before);
        assert!(differ.iter().any(|line| line.contains(part)), "{what}: {differ:#?}");
    };
    let [echo, spare] = ["echo-1", "spare-1"].map(|name| Pid::from_raw(up.process(name).unwrap().pid as i32));
    kill(spare, Signal::SIGSTOP).unwrap();
    noticed("a process that stands still", "spare-1: goes");
    kill(spare, Signal::SIGCONT).unwrap();
    until("what goes on again", || as_before(&up, &before));

    let mut tagged = Command::new("sleep")
        .arg("600")
        .env("SQUALL_RUN", &up.run)
        .spawn()
        .unwrap();
    noticed("a process of squall's", "sleep : none before");
    tagged.kill().unwrap();
    tagged.wait().unwrap();
    until("what was ended", || as_before(&up, &before));

    let scratch = up.place.path().join("scratch/left");
    std::fs::write(&scratch, "").unwrap();
    noticed("a file", "scratch: ");
    std::fs::remove_file(&scratch).unwrap();

    let open = std::net::TcpStream::connect(up.link).unwrap();
    until("a connection", || {
        match up.differences(&before).iter().any(|line| line.contains("echo-1: goes")) {
            true => Ok(()),
            false => Err("nothing noticed".to_owned()),
        }
    });
    drop(open);
    until("what was closed", || as_before(&up, &before));

    for (limit, value) in [("--nofile", "500:"), ("--data", "1000000000:")] {
        let pid = echo.to_string();
        let lower = |value: &str| {
            Command::new("prlimit")
                .args(["--pid", &pid, &format!("{limit}={value}")])
                .status()
        };
        let usual = if limit == "--data" {
            "unlimited:".to_owned()
        } else {
            format!("{}:", files(echo))
        };
        assert!(lower(value).unwrap().success());
        noticed(limit, "echo-1: goes");
        assert!(lower(&usual).unwrap().success());
        until(limit, || as_before(&up, &before));
    }
    up.down();
}

fn files(pid: Pid) -> u64 {
    seen::limit(pid.as_raw() as u32, "Max open files").unwrap()
}
