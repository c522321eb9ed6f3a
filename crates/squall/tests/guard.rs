//! Whoever is killed, whenever: nothing stays behind.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "guard/heal.rs"]
mod heal;
#[path = "guard/moment.rs"]
mod moment;
#[path = "rig/place.rs"]
mod place;
#[path = "rig/residue.rs"]
mod residue;

use std::time::{Duration, Instant};

use moment::{Moment, Target};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use place::{Place, Running};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use residue::Trail;

/// After this, nothing may be left.
const WITHIN: Duration = Duration::from_secs(5);

/// Longer than anything takes here, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(90);

/// A storm that soon has a fault on; at least four tasks, so that there is something to drain.
const RUN: [&str; 9] = [
    "run",
    "-s",
    "worker-restart",
    "--pace",
    "20",
    "--set",
    "tasks=4",
    "--seed",
    "1",
];

/// A build that takes a moment, and has processes that leave their group.
const BUILD: &str = "sh build.sh";
const BUILD_SH: &str = "echo compiling >&2\nsetsid sleep 0.7 &\nsleep 0.6\nwait\n";

fn start(more: &[&str]) -> (Place, Running, Trail) {
    let place = Place::with_taskhub(BUILD);
    place.write("build.sh", BUILD_SH);
    let args: Vec<&str> = RUN.iter().chain(more).copied().collect();
    let running = Running::start(place.squall(&args));
    let trail = Trail::follow(running.child.id(), place.path());
    (place, running, trail)
}

/// Waits until nothing is left, at most until `WITHIN` after `since`; how long it took.
fn gone(trail: &Trail, since: Instant, what: &str) -> Duration {
    loop {
        let left = trail.residue();
        if left.none() {
            return since.elapsed();
        }
        if since.elapsed() > WITHIN {
            trail.clear();
            panic!("{what}: {WITHIN:?} later there is still {left:#?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One kill; `None` when the run ended before its moment came.
fn kill_once(target: Target, moment: Moment, extra: f64, what: &str) -> Option<Duration> {
    let (_place, mut running, trail) = start(&[]);
    if !moment.wait(&mut running, &trail, _place.path()) {
        panic!("{what}: its moment never came: {:#?}", running.said);
    }
    // Not a wait for anything: the random part of the moment itself.
    let strike = Instant::now() + moment.spread().mul_f64(extra);
    while Instant::now() < strike {
        std::thread::sleep(Duration::from_millis(1));
    }
    let hit = target.kill(&running, &trail);
    let since = Instant::now();
    let took = gone(&trail, since, what);
    let code = running.end(PATIENCE);
    if target == Target::Child && hit {
        assert_eq!(code, Some(3), "{what}: {:#?}", running.said);
    }
    hit.then_some(took)
}

#[test]
fn whoever_is_killed_whenever_nothing_is_left_five_seconds_later() {
    let seed = std::env::var("SQUALL_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or_else(rand::random);
    let kills: usize = std::env::var("SQUALL_KILLS")
        .ok()
        .and_then(|kills| kills.parse().ok())
        .unwrap_or(21);
    eprintln!("seed {seed} (SQUALL_SEED), {kills} kills (SQUALL_KILLS)");
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let pairs: Vec<(Target, Moment)> = (Moment::ALL.iter())
        .flat_map(|moment| Target::ALL.map(|target| (target, *moment)))
        .collect();
    let (mut slowest, mut late) = (Duration::ZERO, 0);
    for number in 0..kills {
        let (target, moment) = pairs[number % pairs.len()];
        let extra = rng.random::<f64>();
        let what = format!(
            "seed {seed}, kill {number}: {target:?} at {moment:?} + {:?}",
            moment.spread().mul_f64(extra)
        );
        match kill_once(target, moment, extra, &what) {
            Some(took) => {
                slowest = slowest.max(took);
                eprintln!("{what}: clean after {took:?}");
            }
            None => {
                late += 1;
                eprintln!("{what}: it had ended by itself");
            }
        }
    }
    eprintln!("{kills} kills, {late} after the run had ended by itself; the slowest was clean after {slowest:?}");
    assert!(late * 3 <= kills, "most kills must hit a run that lives");
}

/// The search can find: without the guard the same kill leaves remains.
#[test]
fn without_the_guard_the_same_kill_leaves_remains() {
    let (place, mut running, trail) = start(&["--no-guard"]);
    assert!(Moment::Storm.wait(&mut running, &trail, place.path()));
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    // Long enough for a guard, if there were one after all.
    let until = Instant::now() + Duration::from_secs(2);
    let mut left = trail.residue();
    while Instant::now() < until && !left.none() {
        std::thread::sleep(Duration::from_millis(50));
        left = trail.residue();
    }
    trail.clear();
    assert!(
        left.processes.iter().any(|(_, words)| words.contains("postgres")),
        "{left:#?}"
    );
    assert!(left.others.iter().any(|other| other.contains("listens")), "{left:#?}");
    assert!(
        left.others.iter().any(|other| other.contains("scratch/squall-")),
        "{left:#?}"
    );
    assert_eq!(trail.residue().processes, []);
}

#[test]
fn asked_to_stop_it_stops_soon_says_so_and_leaves_its_record() {
    for (signal, moment) in [
        (Signal::SIGINT, Moment::Storm),
        (Signal::SIGTERM, Moment::Reference),
        (Signal::SIGHUP, Moment::Start),
        (Signal::SIGINT, Moment::Build),
        (Signal::SIGTERM, Moment::Initdb),
    ] {
        let what = format!("{signal} at {moment:?}");
        let (place, mut running, trail) = start(&[]);
        assert!(moment.wait(&mut running, &trail, place.path()), "{what}");
        kill(Pid::from_raw(running.child.id() as i32), signal).unwrap();
        let since = Instant::now();
        let code = running.end(Duration::from_secs(15));
        eprintln!("{what}: ended after {:?}", since.elapsed());
        assert_eq!(code, Some(3), "{what}: {:#?}", running.said);
        let left = trail.residue();
        trail.clear();
        assert!(left.none(), "{what}: {left:#?}");
        let folder = place.run_folder();
        assert!(!folder.join("heal.jsonl").exists(), "{what}");
        if matches!(moment, Moment::Build | Moment::Initdb) {
            assert!(
                running.said.iter().any(|line| line.contains("stopped on request")),
                "{what}: {:#?}",
                running.said
            );
            continue;
        }
        let journal = std::fs::read_to_string(folder.join("worker-restart/journal.jsonl")).unwrap();
        let last = journal.lines().last().unwrap();
        assert!(last.contains("interrupted"), "{what}: {last}, {:#?}", running.said);
        for report in ["report.json", "report.md", "report.html", "junit.xml"] {
            assert!(folder.join(report).is_file(), "{what}: no {report}");
        }
    }
}
