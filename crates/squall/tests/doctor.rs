//! `squall doctor`: every fault in every world, and what the machine is, for people and for programs.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use place::{Place, workspace};
use serde_json::Value;
use squall_core::mechanism::{Means, Need, TABLE};

fn text(output: &std::process::Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn every_fault_says_for_each_world_what_does_and_proves_it_or_why_not_and_what_would() {
    let place = Place::new();
    let seen: Value = serde_json::from_str(&text(&place.output(&["doctor", "--json"]))).unwrap();
    let faults = seen["faults"].as_array().unwrap();
    let words: Vec<&str> = faults.iter().map(|fault| fault["fault"].as_str().unwrap()).collect();
    assert_eq!(words, TABLE.iter().map(|row| row.fault).collect::<Vec<_>>());
    let says = |it: &Value, key: &str| it[key].as_str().is_some_and(|text| !text.is_empty());
    for fault in faults {
        for world in ["process", "attached"] {
            let it = &fault["worlds"][world];
            match it["possible"].as_bool().unwrap() {
                true => assert!(says(it, "by") && says(it, "proof"), "{fault}"),
                false => assert!(says(it, "why") && says(it, "enable"), "{fault}"),
            }
        }
        // On Linux, which these tests need, squall's own processes can be broken in every way without privileges; only
        // a disk of their own a kernel may refuse, one that can lose its power, and to touch clocks.
        let needs = match fault["fault"].as_str() {
            Some("disk_full") => "disks",
            Some("disk_slow") => "slow_disks",
            Some("power_loss") => "power",
            Some("clock_skew") => "clocks",
            _ => "processes",
        };
        let possible = seen["machine"][needs]["missing"].is_null();
        assert_eq!(fault["worlds"]["process"]["possible"], possible, "{fault}");
    }
    let attached = |word: &str| {
        let fault = faults.iter().find(|fault| fault["fault"] == word).unwrap();
        fault["worlds"]["attached"]["possible"].as_bool().unwrap()
    };
    assert_eq!(
        (attached("kill"), attached("cut"), attached("script")),
        (false, false, true)
    );
    assert!(!place.path().join("tmp").exists(), "something was touched");
}

#[test]
fn the_machine_is_told_as_it_is() {
    let place = Place::new();
    let (soft, hard) = (200, 300);
    let limited = format!("ulimit -S -n {soft}; ulimit -H -n {hard}; exec \"$@\"");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &limited, "sh", place::SQUALL, "doctor", "--json"]);
    command.current_dir(place.path()).env("SQUALL_PG_BIN", "/nonesuch");
    let seen: Value = serde_json::from_str(&text(&command.output().unwrap())).unwrap();
    let machine = &seen["machine"];
    assert_eq!(machine["descriptors"], serde_json::json!([soft, hard]));
    assert!(machine["postgres"]["missing"].as_str().unwrap().contains("/nonesuch"));
    assert_eq!(machine["root"], nix::unistd::Uid::effective().is_root());

    let mut people = std::process::Command::new("sh");
    people
        .args(["-c", &limited, "sh", place::SQUALL, "doctor"])
        .env("SQUALL_PG_BIN", "/nonesuch");
    let said = text(&people.output().unwrap());
    for part in [
        "200 soft, 300 hard: few",
        "PostgreSQL",
        "apt-get install postgresql",
        "timers",
        "priority",
        "control group",
        "✗ no handle on its processes",
        "let squall start it",
        "✓ squall's own TCP proxy on the link",
    ] {
        assert!(said.contains(part), "nothing of `{part}` in\n{said}");
    }
}

/// Where a fault works, of those who have root and those who have not.
fn works(needs: &[Need]) -> [&'static str; 2] {
    match needs {
        _ if needs.contains(&Need::Power) => ["where there are loop devices, ext4, `mount` and `mke2fs`", "no"],
        _ if needs.contains(&Need::SlowDisks) => [
            "where a mount namespace may be made, and FUSE is there",
            "where every user may have namespaces, and FUSE is there",
        ],
        _ if needs.contains(&Need::Disks) => [
            "where a mount namespace may be made",
            "where every user may have namespaces",
        ],
        _ if needs.contains(&Need::Clocks) => [
            "where it may trace other users' processes",
            "where it may trace its own",
        ],
        _ => ["yes", "yes"],
    }
}

/// The book's table of what works with root and without, as it follows from the table `doctor` prints.
fn of_the_book() -> String {
    let mut lines: Vec<(&str, &[Need], Vec<String>)> = Vec::new();
    for row in TABLE {
        let Means::By(by, needs) = row.process else {
            panic!("{}: a fault nobody can have put in force", row.fault)
        };
        let name = format!("[`{0}`](#{0})", row.fault);
        match lines.iter_mut().find(|(known, ..)| *known == by) {
            Some((.., names)) => names.push(name),
            None => lines.push((by, needs, vec![name])),
        }
    }
    let lines = lines.into_iter().map(|(by, needs, names)| {
        let [root, without] = works(needs);
        format!("| {} | {by} | {root} | {without} |\n", names.join(", "))
    });
    let head = "| fault | put in force by | with root | without |\n|---|---|---|---|\n".to_owned();
    head + &lines.collect::<String>()
}

#[test]
fn the_book_tells_by_what_each_fault_is_put_in_force_and_whether_that_needs_root() {
    let book = std::fs::read_to_string(workspace().join("docs/src/faults.md")).unwrap();
    let table = of_the_book();
    assert!(book.contains(&table), "docs/src/faults.md must hold this:\n{table}");
}

/// What the book says works with and without root is what `doctor` says to who has it and who has not.
#[test]
fn with_root_and_without_doctor_says_what_the_book_does() {
    let mut users: Vec<&[&str]> = vec![&[]];
    if nix::unistd::Uid::effective().is_root() {
        users.push(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    for through in users {
        let mut place = Place::new();
        place.through(through);
        let seen: Value = serde_json::from_str(&text(&place.output(&["doctor", "--json"]))).unwrap();
        let root = seen["machine"]["root"].as_bool().unwrap();
        assert_eq!(root, through.is_empty() && nix::unistd::Uid::effective().is_root());
        for (row, fault) in TABLE.iter().zip(seen["faults"].as_array().unwrap()) {
            let Means::By(_, needs) = row.process else { continue };
            let here = &fault["worlds"]["process"];
            let says = works(needs)[usize::from(!root)];
            if says == "yes" || says == "no" {
                assert_eq!(here["possible"], says == "yes", "root: {root}: {fault}");
            } else {
                // The kernel's word, as told of the machine.
                let what = match needs {
                    _ if needs.contains(&Need::Power) => "power",
                    _ if needs.contains(&Need::Disks) => "disks",
                    _ if needs.contains(&Need::SlowDisks) => "slow_disks",
                    _ => "clocks",
                };
                let missing = seen["machine"][what]["missing"].is_string();
                assert_eq!(here["possible"], !missing, "root: {root}: {fault}");
            }
        }
    }
}
