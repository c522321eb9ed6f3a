//! Mistakes in files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::place::{Place, SQUALL};
use super::small::{SCENARIO, SLIPS, SYSTEM};
use super::{Table, check, sound};

const RUN: [&str; 5] = ["run", "--system", "system.yaml", "-s", "storm.yaml"];

#[test]
fn the_small_system_and_its_scenario_are_sound() {
    let place = sound();
    check(
        "sound",
        &place,
        &place.output(&["validate", "system.yaml", "storm.yaml"]),
        0,
        &["at every level"],
    );
}

#[test]
fn every_slip_is_said_at_its_place_with_its_remedy_and_nothing_is_touched() {
    let mut table = Table::default();
    for slip in SLIPS {
        let place = sound();
        let text = if slip.file == "system.yaml" { SYSTEM } else { SCENARIO };
        assert!(text.contains(slip.from), "{}: there is no `{}`", slip.name, slip.from);
        place.write(slip.file, text.replacen(slip.from, slip.to, 1));
        table.check(slip.name, &place, &place.output(&RUN), (2, slip.says));
        // Looking alone says the same.
        let looked = place.output(&["plan", "--system", "system.yaml", "-s", "storm.yaml"]);
        assert_eq!(looked.status.code(), Some(2), "{}", slip.name);
    }
    insta::assert_snapshot!("slips", table.end());
}

#[test]
fn mistakes_in_two_files_are_reported_together() {
    let place = sound();
    place.write(
        "system.yaml",
        SYSTEM
            .replace("entry: server", "entyr: server")
            .replace("lease: 2s", "lease: never"),
    );
    place.write(
        "storm.yaml",
        SCENARIO.replace("none_stuck", "none_stcuk").replace("10/s", "10"),
    );
    let says = [
        "`entyr`",
        "never",
        "`none_stcuk`",
        "system.yaml:10",
        "system.yaml:20",
        "storm.yaml:10",
        "storm.yaml:5",
    ];
    check("two files", &place, &place.output(&RUN), 2, &says);
}

/// Names that are unknown, values of another type, contradictions, programs that are not there, and what can't be
/// planned are found one after the other; whoever mends a file wants to hear of all of them at once.
#[test]
fn mistakes_of_every_sort_are_reported_together() {
    let place = sound();
    // What can be found before the file is read into its type.
    place.write(
        "storm.yaml",
        SCENARIO
            .replace("none_stuck", "none_stcuk")
            .replace("${level.tasks}", "${level.taks}")
            .replace("10/s", "10"),
    );
    let says = [
        "`level.taks`",
        "`none_stcuk`",
        "storm.yaml:4",
        "storm.yaml:5",
        "storm.yaml:10",
    ];
    for args in [&RUN[..], &["validate", "system.yaml", "storm.yaml"]] {
        let said = check("names and types", &place, &place.output(args), 2, &says);
        assert_eq!(
            said.matches("  × ").count(),
            3,
            "what is unknown has no type, either: {said}"
        );
    }
    // And after.
    place.write(
        "storm.yaml",
        SCENARIO
            .replace("warn: 20s", "warn: 40s")
            .replace("to: db", "to: bd")
            .replace("times: 2, ", "")
            .replace("  - none_stuck", "  - none_stuck\n  - script: ./nonesuch.sh"),
    );
    let says = [
        "never ends",
        "no link to `bd`",
        "nonesuch.sh",
        "warn later than it fails",
    ];
    for args in [&RUN[..], &["validate", "system.yaml", "storm.yaml"]] {
        let said = check("contradictions and plans", &place, &place.output(args), 2, &says);
        // That there are too many strikes follows from what is said of them already.
        assert_eq!(said.matches("  × ").count(), 4, "{said}");
    }
}

#[test]
fn what_is_wrong_at_different_levels_is_reported_together_and_once() {
    let place = sound();
    let scale = "- scale: { on: server, to: \"${level.cycles}\", at: 1s }\n  - cut: { from: server, to: bd,";
    place.write(
        "storm.yaml",
        SCENARIO
            .replace("- cut: { from: server, to: db,", scale)
            .replace("storm:\n", "replicas: { server: 3 }\nstorm:\n"),
    );
    let output = place.output(&["validate", "system.yaml", "storm.yaml"]);
    let says = ["no link to `bd`", "so it can't be scaled to 4 (at level 2)"];
    let said = check("levels", &place, &output, 2, &says);
    assert_eq!(said.matches("  × ").count(), 2, "{said}");
}

#[test]
fn a_file_that_is_no_such_file_is_named_with_its_reason() {
    type Spoil = fn(&Place);
    let cases: [(&str, Spoil, &[&str]); 6] = [
        (
            "empty",
            |place| place.write("system.yaml", ""),
            &["system.yaml", "empty"],
        ),
        (
            "only a comment",
            |place| place.write("storm.yaml", "# nothing\n"),
            &["storm.yaml", "empty"],
        ),
        (
            "not UTF-8",
            |place| place.write("system.yaml", b"system: \xff\xfe\n"),
            &["system.yaml", "UTF-8"],
        ),
        (
            "2 MiB",
            |place| place.write("storm.yaml", "# x\n".repeat(1 << 19)),
            &["storm.yaml", "1048576 bytes"],
        ),
        (
            "a folder",
            |place| {
                fs::remove_file(place.path().join("system.yaml")).unwrap();
                fs::create_dir(place.path().join("system.yaml")).unwrap();
            },
            &["system.yaml", "folder"],
        ),
        (
            "missing",
            |place| fs::remove_file(place.path().join("storm.yaml")).unwrap(),
            &["storm.yaml", "is the path right?"],
        ),
    ];
    let mut table = Table::default();
    for (name, spoil, says) in cases {
        let place = sound();
        spoil(&place);
        table.check(name, &place, &place.output(&RUN), (2, says));
        let looked = place.output(&["validate", "system.yaml", "storm.yaml"]);
        assert_eq!(looked.status.code(), Some(2), "{name}");
    }
    table.end();
}

#[test]
fn a_file_this_user_may_not_read_is_named() {
    let place = sound();
    fs::set_permissions(place.path().join("system.yaml"), fs::Permissions::from_mode(0o000)).unwrap();
    let mut command = place.squall(&["validate", "system.yaml"]);
    if nix::unistd::Uid::effective().is_root() {
        // Root may read everything, so somebody else must try; from a copy, for this one's folder may be closed to them.
        let copy = place.path().join("squall");
        fs::copy(SQUALL, &copy).unwrap();
        let mut other = Command::new("setpriv");
        other
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(copy)
            .args(["validate", "system.yaml"]);
        other.current_dir(place.path());
        command = other;
    }
    match command.output() {
        Ok(output) => drop(check(
            "unreadable",
            &place,
            &output,
            2,
            &["system.yaml", "may not read"],
        )),
        Err(error) => panic!("setpriv can't be run ({error}): install util-linux, or be another user than root"),
    }
}

#[test]
fn without_a_system_file_it_says_where_it_looked() {
    let place = Place::new();
    check(
        "none",
        &place,
        &place.output(&["run"]),
        2,
        &["no system file here", "./squall.yaml", "--system"],
    );
    fs::create_dir_all(place.path().join("systems/a")).unwrap();
    fs::create_dir_all(place.path().join("systems/b")).unwrap();
    place.write("systems/a/system.yaml", SYSTEM);
    place.write("systems/b/system.yaml", SYSTEM);
    check(
        "two",
        &place,
        &place.output(&["run"]),
        2,
        &["several", "systems/a/system.yaml", "--system"],
    );
}
