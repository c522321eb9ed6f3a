//! `squall doctor`: every fault in every world, and what the machine is, for people and for programs.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail by panicking, too")]

#[path = "rig/place.rs"]
mod place;

use place::Place;
use serde_json::Value;
use squall_core::mechanism::TABLE;

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
        // a disk of their own a kernel may refuse.
        let possible = fault["fault"] != "disk_full" || seen["machine"]["disks"]["missing"].is_null();
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
