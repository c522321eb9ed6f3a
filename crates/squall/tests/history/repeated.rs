//! `--repeat` and `--every`.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::place::{Place, Running};
use super::{at_once, json, place, squall, words};

fn seeds(place: &Place) -> Vec<u64> {
    let value = json(place, &["history", "--json"], 0);
    let runs = value["runs"].as_array().unwrap();
    runs.iter().map(|run| run["seed"].as_u64().unwrap()).collect()
}

#[test]
fn each_run_has_another_seed_and_the_worst_decides() {
    let (broken, sound) = (place(), place());
    let more = ["--repeat", "3", "--seed", "9"];
    let said = at_once(&[
        (&broken, words("broken.yaml", &more), 1),
        (&sound, words("system.yaml", &more), 0),
    ]);
    let of_broken = &said[0];
    assert!(
        of_broken.contains("3 runs: 0 passed, 3 failed (seeds 9, "),
        "{of_broken}"
    );
    assert_eq!(of_broken.matches("❌ calm: FAIL").count(), 3, "{of_broken}");
    for turn in 1..=3 {
        assert!(of_broken.contains(&format!("Run {turn} of 3, seed ")), "{of_broken}");
    }
    assert!(said[1].contains("3 runs: 3 passed"), "{}", said[1]);
    let drawn: BTreeSet<u64> = seeds(&broken).into_iter().collect();
    assert!(drawn.len() == 3 && drawn.contains(&9), "{drawn:?}");
    assert_eq!(
        seeds(&broken),
        seeds(&sound),
        "the same first seed gives the same others"
    );
}

#[test]
fn runs_at_a_distance_go_on_until_they_are_stopped() {
    let place = place();
    let mut running = Running::start(place.squall(&words("system.yaml", &["--every", "100ms"])));
    assert!(running.until("Run 2, seed ", Duration::from_secs(30)));
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGINT).unwrap();
    // One passed; the second was cut off.
    assert_eq!(running.end(Duration::from_secs(30)), Some(0), "{:#?}", running.said);
    assert!(!seeds(&place).is_empty());
}

#[test]
fn a_counted_series_that_is_stopped_is_inconclusive_and_does_not_wait() {
    let place = place();
    let words = words("system.yaml", &["--every", "1h", "--repeat", "2"]);
    let mut running = Running::start(place.squall(&words));
    assert!(running.until("The same again", Duration::from_secs(30)));
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(running.end(Duration::from_secs(30)), Some(3), "{:#?}", running.said);
}

#[test]
fn a_repeater_that_is_killed_leaves_no_run_going() {
    let place = place();
    place.write(
        "long.yaml",
        super::CALM.replace("calm", "long").replace("lasts: 4s", "lasts: 10m"),
    );
    let mut words = words("system.yaml", &["--repeat", "5"]);
    words[2] = "long.yaml";
    let mut running = Running::start(place.squall(&words));
    assert!(running.until("into tmp/", Duration::from_secs(30)));
    kill(Pid::from_raw(running.child.id() as i32), Signal::SIGKILL).unwrap();
    // Standard error is held open by the run that goes on, until it has healed and ended.
    assert_eq!(running.end(Duration::from_secs(30)), None);
    let said = running.said.join("\n");
    assert!(!said.contains("Run 2"), "{said}");
    assert_eq!(
        std::fs::read_dir(place.path().join("scratch")).unwrap().count(),
        0,
        "{said}"
    );
}

#[test]
fn mistakes_are_said_once_and_nothing_is_run() {
    let place = place();
    for (more, says) in [
        (&["--repeat", "0"][..], "'0'"),
        (&["--repeat", "many"], "'many'"),
        (&["--every", "0s"], "a distance above zero"),
        (&["--every", "often"], "'often'"),
        (&["--label", "a b"], "a label is 1 to 100"),
        (&["--label", ""], "a label is 1 to 100"),
        (&["--repeat", "3", "--set", "taks=4"], "did you mean `tasks`?"),
        (
            &["--repeat", "3", "--notify", "http://example.test/x"],
            "--allow-host example.test",
        ),
        (&["--notify", "ftp://localhost/x"], "only http:// and https://"),
    ] {
        let said = squall(&place, &words("system.yaml", more), 2);
        assert!(said.contains(says), "{more:?}: {said}");
        assert_eq!(said.matches("error").count(), 1, "{said}");
    }
    assert!(!place.path().join("tmp").exists());
}
