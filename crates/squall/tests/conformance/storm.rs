//! Faults that only a storm puts in force: lost power, full disks, and scripts. As often as asked, in one run.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use squall_core::check::Outcome;
use squall_core::report::Report;

use super::PATIENCE;
use super::killed::{Whom, child, cleared};
use super::place::{Place, Running};
use super::residue::{Trail, disks};
use super::seen::{answer, processes, room};
use super::up::{folder, named, until};

/// Fills the disk so often, and makes room again.
fn full(times: usize, lasts: &str) -> String {
    format!(
        "scenario: storm\nhypothesis: With room again all is well.\nworkload: {{ api: {{ rate: 5/s }} }}\nstorm:\n  \
         - disk_full: {{ on: echo, at: 500ms, every: 1500ms, times: {times}, for: {lasts} }}\nchecks: [ stays_up ]\n"
    )
}

/// Slows the disk so often: by more than a request is waited for.
fn slowed(times: usize, lasts: &str) -> String {
    format!(
        "scenario: storm\nhypothesis: Fast again all is well.\nworkload: {{ api: {{ rate: 2/s }} }}\nstorm:\n  \
         - disk_slow: {{ on: echo, latency: 700ms, at: 500ms, every: 4s, times: {times}, for: {lasts} }}\nchecks: [ stays_up ]\n"
    )
}

/// Cuts the echo off from its power so often.
fn cut_off(times: usize, down: &str) -> String {
    format!(
        "scenario: storm\nhypothesis: What was synced is there.\nworkload: {{ api: {{ rate: 5/s }} }}\nstorm:\n  \
         - power_loss: {{ on: echo, at: 1s, every: 2s, times: {times}, down: {down} }}\nchecks: [ stays_up ]\n"
    )
}

/// Runs a command so often.
fn scripts(times: usize) -> String {
    format!(
        "scenario: storm\nhypothesis: A command runs beside it.\nworkload: {{ api: {{ rate: 5/s }} }}\nstorm:\n  \
         - script: {{ run: sh mark.sh, at: 200ms, every: 1500ms, times: {times} }}\nchecks: [ stays_up ]\n"
    )
}

/// Says that it began, has a child in a group of its own, and ends once it was seen.
const MARK: &str = "echo begun >> begun\n\
                    until test -e seen-$(grep -c . begun); do sleep 0.02; done\necho over >> over\n";
/// The same, without an end, and with a child.
const STAY: &str = "echo begun >> begun\nsleep 600 &\nwait\n";

fn start(place: Place, storm: &str) -> (Place, Running, Trail) {
    place.write("storm.yaml", storm);
    let running = Running::start(place.squall(&["run", "-s", "storm.yaml", "--seed", "1"]));
    let trail = Trail::follow(running.child.id(), place.path());
    (place, running, trail)
}

/// A storm with so many strikes is over within this, and the run with it.
fn bound(times: usize) -> Duration {
    PATIENCE + Duration::from_secs(5) * u32::try_from(times).unwrap()
}

/// Whether a run goes on.
///
/// # Panics
/// It does after its bound. Nothing of it is left then, either.
fn goes_on((running, trail): (&mut Running, &Trail), end: Instant) -> bool {
    let goes_on = running.child.try_wait().unwrap().is_none();
    if goes_on && Instant::now() > end {
        trail.clear();
        // It has ended now, and all it said can be told.
        running.end(PATIENCE);
        panic!("the run did not end by itself within its bound: {:#?}", running.said);
    }
    goes_on
}

/// The end of a run: it passed, so many strikes were seen by squall itself, too, and nothing is left.
fn passed(place: &Place, running: &mut Running, trail: &Trail, times: usize) {
    let code = running.end(PATIENCE);
    let report = fs::read_to_string(place.path().join("tmp/latest/report.json")).unwrap();
    let report: Report = serde_json::from_str(&report).unwrap();
    let storm = &report.scenarios[0];
    let unseen: Vec<&String> = storm
        .faults
        .iter()
        .filter(|fault| !fault.seen)
        .map(|fault| &fault.proof)
        .collect();
    assert!(unseen.is_empty(), "{unseen:#?}");
    assert_eq!(
        (storm.faults.len(), storm.outcome),
        (times, Outcome::Pass),
        "{:?} {:#?}",
        storm.doubts,
        storm.verdicts
    );
    assert_eq!(code, Some(0), "{:#?}", running.said);
    let left = trail.residue();
    assert!(left.none(), "{left:#?}");
}

/// Whether the echo's disk is full: no room by the kernel's count, and a write it was asked for was refused. `None`
/// while it is neither full nor free, or the echo is not there.
fn is_full(guard: u32) -> Option<(bool, u64)> {
    let echo = named("", guard, "echo-1").ok()?;
    let free = room(echo.pid, Path::new(echo.var("DISK")?))?;
    match (free, answer(echo.var("LISTEN")?.parse().ok()?, "/write").as_str()) {
        (0, "507") => Some((true, 0)),
        (free, "200") if free > 0 => Some((false, free)),
        _ => None,
    }
}

/// A disk is filled, seen to be full, and as free as before; so often.
pub fn disk_is_filled(place: Place, times: usize) {
    let (place, mut running, trail) = start(place, &full(times, "700ms"));
    let guard = running.child.id();
    let mut frees = Vec::new();
    let mut fills = 0;
    let end = Instant::now() + bound(times);
    while goes_on((&mut running, &trail), end) {
        match is_full(guard) {
            Some((true, _)) if frees.len() > fills => fills += 1,
            Some((false, free)) if frees.len() == fills => frees.push(free),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    eprintln!("disk_full: full {fills} times, free {frees:?}");
    passed(&place, &mut running, &trail, times);
    assert_eq!(
        (fills, frees.len()),
        (times, times + 1),
        "full and free again each time: {frees:?}"
    );
    assert!(
        frees.iter().all(|free| free == &frees[0]),
        "as much room as before: {frees:?}"
    );
}

/// Whether the echo's disk is slow: a write it was asked for is waited for in vain, and another request is not. `None`
/// while the echo is not there.
fn is_slow(guard: u32) -> Option<bool> {
    let at = serving(guard)?.1;
    match answer(at, "/write").as_str() {
        "200" => Some(false),
        "no answer" => (answer(at, "/up") == "200").then_some(true),
        _ => None,
    }
}

/// A disk is slowed, seen to be slow, and as fast as before; so often.
pub fn disk_is_slowed(place: Place, times: usize) {
    let (place, mut running, trail) = start(place, &slowed(times, "2s"));
    let guard = running.child.id();
    let mut turns = Vec::new();
    let end = Instant::now() + PATIENCE + Duration::from_secs(10) * times as u32;
    while running.child.try_wait().unwrap().is_none() {
        assert!(
            Instant::now() < end,
            "squall goes on; seen: {turns:?}, said: {:#?}",
            running.said
        );
        match is_slow(guard) {
            Some(slow) if turns.last().map_or(!slow, |last| *last != slow) => turns.push(slow),
            _ => std::thread::sleep(Duration::from_millis(10)),
        }
    }
    eprintln!("disk_slow: whether it was, as it changed: {turns:?}");
    passed(&place, &mut running, &trail, times);
    let wanted: Vec<bool> = [false, true].into_iter().cycle().take(2 * times + 1).collect();
    assert_eq!(turns, wanted);
}

/// The echo's process and where it listens, while it answers.
fn serving(guard: u32) -> Option<(u32, std::net::SocketAddr)> {
    let echo = named("", guard, "echo-1").ok()?;
    let at = echo.var("LISTEN")?.parse().ok()?;
    (answer(at, "/up") == "200").then_some((echo.pid, at))
}

/// Power is lost with the processes, the disk and what was not synced, and comes back with what was; so often.
pub fn power_is_lost(place: Place, times: usize) {
    let (place, mut running, trail) = start(place, &cut_off(times, "500ms"));
    let guard = running.child.id();
    // The process that wrote, and the last number that was acknowledged; whether its disk was seen to be gone since; each time it
    // was back, both. The kernel may write back what it likes when it likes: so there is always something it did not yet.
    let (mut life, mut number, mut dark, mut back) = (None, 100_000, false, Vec::new());
    let end = Instant::now() + bound(times);
    while goes_on((&mut running, &trail), end) {
        match serving(guard) {
            Some((pid, at)) => {
                if life.is_some_and(|life| life != pid) {
                    back.push((std::mem::take(&mut dark), answer(at, &format!("/kept/{number}"))));
                }
                if life.replace(pid).is_none() {
                    assert_eq!(disks(place.path()).len(), 1);
                }
                let next = number + 1;
                if answer(at, &format!("/keep/{next}")) == "200" {
                    number = next;
                }
            }
            None => {
                dark |= life.is_some() && disks(place.path()).is_empty();
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
    assert!(number > 100_000, "nothing was ever kept");
    eprintln!("power_loss: whether the disk was gone, and what was there when it was back: {back:?}");
    passed(&place, &mut running, &trail, times);
    assert_eq!(back, vec![(true, "206".to_owned()); times]);
}

/// A command of one's own runs as a process with the run's tag, is over, and is gone; so often.
pub fn script_is_run(times: usize) {
    let (place, mut running, trail) = start(folder(), &scripts(times));
    place.write("mark.sh", MARK);
    let guard = running.child.id();
    for number in 1..=times {
        until("the script to run", || {
            let runs = processes("", guard)
                .into_iter()
                .find(|process| process.words == "sh mark.sh");
            let run = runs.ok_or("no process of it")?;
            let begun = lines(&place, "begun");
            let tagged = run.var("SQUALL_RUN").is_some();
            if (begun, tagged) == (number, true) {
                Ok(())
            } else {
                Err(format!("{begun} begun, tagged: {tagged}"))
            }
        });
        place.write(&format!("seen-{number}"), "");
    }
    // What a command does squall can't know: that it ended badly would have kept the run from passing.
    passed(&place, &mut running, &trail, 0);
    assert_eq!((lines(&place, "begun"), lines(&place, "over")), (times, times));
}

fn lines(place: &Place, file: &str) -> usize {
    fs::read_to_string(place.path().join(file))
        .unwrap_or_default()
        .lines()
        .count()
}

/// With squall killed meanwhile, nothing stays.
pub fn killed(fault: &str, whom: Whom) {
    let storm = match fault {
        "script" => scripts(1),
        "power_loss" => cut_off(1, "60s"),
        "disk_slow" => slowed(1, "60s"),
        _ => full(1, "60s"),
    };
    let (place, mut running, trail) = start(folder(), &storm);
    place.write("mark.sh", STAY);
    let guard = running.child.id();
    let mut served = false;
    until(fault, || {
        let there = match fault {
            "power_loss" => {
                let up = serving(guard).is_some();
                served |= up;
                served && !up && disks(place.path()).is_empty()
            }
            "script" => processes("", guard).iter().any(|process| process.words == "sleep 600"),
            "disk_slow" => is_slow(guard) == Some(true),
            _ => matches!(is_full(guard), Some((true, _))),
        };
        if there { Ok(()) } else { Err("nothing yet".to_owned()) }
    });
    until("the tag to be seen", || {
        if trail.runs().is_empty() {
            Err("none".to_owned())
        } else {
            Ok(())
        }
    });
    let child = child(&trail, guard);
    whom.strike([guard, child]);
    assert_ne!(running.end(PATIENCE), Some(0));
    cleared(&place, (&trail, whom), fault);
}
