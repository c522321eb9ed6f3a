//! What a fault needs is hidden, one thing at a time. What `squall doctor` says then is what happens then: faults are
//! refused while planning, with its reason and its remedy, or they work.

use std::collections::BTreeMap;
use std::process::Output;

use nix::unistd::{Uid, User};
use serde_json::Value;
use squall_core::mechanism::TABLE;

use super::cases::CASES;
use super::place::Place;
use super::up::{Up, folder, until};
use super::{ALONE, as_before, round, storm};

/// A way to hide something: what is started first, and the faults that are impossible then; `None` for whichever
/// `doctor` says.
struct Hidden {
    what: &'static str,
    through: &'static [&'static str],
    impossible: Option<fn(&str) -> bool>,
}

/// Squall as root of a namespace, after a line of shell.
macro_rules! inside {
    ($($line:expr),*) => {
        &["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", concat!($($line),*, " && exec \"$@\""), "sh"]
    };
}

const HIDDEN: &[Hidden] = &[
    Hidden {
        what: "nothing",
        through: &["env"],
        impossible: None,
    },
    Hidden {
        what: "root",
        through: &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        impossible: None,
    },
    Hidden {
        what: "/proc",
        through: inside!("mount -t tmpfs none /proc"),
        impossible: Some(|_| true),
    },
    Hidden {
        what: "mount namespaces",
        through: inside!("echo 0 > /proc/sys/user/max_mnt_namespaces"),
        impossible: Some(|fault| ["disk_full", "disk_slow", "power_loss"].contains(&fault)),
    },
    Hidden {
        what: "FUSE",
        through: inside!("mount --bind /dev/null /dev/fuse"),
        impossible: Some(|fault| ["disk_slow", "power_loss"].contains(&fault)),
    },
    Hidden {
        what: "most descriptors",
        through: &["prlimit", "--nofile=128:128"],
        impossible: Some(|fault| fault == "connections_taken" || (fault == "power_loss" && !is_root())),
    },
    Hidden {
        // Which root needs for processes that are another user's: a database is.
        what: "tracing",
        through: &["setpriv", "--bounding-set=-sys_ptrace"],
        impossible: Some(|fault| fault == "clock_skew"),
    },
    Hidden {
        what: "other users",
        through: inside!("true"),
        impossible: None,
    },
    Hidden {
        what: "all programs",
        through: &["env", "PATH=/nonesuch"],
        impossible: None,
    },
];

fn is_root() -> bool {
    Uid::effective().is_root()
}

/// What only root has can be hidden from nobody else.
fn can_hide(what: &str) -> bool {
    is_root() || !["root", "tracing"].contains(&what)
}

/// What `doctor` says of the machine, and of each fault where squall starts the system: nothing, or why not and what
/// would enable it.
fn doctor(place: &Place) -> (Value, BTreeMap<String, Option<[String; 2]>>) {
    let output = place.output(&["doctor", "--json"]);
    let seen: Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = seen["faults"].as_array().unwrap().iter().map(|fault| {
        let here = &fault["worlds"]["process"];
        let says = ["why", "enable"].map(|key| here[key].as_str().unwrap_or_default().to_owned());
        let impossible = (here["possible"] == false).then_some(says);
        (fault["fault"].as_str().unwrap().to_owned(), impossible)
    });
    (seen["machine"].clone(), faults.collect())
}

/// A storm of these faults, one after the other.
fn storm_of<'a>(faults: impl Iterator<Item = &'a str>) -> String {
    let mut text =
        "scenario: one\nhypothesis: It holds.\nworkload: { api: { rate: 1/s } }\nchecks: [ stays_up ]\nstorm:\n"
            .to_owned();
    for (number, fault) in faults.enumerate() {
        let case = CASES.iter().find(|case| case.fault == fault);
        let mut keys: Vec<String> = match (case, fault) {
            (Some(case), _) => case.keys.iter().map(|key| key.replacen('=', ": ", 1)).collect(),
            (None, "disk_full" | "power_loss") => vec!["on: echo".to_owned()],
            // One disk can't be slow and lose its power.
            (None, "disk_slow") => vec!["on: db".to_owned(), "latency: 50ms".to_owned()],
            (None, _) => vec!["run: /bin/true".to_owned()],
        };
        keys.extend(match fault {
            "kill" | "terminate" | "stop" | "power_loss" => Some("down: 100ms".to_owned()),
            "scale" | "script" => None,
            _ => Some("for: 100ms".to_owned()),
        });
        keys.push(format!("at: {}s", number + 1));
        text += &format!("  - {fault}: {{ {} }}\n", keys.join(", "));
    }
    text
}

/// All that was said.
fn said(output: &Output) -> String {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    text.concat()
}

/// Whether something was said, wherever a line was full and broken.
fn says(text: &str, part: &str) -> bool {
    let packed = |text: &str| -> String { text.chars().filter(|c| !c.is_whitespace() && *c != '│').collect() };
    packed(text).contains(&packed(part))
}

#[test]
fn whatever_is_hidden_planning_refuses_what_doctor_says_is_impossible_and_nothing_else() {
    for hidden in HIDDEN.iter().filter(|hidden| can_hide(hidden.what)) {
        let mut place = folder();
        place.through(hidden.through);
        let (_, faults) = doctor(&place);
        assert_eq!(faults.len(), TABLE.len());
        let impossible: Vec<&str> = faults
            .iter()
            .filter(|(_, not)| not.is_some())
            .map(|(fault, _)| fault.as_str())
            .collect();
        eprintln!("without {}: impossible are {impossible:?}", hidden.what);
        if let Some(wanted) = hidden.impossible {
            let wanted: Vec<&str> = faults
                .keys()
                .map(String::as_str)
                .filter(|fault| wanted(fault))
                .collect();
            assert_eq!(impossible, wanted, "without {}", hidden.what);
        }
        place.write(
            "all.yaml",
            storm_of(TABLE.iter().map(|row| row.fault)).replace("one", "all"),
        );
        let all = place.output(&["plan", "-s", "all.yaml"]);
        let text = said(&all);
        assert_eq!(
            all.status.code(),
            Some(if impossible.is_empty() { 0 } else { 2 }),
            "{text}"
        );
        for (fault, not) in &faults {
            let refused = format!("`{fault}` can't be put in force here: ");
            match not {
                None => assert!(!says(&text, &refused), "without {}: {text}", hidden.what),
                Some([why, enable]) => {
                    assert!(
                        says(&text, &format!("{refused}{why}")),
                        "without {}: {fault}: {why}: {text}",
                        hidden.what
                    );
                    assert!(
                        says(&text, enable),
                        "without {}: {fault}: {enable}: {text}",
                        hidden.what
                    );
                }
            }
        }
        let possible = TABLE
            .iter()
            .map(|row| row.fault)
            .filter(|fault| faults[*fault].is_none());
        place.write("one.yaml", storm_of(possible));
        if impossible.len() < TABLE.len() {
            let one = place.output(&["plan", "-s", "one.yaml"]);
            assert_eq!(one.status.code(), Some(0), "without {}: {}", hidden.what, said(&one));
        }
        assert!(!place.path().join("tmp").exists(), "something was touched");
    }
}

/// Whatever is hidden, a system comes up where `doctor` says that its database can, and else is refused for that reason.
#[test]
fn whatever_is_hidden_a_system_starts_or_is_refused_for_the_reason_doctor_gives() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let ways = HIDDEN.iter().map(|hidden| (hidden.what, hidden.through));
    let no_postgres: &[&str] = &["env", "SQUALL_PG_BIN=/nonesuch"];
    for (what, through) in ways.chain([("PostgreSQL", no_postgres)]) {
        if what == "root" || !can_hide(what) {
            // Below, with all its faults.
            continue;
        }
        let mut place = folder();
        place.through(through);
        let (machine, _) = doctor(&place);
        let missing = match (machine["processes"] == true, machine["postgres"]["missing"].as_str()) {
            (false, _) => Some("there is no /proc"),
            (true, missing) => missing,
        };
        eprintln!("without {what}: {}", missing.unwrap_or("it can start"));
        let Some(missing) = missing else {
            Up::start(place).down();
            continue;
        };
        let refused = place.output(&["up", "--detach"]);
        let text = said(&refused);
        assert_eq!(refused.status.code(), Some(3), "without {what}: {text}");
        assert!(says(&text, missing), "without {what}: {missing}: {text}");
        let scratch = std::fs::read_dir(place.path().join("scratch")).unwrap();
        assert_eq!(scratch.count(), 0, "without {what}");
    }
}

/// Runs every fault that is possible there once, and orders the others in vain.
fn all_of(place: Place) {
    let (_, faults) = doctor(&place);
    let up = Up::start(place);
    let before = up.portrait();
    for case in CASES {
        match &faults[case.fault] {
            None => round(&up, case, &before, 1, 1),
            Some([why, _]) => {
                let words = [&["inject", case.fault], case.keys, &["--for", "1s"]].concat();
                let refused = up.place.output(&words);
                assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
                assert!(says(&said(&refused), why), "{}: {why}: {}", case.fault, said(&refused));
            }
        }
    }
    up.down();
}

#[test]
fn without_root_every_fault_works_that_doctor_says_does() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !is_root() {
        return eprintln!("this is not root: all other tests show it");
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    let mut place = folder();
    place.give_to(&nobody);
    all_of(place);
    let mut place = folder();
    place.give_to(&nobody);
    let (_, faults) = doctor(&place);
    if faults["disk_full"].is_none() {
        storm::disk_is_filled(place, 1);
    }
    let mut place = folder();
    place.give_to(&nobody);
    if faults["disk_slow"].is_none() {
        storm::disk_is_slowed(place, 1);
    }
}

/// A start that is to fail needs no program but squall's own: it begins, and ends with an error.
#[test]
fn without_any_other_program_a_start_fails_that_is_to() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut place = folder();
    // But the one that copies a database.
    let bin = place.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let cp = ["/bin/cp", "/usr/bin/cp"]
        .into_iter()
        .find(|cp| std::path::Path::new(cp).exists());
    std::os::unix::fs::symlink(cp.unwrap(), bin.join("cp")).unwrap();
    place.through(&["env", &format!("PATH={}", bin.display())]);
    let up = Up::start(place);
    let before = up.portrait();
    let case = CASES.iter().find(|case| case.fault == "start_failure").unwrap();
    let mut held = super::inject(&up, case, "a start that fails without any other program");
    until("a start that failed", || {
        let events = std::fs::read_to_string(up.folder.join("events.jsonl")).unwrap();
        match events.contains("exit status: 1") {
            true => Ok(()),
            false => Err(format!("none in {events}")),
        }
    });
    super::interrupt(&held);
    assert_eq!(held.end(super::PATIENCE), Some(0), "{:#?}", held.said);
    until("all to be as before", || as_before(&up, &before));
    up.down();
}

/// With one processor others share it, so that half of it is left.
#[test]
fn with_one_processor_it_is_taken_as_doctor_says() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut place = folder();
    place.through(&["taskset", "-c", "0"]);
    assert_eq!(doctor(&place).0["processors"], 1);
    let up = Up::start(place);
    let before = up.portrait();
    let load = CASES.iter().find(|case| case.fault == "cpu_load").unwrap();
    round(&up, load, &before, 1, 1);
    up.down();
}

/// Whose address was taken while it was down can't be healed, and is said not to be; with the address free it can.
#[test]
fn who_finds_their_address_taken_is_said_not_to_be_healed() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let up = Up::start(folder());
    let before = up.portrait();
    let kill = CASES.iter().find(|case| case.fault == "kill").unwrap();
    let mut held = super::inject(&up, kill, "kill, with the address taken");
    let taken = until("its address", || {
        std::net::TcpListener::bind(up.echo).map_err(|error| error.to_string())
    });
    super::interrupt(&held);
    let code = held.end(super::PATIENCE);
    assert_eq!(code, Some(4), "{:#?}", held.said);
    assert!(held.said.iter().any(|line| line.contains("echo-1")), "{:#?}", held.said);
    drop(taken);
    let again = up.place.output(&["service", "start", "--service", "echo"]);
    assert_eq!(again.status.code(), Some(0), "{}", said(&again));
    until("all to be as before", || as_before(&up, &before));
    up.down();
}
