//! `squall doctor`: what this machine allows, and by what each fault is put in force in each world.

use serde_json::{Value, json};
use squall_core::mechanism::{Found, Home, Machine, Row, TABLE};

use super::say;
use super::table::{row, table};
use crate::exit;
use crate::survey::{survey_with_power, timer_error};

/// Fewer descriptors than this are used up by a flood and its proxies.
const FEW: u64 = 4096;

/// Looks and tells. Looking is no failure, whatever is seen.
pub(super) fn doctor(json: bool) -> u8 {
    let machine = Machine {
        timer_error_us: Some(timer_error()),
        ..survey_with_power()
    };
    if json {
        let faults: Vec<Value> = TABLE.iter().map(|row| as_json(row, &machine)).collect();
        let all = json!({ "squall": env!("CARGO_PKG_VERSION"), "machine": machine, "faults": faults });
        say::out(&serde_json::to_string_pretty(&all).unwrap_or_default());
    } else {
        say::out("Machine");
        say::out(&table(&of_machine(&machine), "  "));
        say::out("\nFaults");
        say::out(&as_text(&machine));
    }
    exit::PASS
}

fn as_json(row: &Row, machine: &Machine) -> Value {
    let worlds = Home::ALL.map(|home| {
        let what = match row.by(home, machine) {
            Ok(by) => json!({ "possible": true, "by": by, "proof": row.proof() }),
            Err(not) => json!({ "possible": false, "why": not.why, "enable": not.enable }),
        };
        (home.word().to_owned(), what)
    });
    json!({ "fault": row.fault, "worlds": serde_json::Map::from_iter(worlds) })
}

/// Faults that are put in force alike are told together, in the table's order.
fn as_text(machine: &Machine) -> String {
    let mut groups: Vec<(String, Vec<&Row>)> = Vec::new();
    for row in TABLE {
        let means = Home::ALL.map(|home| match row.by(home, machine) {
            Ok(by) => format!("    {:<9} ✓ {by}\n", home.word()),
            Err(not) => format!("    {:<9} ✗ {}\n{:14}{}\n", home.word(), not.why, "", not.enable),
        });
        let means = means.concat();
        match groups.last_mut().filter(|(last, _)| *last == means) {
            Some((_, rows)) => rows.push(row),
            None => groups.push((means, vec![row])),
        }
    }
    let told = groups.into_iter().map(|(means, rows)| {
        let names: Vec<&str> = rows.iter().map(|row| row.fault).collect();
        let proofs = rows.iter().map(|proven| row(["proof", proven.fault, proven.proof()]));
        let proofs = table(&proofs.collect::<Vec<_>>(), "    ");
        format!("  {}\n{means}{proofs}", names.join(", "))
    });
    told.collect::<Vec<_>>().join("\n")
}

/// What was seen of the machine, and what follows from it.
fn of_machine(machine: &Machine) -> Vec<Vec<String>> {
    let descriptors = match machine.descriptors {
        Some((soft, hard)) if soft < FEW => {
            format!(
                "{soft} soft, {hard} hard: few for a flood; `ulimit -n {}` allows more",
                hard.min(65_536)
            )
        }
        Some((soft, hard)) => format!("{soft} soft, {hard} hard"),
        None => "not known".to_owned(),
    };
    let priority = match machine.priority {
        true => "squall goes before what it measures",
        false => "squall waits its turn like all others: root, or a limit on `nice`, lets it go before",
    };
    let cgroup = match &machine.cgroup {
        Found::At(group) => format!("{group}: groups may be made below it"),
        Found::Missing(why) => format!("none may be made: {why}"),
    };
    let postgres = match &machine.postgres {
        Found::At(folder) => folder.clone(),
        Found::Missing(missing) => format!("{missing}; `preset: postgres` needs it: apt-get install postgresql"),
    };
    let disks = match &machine.disks {
        Found::At(by) => format!("a copy can get one of its own, by {by}"),
        Found::Missing(why) => format!("no copy can get one of its own: {why}"),
    };
    let clocks = match &machine.clocks {
        Found::At(whose) => format!("those of {whose} can be made wrong"),
        Found::Missing(why) => format!("none can be made wrong: {why}"),
    };
    let slow = match &machine.slow_disks {
        Found::At(by) => format!("a copy's can be slow, by {by}"),
        Found::Missing(why) => format!("no copy's can be slow: {why}"),
    };
    let power = match &machine.power {
        Found::At(by) => format!("a copy's disk can lose it: {by}"),
        Found::Missing(why) => format!("no copy's disk can lose it: {why}"),
    };
    let user = match (machine.root, &machine.disks) {
        (true, _) => "root; PostgreSQL is run as another",
        (false, Found::At(_)) => "not root, which only a loss of power needs",
        (false, Found::Missing(_)) => "not root, which a disk of a copy's own needs here",
    };
    let processes = match machine.processes {
        true => "seen in /proc with all they started",
        false => "not seen: there is no /proc",
    };
    let timers = machine.timer_error_us.map_or_else(
        || "not measured".to_owned(),
        |late| format!("a pause of 1 ms takes {late} µs longer"),
    );
    vec![
        row(["system", &machine.system]),
        row(["processors", &machine.processors.to_string()]),
        row(["user", user]),
        row(["processes", processes]),
        row(["PostgreSQL", &postgres]),
        row(["descriptors", &descriptors]),
        row(["timers", &timers]),
        row(["priority", priority]),
        row(["control group", &cgroup]),
        row(["disks", &disks]),
        row(["slow disks", &slow]),
        row(["clocks", &clocks]),
        row(["power", &power]),
    ]
}
